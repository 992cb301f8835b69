//! What the log and the metrics say of a request.

use tokio::time::Instant;

use super::accepted::Accepted;
use crate::fault::{Fault, FaultKind};
use crate::metrics::{Metric, Metrics, Outcome};
use crate::parameter::EndpointName;
use crate::return_address::TraceHeader;
use crate::telemetry;

/// Where a request came from, by the id that AWS gave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    id: OriginId<'a>,
    upload_name: &'a str,
}

/// One for each name that the log has for such an id.
#[derive(Clone, Copy, Debug)]
enum OriginId<'a> {
    SqsMessage(&'a str),
    HttpRequest(&'a str),
    LambdaInvocation(&'a str),
    Event(&'a str),
}

impl<'a> Origin<'a> {
    /// A message of SQS.
    pub(super) const fn sqs_message(id: &'a str) -> Self {
        Self { id: OriginId::SqsMessage(id), upload_name: id }
    }

    /// A request by HTTP.
    pub(super) const fn http_request(id: &'a str, upload_name: &'a str) -> Self {
        Self { id: OriginId::HttpRequest(id), upload_name }
    }

    /// An invocation of the function by whoever has the request.
    pub(super) const fn lambda_invocation(id: &'a str) -> Self {
        Self { id: OriginId::LambdaInvocation(id), upload_name: id }
    }

    /// An event that nobody waits for: SNS's id of a message, EventBridge's of an event, the bridge's of an object's version.
    pub(super) const fn event(id: &'a str) -> Self {
        Self { id: OriginId::Event(id), upload_name: id }
    }

    /// What its input is called if it has to go through S3. Nobody else's input has this name.
    pub(super) const fn upload_name(self) -> &'a str {
        self.upload_name
    }
}

/// A request that is being accepted.
pub(super) struct Pending<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) endpoint_name: Option<EndpointName>,
    /// How its input travels.
    pub(super) transport: Option<InputTransport>,
    /// Its payload's, unless that lay in S3 before.
    pub(super) payload_bytes: Option<usize>,
    pub(super) trace_header: Option<TraceHeader>,
    pub(super) start: Instant,
    pub(super) metrics: &'a Metrics,
}

/// How an input travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputTransport {
    Inline,
    S3,
    InputLocation,
}

impl InputTransport {
    /// As the log has it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::S3 => "s3",
            Self::InputLocation => "input location",
        }
    }
}

impl Pending<'_> {
    pub(super) fn accepted(&self, accepted: &Accepted) {
        self.count_accepted(accepted);
        tracing::info!(
            inference.id = accepted.inference_id,
            endpoint.name = self.endpoint_name(),
            sqs.message_id = self.message_id(),
            http.request_id = self.http_request_id(),
            lambda.request_id = self.lambda_request_id(),
            event.id = self.event_id(),
            xray.trace_id = self.trace_id(),
            input.way = self.transport.map(InputTransport::as_str),
            output.location = accepted.output_location,
            repeated = accepted.is_repeated,
            duration_ms = telemetry::milliseconds_since(self.start),
            "invocation accepted"
        );
    }

    pub(super) fn failed(&self, fault: &Fault) {
        let count = if fault.kind().is_retryable() { Metric::Returned } else { Metric::Rejected };
        let throttled = (fault.kind() == FaultKind::Throttling).then_some((Metric::Throttled, 1));
        self.count(None, [Some((count, 1)), throttled]);
        tracing::error!(
            endpoint.name = self.endpoint_name(),
            sqs.message_id = self.message_id(),
            http.request_id = self.http_request_id(),
            lambda.request_id = self.lambda_request_id(),
            event.id = self.event_id(),
            xray.trace_id = self.trace_id(),
            input.way = self.transport.map(InputTransport::as_str),
            retryable = fault.kind().is_retryable(),
            error = fault.details(),
            duration_ms = telemetry::milliseconds_since(self.start),
            "invocation failed"
        );
    }

    /// An answer that is repeated was counted when it was SageMaker's.
    fn count_accepted(&self, accepted: &Accepted) {
        if accepted.is_repeated {
            return;
        }
        let through_s3 = (self.transport == Some(InputTransport::S3)).then_some((Metric::AcceptedThroughS3, 1));
        let bytes = self.payload_bytes.map(|bytes| (Metric::PayloadBytes, bytes as u64));
        let latency = (Metric::SubmitLatency, telemetry::milliseconds_since(self.start));
        let values = [Some((Metric::Accepted, 1)), through_s3, bytes, Some(latency)];
        self.count(accepted.inference_id.as_deref(), values);
    }

    fn count(&self, inference_id: Option<&str>, values: impl IntoIterator<Item = Option<(Metric, u64)>>) {
        let outcome = Outcome { endpoint_name: self.endpoint_name(), inference_id };
        self.metrics.add(&outcome, values.into_iter().flatten());
    }

    fn endpoint_name(&self) -> Option<&str> {
        self.endpoint_name.as_ref().map(EndpointName::as_str)
    }

    fn trace_id(&self) -> Option<&str> {
        self.trace_header.as_ref().and_then(TraceHeader::trace_id)
    }

    const fn message_id(&self) -> Option<&str> {
        if let OriginId::SqsMessage(id) = self.origin.id { Some(id) } else { None }
    }

    const fn http_request_id(&self) -> Option<&str> {
        if let OriginId::HttpRequest(id) = self.origin.id { Some(id) } else { None }
    }

    const fn lambda_request_id(&self) -> Option<&str> {
        if let OriginId::LambdaInvocation(id) = self.origin.id { Some(id) } else { None }
    }

    const fn event_id(&self) -> Option<&str> {
        if let OriginId::Event(id) = self.origin.id { Some(id) } else { None }
    }
}
