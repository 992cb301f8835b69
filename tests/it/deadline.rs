//! Batches whose function's time runs out.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use sagemaker_async_bridge::collect::Collect;
use sagemaker_async_bridge::submit::Submit;
use serde_json::json;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::{collect_result, event_with, http_client, sample, submit_sqs};

const LEFT: Duration = Duration::from_secs(30);

/// SQS's answer to a batch of two.
const BOTH_SENT: &str = r#"{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"x"},
                                          {"Id":"1","MessageId":"b","MD5OfMessageBody":"x"}],"Failed":[]}"#;

/// S3 that never answers for an object whose key holds `hangs`.
async fn answer_unless_it_hangs(url: String) -> HttpResponse {
    if url.contains("hangs") {
        std::future::pending::<()>().await;
    }
    http_client::ok("{}")
}

#[tokio::test]
async fn near_the_deadline_a_request_that_has_not_started_comes_back() {
    let aws = Aws::default();
    let late = event_with(&sample("submit/sqs-inline.json"), Duration::ZERO);
    let answer = submit_sqs::handler(&aws, &[]).handle(late).await.unwrap();
    assert_eq!(submit_sqs::failures(&serde_json::to_value(answer).unwrap()).len(), 1);
    assert!(aws.invoked().is_empty() && aws.sent().is_empty());
}

#[tokio::test]
async fn near_the_deadline_a_notification_that_has_not_started_is_delivered_again() {
    let aws = collect_result::aws();
    let collect = collect_result::handler(&aws, &[]);
    let batch = sample("collect/sqs-raw.json");
    let answer = collect.handle(event_with(&batch, Duration::ZERO)).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(submit_sqs::failures(&answer).len(), batch["Records"].as_array().unwrap().len());
    let direct = event_with(&sample("collect/sns-completed.json"), Duration::ZERO);
    assert!(collect.handle(direct).await.is_err());
    assert!(aws.fetched.lock().unwrap().is_empty() && aws.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_never_ends_fails_its_own_message_and_no_other() {
    let (aws, start) = (Aws::default(), Instant::now());
    let config = submit_sqs::config(&[("BRIDGE_INLINE_LIMIT_BYTES", "0")]);
    let submit = Submit::with_clients(config, aws.sagemaker(), http_client::s3(answer_unless_it_hangs), aws.sqs());
    let mut records = ["a", "hangs", "b"].map(|id| json!({"messageId": id, "body": "{}"})).to_vec();
    records.push(json!({"messageId": "bad", "body": ""}));
    let answer = submit.handle(event_with(&json!({"Records": records}), LEFT)).await.unwrap();
    let mut back = submit_sqs::failures(&serde_json::to_value(answer).unwrap());
    back.sort_unstable();
    assert_eq!(back, ["bad", "hangs"]);
    assert_eq!((aws.invoked().len(), aws.sent().len()), (2, 1), "two invoked, one rejected");
    assert!(start.elapsed() < LEFT, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_never_comes_fails_its_own_notification_and_no_other() {
    let start = Instant::now();
    let sqs = http_client::sqs(async |_| {
        tokio::time::sleep(Duration::from_millis(900)).await;
        http_client::ok(BOTH_SENT)
    });
    let s3 = http_client::s3(answer_unless_it_hangs);
    let collect = Collect::with_clients(collect_result::config(&[]), s3, sqs);
    let records = ["a", "hangs", "b"].map(|id| {
        let mut notification = sample("notifications/completed.json");
        notification["responseParameters"]["outputLocation"] = json!(format!("s3://models-bucket/output/{id}.out"));
        json!({"messageId": id, "body": notification.to_string()})
    });
    let answer = collect.handle(event_with(&json!({"Records": records}), LEFT)).await.unwrap();
    assert_eq!(submit_sqs::failures(&serde_json::to_value(answer).unwrap()), ["hangs"]);
    assert!(start.elapsed() < LEFT, "{:?}", start.elapsed());
}
