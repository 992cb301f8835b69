//! An event bus of EventBridge that requests name in `ReplyTo`.

use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Destination, Limits, ResultMessage, attribute};
use crate::aws::Lazy;
use crate::fault::Fault;

/// The `Source` of every event, for rules to match.
const SOURCE: &str = "sagemaker-async-bridge";
/// The `DetailType` up to the status.
const DETAIL_TYPE: &str = "SageMaker Async Inference ";
/// Longest `DetailType`. An event with a longer one is refused by itself.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>
const DETAIL_TYPE_LIMIT_CHARS: usize = 128;
/// Sum of the entries of one call, in bytes: "less than 1 MB", which may mean this much. It was 256 KB until January 2026, and a Region
/// that still has that says so ([`call_refusal`]).
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>,
/// <https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb>
const CALL_LIMIT_BYTES: usize = 999_999;
/// Entries in one `PutEvents`; the first of these pages.
const CALL_LIMIT_MESSAGES: usize = 10;

/// An event bus.
pub(crate) struct EventBus {
    name: String,
    events: Lazy<aws_sdk_eventbridge::Client>,
    arn: String,
}

impl Destination for EventBus {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> Limits {
        Limits { message_bytes: CALL_LIMIT_BYTES, call_messages: CALL_LIMIT_MESSAGES, call_bytes: CALL_LIMIT_BYTES }
    }

    /// As EventBridge counts an entry: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>.
    fn bytes(&self, message: &ResultMessage) -> usize {
        SOURCE.len() + detail_type(message).len() + message.body.len()
    }

    /// A `Detail` is a JSON object.
    fn takes_raw(&self) -> bool {
        false
    }

    fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>> {
        self.put_events(messages).boxed()
    }
}

impl EventBus {
    /// The event bus of this ARN, under the name that the log has for it.
    #[must_use]
    pub(super) fn new(name: &str, events: Lazy<aws_sdk_eventbridge::Client>, arn: &str) -> Self {
        Self { name: name.to_owned(), events, arn: arn.to_owned() }
    }

    async fn put_events(&self, messages: Vec<ResultMessage>) -> Vec<Result<(), Fault>> {
        let count = messages.len();
        let entries = messages.into_iter().map(|message| self.entry(message)).collect();
        match self.events.put_events().set_entries(Some(entries)).send().await.map_err(call_refusal) {
            Ok(answer) => {
                // In the order of the request, successful and failed ones alike.
                let mut answers = answer.entries().iter();
                (0..count).map(|_| answers.next().map_or_else(unconfirmed, confirmed)).collect()
            }
            Err(fault) => (0..count).map(|_| Err(fault.shared())).collect(),
        }
    }

    fn entry(&self, message: ResultMessage) -> PutEventsRequestEntry {
        let detail_type = detail_type(&message);
        let ResultMessage { body, return_address, .. } = message;
        let trace_header = return_address.trace_header.map(|header| header.as_str().to_owned());
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.arn)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(body)
            .set_trace_header(trace_header)
            .build()
    }
}

fn detail_type(message: &ResultMessage) -> String {
    let status = message.attribute(attribute::INVOCATION_STATUS).unwrap_or_default();
    DETAIL_TYPE.chars().chain(status.chars()).take(DETAIL_TYPE_LIMIT_CHARS).collect()
}

/// Whether EventBridge took an entry: then it has an event id.
fn confirmed(entry: &PutEventsResultEntry) -> Result<(), Fault> {
    match (entry.error_code(), entry.event_id()) {
        (Some(code), _) => {
            let message = entry.error_message().unwrap_or_default();
            Err(Fault::refused(code, format!("EventBridge refused the result: {code} {message}")))
        }
        (None, Some(_)) => Ok(()),
        (None, None) => unconfirmed(),
    }
}

fn unconfirmed() -> Result<(), Fault> {
    Err(Fault::internal("EventBridge did not confirm the result"))
}

/// Why EventBridge did not take a call. "Total size of the entries in the request is over the limit." is a `ValidationException`; seen in
/// <https://github.com/awslabs/aws-service-catalog-puppet/issues/563>.
fn call_refusal(error: SdkError<PutEventsError, HttpResponse>) -> Fault {
    if error.message().is_some_and(|message| message.contains("over the limit")) {
        return Fault::payload_too_large(format!("PutEvents answered {}", error.code().unwrap_or_default()));
    }
    Fault::from_aws("PutEvents", error)
}
