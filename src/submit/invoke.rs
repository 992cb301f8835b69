//! One invocation: the call of `InvokeEndpointAsync`, inline or through S3, wherever the request came from.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sagemakerruntime::primitives::Blob;
use tokio::time::Instant;

use super::Submit;
use super::accepted::Accepted;
use super::idempotency::{Decision, Idempotency, RequestRecords};
use super::outcome::{InputTransport, Origin, Pending};
use super::remember::request_to_remember;
use super::tries::Tries;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::invocation::{Input, Invocation, Parameters};
use crate::location::S3Uri;
use crate::object::Object;
use crate::pending::now_ms;

/// SageMaker takes inputs of up to 1 GB.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html>
pub(super) const INPUT_LIMIT_BYTES: u64 = 1_073_741_824;

impl Submit {
    /// Has SageMaker accept a request that came from `origin`, if it is a valid one, and logs and counts the outcome.
    pub(super) async fn accept(
        &self,
        invocation: Result<Invocation, Fault>,
        origin: Origin<'_>,
        idempotency: Option<&Idempotency<'_>>,
        deadline: Deadline,
    ) -> Result<Accepted, Fault> {
        let valid = invocation.as_ref().ok();
        let pending = Pending {
            origin,
            endpoint_name: valid.map(|invocation| invocation.parameters.endpoint_name.clone()),
            transport: valid.map(|invocation| self.transport(&invocation.input)),
            payload_bytes: valid.and_then(|invocation| invocation.input.payload_bytes()),
            trace_header: valid.and_then(|invocation| invocation.parameters.trace_header.clone()),
            start: Instant::now(),
            metrics: &self.metrics,
        };
        let outcome = match invocation {
            Ok(invocation) => self.invoke_once(invocation, origin.upload_name(), idempotency, deadline).await,
            Err(fault) => Err(fault),
        };
        match &outcome {
            Ok(accepted) => pending.accepted(accepted),
            Err(fault) => pending.failed(fault),
        }
        outcome
    }

    const fn transport(&self, input: &Input) -> InputTransport {
        match input {
            Input::Payload(payload) if payload.len() <= self.config.inline_limit_bytes => InputTransport::Inline,
            Input::Payload(_) => InputTransport::S3,
            Input::Location(_) => InputTransport::InputLocation,
        }
    }

    /// Invokes, unless it is known that the same request was accepted before.
    async fn invoke_once(
        &self,
        invocation: Invocation,
        upload_name: &str,
        idempotency: Option<&Idempotency<'_>>,
        deadline: Deadline,
    ) -> Result<Accepted, Fault> {
        // Only a key that is claimed has to know whether it may be given back.
        let tries = matches!(idempotency, Some(Idempotency::Claim { .. })).then(Tries::default);
        // Boxed: the SDK's futures are large and deep.
        let invoke = Box::pin(self.invoke(invocation, upload_name, tries.clone(), deadline));
        let (Some(idempotency), Some(location)) = (idempotency, &self.config.idempotency_location) else {
            return deadline.run(invoke).await;
        };
        let records = RequestRecords { s3: &self.s3, location, deadline };
        let pending = match deadline.run(Box::pin(records.decide(idempotency))).await? {
            Decision::Invoke(pending) => pending,
            Decision::AnswerAgain(accepted) => return Ok(accepted),
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
        // Boxed: what few requests need would double the future of each.
        let (body, location) = match input {
            Input::Payload(payload) if payload.len() <= self.config.inline_limit_bytes => (Some(payload), None),
            Input::Payload(payload) => (None, Some(Box::pin(self.upload(payload, &parameters, upload_name)).await?)),
            Input::Location(location) => {
                Box::pin(self.check_upload(&location)).await?;
                (None, Some(location))
            }
        };
        // The upload may have used up the time that this call is promised.
        deadline.check_start()?;
        let location = location.map(String::from);
        let is_ascii = location.as_deref().is_none_or(str::is_ascii);
        let pending = parameters.pending.clone();
        let remembered = pending.as_ref().map(|key| (key, request_to_remember(&parameters, location.as_deref())));
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
        let accepted_at = now_ms() / 1_000;
        let accepted =
            call.send().await.map_err(if is_ascii { Fault::from_invoke } else { Fault::from_invoke_beyond_ascii })?;
        let accepted = Accepted {
            inference_id: accepted.inference_id,
            output_location: accepted.output_location,
            failure_location: accepted.failure_location,
            accepted_at,
            ..Accepted::default()
        };
        if let Some((key, request)) = remembered {
            Box::pin(self.remember(key, request, &accepted)).await?;
        }
        Ok(Accepted { pending, ..accepted })
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
            None => Err(Fault::validation("InputLocation names an upload that does not exist")),
            Some(object) if object.length > INPUT_LIMIT_BYTES => Err(Fault::payload_too_large(format!(
                "the upload has {} bytes; SageMaker takes at most {INPUT_LIMIT_BYTES}",
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
