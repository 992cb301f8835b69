//! `submit` on batches from SQS.

use std::time::Duration;

use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::InvokeEndpointAsyncInput;
use sagemaker_async_bridge::config::SubmitConfig;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::{event, event_with, sample};

pub fn handler(aws: &Aws, more: &[(&str, &str)]) -> Submit {
    let lookup = |name: &str| {
        let base = [
            ("BRIDGE_ENDPOINT_NAME", "summarizer"),
            ("BRIDGE_ALLOWED_ENDPOINTS", "asr"),
            ("BRIDGE_INPUT_LOCATION", "s3://models-bucket/input/"),
            ("BRIDGE_RESULTS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/results"),
        ];
        more.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    Submit::with_clients(SubmitConfig::from_lookup(lookup).unwrap(), aws.sagemaker(), aws.s3(), aws.sqs())
}

/// The ids of the messages that come back.
async fn returned(submit: &Submit, payload: &Value) -> Vec<String> {
    failures(&serde_json::to_value(submit.handle(event(payload)).await.unwrap()).unwrap())
}

fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().expect("an SqsBatchResponse");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

async fn invocations_of(path: &str) -> (Aws, Vec<InvokeEndpointAsyncInput>) {
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, &[]), &sample(path)).await, Vec::<String>::new(), "{path}");
    let invoked = aws.invoked();
    (aws, invoked)
}

fn body(input: &InvokeEndpointAsyncInput) -> &[u8] {
    input.body().expect("a body").as_ref()
}

fn message(id: &str, body: &str, attributes: Value) -> Value {
    json!({"messageId": id, "body": body, "attributes": {"ApproximateReceiveCount": "1"},
           "messageAttributes": attributes, "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:requests"})
}

fn string(value: &str) -> Value {
    json!({"stringValue": value, "dataType": "String"})
}

#[tokio::test]
async fn a_message_without_attributes_is_invoked_inline_under_its_message_id() {
    let (aws, invoked) = invocations_of("submit/sqs-inline.json").await;
    let record = &sample("submit/sqs-inline.json")["Records"][0];
    let [input] = invoked.as_slice() else { panic!("{} invocations", invoked.len()) };
    assert_eq!(body(input), record["body"].as_str().unwrap().as_bytes());
    assert_eq!(input.inference_id(), record["messageId"].as_str());
    assert_eq!((input.endpoint_name(), input.content_type()), (Some("summarizer"), Some("application/json")));
    assert_eq!((input.accept(), input.custom_attributes(), input.input_location()), (None, None, None));
    assert_eq!((input.s3_output_path_extension(), input.filename()), (None, None));
    assert_eq!((input.request_ttl_seconds(), input.invocation_timeout_seconds()), (None, None));
    assert!(aws.put.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_attribute_becomes_its_parameter() {
    let (_, invoked) = invocations_of("submit/sqs-parameters.json").await;
    let input = &invoked[0];
    assert_eq!(input.endpoint_name(), Some("asr"));
    assert_eq!((input.content_type(), input.accept()), (Some("audio/wav"), Some("application/json")));
    assert_eq!(input.custom_attributes(), Some("accept_eula=true"));
    assert_eq!(input.inference_id(), Some("order 4711"));
    assert_eq!((input.s3_output_path_extension(), input.filename()), (Some("2026/06"), Some("order-4711.out")));
    assert_eq!((input.request_ttl_seconds(), input.invocation_timeout_seconds()), (Some(600), Some(120)));
}

#[tokio::test]
async fn a_base64_body_is_decoded() {
    let (_, invoked) = invocations_of("submit/sqs-base64.json").await;
    assert_eq!(body(&invoked[0]), (0..=255).collect::<Vec<u8>>());
}

#[tokio::test]
async fn a_base64_body_may_be_broken_into_lines() {
    let aws = Aws::default();
    let batch = json!({"Records": [message("m", "aGVs\r\nbG8=\n", json!({"ContentEncoding": string("base64")}))]});
    assert!(returned(&handler(&aws, &[]), &batch).await.is_empty());
    assert_eq!(body(&aws.invoked()[0]), b"hello");
}

#[tokio::test]
async fn an_input_location_is_passed_on_without_the_body() {
    let (_, invoked) = invocations_of("submit/sqs-input-location.json").await;
    let location = "s3://models-bucket/input/100%25 2024-03-29 03:48:03+x.json";
    assert_eq!((invoked[0].input_location(), invoked[0].body()), (Some(location), None));
}

#[tokio::test]
async fn the_object_of_an_extended_client_becomes_the_input_uncopied() {
    let (aws, mut invoked) = invocations_of("submit/sqs-pointer.json").await;
    invoked.sort_by_key(|input| input.input_location().map(str::to_owned));
    let locations: Vec<_> = invoked.iter().map(|input| (input.input_location().unwrap(), input.body())).collect();
    let today = "s3://models-bucket/input/8a80ed4e-1ff9-4c2b-bf16-31bdd5d17835";
    assert_eq!(locations, [(today, None), ("s3://models-bucket/input/legacy", None)]);
    assert!(aws.put.lock().unwrap().is_empty() && aws.fetched.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_inline_limit_is_exact_and_judged_after_decoding() {
    use base64::Engine;
    let aws = Aws::default();
    let fits = base64::prelude::BASE64_STANDARD.encode(vec![0xFF; 128_000]);
    let records = [
        message("fits", &"x".repeat(128_000), json!({})),
        message("exceeds", &"x".repeat(128_001), json!({"ContentType": string("text/plain")})),
        message("fits-decoded", &fits, json!({"ContentEncoding": string("base64")})),
    ];
    assert!(returned(&handler(&aws, &[]), &json!({"Records": records})).await.is_empty());
    for input in aws.invoked() {
        match input.inference_id().unwrap() {
            "exceeds" => {
                assert_eq!((input.input_location(), input.body()), (Some("s3://models-bucket/input/exceeds"), None));
            }
            _ => assert_eq!((body(&input).len(), input.input_location()), (128_000, None)),
        }
    }
    let put = aws.put.lock().unwrap();
    let [(location, content_type, bytes)] = put.as_slice() else { panic!("{} uploads", put.len()) };
    assert_eq!((location.as_str(), content_type.as_deref()), ("s3://models-bucket/input/exceeds", Some("text/plain")));
    assert_eq!(bytes.len(), 128_001);
}

#[tokio::test]
async fn an_inline_limit_of_zero_keeps_every_input_in_s3_under_the_message_id() {
    let aws = Aws::default();
    let batch = json!({"Records": [message("m-1", "{}", json!({"InferenceId": string("shared")}))]});
    assert!(returned(&handler(&aws, &[("BRIDGE_INLINE_LIMIT_BYTES", "0")]), &batch).await.is_empty());
    let invoked = aws.invoked();
    assert_eq!(invoked[0].input_location(), Some("s3://models-bucket/input/m-1"));
    assert_eq!((invoked[0].inference_id(), invoked[0].body()), (Some("shared"), None));
}

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
    assert_eq!(result["failureReason"], "ValidationError: Endpoint x not found.");
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
            "AccessDeniedException: InputLocation does not lie",
        ),
        ("x", json!({"InputLocation": string("s3://models-bucket/inputs/x")}), "AccessDeniedException"),
        ("x", size.clone(), "the body is no extended-client pointer"),
        (
            r#"["java.lang.Runtime",{"s3BucketName":"models-bucket","s3Key":"input/x"}]"#,
            size.clone(),
            "pointer must be a",
        ),
        (&pointer("other-bucket", "input/x"), size.clone(), "AccessDeniedException"),
        (&pointer("models-bucket", "input/../output/x"), size.clone(), "AccessDeniedException"),
        (&pointer("models-bucket", "input/a\nb"), size.clone(), "InputLocation must be at most 1024"),
        (&pointer("models-bucket", ""), size, "must name an object"),
        (&pointer("models-bucket", "input/x"), encoded, "ContentEncoding cannot be undone"),
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
async fn a_pointer_without_its_attribute_is_a_payload_like_any_other() {
    let aws = Aws::default();
    let payload = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    assert!(returned(&handler(&aws, &[]), &json!({"Records": [message("m", payload, json!({}))]})).await.is_empty());
    assert_eq!(body(&aws.invoked()[0]), payload.as_bytes());
}

#[tokio::test]
async fn after_a_failure_the_rest_of_its_fifo_group_comes_back_unsent_and_order_is_kept() {
    let aws = Aws::default();
    let batch = sample("submit/sqs-fifo.json");
    let ids: Vec<&str> =
        batch["Records"].as_array().unwrap().iter().map(|r| r["messageId"].as_str().unwrap()).collect();
    assert_eq!(
        returned(&handler(&aws, &[]), &batch).await,
        [ids[1], ids[3]],
        "group b: the bad one and the one after it"
    );
    let invoked = aws.invoked();
    let of_group_a: Vec<_> =
        invoked.iter().filter_map(|input| input.inference_id()).filter(|id| [ids[0], ids[2]].contains(id)).collect();
    assert_eq!(of_group_a, [ids[0], ids[2]]);
    assert_eq!(invoked.len(), 3);
    assert_eq!(aws.sent().len(), 1, "only the bad one is rejected");
}

#[tokio::test]
async fn a_bad_message_behind_a_throttled_one_of_its_group_is_rejected_on_its_first_receipt() {
    let mut records =
        [message("a", "throttle", json!({})), message("b", "%", json!({"ContentEncoding": string("base64")}))];
    for record in &mut records {
        record["attributes"]["MessageGroupId"] = json!("g");
        record["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:123456789012:requests.fifo");
    }
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, &[]), &json!({"Records": records})).await, ["a", "b"]);
    let rejected: Vec<_> =
        aws.sent().iter().map(|entry| entry.message_body().contains(r#""inferenceId":"b""#)).collect();
    assert_eq!(rejected, [true]);
}

#[tokio::test]
async fn a_group_id_on_a_standard_queue_orders_nothing() {
    let mut records = [message("a", "throttle", json!({})), message("b", "{}", json!({}))];
    for record in &mut records {
        record["attributes"]["MessageGroupId"] = json!("tenant");
    }
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, &[]), &json!({"Records": records})).await, ["a"]);
    assert_eq!(aws.invoked().len(), 1);
}

#[tokio::test]
async fn near_the_deadline_what_has_not_started_comes_back() {
    let aws = Aws::default();
    let answer =
        handler(&aws, &[]).handle(event_with(&sample("submit/sqs-inline.json"), Duration::ZERO)).await.unwrap();
    assert_eq!(failures(&serde_json::to_value(answer).unwrap()).len(), 1);
    assert!(aws.invoked().is_empty() && aws.sent().is_empty());
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
        (json!({"body": {"prompt": "x"}}), "the message's body must be a text"),
        (json!({"body": 5}), "the message's body must be a text"),
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
async fn the_bare_records_of_eventbridge_pipes_get_the_answer_of_a_batch() {
    let aws = Aws::default();
    let records = sample("submit/sqs-three-bad-of-ten.json")["Records"].clone();
    assert_eq!(returned(&handler(&aws, &[]), &records).await.len(), 3);
    assert_eq!(aws.invoked().len(), 7);
}

#[tokio::test]
async fn an_empty_batch_has_no_failures() {
    assert!(returned(&handler(&Aws::default(), &[]), &json!({"Records": []})).await.is_empty());
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
