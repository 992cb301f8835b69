//! `submit` told by S3 of objects that were put there, by S3 itself and out of a queue.

use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::submit_sqs::{WITH_DEAD_LETTERS, handler, returned};
use crate::{event, sample};

pub const LOCATION: &str = "s3://models-bucket/input/réunion 1+1.wav";
const QUEUE_ARN: &str = "arn:aws:sqs:eu-west-1:123456789012:objects";
const DEAD_LETTER_QUEUE: (&str, &str) = WITH_DEAD_LETTERS[0];
pub const WITH_QUEUE: &[(&str, &str)] = &[("BRIDGE_S3_EVENT_QUEUE_ARN", QUEUE_ARN), DEAD_LETTER_QUEUE];

/// S3 with the object of the sample events.
pub fn with_object() -> Aws {
    Aws::default().with_head(LOCATION, 1_305_107, "audio/wav")
}

/// What an event without an answer ends with: nothing, or the fault's text.
pub async fn answer(submit: &Submit, payload: &Value) -> Result<(), String> {
    let answer = submit.handle(event(payload)).await.map_err(|fault| fault.to_string())?;
    assert_eq!(serde_json::to_value(answer).unwrap(), Value::Null);
    Ok(())
}

/// The results that were sent, without what changes from run to run.
pub fn rejections(aws: &Aws) -> Vec<Value> {
    aws.sent().iter().map(|entry| serde_json::from_str(entry.message_body()).unwrap()).collect()
}

fn put(key: &str) -> Value {
    let mut event = sample("submit/s3-put.json");
    event["Records"][0]["s3"]["object"]["key"] = json!(key);
    event
}

fn queued(notification: &str) -> Value {
    let mut batch = sample("submit/s3-queue.json");
    batch["Records"][0]["body"] = json!(notification);
    batch
}

#[tokio::test]
async fn an_object_is_an_input_by_location_with_its_key_decoded_and_its_own_content_type() {
    let aws = with_object();
    answer(&handler(&aws, &[]), &sample("submit/s3-put.json")).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    assert_eq!((input.input_location(), input.body()), (Some(LOCATION), None));
    assert_eq!((input.content_type(), input.endpoint_name()), (Some("audio/wav"), Some("summarizer")));
    assert!(aws.put.lock().unwrap().is_empty() && aws.copied.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_same_object_has_the_same_id_by_every_way_and_another_version_another_one() {
    let aws = with_object();
    let submit = handler(&aws, WITH_QUEUE);
    for sample_event in ["submit/s3-put.json", "submit/s3-put.json", "submit/eventbridge-object-created.json"] {
        answer(&submit, &sample(sample_event)).await.unwrap();
    }
    assert!(returned(&submit, &sample("submit/s3-queue.json")).await.is_empty());
    for (field, value) in [("versionId", "v2"), ("sequencer", "0C0F6F405D6ED209E3")] {
        let mut event = sample("submit/s3-put.json");
        event["Records"][0]["s3"]["object"][field] = json!(value);
        answer(&submit, &event).await.unwrap();
    }
    let ids: Vec<String> = aws.invoked().iter().map(|input| input.inference_id().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 6);
    assert!(ids[1..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0] && ids[5] != ids[0] && ids[4] != ids[5]);
}

#[tokio::test]
async fn an_object_without_a_content_type_has_the_configured_one() {
    let aws = Aws::default().with_head("s3://models-bucket/input/x", 5, "binary/octet-stream");
    answer(&handler(&aws, &[("BRIDGE_CONTENT_TYPE", "text/csv")]), &put("input/x")).await.unwrap();
    assert_eq!(aws.invoked()[0].content_type(), Some("text/csv"));
}

#[tokio::test]
async fn a_test_event_and_a_folder_are_acknowledged() {
    let aws = Aws::default();
    let submit = handler(&aws, WITH_QUEUE);
    let mut folder = put("input/new+folder/");
    folder["Records"][0]["s3"]["object"]["size"] = json!(0);
    let test = sample("submit/s3-test.json");
    for notification in [&test, &folder] {
        answer(&submit, notification).await.unwrap();
        assert!(returned(&submit, &queued(&notification.to_string())).await.is_empty());
    }
    assert!(aws.invoked().is_empty() && aws.sent().is_empty() && aws.dead_letters().is_empty());
}

#[tokio::test]
async fn what_is_no_request_is_a_dead_letter_and_a_rejected_result() {
    let cases = [
        (sample("submit/s3-removed.json"), "ValidationError: the event must be one of `s3:ObjectCreated:*`", 0),
        (put("input/gone"), "ValidationError: the object no longer exists", 1),
        (put("input/empty"), "ValidationError: the object is empty", 1),
        (put("input/huge"), "PayloadTooLarge: the object has 1073741825 bytes", 1),
        (put("input/%FF"), "ValidationError: the object's key must be UTF-8", 0),
        (put("secret/x"), "AccessDeniedException: InputLocation is not under", 0),
        (put("input/../secret"), "AccessDeniedException: InputLocation is not under", 0),
        (json!({"Records": [{"s3": 5}]}), "ValidationError: a record of the event is not an S3 record", 0),
    ];
    for (payload, words, asked) in cases {
        for by_queue in [false, true] {
            let aws = Aws::default().with_head("s3://models-bucket/input/empty", 0, "text/plain");
            let aws = aws.with_head("s3://models-bucket/input/huge", 1_073_741_825, "text/plain");
            let submit = handler(&aws, WITH_QUEUE);
            if by_queue {
                assert!(returned(&submit, &queued(&payload.to_string())).await.is_empty(), "{payload}");
            } else {
                answer(&submit, &payload).await.unwrap();
            }
            let [result] = &rejections(&aws)[..] else { panic!("one result: {payload}") };
            assert_eq!(result["invocationStatus"], "Rejected");
            let reason = result["failureReason"].as_str().unwrap();
            assert!(reason.starts_with(words), "{payload}: {reason}");
            let [letter] = &aws.dead_letters()[..] else { panic!("one dead letter: {payload}") };
            let record: Value = serde_json::from_str(letter.message_body().unwrap()).unwrap();
            assert_eq!(record, payload["Records"][0]);
            assert!(aws.invoked().is_empty(), "{payload}");
            assert_eq!(aws.asked.lock().unwrap().len(), asked, "{payload}");
        }
    }
}

#[tokio::test]
async fn an_object_of_a_foreign_bucket_is_refused_without_a_look_at_it() {
    let aws = Aws::default().with_head("s3://foreign/input/x", 5, "text/plain");
    let mut event = put("input/x");
    event["Records"][0]["s3"]["bucket"]["name"] = json!("foreign");
    answer(&handler(&aws, WITH_QUEUE), &event).await.unwrap();
    assert!(aws.asked.lock().unwrap().is_empty() && aws.invoked().is_empty());
    assert_eq!(rejections(&aws)[0]["requestParameters"]["inputLocation"], "s3://foreign/input/x");
}

/// Moved to the request queue, the dead letter is the same request once more.
#[tokio::test]
async fn a_dead_letter_asks_for_the_same() {
    let aws = with_object();
    answer(&handler(&aws, &[("BRIDGE_ALLOWED_INPUT_LOCATIONS", "s3://other/"), DEAD_LETTER_QUEUE]), &put("input/x"))
        .await
        .unwrap();
    let letter = aws.dead_letters()[0].clone();
    let attribute = |name: &str| letter.message_attributes().unwrap()[name].string_value().unwrap().to_owned();
    let attributes = json!({
        "InputLocation": {"dataType": "String", "stringValue": attribute("InputLocation")},
        "InferenceId": {"dataType": "String", "stringValue": attribute("InferenceId")},
    });
    let moved = json!({"Records": [{
        "messageId": "moved", "body": letter.message_body().unwrap(), "messageAttributes": attributes,
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:requests",
    }]});
    assert!(returned(&handler(&aws, WITH_QUEUE), &moved).await.is_empty());
    let input = aws.invoked()[0].clone();
    assert_eq!((input.input_location(), input.body()), (Some("s3://models-bucket/input/x"), None));
    assert_eq!(input.inference_id(), rejections(&aws)[0]["inferenceId"].as_str());
}

#[tokio::test]
async fn one_odd_record_of_a_message_is_rejected_alone() {
    let aws = with_object();
    let good = sample("submit/s3-put.json")["Records"][0].clone();
    let foreign = put("secret/x")["Records"][0].clone();
    let notification = json!({"Records": [good, foreign, {"s3": {}}, good]}).to_string();
    assert!(returned(&handler(&aws, WITH_QUEUE), &queued(&notification)).await.is_empty());
    assert_eq!((aws.invoked().len(), aws.dead_letters().len(), aws.sent().len()), (2, 2, 2));
}

#[tokio::test]
async fn without_a_dead_letter_queue_a_rejected_message_comes_back_and_its_sender_is_told_once() {
    let aws = Aws::default();
    let submit = handler(&aws, &WITH_QUEUE[..1]);
    let mut batch = queued(&put("secret/x").to_string());
    for count in ["1", "2"] {
        batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(count);
        assert_eq!(returned(&submit, &batch).await, ["059f36b4-87a3-44ab-83d2-661975830a7d"]);
    }
    assert_eq!(aws.sent().len(), 1);
}

#[tokio::test]
async fn without_a_dead_letter_queue_a_rejected_event_fails_the_invocation() {
    let aws = Aws::default();
    let fault = answer(&handler(&aws, &[]), &put("secret/x")).await.unwrap_err();
    assert!(fault.starts_with("AccessDeniedException"), "{fault}");
    assert_eq!(aws.sent().len(), 1);
}

#[tokio::test]
async fn a_dead_letter_queue_that_does_not_take_it_fails_the_invocation_and_nobody_is_told_yet() {
    let aws = Aws::default();
    let fault = answer(&handler(&aws, WITH_QUEUE), &put("refuse-dead-letter")).await.unwrap_err();
    assert!(fault.starts_with("AccessDeniedException"), "{fault}");
    assert!(aws.sent().is_empty());
}

#[tokio::test]
async fn what_is_no_notification_is_rejected_whole() {
    for body in ["{\"prompt\": 1}", "no JSON", "[]", "5"] {
        let aws = Aws::default();
        let comes_back = returned(&handler(&aws, WITH_QUEUE), &queued(body)).await;
        if body == "[]" {
            // A list of no records asks for nothing.
            assert!(comes_back.is_empty() && aws.dead_letters().is_empty());
            continue;
        }
        assert!(comes_back.is_empty(), "{body}");
        assert_eq!(aws.dead_letters()[0].message_body(), Some(body));
        let reason = rejections(&aws)[0]["failureReason"].as_str().unwrap().to_owned();
        assert!(reason.contains("not an S3 event notification"), "{reason}");
        assert!(aws.invoked().is_empty());
    }
}

#[tokio::test]
async fn a_message_of_another_queue_is_a_payload_whatever_it_looks_like() {
    let aws = Aws::default();
    let mut batch = sample("submit/s3-queue.json");
    batch["Records"][0]["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:123456789012:requests");
    assert!(returned(&handler(&aws, WITH_QUEUE), &batch).await.is_empty());
    let body = batch["Records"][0]["body"].as_str().unwrap().as_bytes();
    assert_eq!(aws.invoked()[0].body().unwrap().as_ref(), body);
}
