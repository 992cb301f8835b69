//! What the log and the metrics say of a result.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::destinations::{Destination, Measures, ResultMessage, attribute};
use crate::fault::Fault;
use crate::metrics::{self, Metric, Metrics};
use crate::notification::Notification;
use crate::return_address::TraceHeader;
use crate::telemetry;

/// What is to be said of a result when its message is gone.
pub(super) struct Outcome<'a> {
    inference_id: Option<String>,
    endpoint_name: Option<String>,
    status: Option<String>,
    trace_id: Option<String>,
    bytes: usize,
    destination: &'a str,
    measures: Measures,
    metrics: &'a Metrics,
}

impl<'a> Outcome<'a> {
    pub(super) fn of(message: &ResultMessage, destination: &'a dyn Destination, metrics: &'a Metrics) -> Self {
        let value = |name| message.attribute(name).map(str::to_owned);
        Self {
            inference_id: value(attribute::INFERENCE_ID),
            endpoint_name: value(attribute::ENDPOINT_NAME),
            status: value(attribute::INVOCATION_STATUS),
            trace_id: message.return_address.trace_header.as_ref().and_then(TraceHeader::trace_id).map(str::to_owned),
            bytes: destination.bytes(message),
            destination: destination.name(),
            measures: message.measures,
            metrics,
        }
    }

    pub(super) fn sent(&self, message_id: &str, start: Instant) {
        self.count(start);
        tracing::info!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            xray.trace_id = self.trace_id,
            message_id,
            destination = self.destination,
            result.bytes = self.bytes,
            duration_ms = telemetry::milliseconds_since(start),
            "result sent"
        );
    }

    fn count(&self, start: Instant) {
        let Measures { output_bytes, is_output_left_out, requested_at } = self.measures;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let values = [
            Some((status_metric(self.status.as_deref()), 1)),
            is_output_left_out.then_some((Metric::OutputTooLarge, 1)),
            output_bytes.map(|bytes| (Metric::OutputBytes, bytes)),
            Some((Metric::CollectLatency, telemetry::milliseconds_since(start))),
            // Clocks differ a little.
            requested_at.map(|then| (Metric::RequestToResult, now.saturating_sub(then))),
        ];
        let outcome = metrics::Outcome {
            endpoint_name: self.endpoint_name.as_deref(),
            inference_id: self.inference_id.as_deref(),
        };
        self.metrics.add(&outcome, values.into_iter().flatten());
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
            "the task or callback no longer waits: the result goes to the results queue"
        );
    }

    pub(super) fn not_sent(&self, message_id: &str, fault: &Fault, start: Instant) {
        tracing::error!(
            inference.id = self.inference_id,
            endpoint.name = self.endpoint_name,
            invocation.status = self.status,
            xray.trace_id = self.trace_id,
            message_id,
            destination = self.destination,
            error = fault.details(),
            duration_ms = telemetry::milliseconds_since(start),
            "result not sent"
        );
    }
}

/// Counts an inference whose caller wants no result sent.
pub(super) fn count_unsent(notification: &Notification, metrics: &Metrics) {
    let outcome = metrics::Outcome {
        endpoint_name: notification.endpoint_name.as_deref(),
        inference_id: notification.inference_id.as_deref(),
    };
    metrics.add(&outcome, [(status_metric(Some(&notification.status)), 1)]);
}

/// Nobody has published all of SageMaker's statuses: any other is a failure.
fn status_metric(status: Option<&str>) -> Metric {
    match status {
        Some("Completed") => Metric::Completed,
        Some("Unanswered") => Metric::Unanswered,
        _ => Metric::Failed,
    }
}
