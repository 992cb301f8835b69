//! Notifications of endpoints that are not this bridge's, on a topic that several share.

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::collect_result::{aws, handler};
use crate::{event, sample};

const ALLOWED: [(&str, &str); 1] = [("BRIDGE_ALLOWED_ENDPOINTS", "summarizer, ASR")];

/// A notification of an endpoint, by its name as SageMaker may write it; without one, of nobody's.
fn of(endpoint: Option<&str>) -> Value {
    let mut notification = sample("notifications/completed.json");
    match endpoint {
        Some(name) => notification["requestParameters"]["endpointName"] = json!(name),
        None => drop(notification["requestParameters"].as_object_mut().unwrap().remove("endpointName")),
    }
    notification
}

/// How many results a notification becomes, and how many requests to S3, delivered in either way.
async fn outcome(variables: &[(&str, &str)], notification: &Value) -> Vec<(usize, usize)> {
    let direct = json!({"Records": [{"Sns": {"MessageId": "m", "Message": notification.to_string()}}]});
    let by_queue = json!({"Records": [{"messageId": "m", "body": notification.to_string()}]});
    let mut outcomes = Vec::new();
    for (batch, wanted) in [(direct, Value::Null), (by_queue, json!({"batchItemFailures": []}))] {
        let aws = aws();
        let answer = handler(&aws, variables).handle(event(&batch)).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), wanted, "{notification}");
        outcomes.push((aws.sent().len(), aws.fetched.lock().unwrap().len()));
    }
    outcomes
}

#[tokio::test]
async fn a_notification_of_an_endpoint_that_is_not_listed_is_acknowledged_without_a_result_and_nothing_is_fetched() {
    for name in ["translator", "summarizer-2", "summarize", "*"] {
        assert_eq!(outcome(&ALLOWED, &of(Some(name))).await, [(0, 0); 2], "{name}");
    }
}

#[tokio::test]
async fn endpoints_are_compared_without_case() {
    for name in ["summarizer", "Summarizer", "asr", "ASR"] {
        assert_eq!(outcome(&ALLOWED, &of(Some(name))).await, [(1, 1); 2], "{name}");
    }
}

#[tokio::test]
async fn a_notification_that_names_no_endpoint_is_passed_on() {
    let mut odd = of(None);
    odd["requestParameters"] = json!({"endpointName": 5});
    for notification in [of(None), of(Some("")), odd] {
        assert_eq!(outcome(&ALLOWED, &notification).await, [(1, 1); 2], "{notification}");
    }
}

#[tokio::test]
async fn without_a_list_notifications_of_any_endpoint_are_passed_on() {
    assert_eq!(outcome(&[], &of(Some("translator"))).await, [(1, 1); 2]);
}

#[tokio::test]
async fn a_failure_of_another_endpoint_is_acknowledged_although_its_failure_output_cannot_be_read() {
    let mut failed = sample("notifications/failed-with-location.json");
    failed["requestParameters"]["endpointName"] = json!("translator");
    let batch = json!({"Records": [{"messageId": "m", "body": failed.to_string()}]});
    let aws = Aws::default().with_unreadable_object("s3://models-bucket/failure/9b1d-error.out", 10);
    let answer = handler(&aws, &ALLOWED).handle(event(&batch)).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}));
    assert!(aws.sent().is_empty() && aws.fetched.lock().unwrap().is_empty());
}
