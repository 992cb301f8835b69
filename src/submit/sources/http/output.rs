//! What has become of an invocation: looked up once (`GET /invocations/{token}`) or waited for (`Prefer: wait`). The output
//! object, or the failure's, is all the state there is; SageMaker's API has no call for it.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use serde::Serialize;
use tokio::time::Instant;

use super::response::{BODY_LIMIT_BYTES, Response};
use super::token::Token;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::location::S3Uri;
use crate::object::Object;
use crate::parameter::{InferenceId, is_printable_ascii};
use crate::pending::{self, UNANSWERED};
use crate::submit::Submit;
use crate::telemetry;

/// When to ask again for an output that is not there yet, in seconds.
pub(super) const RETRY_AFTER_RUNNING_SECONDS: &str = "2";
/// How long a presigned URL of a large output opens it: the redirect is followed at once.
const DOWNLOAD_EXPIRES: Duration = Duration::from_secs(300);
/// Largest failure output that becomes a `Message`; a larger one is named by its location.
const MESSAGE_LIMIT_BYTES: u64 = 65_536;

/// How much earlier than the acceptance, to the second, an output may seem to be written.
const CLOCK_SKEW_SECONDS: u64 = 1;
/// HTTP's name for bytes of which nothing is known.
const UNKNOWN_CONTENT: &str = "application/octet-stream";

/// A waiting request looks after this pause, then after pauses that grow by a half up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long after the end of its wait a request still waits for the answer to a look.
const GRACE: Duration = Duration::from_secs(1);

/// The body of a 202 to GET.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InProgress<'a> {
    inference_id: Option<&'a str>,
    status: &'static str,
}

/// The `Status` of an invocation that has not ended.
pub(super) const IN_PROGRESS: &str = "InProgress";

/// Whether a lookup asks for the failure output too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lookup {
    Output,
    OutputAndFailure,
}

impl Submit {
    /// Answers GET, and HEAD, of an invocation: 200 or 303 when it is completed, 424 when it failed, 202 while it runs.
    pub(super) async fn answer_token(&self, token: &Token, is_head: bool, deadline: Deadline) -> Response {
        let start = Instant::now();
        let response = match deadline.run(Box::pin(self.look_up_all(token, is_head))).await {
            Ok(Some(response)) => response,
            Ok(None) => running(token),
            Err(fault) => {
                tracing::error!(inference.id = token.id(), error = fault.details(), "output not read");
                Response::fault(&fault)
            }
        };
        let duration_ms = telemetry::milliseconds_since(start);
        tracing::info!(
            inference.id = token.id(),
            http.status = response.status_code(),
            duration_ms,
            "output asked for"
        );
        // An answer is one caller's, and the one while it runs is soon wrong.
        response.with("cache-control", Some("no-store"))
    }

    /// Waits up to `wait`, or as long as the deadline lets it, for an invocation to end; `None` if it has not.
    ///
    /// # Errors
    /// A [`Fault`] of the first lookup that failed.
    pub(super) async fn wait(
        &self,
        token: &Token,
        wait: Duration,
        deadline: Deadline,
    ) -> Result<Option<Response>, Fault> {
        let until = (Instant::now() + wait).min(deadline.work_by());
        let mut pause = FIRST_PAUSE;
        let mut what = Lookup::Output;
        loop {
            let next = (Instant::now() + pause).min(until);
            tokio::time::sleep_until(next).await;
            let is_last = next >= until;
            if is_last {
                what = Lookup::OutputAndFailure;
            }
            let lookup = deadline.finish(Box::pin(self.look_up(token, what, false)));
            // What S3 does not tell in time is not known to have ended.
            let ended = match tokio::time::timeout_at(until + GRACE, lookup).await {
                Ok(ended) => ended?,
                Err(_) => return Ok(None),
            };
            if ended.is_some() || is_last {
                return Ok(ended);
            }
            // Failures are few, so every other lookup is enough for them.
            what = if what == Lookup::Output { Lookup::OutputAndFailure } else { Lookup::Output };
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    async fn look_up(&self, token: &Token, what: Lookup, is_head: bool) -> Result<Option<Response>, Fault> {
        let response = match self.ended(token, &token.output).await? {
            Some(object) => self.completed(&token.output, object, is_head).await?,
            None => {
                let Some(failure) = token.failure.as_ref().filter(|_| what == Lookup::OutputAndFailure) else {
                    return Ok(None);
                };
                let Some(object) = self.ended(token, failure).await? else { return Ok(None) };
                failed(failure, object).await?
            }
        };
        Ok(Some(response.with("x-amzn-sagemaker-inference-id", token.id())))
    }

    /// Looks for the output, the failure output, and, if the answer is overdue, whether the request was given up.
    async fn look_up_all(&self, token: &Token, is_head: bool) -> Result<Option<Response>, Fault> {
        if let Some(response) = self.look_up(token, Lookup::OutputAndFailure, is_head).await? {
            return Ok(Some(response));
        }
        let (Some(key), Some(location)) = (&token.pending, &self.config.pending_location) else { return Ok(None) };
        if !key.is_overdue(pending::now_ms() / 1_000) {
            return Ok(None);
        }
        let given_up = Object::get(&self.s3, &pending::given_up_at(location, key)?).await?;
        let Some(object) = given_up.filter(|object| object.length <= MESSAGE_LIMIT_BYTES) else { return Ok(None) };
        let reason = String::from_utf8_lossy(&object.read().await?).into_owned();
        let response = Response::error(424, UNANSWERED, &reason);
        Ok(Some(response.with("x-amzn-sagemaker-inference-id", token.id())))
    }

    /// What this invocation left; an object from before it, which another one with the same Filename left, is none.
    async fn ended(&self, token: &Token, location: &S3Uri) -> Result<Option<Object>, Fault> {
        let object = Object::get(&self.s3, location).await?;
        Ok(object.filter(|object| {
            object.last_modified().is_none_or(|time| time.saturating_add(CLOCK_SKEW_SECONDS) >= token.accepted_at)
        }))
    }

    /// The output itself, or the way to one that is too large for an answer; of that one no byte is read.
    async fn completed(&self, location: &S3Uri, object: Object, is_head: bool) -> Result<Response, Fault> {
        let content_type =
            object.content_type().filter(|text| is_media_type(text)).unwrap_or(UNKNOWN_CONTENT).to_owned();
        let content_encoding = object.content_encoding().map(str::to_owned);
        if object.length <= BODY_LIMIT_BYTES as u64
            && let Some(response) = Response::bytes(200, object.read().await?)
        {
            return Ok(response
                .with("content-type", Some(&content_type))
                .with("content-encoding", content_encoding.as_deref()));
        }
        Ok(Response::redirect(&self.download_url(location, is_head).await?))
    }

    /// A presigned URL is for one method: whoever asked by HEAD follows by HEAD.
    async fn download_url(&self, location: &S3Uri, is_head: bool) -> Result<String, Fault> {
        let expires = PresigningConfig::expires_in(DOWNLOAD_EXPIRES)
            .map_err(|error| Fault::internal(format!("could not create a presigned URL: {error}")))?;
        let presigned = if is_head {
            let call = self.s3.head_object().bucket(location.bucket()).key(location.key());
            call.presigned(expires).await.map_err(|error| Fault::from_aws("HeadObject", error))?
        } else {
            let call = self.s3.get_object().bucket(location.bucket()).key(location.key());
            call.presigned(expires).await.map_err(|error| Fault::from_aws("GetObject", error))?
        };
        Ok(presigned.uri().to_owned())
    }
}

impl Token {
    fn id(&self) -> Option<&str> {
        self.inference_id.as_ref().map(InferenceId::as_str)
    }
}

fn running(token: &Token) -> Response {
    Response::json(202, &InProgress { inference_id: token.id(), status: IN_PROGRESS })
        .with("retry-after", Some(RETRY_AFTER_RUNNING_SECONDS))
        .with("x-amzn-sagemaker-inference-id", token.id())
}

/// SageMaker's `ModelError` of the synchronous API, for a failure output.
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html>
async fn failed(location: &S3Uri, object: Object) -> Result<Response, Fault> {
    let message = if object.length <= MESSAGE_LIMIT_BYTES {
        String::from_utf8_lossy(&object.read().await?).into_owned()
    } else {
        format!("the model failed; its failure output ({} bytes) is at {location}", object.length)
    };
    Ok(Response::error(424, "ModelError", &message))
}

/// Whether a text is `type/subtype` with or without parameters: what S3 keeps is whatever the model said.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1>
fn is_media_type(text: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    is_printable_ascii(text)
        && essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The seconds of the first `wait` in a `Prefer` header; `None` for any other preference, and for one that is no number: what
/// is not understood is to be passed over. <https://www.rfc-editor.org/rfc/rfc7240#section-2>
pub(super) fn preferred_wait(prefer: &str) -> Option<u64> {
    let (_, seconds) = prefer
        .split(',')
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?;
    seconds.trim().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_two_parts() {
        for text in ["text/plain", "application/vnd.api+json; charset=utf-8", "text/plain;a=\"b c\""] {
            assert!(is_media_type(text), "{text}");
        }
        for text in
            ["", "text", "/", "text/", "/plain", "a b/c", "t<x>/html", "text/plain\r\nx: y", "text/käse", "a/b/c"]
        {
            assert!(!is_media_type(text), "{text}");
        }
    }

    #[test]
    fn the_first_wait_of_a_prefer_header_counts() {
        for (prefer, expected) in [
            ("wait=15", Some(15)),
            ("respond-async, Wait = \"15\"; x=y, wait=2", Some(15)),
            ("respond-async,wait=0", Some(0)),
            ("wait", None),
            ("wait=", None),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("wait=99999999999999999999999", None),
            ("await=3", None),
            ("", None),
        ] {
            assert_eq!(preferred_wait(prefer), expected, "{prefer}");
        }
    }
}
