//! Requests as they arrive: a batch of SQS, or a request of API Gateway or a function URL.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::http::Request;
use super::sqs::Record;
use crate::fault::{Fault, json_problem};

/// An event, read as far as telling its kind takes.
pub(super) enum Event<'a> {
    /// A batch.
    Sqs(Vec<Record<'a>>),
    /// A request.
    Http(Request),
}

/// The fields that tell events apart.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<Record<'a>>>,
    #[serde(rename = "requestContext")]
    request_context: Option<IgnoredAny>,
}

impl<'a> Event<'a> {
    /// # Errors
    /// A validation [`Fault`] for an event that is neither.
    pub(super) fn parse(payload: &'a RawValue) -> Result<Self, Fault> {
        let bad = |error: serde_json::Error| {
            let problem = json_problem(&error);
            Fault::validation(format!(
                "the event is neither an SQS batch nor an HTTP request of API Gateway: {problem}"
            ))
        };
        // EventBridge Pipes gives a function the records alone and takes the same answer.
        // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
        if payload.get().starts_with('[') {
            return serde_json::from_str(payload.get()).map(Self::Sqs).map_err(bad);
        }
        let shape: Shape = serde_json::from_str(payload.get()).map_err(bad)?;
        match (shape.records, shape.request_context) {
            (Some(records), _) => Ok(Self::Sqs(records)),
            (None, Some(_)) => serde_json::from_str(payload.get()).map(Self::Http).map_err(bad),
            (None, None) => Err(Fault::validation(
                "the event has neither Records (an SQS batch) nor requestContext (API Gateway payload 1.0 or 2.0, function URL)",
            )),
        }
    }
}
