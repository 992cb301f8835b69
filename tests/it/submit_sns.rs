//! `submit` invoked by SNS.

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::sample;
use crate::submit_s3::{answer, rejections};
use crate::submit_sqs::{WITH_DEAD_LETTERS, handler};

fn published(message: &str, attributes: Value) -> Value {
    let mut event = sample("submit/sns.json");
    event["Records"][0]["Sns"]["Message"] = json!(message);
    event["Records"][0]["Sns"]["MessageAttributes"] = attributes;
    event
}

fn string(value: &str) -> Value {
    json!({"Type": "String", "Value": value})
}

#[tokio::test]
async fn the_message_is_the_payload_and_its_attributes_are_the_parameters() {
    let aws = Aws::default();
    answer(&handler(&aws, &[]), &sample("submit/sns.json")).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    assert_eq!(input.body().unwrap().as_ref(), br#"{"prompt": "Summarize."}"#);
    assert_eq!((input.endpoint_name(), input.accept()), (Some("asr"), Some("text/plain")));
    assert_eq!(input.request_ttl_seconds(), Some(600));
    assert_eq!(input.inference_id(), Some("95df01b4-ee98-5cb9-9903-4c221d41eb5e"));
}

#[tokio::test]
async fn a_large_message_goes_through_s3_under_its_own_id() {
    let aws = Aws::default();
    let attributes = json!({"ContentEncoding": string("base64"), "Trace": {"Type": "Binary", "Value": "AAE="}});
    answer(&handler(&aws, &[("BRIDGE_INLINE_LIMIT_BYTES", "1")]), &published("AAH//g==", attributes)).await.unwrap();
    let (location, _, bytes) = aws.put.lock().unwrap()[0].clone();
    assert_eq!(location, "s3://models-bucket/input/95df01b4-ee98-5cb9-9903-4c221d41eb5e");
    assert_eq!(bytes, [0, 1, 255, 254]);
}

#[tokio::test]
async fn a_fault_that_may_pass_fails_the_invocation_and_nobody_is_told() {
    let aws = Aws::default();
    let fault = answer(&handler(&aws, WITH_DEAD_LETTERS), &published("throttle", Value::Null)).await.unwrap_err();
    assert!(fault.starts_with("ThrottlingException"), "{fault}");
    assert!(aws.dead_letters().is_empty() && aws.sent().is_empty());
}

#[tokio::test]
async fn what_is_rejected_is_a_dead_letter_with_payload_and_attributes() {
    let aws = Aws::default();
    let attributes = json!({"EndpointName": string("someone-elses"), "Trace": {"Type": "Binary", "Value": "AAE="}});
    answer(&handler(&aws, WITH_DEAD_LETTERS), &published("{\"a\": 1}", attributes)).await.unwrap();
    let letter = aws.dead_letters()[0].clone();
    assert_eq!(letter.message_body(), Some("{\"a\": 1}"));
    let attributes = letter.message_attributes().unwrap();
    assert_eq!(attributes["EndpointName"].string_value(), Some("someone-elses"));
    assert_eq!(attributes["Trace"].binary_value().unwrap().as_ref(), [0, 1]);
    assert!(attributes["FailureReason"].string_value().unwrap().starts_with("AccessDeniedException"));
    let result = rejections(&aws)[0].clone();
    assert_eq!(result["inferenceId"], "95df01b4-ee98-5cb9-9903-4c221d41eb5e");
    assert_eq!(result["requestParameters"]["endpointName"], "someone-elses");
}

#[tokio::test]
async fn an_odd_record_is_rejected_alone_and_whole() {
    let aws = Aws::default();
    let mut event = sample("submit/sns.json");
    let odd = json!({"Sns": {"MessageId": "m", "Message": 5}});
    event["Records"].as_array_mut().unwrap().push(odd.clone());
    answer(&handler(&aws, WITH_DEAD_LETTERS), &event).await.unwrap();
    assert_eq!(aws.invoked().len(), 1);
    let letter: Value = serde_json::from_str(aws.dead_letters()[0].message_body().unwrap()).unwrap();
    assert_eq!(letter, odd);
}

#[tokio::test]
async fn of_several_records_none_is_rejected_while_one_is_to_come_again() {
    let aws = Aws::default();
    let mut event = published("throttle", Value::Null);
    let refused = published("refuse", Value::Null)["Records"][0].clone();
    event["Records"].as_array_mut().unwrap().push(refused);
    assert!(answer(&handler(&aws, WITH_DEAD_LETTERS), &event).await.is_err());
    assert!(aws.dead_letters().is_empty() && aws.sent().is_empty());
}
