//! `submit`: events in, invocations out, an answer back.
//!
//! `sqs` and `http` turn their events into [`Invocation`]s and the outcomes into their own answers; what happens between
//! the two, one call of `InvokeEndpointAsync`, is here.

mod dead_letter;
mod event;
pub mod http;
mod once;
mod rejected;
mod sqs;
mod tries;

use std::sync::Arc;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sagemakerruntime::primitives::Blob;
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::aws::{self, Lazy};
use crate::batch::SqsBatchResponse;
use crate::config::SubmitConfig;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::invocation::{EndpointName, Input, Invocation, Parameters};
use crate::location::S3Uri;
use crate::object::Object;
use crate::results::ResultsQueue;
use crate::telemetry;
use dead_letter::DeadLetterQueue;
use event::Event;
use once::{Once, Records, Verdict};
use tries::Tries;

/// SageMaker takes inputs of up to 1 GB.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html>
const INPUT_LIMIT_BYTES: u64 = 1_073_741_824;

/// The handler of the function `submit`.
pub struct Submit {
    config: SubmitConfig,
    sagemaker: aws_sdk_sagemakerruntime::Client,
    s3: Lazy<aws_sdk_s3::Client>,
    dead_letters: Option<DeadLetterQueue>,
    results: Option<ResultsQueue>,
}

/// What `submit` answers, in the form that the event's source takes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The messages of a batch that must come back.
    Sqs(SqsBatchResponse),
    /// An HTTP response.
    Http(http::Response),
}

/// Where a request came from, by the id that AWS gave it: it names an uploaded input and finds the request in logs.
#[derive(Clone, Copy, Debug)]
enum Origin<'a> {
    SqsMessage(&'a str),
    HttpRequest { request_id: &'a str, upload_name: &'a str },
}

impl<'a> Origin<'a> {
    const fn upload_name(self) -> &'a str {
        match self {
            Self::SqsMessage(name) | Self::HttpRequest { upload_name: name, .. } => name,
        }
    }

    const fn message_id(self) -> Option<&'a str> {
        if let Self::SqsMessage(id) = self { Some(id) } else { None }
    }

    const fn request_id(self) -> Option<&'a str> {
        if let Self::HttpRequest { request_id, .. } = self { Some(request_id) } else { None }
    }
}

/// An invocation that SageMaker has accepted: its answer, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Accepted {
    /// The id that the notification will carry.
    inference_id: Option<String>,
    /// Where the output will be.
    output_location: Option<String>,
    /// Where the failure output would be; only for endpoints with a failure path.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_location: Option<String>,
    /// When it was accepted, or a little before, in seconds since 1970.
    #[serde(skip)]
    accepted_at: u64,
    /// Whether this is the answer to an earlier request with the same key.
    #[serde(skip)]
    is_repeated: bool,
}

impl Submit {
    /// A handler whose clients come from `sdk`.
    #[must_use]
    pub fn new(config: SubmitConfig, sdk: &SdkConfig) -> Self {
        Self::with_clients(config, aws::sagemaker(sdk), aws::s3(sdk), aws::sqs(sdk))
    }

    /// A handler with these clients.
    #[must_use]
    pub fn with_clients(
        config: SubmitConfig,
        sagemaker: aws_sdk_sagemakerruntime::Client,
        s3: Lazy<aws_sdk_s3::Client>,
        sqs: Lazy<aws_sdk_sqs::Client>,
    ) -> Self {
        let (sqs, at_once) = (Arc::new(sqs), config.max_concurrency);
        let dead_letters = config.dead_letter_queue_url.clone();
        let dead_letters = dead_letters.map(|url| DeadLetterQueue::new(aws::another(&sqs), url, at_once));
        let results = config.results_queue_url.clone();
        let results = results.map(|url| ResultsQueue::new(aws::another(&sqs), url, at_once));
        Self { config, sagemaker, s3, dead_letters, results }
    }

    /// Primes the process for its first request: goes through an invocation with a client that sends nothing, so that the SDK's code
    /// is paged in by then. Lambda gives init a whole processor, invocations a share of one (docs/performance.md has the figures).
    ///
    /// # Errors
    /// A [`Fault`] when the SDK cannot make a request, as it then cannot for an event either.
    pub async fn prime(&self) -> Result<(), Fault> {
        let config = self.sagemaker.config().to_builder().http_client(aws::silent_http_client()).build();
        let invocation = aws_sdk_sagemakerruntime::Client::from_conf(config)
            .invoke_endpoint_async()
            .endpoint_name(self.config.endpoint_name.clone())
            .content_type(self.config.content_type.clone())
            .body(Blob::new("{}"));
        invocation.send().await.map(drop).map_err(Fault::from_invoke)
    }

    /// Answers one event: a batch from SQS or a request from API Gateway or a function URL.
    ///
    /// # Errors
    /// A [`Fault`] when the event is neither; Lambda then treats the whole event as failed.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Fault> {
        let deadline = Deadline::at(event.context.deadline());
        match Event::parse(&event.payload).inspect_err(|fault| tracing::error!(error = %fault, "event refused"))? {
            Event::Sqs(batch) => self.answer_batch(batch, deadline).await.map(Answer::Sqs),
            Event::Http(request) => {
                drop(event.payload);
                Ok(Answer::Http(self.answer_request(request, &event.context.request_id, deadline).await))
            }
        }
    }

    /// Has SageMaker accept a request that came from `origin`, if it is a valid one, and logs the outcome.
    async fn accept(
        &self,
        invocation: Result<Invocation, Fault>,
        origin: Origin<'_>,
        once: Option<&Once<'_>>,
        deadline: Deadline,
    ) -> Result<Accepted, Fault> {
        let start = Instant::now();
        let endpoint = invocation.as_ref().ok().map(|invocation| invocation.parameters.endpoint_name.clone());
        let way = invocation.as_ref().ok().map(|invocation| self.way(&invocation.input));
        let outcome = match invocation {
            Ok(invocation) => self.invoke_once(invocation, origin, once, deadline).await,
            Err(fault) => Err(fault),
        };
        let duration_ms = telemetry::milliseconds_since(start);
        let endpoint = endpoint.as_ref().map(EndpointName::as_str);
        let (message_id, request_id) = (origin.message_id(), origin.request_id());
        match &outcome {
            Ok(accepted) => tracing::info!(
                inference.id = accepted.inference_id,
                endpoint.name = endpoint,
                sqs.message_id = message_id,
                http.request_id = request_id,
                input.way = way,
                output.location = accepted.output_location,
                repeated = accepted.is_repeated,
                duration_ms,
                "invocation accepted"
            ),
            Err(fault) => tracing::error!(
                endpoint.name = endpoint,
                sqs.message_id = message_id,
                http.request_id = request_id,
                input.way = way,
                retryable = fault.kind().is_retryable(),
                error = fault.details(),
                duration_ms,
                "invocation failed"
            ),
        }
        outcome
    }

    /// How an input travels, for the log.
    const fn way(&self, input: &Input) -> &'static str {
        match input {
            Input::Payload(payload) if payload.len() <= self.config.inline_limit_bytes => "inline",
            Input::Payload(_) => "s3",
            Input::Location(_) => "input location",
        }
    }

    /// Invokes, unless it is known that the same request was accepted before.
    async fn invoke_once(
        &self,
        invocation: Invocation,
        origin: Origin<'_>,
        once: Option<&Once<'_>>,
        deadline: Deadline,
    ) -> Result<Accepted, Fault> {
        // Only a key that is claimed has to know whether it may be given back.
        let tries = matches!(once, Some(Once::Claim { .. })).then(Tries::default);
        // Boxed: the SDK's futures are large and deep.
        let invoke = Box::pin(self.invoke(invocation, origin.upload_name(), tries.clone(), deadline));
        let (Some(once), Some(location)) = (once, &self.config.idempotency_location) else {
            return deadline.run(invoke).await;
        };
        let records = Records { s3: &self.s3, location, deadline };
        let pending = match deadline.run(Box::pin(records.verdict(once))).await? {
            Verdict::Invoke(pending) => pending,
            Verdict::Answered(accepted) => return Ok(accepted),
        };
        let outcome = deadline.run(invoke).await;
        records.settle(pending, outcome, tries.is_some_and(|tries| tries.may_be_accepted())).await
    }

    /// Calls SageMaker. A payload over the inline limit goes through S3, to an object called `upload_name`.
    async fn invoke(
        &self,
        invocation: Invocation,
        upload_name: &str,
        tries: Option<Tries>,
        deadline: Deadline,
    ) -> Result<Accepted, Fault> {
        let Invocation { parameters, input } = invocation;
        let (body, location) = match input {
            Input::Payload(payload) if payload.len() <= self.config.inline_limit_bytes => (Some(payload), None),
            Input::Payload(payload) => (None, Some(self.upload(payload, &parameters, upload_name).await?)),
            Input::Location(location) => {
                self.check_upload(&location).await?;
                (None, Some(location))
            }
        };
        // The upload may have used up the time that this call is promised.
        deadline.check_start()?;
        let location = location.map(String::from);
        let is_ascii = location.as_deref().is_none_or(str::is_ascii);
        let call = self
            .client(tries)
            .invoke_endpoint_async()
            .endpoint_name(parameters.endpoint_name)
            .content_type(parameters.content_type)
            .set_accept(parameters.accept.map(String::from))
            .set_custom_attributes(parameters.custom_attributes.map(String::from))
            .set_inference_id(parameters.inference_id.map(String::from))
            .set_s3_output_path_extension(parameters.s3_output_path_extension.map(String::from))
            .set_filename(parameters.filename.map(String::from))
            .set_request_ttl_seconds(parameters.request_ttl_seconds)
            .set_invocation_timeout_seconds(parameters.invocation_timeout_seconds)
            .set_input_location(location)
            .set_body(body.map(Blob::new));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let accepted_at = now.as_secs();
        let accepted =
            call.send().await.map_err(if is_ascii { Fault::from_invoke } else { Fault::from_invoke_beyond_ascii })?;
        Ok(Accepted {
            inference_id: accepted.inference_id,
            output_location: accepted.output_location,
            failure_location: accepted.failure_location,
            accepted_at,
            is_repeated: false,
        })
    }

    /// The client, or one like it that tells `tries` what becomes of each. Not the call's `customize()`, which would link the SDK's whole
    /// way of sending a second time.
    fn client(&self, tries: Option<Tries>) -> aws_sdk_sagemakerruntime::Client {
        match tries {
            Some(tries) => {
                let config = self.sagemaker.config().to_builder().interceptor(tries);
                aws_sdk_sagemakerruntime::Client::from_conf(config.build())
            }
            None => self.sagemaker.clone(),
        }
    }

    /// A presigned URL cannot bound an upload whose length was not announced, and nobody knows whether it was used at all.
    async fn check_upload(&self, location: &S3Uri) -> Result<(), Fault> {
        if !self.config.upload_location.contains(location) {
            return Ok(());
        }
        match Object::get(&self.s3, location).await? {
            None => Err(Fault::validation("InputLocation names an upload that was not put there")),
            Some(object) if object.length > INPUT_LIMIT_BYTES => Err(Fault::payload_too_large(format!(
                "the upload has {} bytes, SageMaker takes at most {INPUT_LIMIT_BYTES}",
                object.length
            ))),
            Some(_) => Ok(()),
        }
    }

    async fn upload(&self, payload: Vec<u8>, parameters: &Parameters, name: &str) -> Result<S3Uri, Fault> {
        let location = self.config.input_location.join(name).map_err(|error| {
            Fault::internal(format!(
                "the input's location {error}; BRIDGE_INPUT_LOCATION is {}",
                self.config.input_location
            ))
        })?;
        self.s3
            .put_object()
            .bucket(location.bucket())
            .key(location.key())
            .content_type(parameters.content_type.as_str())
            .body(ByteStream::from(payload))
            .send()
            .await
            .map_err(|error| Fault::from_aws("PutObject", error))?;
        Ok(location)
    }
}
