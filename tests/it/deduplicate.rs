//! `submit` with `BRIDGE_DEDUPLICATE`: a message that was accepted is not invoked again.

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::bucket::Bucket;
use crate::http_answers::{answer, handler};
use crate::idempotency::RECORDS;
use crate::sample;

pub fn redelivery(count: &str) -> Value {
    let mut batch = sample("submit/sqs-inline.json");
    batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(count);
    batch
}

#[tokio::test]
async fn a_redelivered_message_that_was_accepted_is_acknowledged_and_not_invoked_again() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[("BRIDGE_DEDUPLICATE", "true")]);
    for count in ["1", "2", "3"] {
        assert_eq!(answer(&submit, &redelivery(count)).await, json!({"batchItemFailures": []}), "{count}");
    }
    assert_eq!(aws.invoked().len(), 1);
    let calls: Vec<String> = bucket.calls().iter().map(|call| call[..4].to_owned()).collect();
    assert_eq!(calls, ["PUT ", "GET ", "GET "], "one request a message, one more for each redelivery");
}

#[tokio::test]
async fn a_redelivered_message_that_was_not_accepted_is_invoked() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[("BRIDGE_DEDUPLICATE", "true")]);
    let mut throttled = redelivery("1");
    throttled["Records"][0]["body"] = json!("throttle");
    let failures = answer(&submit, &throttled).await;
    assert_eq!(failures["batchItemFailures"].as_array().unwrap().len(), 1);
    assert_eq!(answer(&submit, &redelivery("2")).await, json!({"batchItemFailures": []}));
    assert_eq!((aws.invoked().len(), bucket.texts(RECORDS).len()), (1, 1));
}

#[tokio::test]
async fn a_message_is_given_back_when_nobody_can_tell_whether_it_was_accepted() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[("BRIDGE_DEDUPLICATE", "true")]);
    bucket.deny(Some("ServiceUnavailable"));
    let failures = answer(&submit, &redelivery("2")).await;
    assert_eq!(failures["batchItemFailures"].as_array().unwrap().len(), 1);
    assert!(aws.invoked().is_empty());
    assert_eq!(answer(&submit, &redelivery("1")).await, json!({"batchItemFailures": []}), "accepted is accepted");
}

#[tokio::test]
async fn without_the_option_a_redelivery_is_invoked_again_and_nothing_is_kept() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    for count in ["1", "2"] {
        answer(&submit, &redelivery(count)).await;
    }
    assert_eq!((aws.invoked().len(), bucket.calls().len()), (2, 0));
}
