//! Requests by HTTP: API Gateway's payload formats 1.0 and 2.0, and function URLs. Paths, headers, answers and errors are those
//! of SageMaker's own `InvokeEndpointAsync`, so that an AWS SDK can be pointed here; what goes beyond it is HTTP's own.

mod output;
mod request;
mod response;
mod route;
mod token;
mod upload;

use std::borrow::Cow;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::output::{IN_PROGRESS, RETRY_AFTER_RUNNING_SECONDS, preferred_wait};
use self::request::Request;
pub(in crate::submit) use self::response::Response;
use self::route::{Route, UNKNOWN_PATH, route};
use self::token::Token;
use crate::deadline::Deadline;
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::{Fault, json_problem};
use crate::hash::hex;
use crate::invocation::{Input, Invocation, Parameters};
use crate::parameter::{
    ACCEPT, CONTENT_TYPE, ENDPOINT_NAME, Filename, InferenceId, Parameter, ParameterSource, is_printable_ascii,
};
use crate::submit::accepted::Accepted;
use crate::submit::idempotency::{Idempotency, Key};
use crate::submit::outcome::Origin;
use crate::submit::{Answer, AnswerForm, Submit};

const MAX_IDEMPOTENCY_KEY_CHARS: usize = 255;

/// API Gateway's HTTP and REST APIs, and function URLs.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
pub(in crate::submit) struct Http;

impl Source<Submit> for Http {
    fn shape(&self) -> &'static str {
        "an HTTP request of API Gateway or a function URL (`requestContext`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.fields().json("requestContext").is_some_and(|context| context.get() != "null")
    }

    fn read<'f>(&self, submit: &'f Submit, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Submit>, Fault> {
        let bad = |error| Fault::validation(format!("the event is not an HTTP request: {}", json_problem(&error)));
        let request: Request = serde_json::from_str(shape.whole().get()).map_err(bad)?;
        let answer = async move { Ok(Answer(AnswerForm::Http(submit.answer_request(request, &call).await))) };
        Ok(answer.boxed())
    }
}

/// The body of a 202 to POST: SageMaker's answer, and how it stands if the caller waited for it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AcceptedBody<'a> {
    #[serde(flatten)]
    accepted: &'a Accepted,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

impl Submit {
    /// Answers a request.
    async fn answer_request(&self, request: Request, call: &Call) -> Response {
        let request = request.with_lower_case_headers();
        let lambda_request_id = call.request_id.as_str();
        let (path, method) = (request.path().to_owned(), request.method().to_owned());
        let deadline = call.deadline.at_most(request.time_left());
        let response = match (route(&path), method.as_str()) {
            (None, _) => Response::error(404, "UnknownOperationException", UNKNOWN_PATH),
            (Some((prefix, Route::Invocations(endpoint))), "POST") => {
                let (has_body, trace_header) = (request.has_body(), call.trace_header.as_deref());
                let post = InvocationRequest { has_body, request, endpoint, prefix, lambda_request_id, trace_header };
                self.answer_invocation(post, deadline).await
            }
            (Some((_, Route::Invocation(token))), "GET" | "HEAD") => {
                match Token::parse(token, &self.config.output_locations) {
                    Some(token) => self.answer_token(&token, method == "HEAD", deadline).await,
                    None => Response::error(404, "ResourceNotFound", "there is no invocation with this token"),
                }
            }
            (Some((_, Route::Uploads)), "POST") => {
                let name = upload_name(&request, lambda_request_id);
                self.answer_upload(&request, &name).await.unwrap_or_else(|fault| {
                    tracing::error!(error = fault.details(), "upload refused");
                    Response::fault(&fault)
                })
            }
            // Browsers ask so before they call; the gateway adds the headers of its CORS configuration.
            (Some((_, route)), "OPTIONS") => Response::no_content().with("allow", Some(route.allow())),
            (Some((_, route)), _) => route.method_not_allowed(),
        };
        if method == "HEAD" { response.without_body() } else { response }
    }

    /// Answers POST: 202 when it is accepted, and the output itself if the caller prefers to wait and it comes in time.
    async fn answer_invocation(&self, mut call: InvocationRequest<'_>, deadline: Deadline) -> Response {
        let request_id = call.request.id().unwrap_or(call.lambda_request_id).to_owned();
        let upload_name = upload_name(&call.request, call.lambda_request_id);
        let origin = Origin::http_request(&request_id, &upload_name);
        let (invocation, key) = match self.http_invocation(&mut call) {
            Ok((invocation, key)) => (Ok(invocation), key),
            Err(fault) => (Err(fault), None),
        };
        let idempotency = key.map(|key| Idempotency::Claim { key, claimant: call.lambda_request_id });
        let accepted = match self.accept(invocation, origin, idempotency.as_ref(), deadline).await {
            Ok(accepted) => accepted,
            Err(fault) => return Response::fault(&fault),
        };
        let token = Token::of(&accepted, &self.config.output_locations);
        let mut waited = None;
        if let (Some(token), Some(wait)) = (&token, self.granted_wait(&call.request, deadline)) {
            match self.wait(token, wait, deadline).await {
                Ok(Some(response)) => {
                    return response.with("preference-applied", Some(&preference(wait))).accepted(&accepted);
                }
                Ok(None) => waited = Some(wait),
                // The invocation is accepted, whatever happens here.
                Err(fault) => {
                    tracing::warn!(inference.id = accepted.inference_id, error = fault.details(), "waiting given up");
                }
            }
        }
        let base_url = call.request.base_url(call.prefix, self.config.api_url.as_ref());
        let location = token.zip(base_url).map(|(token, base)| format!("{base}/invocations/{}", token.encode()));
        Response::json(202, &AcceptedBody { accepted: &accepted, status: waited.map(|_| IN_PROGRESS) })
            .with("retry-after", location.as_ref().map(|_| RETRY_AFTER_RUNNING_SECONDS))
            .with("location", location.as_deref())
            .with("preference-applied", waited.map(preference).as_deref())
            .accepted(&accepted)
    }

    /// How long a caller that prefers to wait may do so, in whole seconds.
    fn granted_wait(&self, request: &Request, deadline: Deadline) -> Option<Duration> {
        let wanted = preferred_wait(request.header("prefer")?)?;
        let seconds = wanted.min(self.config.max_wait_seconds).min(deadline.time_to_work().as_secs());
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    fn http_invocation(&self, call: &mut InvocationRequest<'_>) -> Result<(Invocation, Option<Key>), Fault> {
        let payload = call.request.take_payload()?;
        let mut parameters = Parameters::read(call, &self.config)?;
        if parameters.filename.is_none() {
            parameters.filename = Some(random_filename()?);
        }
        let key = match call.request.header_or_empty("idempotency-key") {
            Some(key) => {
                let key = self.checked_key(key)?;
                if parameters.inference_id.is_none() {
                    // By default an id that the caller knows and a repetition keeps, as with an SQS message's.
                    parameters.inference_id = inference_id_of(key).parse().ok();
                }
                Some(Key::of_request(&call.request.caller(), key, call, &payload))
            }
            None => None,
        };
        let input = match (parameters.input_location.take(), payload.is_empty()) {
            (Some(location), true) => Input::Location(location),
            (None, false) => Input::Payload(payload),
            (Some(_), false) => {
                return Err(Fault::validation("the request has both a body and an InputLocation: give exactly one"));
            }
            (None, true) => {
                return Err(Fault::validation("the request has neither a body nor an InputLocation: give exactly one"));
            }
        };
        Ok((Invocation { parameters, input }, key))
    }

    /// A caller that gives a key relies on it, so one that can have no effect is refused.
    fn checked_key<'a>(&self, key: &'a str) -> Result<&'a str, Fault> {
        if self.config.idempotency_location.is_none() {
            let problem = "Idempotency-Key is not supported here: BRIDGE_IDEMPOTENCY_LOCATION is not set, and its default is \
                           among the locations that callers may name";
            return Err(Fault::validation(problem));
        }
        if !is_printable_ascii(key) || !(1..=MAX_IDEMPOTENCY_KEY_CHARS).contains(&key.len()) {
            let problem =
                format!("Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters");
            return Err(Fault::validation(problem));
        }
        Ok(key)
    }
}

/// A POST of an invocation.
struct InvocationRequest<'a> {
    request: Request,
    has_body: bool,
    endpoint: Option<&'a str>,
    /// What of the path comes before the route.
    prefix: &'a str,
    lambda_request_id: &'a str,
    /// Lambda's: that of an HTTP API says nothing about sampling.
    trace_header: Option<&'a str>,
}

impl ParameterSource for InvocationRequest<'_> {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        // SageMaker's headers win; HTTP's own serve callers that know nothing of SageMaker. To a request without a body an HTTP API
        // adds a Content-Type of its own:
        // <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
        let given = || self.request.header(parameter.header);
        let value = match parameter {
            ENDPOINT_NAME => self.endpoint,
            CONTENT_TYPE => given().or_else(|| self.request.header("content-type").filter(|_| self.has_body)),
            ACCEPT => given().or_else(|| self.request.header("accept").filter(|accept| *accept != "*/*")),
            // Those of a state machine or a durable function, which come by no header.
            _ if parameter.header.is_empty() => None,
            _ => given(),
        };
        Ok(value.map(Cow::Borrowed))
    }

    fn trace_header(&self) -> Option<&str> {
        self.trace_header
    }
}

/// The key itself, or the SHA-256 of one that is too long for an inference id, as a caller can compute it.
fn inference_id_of(key: &str) -> Cow<'_, str> {
    if key.parse::<InferenceId>().is_ok() { Cow::Borrowed(key) } else { Cow::Owned(hex(&Sha256::digest(key))) }
}

/// The name of an output that nobody can guess, and that no other request has, whatever its inference id: SageMaker may derive
/// the names that it gives from that id, and callers may choose the same one. 112 bits, in as many characters as a name may have.
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>
fn random_filename() -> Result<Filename, Fault> {
    let mut bytes = [0; 14];
    getrandom::getrandom(&mut bytes)
        .map_err(|error| Fault::internal(format!("the operating system returned no random numbers: {error}")))?;
    let name = format!("{}.out", hex(&bytes));
    name.parse().map_err(|error| Fault::internal(format!("the random Filename {error}")))
}

/// What an uploaded input is called: the gateway's request id, and Lambda's, because a caller of a REST API can choose the
/// former (header `x-amzn-RequestId`) and must not reach another request's input with it.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html>
fn upload_name(request: &Request, lambda_request_id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
    match request.id() {
        Some(id) if id != lambda_request_id && id.len() <= 64 && id.bytes().all(is_plain) => {
            format!("{id}-{lambda_request_id}")
        }
        _ => lambda_request_id.to_owned(),
    }
}

fn preference(wait: Duration) -> String {
    format!("wait={}", wait.as_secs())
}

impl Response {
    /// SageMaker's headers of an accepted invocation.
    fn accepted(self, accepted: &Accepted) -> Self {
        self.with("x-amzn-sagemaker-outputlocation", accepted.output_location.as_deref())
            .with("x-amzn-sagemaker-failurelocation", accepted.failure_location.as_deref())
            .with("x-amzn-sagemaker-inference-id", accepted.inference_id.as_deref())
    }
}
