//! What the log says of a result.

use tokio::time::Instant;

use crate::destinations::{Destination, ResultMessage, attribute};
use crate::fault::Fault;
use crate::telemetry;

/// What is to be said of a result when its message is gone.
pub(super) struct Outcome<'a> {
    inference_id: Option<String>,
    endpoint_name: Option<String>,
    status: Option<String>,
    bytes: usize,
    destination: &'a str,
}

impl<'a> Outcome<'a> {
    pub(super) fn of(message: &ResultMessage, destination: &'a dyn Destination) -> Self {
        let value = |name| message.attribute(name).map(str::to_owned);
        Self {
            inference_id: value(attribute::INFERENCE_ID),
            endpoint_name: value(attribute::ENDPOINT_NAME),
            status: value(attribute::INVOCATION_STATUS),
            bytes: destination.bytes(message),
            destination: destination.name(),
        }
    }

    pub(super) fn sent(&self, message_id: &str, start: Instant) {
        tracing::info!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            message_id,
            destination = self.destination,
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
            destination = self.destination,
            result.bytes = self.bytes,
            error = fault.details(),
            "result too large for its destination, sent again without its output: raise the MaximumMessageSize of a queue"
        );
    }

    pub(super) fn not_waited_for(&self, message_id: &str, fault: &Fault) {
        tracing::warn!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            message_id,
            destination = self.destination,
            error = fault.details(),
            "nobody waits for the result any more: it goes to the results queue"
        );
    }

    pub(super) fn not_sent(&self, message_id: &str, fault: &Fault, start: Instant) {
        tracing::error!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            message_id,
            destination = self.destination,
            error = fault.details(),
            duration_ms = telemetry::milliseconds_since(start),
            "result not sent"
        );
    }
}
