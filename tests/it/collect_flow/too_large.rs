//! A results queue that takes smaller messages than SQS itself: a user's own, with a `MaximumMessageSize`.

use serde_json::{Value, json};

use super::{ids, inference_id, queue, record, set};
use crate::aws::{Aws, only_sqs};
use crate::collect_result::{self, RAW};
use crate::results_queue::ResultsQueue;
use crate::submit_sqs::failures;
use crate::{event, sample};

const LIMIT: usize = 262_144;

/// S3 with an output that alone is within the queue's limit, but not with its notification.
fn s3() -> Aws {
    let output = "\"x\"".repeat(80_000);
    Aws::default()
        .with_object("s3://models-bucket/output/large.out", output.as_bytes())
        .with_object("s3://models-bucket/output/small.out", b"{}")
}

async fn returned(aws: &Aws, queue: &ResultsQueue, more: &[(&str, &str)], records: &[Value]) -> Vec<String> {
    let collect = sagemaker_async_bridge::collect::Collect::with_clients(
        collect_result::config(more),
        aws.s3(),
        &only_sqs(queue.client()),
    );
    let answer = collect.handle(event(&json!({"Records": records}))).await.unwrap();
    failures(&serde_json::to_value(answer).unwrap())
}

fn taken(queue: &ResultsQueue, id: &str) -> Value {
    let taken = queue.taken();
    let mut of_id = taken.iter().filter(|(_, entry)| inference_id(entry) == id);
    let (_, entry) = of_id.next().unwrap();
    assert!(of_id.next().is_none(), "{id} came twice");
    serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_for_the_queue_arrives_without_its_output() {
    let (aws, queue) = (s3(), ResultsQueue { message_limit_bytes: Some(LIMIT), ..queue() });
    assert!(returned(&aws, &queue, &[], &[record("large"), record("small")]).await.is_empty());
    let large = taken(&queue, "large");
    assert_eq!(large.get("responseBody"), None);
    assert_eq!(large["responseParameters"]["contentLength"], 240_000);
    assert_eq!(large["responseParameters"]["outputLocation"], "s3://models-bucket/output/large.out");
    assert_eq!(taken(&queue, "small")["responseBody"]["content"], "{}");
    assert_eq!(queue.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn raw_a_result_that_is_too_large_for_the_queue_becomes_a_pointer_to_a_copy() {
    let (aws, queue) = (s3(), ResultsQueue { message_limit_bytes: Some(100_000), ..queue() });
    assert!(returned(&aws, &queue, &RAW, &[record("large"), record("small")]).await.is_empty());
    let copied = aws.copied.lock().unwrap();
    let [(_, copy)] = copied.as_slice() else { panic!("{} copies", copied.len()) };
    let pointer = &taken(&queue, "large")[1];
    let (bucket, key) = (pointer["s3BucketName"].as_str().unwrap(), pointer["s3Key"].as_str().unwrap());
    assert_eq!(*copy, format!("s3://{bucket}/{key}"));
    assert_eq!(ids(queue.taken().iter().map(|(_, entry)| entry)), set(&["large", "small"]));
}

#[tokio::test(start_paused = true)]
async fn results_of_a_call_that_is_too_large_arrive_without_their_outputs() {
    let (aws, queue) = (s3(), ResultsQueue { call_limit_bytes: Some(LIMIT), ..queue() });
    assert!(returned(&aws, &queue, &[], &[record("large"), record("small")]).await.is_empty());
    for (id, length) in [("large", 240_000), ("small", 2)] {
        let result = taken(&queue, id);
        assert_eq!(
            (result.get("responseBody"), &result["responseParameters"]["contentLength"]),
            (None, &json!(length))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_without_its_output_comes_back_after_the_second_try() {
    let (aws, queue) = (s3(), ResultsQueue { message_limit_bytes: Some(100), ..queue() });
    assert_eq!(returned(&aws, &queue, &[], &[record("large")]).await, ["large"]);
    assert_eq!((queue.calls().len(), queue.taken().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_included_response_that_lies_nowhere_else_is_not_left_out() {
    let (aws, queue) = (s3(), ResultsQueue { message_limit_bytes: Some(1_024), ..queue() });
    let mut notification = sample("notifications/failed-with-body.json");
    notification["responseBody"] = json!({"content": "x".repeat(2_000), "encoding": "UTF8"});
    let record = json!({"messageId": "m", "body": notification.to_string()});
    assert_eq!(returned(&aws, &queue, &[], &[record]).await, ["m"]);
}

#[tokio::test]
async fn a_result_that_sqs_refuses_for_another_reason_is_sent_once() {
    let aws = Aws::default().with_object("s3://models-bucket/output/large.out", b"refuse-result");
    let collect = collect_result::handler(&aws, &[]);
    let answer = collect.handle(event(&json!({"Records": [record("large")]}))).await.unwrap();
    assert_eq!(failures(&serde_json::to_value(answer).unwrap()), ["large"]);
    assert_eq!((aws.sent().len(), aws.fetched.lock().unwrap().len()), (1, 1));
}
