//! `collect` on notifications from SNS and SQS: what becomes of each.

mod limits;
mod raw;

use std::collections::BTreeSet;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use sagemaker_async_bridge::collect::Collect;
use sagemaker_async_bridge::config::CollectConfig;
use sagemaker_async_bridge::fault::Fault;
use serde_json::{Value, json};

use crate::aws::{Aws, only_sqs};
use crate::{event, sample, samples};

pub const RAW: [(&str, &str); 2] =
    [("BRIDGE_RESULT_FORMAT", "raw"), ("BRIDGE_RESULT_LOCATION", "s3://models-bucket/results/")];
const OUTPUT: &str = "s3://models-bucket/output/2f4dcf85-01b8-418c-8c93-2b30fcdd1ab8.out";

pub fn config(more: &[(&str, &str)]) -> CollectConfig {
    let base = [("BRIDGE_RESULTS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/results")];
    let lookup =
        |name: &str| more.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    CollectConfig::from_lookup(lookup).unwrap()
}

pub fn handler(aws: &Aws, more: &[(&str, &str)]) -> Collect {
    Collect::with_clients(config(more), aws.s3(), &only_sqs(aws.sqs()))
}

/// S3 with everything that the samples point to.
pub fn aws() -> Aws {
    Aws::default()
        .with_object(OUTPUT, br#"{"summary":"short"}"#)
        .with_object("s3://models-bucket/output/2f4dcf85.out", b"a,b\n1,2\n")
        .with_object("s3://models-bucket/output a/b+c%20d#e?f.out", &[0xFF, 0xD8, 0xFF])
        .with_object("s3://models-bucket/failure/9b1d-error.out", b"bad prompt")
}

/// What `notification` becomes, SNS invoking the function.
async fn result_of(
    aws: &Aws,
    more: &[(&str, &str)],
    notification: &Value,
) -> Result<SendMessageBatchRequestEntry, Fault> {
    let sns = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": notification.to_string()}}]});
    handler(aws, more).handle(event(&sns)).await?;
    let sent = aws.sent();
    assert_eq!(sent.len(), 1);
    Ok(sent[0].clone())
}

fn attribute<'a>(entry: &'a SendMessageBatchRequestEntry, name: &str) -> Option<&'a str> {
    entry.message_attributes()?.get(name)?.string_value()
}

fn body(entry: &SendMessageBatchRequestEntry) -> Value {
    serde_json::from_str(entry.message_body()).unwrap()
}

fn notification(name: &str) -> Value {
    sample(&format!("notifications/{name}.json"))
}

/// What each sample's result has besides the notification: `responseBody` and `contentLength`.
fn expected(name: &str) -> (Value, Value) {
    let text = |content: &str| json!({"content": content, "encoding": "UTF8"});
    match name {
        "completed" => (text(r#"{"summary":"short"}"#), json!(19)),
        "completed-https-location" => (text("a,b\n1,2\n"), json!(8)),
        "completed-raw-keys" => (json!({"content": "/9j/", "encoding": "BASE64"}), json!(3)),
        "completed-with-body" => (text(r#"{"text":"hello"}"#), json!(16)),
        "failed-bare" | "unknown-status" => (Value::Null, Value::Null),
        "failed-with-body" => (text(r#"{"message":"prompt too long"}"#), json!(29)),
        "failed-with-location" => (text("bad prompt"), json!(10)),
        other => panic!("events/notifications/{other}.json has no expectation: add one"),
    }
}

fn assert_is_result_of(name: &str, entry: &SendMessageBatchRequestEntry) {
    let (response_body, length) = expected(name);
    let mut wanted = notification(name);
    if !response_body.is_null() {
        wanted["responseBody"] = response_body;
        wanted["responseParameters"]["contentLength"] = length;
    }
    assert_eq!(body(entry), wanted, "{name}");
    assert_eq!(attribute(entry, "InferenceId"), wanted["inferenceId"].as_str(), "{name}");
    assert_eq!(attribute(entry, "InvocationStatus"), wanted["invocationStatus"].as_str(), "{name}");
    assert_eq!(attribute(entry, "EndpointName"), wanted["requestParameters"]["endpointName"].as_str(), "{name}");
    assert_eq!(attribute(entry, "ContentType"), wanted["responseParameters"]["contentType"].as_str(), "{name}");
    assert_eq!((entry.message_group_id(), entry.message_deduplication_id()), (None, None));
}

#[tokio::test]
async fn every_known_notification_that_sns_delivers_becomes_its_result() {
    let names: BTreeSet<String> =
        samples("notifications").iter().map(|file| file.trim_end_matches(".json").to_owned()).collect();
    for name in &names {
        let aws = aws();
        let answer = handler(&aws, &[]).handle(event(&sample(&format!("collect/sns-{name}.json")))).await;
        assert_eq!(serde_json::to_value(answer.unwrap()).unwrap(), Value::Null, "{name}");
        assert_eq!(aws.sent().len(), 1, "{name}");
        assert_is_result_of(name, &aws.sent()[0]);
    }
}

// Time stands still: how long the test takes must not decide which results share a call.
#[tokio::test(start_paused = true)]
async fn a_batch_from_sqs_raw_or_enveloped_becomes_one_batch_of_results() {
    for path in ["collect/sqs-raw.json", "collect/sqs-envelope.json"] {
        let aws = aws();
        let answer = handler(&aws, &[]).handle(event(&sample(path))).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}), "{path}");
        assert_eq!(*aws.batches.lock().unwrap(), [8], "eight results in one call");
        for name in samples("notifications").iter().map(|file| file.trim_end_matches(".json")) {
            let inference_id = notification(name)["inferenceId"].as_str().unwrap().to_owned();
            let sent = aws.sent();
            let entry = sent.iter().find(|entry| attribute(entry, "InferenceId") == Some(&inference_id)).unwrap();
            assert_is_result_of(name, entry);
        }
    }
}

#[tokio::test]
async fn a_message_that_is_no_notification_comes_back_alone() {
    let aws = aws();
    let batch = sample("collect/sqs-one-bad-of-three.json");
    let answer = serde_json::to_value(handler(&aws, &[]).handle(event(&batch)).await.unwrap()).unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": batch["Records"][1]["messageId"]}]}));
    assert_eq!(aws.sent().len(), 2);
}

#[tokio::test]
async fn every_sample_event_of_collect_is_used_by_a_test() {
    let wrapped = samples("notifications").into_iter().map(|file| format!("sns-{file}"));
    let batches = [
        "sqs-raw.json",
        "sqs-envelope.json",
        "sqs-one-bad-of-three.json",
        "sns-test-notification.json",
        "scheduled-event.json",
    ];
    let batches = batches.map(str::to_owned);
    assert_eq!(samples("collect"), wrapped.chain(batches).collect());
}

#[tokio::test]
async fn an_included_response_is_used_and_nothing_is_fetched() {
    for name in ["completed-with-body", "failed-with-body"] {
        let aws = aws();
        result_of(&aws, &[], &notification(name)).await.unwrap();
        assert!(aws.fetched.lock().unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn an_included_response_in_an_unknown_encoding_is_fetched_instead() {
    let mut notification = notification("completed");
    notification["responseBody"] = json!({"content": "H4sI", "encoding": "GZIP"});
    let entry = result_of(&aws(), &[], &notification).await.unwrap();
    assert_eq!(body(&entry)["responseBody"]["content"], r#"{"summary":"short"}"#);
}

#[tokio::test]
async fn a_failure_output_that_is_not_there_is_none() {
    let entry = result_of(&Aws::default(), &[], &notification("failed-with-location")).await.unwrap();
    assert_eq!(body(&entry), notification("failed-with-location"));
}

#[tokio::test]
async fn an_output_that_cannot_be_fetched_is_an_error_and_sends_nothing() {
    let mut elsewhere = notification("completed");
    elsewhere["responseParameters"]["outputLocation"] = json!("file:///etc/passwd");
    for notification in [notification("completed"), elsewhere] {
        let aws = Aws::default();
        assert!(result_of(&aws, &[], &notification).await.is_err());
        assert!(aws.sent().is_empty());
    }
}

#[tokio::test]
async fn a_result_that_sqs_refuses_is_an_error() {
    let aws = Aws::default().with_object(OUTPUT, b"refuse-result");
    let fault = result_of(&aws, &[], &notification("completed")).await.unwrap_err();
    assert!(fault.kind().is_retryable() && fault.to_string().contains("SQS refused"), "{fault}");
}

#[tokio::test]
async fn on_a_fifo_queue_a_notification_delivered_twice_is_one_and_two_of_one_id_are_two() {
    let fifo = [("BRIDGE_RESULTS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/results.fifo")];
    let aws = aws();
    let collect = handler(&aws, &fifo);
    let mut other = notification("completed-raw-keys");
    other["eventTime"] = json!("2026-06-20T10:00:09.000Z");
    let raw_keys = notification("completed-raw-keys");
    for message in [&raw_keys, &raw_keys, &other] {
        let sns = json!({"Records": [{"Sns": {"MessageId": "m", "Message": message.to_string()}}]});
        collect.handle(event(&sns)).await.unwrap();
    }
    let sent = aws.sent();
    let ids: Vec<&str> = sent.iter().map(|entry| entry.message_deduplication_id().unwrap()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    let group = sent[0].message_group_id().unwrap();
    assert!(sent.iter().all(|entry| entry.message_group_id() == Some(group)));
    assert!(
        group.bytes().all(|byte| byte.is_ascii_graphic()),
        "the id `order 4711` has a space, a group must not: {group}"
    );
}

#[tokio::test]
async fn the_test_that_sagemaker_publishes_for_an_endpoint_is_no_result_and_no_error_however_it_comes() {
    let direct = sample("collect/sns-test-notification.json");
    let sns = &direct["Records"][0]["Sns"];
    let by_queue = |body: &Value| json!({"Records": [{"messageId": "m", "body": body}]});
    let raw = by_queue(&sns["Message"]);
    let enveloped = by_queue(&json!(sns.to_string()));
    for (event_of, wanted) in [
        (direct.clone(), Value::Null),
        (raw, json!({"batchItemFailures": []})),
        (enveloped, json!({"batchItemFailures": []})),
    ] {
        let aws = aws();
        let answer = handler(&aws, &[]).handle(event(&event_of)).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), wanted, "{event_of}");
        assert!(aws.sent().is_empty() && aws.fetched.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_event_that_is_neither_sns_nor_sqs_fails_whole() {
    for payload in [json!({}), json!([5]), json!({"Records": [{"s3": {}}]})] {
        assert!(handler(&aws(), &[]).handle(event(&payload)).await.is_err(), "{payload}");
    }
}
