//! `submit` invoked by a rule of EventBridge.

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::sample;
use crate::submit_s3::{LOCATION, answer, rejections, with_object};
use crate::submit_sqs::{WITH_DEAD_LETTERS, handler};

fn with_detail(detail: Value) -> Value {
    let mut event = sample("submit/eventbridge-detail.json");
    event["detail"] = detail;
    event
}

#[tokio::test]
async fn an_objects_key_is_not_url_encoded() {
    let aws = with_object();
    answer(&handler(&aws, &[]), &sample("submit/eventbridge-object-created.json")).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    assert_eq!((input.input_location(), input.content_type()), (Some(LOCATION), Some("audio/wav")));
}

#[tokio::test]
async fn the_detail_of_any_other_event_is_a_request_as_by_direct_invocation() {
    let aws = Aws::default();
    answer(&handler(&aws, &[]), &sample("submit/eventbridge-detail.json")).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    let body: Value = serde_json::from_slice(input.body().unwrap().as_ref()).unwrap();
    assert_eq!(body, json!({"prompt": "Summarize.", "order": 4711}));
    assert_eq!((input.endpoint_name(), input.custom_attributes()), (Some("asr"), Some("order=4711")));
    assert_eq!(input.inference_id(), Some("6a7e8feb-b491-4cf7-a9f1-bf3703467718"));
}

#[tokio::test]
async fn a_fault_that_may_pass_fails_the_invocation() {
    let aws = Aws::default();
    let event = with_detail(json!({"Body": "throttle"}));
    let fault = answer(&handler(&aws, WITH_DEAD_LETTERS), &event).await.unwrap_err();
    assert!(fault.starts_with("ThrottlingException"), "{fault}");
    assert!(aws.dead_letters().is_empty() && aws.sent().is_empty());
}

#[tokio::test]
async fn what_is_rejected_is_a_dead_letter_that_asks_for_the_same() {
    let aws = Aws::default();
    let detail = json!({"Body": {"a": 1}, "EndpointName": "someone-elses", "RequestTTLSeconds": 600, "Accept": ["x"]});
    answer(&handler(&aws, WITH_DEAD_LETTERS), &with_detail(detail)).await.unwrap();
    let letter = aws.dead_letters()[0].clone();
    assert_eq!(letter.message_body(), Some(r#"{"a":1}"#));
    let attributes = letter.message_attributes().unwrap();
    assert_eq!(attributes["EndpointName"].string_value(), Some("someone-elses"));
    assert_eq!(attributes["RequestTTLSeconds"].string_value(), Some("600"));
    assert!(!attributes.contains_key("Accept"));
    assert_eq!(rejections(&aws)[0]["inferenceId"], "6a7e8feb-b491-4cf7-a9f1-bf3703467718");
}

#[tokio::test]
async fn an_event_without_a_request_is_a_dead_letter_as_it_came() {
    let removed = json!({"bucket": {"name": "models-bucket"}, "object": {"key": "input/x"}});
    for detail in [json!({}), json!("x"), removed] {
        let aws = Aws::default();
        let event = with_detail(detail);
        answer(&handler(&aws, WITH_DEAD_LETTERS), &event).await.unwrap();
        let letter: Value = serde_json::from_str(aws.dead_letters()[0].message_body().unwrap()).unwrap();
        assert_eq!(letter, event);
        assert!(rejections(&aws)[0]["failureReason"].as_str().unwrap().starts_with("ValidationError"), "{event}");
    }
}

#[tokio::test]
async fn a_detail_of_s3_that_cannot_be_read_is_rejected() {
    let aws = Aws::default();
    let mut event = sample("submit/eventbridge-object-created.json");
    event["detail"]["bucket"] = Value::Null;
    answer(&handler(&aws, WITH_DEAD_LETTERS), &event).await.unwrap();
    let reason = rejections(&aws)[0]["failureReason"].as_str().unwrap().to_owned();
    assert!(reason.contains("not an S3 event"), "{reason}");
}
