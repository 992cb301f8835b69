//! What the log says of a result.

use tokio::time::Instant;

use crate::destinations::{ResultMessage, attribute};
use crate::fault::Fault;
use crate::telemetry;

/// What is to be said of a result when its message is gone.
pub(super) struct Outcome {
    inference_id: Option<String>,
    endpoint_name: Option<String>,
    status: Option<String>,
    bytes: usize,
}

impl Outcome {
    pub(super) fn of(message: &ResultMessage, bytes: usize) -> Self {
        let value = |name| message.attribute(name).map(str::to_owned);
        Self {
            inference_id: value(attribute::INFERENCE_ID),
            endpoint_name: value(attribute::ENDPOINT_NAME),
            status: value(attribute::INVOCATION_STATUS),
            bytes,
        }
    }

    pub(super) fn sent(&self, message_id: &str, start: Instant) {
        tracing::info!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            message_id,
            result.bytes = self.bytes,
            duration_ms = telemetry::milliseconds_since(start),
            "result sent"
        );
    }

    pub(super) fn too_large(&self, message_id: &str, fault: &Fault) {
        tracing::warn!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            message_id,
            result.bytes = self.bytes,
            error = fault.details(),
            "result too large for the results queue, sent again without its output: raise the queue's MaximumMessageSize"
        );
    }

    pub(super) fn not_sent(&self, message_id: &str, fault: &Fault, start: Instant) {
        tracing::error!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            message_id,
            error = fault.details(),
            duration_ms = telemetry::milliseconds_since(start),
            "result not sent"
        );
    }
}
