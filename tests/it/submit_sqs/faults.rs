//! Messages that come back: what is told, and to whom.

use serde_json::{Value, json};

use super::{handler, message, returned, string};
use crate::aws::{Aws, REFUSAL};
use crate::{event, sample};

#[tokio::test]
async fn of_ten_messages_three_bad_ones_come_back_and_are_rejected_and_seven_are_invoked_once() {
    let aws = Aws::default();
    let batch = sample("submit/sqs-three-bad-of-ten.json");
    let mut back = returned(&handler(&aws, &[]), &batch).await;
    let records = batch["Records"].as_array().unwrap();
    let mut bad: Vec<&str> = [2, 5, 8].iter().map(|index| records[*index]["messageId"].as_str().unwrap()).collect();
    back.sort_unstable();
    bad.sort_unstable();
    assert_eq!(back, bad);
    assert_eq!(aws.invoked().len(), 7);

    let mut results: Vec<Value> =
        aws.sent().iter().map(|entry| serde_json::from_str(entry.message_body()).unwrap()).collect();
    results.sort_by_key(|result| result["failureReason"].as_str().map(str::to_owned));
    let reasons: Vec<_> = results.iter().map(|result| result["failureReason"].as_str().unwrap()).collect();
    assert!(reasons[0].starts_with("AccessDeniedException: EndpointName someone-elses"), "{reasons:?}");
    assert!(reasons[1].starts_with("ValidationError: CustomAttributes must be at most 1024"), "{reasons:?}");
    assert!(reasons[2].starts_with("ValidationError: the body must be base64"), "{reasons:?}");
    for result in &results {
        assert_eq!((&result["invocationStatus"], &result["eventVersion"]), (&json!("Rejected"), &json!("1.0")));
        assert_eq!(result["eventSource"], "sagemaker-async-bridge");
        assert_eq!(result["eventName"], "InferenceRejected");
        assert!(result["eventTime"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(results[0]["requestParameters"], json!({"endpointName": "someone-elses"}));
    assert_eq!(
        results[1]["requestParameters"],
        json!({"endpointName": "summarizer"}),
        "the overlong value is left out"
    );
    assert_eq!(results[2]["inferenceId"], "bad-base64");
    assert_eq!(results[0]["inferenceId"], records[5]["messageId"]);
    let entry = aws.sent().into_iter().find(|entry| entry.message_body().contains("bad-base64")).unwrap();
    let attributes = entry.message_attributes().unwrap();
    let attribute = |name: &str| attributes.get(name).and_then(|value| value.string_value());
    assert_eq!(attribute("InferenceId"), Some("bad-base64"));
    assert_eq!((attribute("InvocationStatus"), attribute("EndpointName")), (Some("Rejected"), Some("summarizer")));
}

#[tokio::test]
async fn a_rejected_result_names_the_endpoint_that_was_asked_for_and_never_another() {
    let cases = [
        (json!({"RequestTTLSeconds": string("1")}), Some("summarizer")),
        (json!({"EndpointName": string("asr"), "RequestTTLSeconds": string("1")}), Some("asr")),
        (json!({"EndpointName": string("someone-elses")}), Some("someone-elses")),
        (json!({"EndpointName": string("k\u{e4}se-endpoint")}), None),
        (json!({"EndpointName": string("../other")}), None),
        (json!({"EndpointName": {"binaryValue": "eA==", "dataType": "Binary"}}), None),
        (json!("no attributes"), None),
    ];
    for (attributes, expected) in cases {
        let aws = Aws::default();
        let batch = json!({"Records": [message("m", "{}", attributes.clone())]});
        returned(&handler(&aws, &[]), &batch).await;
        let entry = &aws.sent()[0];
        let result: Value = serde_json::from_str(entry.message_body()).unwrap();
        assert_eq!(result["requestParameters"]["endpointName"].as_str(), expected, "{attributes}");
        let named = entry.message_attributes().unwrap().get("EndpointName");
        assert_eq!(named.and_then(|value| value.string_value()), expected, "{attributes}");
    }
}

#[tokio::test]
async fn a_message_is_rejected_on_its_first_receipt_only_and_not_without_a_results_queue() {
    let mut again = message("m", "%", json!({"ContentEncoding": string("base64")}));
    again["attributes"]["ApproximateReceiveCount"] = json!("2");
    let first = message("m", "%", json!({"ContentEncoding": string("base64")}));
    for (record, more, results) in
        [(&first, &[][..], 1), (&again, &[], 0), (&first, &[("BRIDGE_RESULTS_QUEUE_URL", "")], 0)]
    {
        let aws = Aws::default();
        assert_eq!(returned(&handler(&aws, more), &json!({"Records": [record]})).await, ["m"]);
        assert_eq!(aws.sent().len(), results);
    }
}

#[tokio::test]
async fn a_throttled_invocation_is_retried_and_nobody_is_told() {
    let aws = Aws::default();
    let batch = json!({"Records": [message("a", "throttle", json!({})), message("b", "{}", json!({}))]});
    assert_eq!(returned(&handler(&aws, &[]), &batch).await, ["a"]);
    assert_eq!((aws.invoked().len(), aws.sent().len()), (1, 0));
}

#[tokio::test]
async fn what_sagemaker_refuses_is_rejected_in_its_own_words() {
    let aws = Aws::default();
    let batch = json!({"Records": [message("a", "refuse", json!({}))]});
    assert_eq!(returned(&handler(&aws, &[]), &batch).await, ["a"]);
    let result: Value = serde_json::from_str(aws.sent()[0].message_body()).unwrap();
    assert_eq!(result["failureReason"], format!("ValidationError: {REFUSAL}"));
}

#[tokio::test]
async fn each_bad_message_says_what_is_wrong_and_reaches_no_service() {
    let pointer = |bucket: &str, key: &str| {
        json!(["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": bucket, "s3Key": key}])
            .to_string()
    };
    let size = json!({"ExtendedPayloadSize": {"stringValue": "9", "dataType": "Number"}});
    let mut encoded = size.clone();
    encoded["ContentEncoding"] = string("base64");
    let beside = json!({"ContentEncoding": string("gzip"), "InputLocation": string("s3://models-bucket/input/x")});
    let cases = [
        ("", json!({}), "the payload is empty"),
        ("", beside, "ContentEncoding must be `base64`"),
        ("x", json!({"ContentEncoding": string("gzip")}), "ContentEncoding must be `base64`"),
        (
            "x",
            json!({"Accept": {"binaryValue": "eA==", "dataType": "Binary"}}),
            "Accept must be a message attribute of type",
        ),
        ("x", json!({"RequestTTLSeconds": string("59")}), "RequestTTLSeconds must be a whole number from 60 to 21600"),
        (
            "x",
            json!({"InputLocation": string("s3://other/input/x")}),
            "AccessDeniedException: InputLocation is not under",
        ),
        ("x", json!({"InputLocation": string("s3://models-bucket/inputs/x")}), "AccessDeniedException"),
        ("x", size.clone(), "the body is not an extended-client pointer"),
        (
            r#"["java.lang.Runtime",{"s3BucketName":"models-bucket","s3Key":"input/x"}]"#,
            size.clone(),
            "pointer must be a",
        ),
        (&pointer("other-bucket", "input/x"), size.clone(), "AccessDeniedException"),
        (&pointer("models-bucket", "input/../output/x"), size.clone(), "AccessDeniedException"),
        (&pointer("models-bucket", "input/a\nb"), size.clone(), "InputLocation must have at most 1024"),
        (&pointer("models-bucket", ""), size, "must name an object"),
        (&pointer("models-bucket", "input/x"), encoded, "ContentEncoding does not apply"),
    ];
    for (body, attributes, expected) in cases {
        let aws = Aws::default();
        let batch = json!({"Records": [message("m", body, attributes)]});
        assert_eq!(returned(&handler(&aws, &[]), &batch).await, ["m"], "{expected}");
        let result: Value = serde_json::from_str(aws.sent()[0].message_body()).unwrap();
        let reason = result["failureReason"].as_str().unwrap();
        assert!(reason.contains(expected), "{reason} / {expected}");
        assert!(aws.invoked().is_empty() && aws.put.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_odd_in_one_message_never_touches_its_neighbours() {
    let cases = [
        (
            json!({"messageAttributes": {"Accept": {"stringValue": 5, "dataType": "Number"}}}),
            "Accept must be a message",
        ),
        (
            json!({"messageAttributes": {"Accept": {"stringValue": null, "binaryValue": "%"}}}),
            "Accept must be a message",
        ),
        (json!({"messageAttributes": {"Accept": null}}), "Accept must be a message"),
        (json!({"messageAttributes": [1]}), "messageAttributes must be"),
        (json!({"messageAttributes": "x"}), "messageAttributes must be"),
        (json!({"body": {"prompt": "x"}}), "the message body must be a string"),
        (json!({"body": 5}), "the message body must be a string"),
        (json!({"body": null}), "the payload is empty"),
    ];
    for (odd, expected) in cases {
        let aws = Aws::default();
        let mut record = message("odd", "{}", json!({}));
        record.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        let batch = json!({"Records": [message("a", "{}", json!({})), record, message("b", "{}", json!({}))]});
        assert_eq!(returned(&handler(&aws, &[]), &batch).await, ["odd"], "{odd}");
        assert_eq!(aws.invoked().len(), 2, "{odd}");
        let result: Value = serde_json::from_str(aws.sent()[0].message_body()).unwrap();
        assert!(result["failureReason"].as_str().unwrap().contains(expected), "{odd}: {result}");
        assert_eq!(result["inferenceId"], "odd");
    }
}

#[tokio::test]
async fn what_is_odd_and_of_no_use_is_not_looked_at() {
    let odd = [
        json!({"messageAttributes": null}),
        json!({"messageAttributes": {"Accept": {"stringValue": "a/b", "stringListValues": null, "binaryListValues": 1}}}),
        json!({"messageAttributes": {"trace": {"binaryValue": "%", "dataType": 5}, "other": null}}),
        json!({"attributes": null}),
        json!({"attributes": [1]}),
        json!({"attributes": {"SenderId": null, "ApproximateReceiveCount": 1, "MessageGroupId": 7}}),
        json!({"receiptHandle": 5, "md5OfBody": null, "eventSourceARN": 5, "eventSource": [], "awsRegion": {}}),
    ];
    for odd in odd {
        let aws = Aws::default();
        let mut record = message("odd", "{}", json!({}));
        record.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        assert_eq!(returned(&handler(&aws, &[]), &json!({"Records": [record]})).await, Vec::<String>::new(), "{odd}");
        assert_eq!(aws.invoked().len(), 1, "{odd}");
    }
}

#[tokio::test]
async fn a_receive_count_may_be_a_number() {
    for (count, results) in [(json!(1), 1), (json!(2), 0), (json!("1"), 1), (json!("2"), 0)] {
        let aws = Aws::default();
        let mut record = message("m", "", json!({}));
        record["attributes"]["ApproximateReceiveCount"] = count;
        assert_eq!(returned(&handler(&aws, &[]), &json!({"Records": [record]})).await, ["m"]);
        assert_eq!(aws.sent().len(), results);
    }
}

#[tokio::test]
async fn an_event_that_is_neither_sqs_nor_http_fails_whole() {
    let submit = handler(&Aws::default(), &[]);
    let no_batches = [json!("x"), json!({"Records": 5}), json!({"Records": null}), json!([5])];
    let no_ids = [json!({}), json!({"body": "x"}), json!({"messageId": 5}), json!({"messageId": ""})];
    let no_ids = no_ids.map(|record| json!({"Records": [message("m", "{}", json!({})), record]}));
    for payload in no_batches.into_iter().chain(no_ids).chain([json!({})]) {
        let fault = submit.handle(event(&payload)).await.expect_err("refused");
        assert!(fault.to_string().starts_with("ValidationError: "), "{fault}");
    }
}
