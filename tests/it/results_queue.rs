//! A results queue that takes its time, hangs, or refuses what is too large for it, and remembers what reached it when.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::aws::Lazy;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::Seen;
use crate::http_client;

/// How the queue behaves; all of it by default as SQS does at its best.
#[derive(Clone, Default)]
pub struct ResultsQueue {
    pub latency: Duration,
    /// So many calls, the first ones, are never answered.
    pub hanging_calls: usize,
    /// The queue's `MaximumMessageSize`.
    pub message_limit_bytes: Option<usize>,
    /// Largest sum of a call's messages.
    pub call_limit_bytes: Option<usize>,
    /// Every call that came.
    pub seen: Seen<Call>,
}

/// One `SendMessageBatch`.
#[derive(Clone)]
pub struct Call {
    pub entries: Vec<Value>,
    pub answered: Option<Instant>,
}

impl ResultsQueue {
    pub fn client(&self) -> Lazy<aws_sdk_sqs::Client> {
        let queue = self.clone();
        http_client::sqs_by_body(move |body| queue.clone().answer(body))
    }

    pub fn calls(&self) -> Vec<Call> {
        self.seen.lock().unwrap().clone()
    }

    /// The messages that calls brought which are under way.
    pub fn under_way(&self) -> Vec<Value> {
        self.calls().into_iter().filter(|call| call.answered.is_none()).flat_map(|call| call.entries).collect()
    }

    /// When messages were taken, in that order, and what they are.
    pub fn taken(&self) -> Vec<(Instant, Value)> {
        let calls = self.calls();
        let mut taken: Vec<_> = calls
            .iter()
            .filter_map(|call| Some((call.answered?, call)))
            .filter(|(_, call)| self.call_fits(call))
            .flat_map(|(when, call)| call.entries.iter().map(move |entry| (when, entry.clone())))
            .filter(|(_, entry)| self.fits(entry))
            .collect();
        taken.sort_by_key(|(when, _)| *when);
        taken
    }

    fn fits(&self, entry: &Value) -> bool {
        self.message_limit_bytes.is_none_or(|limit| size(entry) <= limit)
    }

    fn call_fits(&self, call: &Call) -> bool {
        self.call_limit_bytes.is_none_or(|limit| call.entries.iter().map(size).sum::<usize>() <= limit)
    }

    async fn answer(self, body: String) -> HttpResponse {
        let request: Value = serde_json::from_str(&body).unwrap();
        let call = Call { entries: request["Entries"].as_array().unwrap().clone(), answered: None };
        let number = {
            let mut calls = self.seen.lock().unwrap();
            calls.push(call.clone());
            calls.len() - 1
        };
        if number < self.hanging_calls {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.latency).await;
        self.seen.lock().unwrap()[number].answered = Some(Instant::now());
        if self.call_fits(&call) { self.answer_entries(&call.entries) } else { too_long() }
    }

    fn answer_entries(&self, entries: &[Value]) -> HttpResponse {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            if self.fits(entry) {
                successful.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "d"}));
            } else {
                let limit = self.message_limit_bytes.unwrap();
                let message = format!(
                    "One or more parameters cannot be validated. Reason: Message must be shorter than {limit} bytes."
                );
                failed.push(json!({"Id": entry["Id"], "SenderFault": true, "Code": "InvalidParameterValue", "Message": message}));
            }
        }
        http_client::ok(json!({"Successful": successful, "Failed": failed}).to_string())
    }
}

/// The whole call refused, in AWS's words.
fn too_long() -> HttpResponse {
    let message = "Batch requests cannot be longer than 262144 bytes. You have sent 400000 bytes.";
    let body = json!({"__type": "com.amazonaws.sqs#BatchRequestTooLong", "message": message}).to_string();
    let mut response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::from(body));
    response.headers_mut().insert("x-amzn-query-error", "AWS.SimpleQueueService.BatchRequestTooLong;Sender");
    response
}

/// An entry's size as SQS counts it.
fn size(entry: &Value) -> usize {
    let attributes = entry["MessageAttributes"].as_object().into_iter().flatten();
    let attributes = attributes.map(|(name, value)| {
        name.len() + value["DataType"].as_str().unwrap().len() + value["StringValue"].as_str().unwrap().len()
    });
    entry["MessageBody"].as_str().unwrap().len() + attributes.sum::<usize>()
}
