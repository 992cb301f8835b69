//! The `raw` format.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{OUTPUT, RAW, attribute, aws, body, handler, notification, result_of};
use crate::aws::Aws;
use crate::event;

#[tokio::test]
async fn raw_the_output_itself_is_the_body() {
    let entry = result_of(&aws(), &RAW, &notification("completed")).await.unwrap();
    assert_eq!(entry.message_body(), r#"{"summary":"short"}"#);
    assert_eq!(attribute(&entry, "InferenceId"), Some("8a80ed4e-1ff9-4c2b-bf16-31bdd5d17835"));
    assert_eq!(
        (attribute(&entry, "InvocationStatus"), attribute(&entry, "EndpointName")),
        (Some("Completed"), Some("summarizer"))
    );
    assert_eq!(
        (attribute(&entry, "ContentType"), attribute(&entry, "OutputLocation")),
        (Some("application/json"), Some(OUTPUT))
    );
    assert_eq!((attribute(&entry, "ContentEncoding"), attribute(&entry, "FailureReason")), (None, None));
}

#[tokio::test]
async fn raw_what_is_no_text_for_sqs_is_base64() {
    for (output, expected) in [(&[0xFF, 0xD8][..], "/9g="), (b"form\x0Cfeed", "Zm9ybQxmZWVk")] {
        let aws = Aws::default().with_object(OUTPUT, output);
        let entry = result_of(&aws, &RAW, &notification("completed")).await.unwrap();
        assert_eq!((entry.message_body(), attribute(&entry, "ContentEncoding")), (expected, Some("base64")));
    }
}

#[tokio::test]
async fn raw_a_failure_carries_its_content_or_else_its_reason() {
    let reason = "ClientError: Received server error (500) from model. See the SageMaker Endpoint logs in your account for more \
                  information.";
    for (name, expected) in [
        ("failed-with-location", "bad prompt"),
        ("failed-with-body", r#"{"message":"prompt too long"}"#),
        ("failed-bare", reason),
        ("unknown-status", "Expired"),
    ] {
        let entry = result_of(&aws(), &RAW, &notification(name)).await.unwrap();
        assert_eq!(entry.message_body(), expected, "{name}");
        assert_eq!(attribute(&entry, "FailureReason"), notification(name)["failureReason"].as_str(), "{name}");
    }
}

#[tokio::test]
async fn raw_an_output_that_no_message_can_carry_is_copied_and_pointed_to() {
    let limit = ("BRIDGE_RESULT_BODY_LIMIT_BYTES", "1000000");
    let mut raised = RAW.to_vec();
    raised.push(limit);
    for (what, output, more) in [
        ("over the limit", vec![b'x'; 262_145], RAW.to_vec()),
        ("over SQS's limit in base64", vec![0xFF; 900_000], raised),
        ("empty, which SQS takes no body of", vec![], RAW.to_vec()),
    ] {
        let location = "s3://models-bucket/output a/b+c%20d#e?f.out";
        let aws = Aws::default().with_object(location, &output);
        let entry = result_of(&aws, &more, &notification("completed-raw-keys")).await.unwrap();
        let copied = aws.copied.lock().unwrap();
        let [(source, copy)] = copied.as_slice() else { panic!("{what}: {} copies", copied.len()) };
        assert_eq!(source, "models-bucket/output%20a/b%2Bc%2520d%23e%3Ff.out", "{what}");
        let key = copy.strip_prefix("s3://models-bucket/").unwrap();
        assert!(key.starts_with("results/"), "{what}: {copy}");
        let pointer = json!(["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "models-bucket", "s3Key": key}]);
        assert_eq!(body(&entry), pointer, "{what}");
        assert_eq!(attribute(&entry, "ExtendedPayloadSize"), Some(output.len().to_string().as_str()), "{what}");
        assert_eq!(attribute(&entry, "OutputLocation"), Some(location), "{what}");
    }
}

#[tokio::test]
async fn raw_an_inference_that_left_no_body_for_a_message_is_an_error() {
    let with = |status: &str, more: Value| {
        let mut notification = json!({"invocationStatus": status, "failureReason": "no", "inferenceId": "i"});
        notification.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        notification
    };
    let unreadable = json!({"responseBody": {"content": "H4sI", "encoding": "GZIP"}});
    for (notification, what) in [
        (with("Completed", json!({})), "neither location nor body"),
        (with("Completed", json!({"responseParameters": {"outputLocation": ""}})), "an empty location"),
        (with("Completed", json!({"responseBody": {"content": ""}})), "an empty body and no location"),
        (with("Completed", unreadable.clone()), "an unreadable body and no location"),
        (with("Failed", unreadable), "a failure's unreadable body and no location"),
    ] {
        let aws = aws();
        assert!(result_of(&aws, &RAW, &notification).await.is_err(), "{what}");
        assert!(aws.sent().is_empty(), "{what}");
        let entry = result_of(&aws, &[], &notification).await.unwrap();
        assert_eq!(
            body(&entry)["invocationStatus"],
            notification["invocationStatus"],
            "a notification is a body: {what}"
        );
    }
    for (notification, what) in [
        (with("Failed", json!({"responseParameters": {"failureLocation": ""}})), "an empty location"),
        (with("Failed", json!({"responseBody": {"content": ""}})), "an empty body"),
        (with("Failed", json!({"responseBody": {"message": "see S3"}})), "no content"),
    ] {
        assert_eq!(result_of(&aws(), &RAW, &notification).await.unwrap().message_body(), "no", "{what}");
    }
}

#[tokio::test]
async fn raw_two_deliveries_of_one_notification_point_to_two_copies() {
    let aws = Aws::default().with_object(OUTPUT, &vec![b'x'; 300_000]);
    let text = notification("completed").to_string();
    let records: Vec<Value> = (0..2).map(|n| json!({"messageId": format!("m{n}"), "body": text})).collect();
    let collect = handler(&aws, &RAW);
    for _ in 0..2 {
        collect.handle(event(&json!({"Records": records}))).await.unwrap();
    }
    let copies: BTreeSet<String> = aws.copied.lock().unwrap().iter().map(|(_, copy)| copy.clone()).collect();
    assert_eq!(copies.len(), 4);
}
