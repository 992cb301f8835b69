//! Results on each of the ways out besides queues: what a service is asked for, and what becomes of its answers.

mod callback;
mod event_bus;
mod hanging;
mod task;
mod topic;

use std::collections::BTreeSet;

use aws_smithy_types::error::ErrorMetadata;
use sagemaker_async_bridge::aws::Clients;
use sagemaker_async_bridge::collect::Collect;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::collect_result::{self, RAW};
use crate::submit_sqs::failures;
use crate::{event, sample};

/// A topic, a FIFO topic and an event bus.
const ROUTES: (&str, &str) = (
    "BRIDGE_REPLY_TO_ARNS",
    "arn:aws:sns:eu-west-1:123456789012:answers,arn:aws:sns:eu-west-1:123456789012:answers.fifo,\
     arn:aws:events:eu-west-1:123456789012:event-bus/pipeline",
);
/// Outputs of up to 1 MB are put into results, where they fit.
const LARGE: (&str, &str) = ("BRIDGE_RESULT_BODY_LIMIT_BYTES", "1000000");

/// A sample notification as it comes of a request with this return address and inference id.
fn notification(file: &str, address: &str, id: &str) -> Value {
    let mut notification = sample(&format!("notifications/{file}"));
    notification["requestParameters"]["customAttributes"] = json!(format!("accept_eula=true,bridge={address}"));
    notification["inferenceId"] = json!(id);
    notification
}

/// The same, of a completed inference whose output has so many bytes.
fn completed(address: &str, id: &str, output_bytes: usize) -> (Aws, Value) {
    let mut notification = notification("completed.json", address, id);
    let location = format!("s3://models-bucket/output/{id}.out");
    notification["responseParameters"]["outputLocation"] = json!(location);
    (Aws::default().with_object(&location, &vec![b'x'; output_bytes]), notification)
}

/// Passes on notifications that come in one batch; gives the inference ids of those that come back.
async fn returned(aws: &Aws, clients: &Clients, more: &[(&str, &str)], notifications: &[Value]) -> BTreeSet<String> {
    let config = collect_result::config(&[&[ROUTES], more].concat());
    let collect = Collect::with_clients(config, aws.s3(), clients);
    let record =
        |notification: &Value| json!({"messageId": notification["inferenceId"], "body": notification.to_string()});
    let batch = json!({"Records": notifications.iter().map(record).collect::<Vec<_>>()});
    let answer = collect.handle(event(&batch)).await.unwrap();
    failures(&serde_json::to_value(answer).unwrap()).into_iter().collect()
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// An error that AWS's model of a service does not have, or has by this name.
fn error(code: &'static str, message: &'static str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message(message).build()
}

/// The results that the results queue got, as JSON.
fn on_the_results_queue(aws: &Aws) -> Vec<Value> {
    aws.sent().iter().map(|entry| serde_json::from_str(entry.message_body()).unwrap()).collect()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What a result in `notification` format says of the request: the return address is taken off.
#[track_caller]
fn assert_is_the_callers(result: &Value, id: &str) {
    assert_eq!(result["inferenceId"], id);
    assert_eq!(result["requestParameters"]["customAttributes"], "accept_eula=true");
}
