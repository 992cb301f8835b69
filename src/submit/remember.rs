//! Remembers what SageMaker has accepted, so that `collect` finds what is never answered.

use aws_sdk_s3::primitives::ByteStream;

use super::Submit;
use super::accepted::Accepted;
use crate::fault::Fault;
use crate::invocation::Parameters;
use crate::pending::{self, PendingKey, PendingRequest, RequestParameters};

/// What will be remembered of a request. Where its output will be is not known before SageMaker has accepted it.
pub(super) fn request_to_remember(parameters: &Parameters, input_location: Option<&str>) -> PendingRequest {
    PendingRequest {
        accepted_at: pending::now_ms(),
        inference_id: None,
        output_location: None,
        failure_location: None,
        request_parameters: RequestParameters {
            endpoint_name: parameters.endpoint_name.as_str().to_owned(),
            accept: parameters.accept.as_ref().map(|text| text.as_str().to_owned()),
            content_type: Some(parameters.content_type.as_str().to_owned()),
            custom_attributes: parameters.custom_attributes.as_ref().map(|text| text.as_str().to_owned()),
            input_location: input_location.map(str::to_owned),
        },
    }
}

impl Submit {
    /// Writes down a request that SageMaker has accepted, and where its answer will be: that is known now and not before. Whoever sent a
    /// request that cannot be written down is told that it is not accepted, and sends it again: one that is invoked twice gets its
    /// answer, one that nobody remembers may get none.
    ///
    /// # Errors
    /// A retryable [`Fault`] when it is not written.
    pub(super) async fn remember(
        &self,
        key: &PendingKey,
        request: PendingRequest,
        accepted: &Accepted,
    ) -> Result<(), Fault> {
        let Some(location) = &self.config.pending_location else { return Ok(()) };
        let location = pending::record_at(location, key)?;
        let record = PendingRequest {
            inference_id: accepted.inference_id.clone(),
            output_location: accepted.output_location.clone(),
            failure_location: accepted.failure_location.clone(),
            ..request
        };
        let call = self.s3.put_object().bucket(location.bucket()).key(location.key());
        let call = call.content_type("application/json").body(ByteStream::from(record.write()?));
        call.send().await.map(drop).map_err(|error| Fault::from_aws("PutObject", error).retryable())
    }
}
