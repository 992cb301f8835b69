//! `submit` on batches from SQS: what becomes of messages that are well.

mod dead_letters;
mod faults;
mod fifo;

use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::InvokeEndpointAsyncInput;
use sagemaker_async_bridge::config::SubmitConfig;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};

use crate::aws::{Aws, only_sqs};
use crate::{event, sample};

pub fn config(more: &[(&str, &str)]) -> SubmitConfig {
    let base = [
        ("BRIDGE_ENDPOINT_NAME", "summarizer"),
        ("BRIDGE_ALLOWED_ENDPOINTS", "asr"),
        ("BRIDGE_INPUT_LOCATION", "s3://models-bucket/input/"),
        ("BRIDGE_RESULTS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/results"),
    ];
    let lookup =
        |name: &str| more.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    SubmitConfig::from_lookup(lookup).unwrap()
}

pub fn handler(aws: &Aws, more: &[(&str, &str)]) -> Submit {
    Submit::with_clients(config(more), aws.sagemaker(), aws.s3(), &only_sqs(aws.sqs()))
}

/// The ids of the messages that come back.
pub async fn returned(submit: &Submit, payload: &Value) -> Vec<String> {
    failures(&serde_json::to_value(submit.handle(event(payload)).await.unwrap()).unwrap())
}

pub fn failures(answer: &Value) -> Vec<String> {
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

/// A configuration with a dead-letter queue.
pub const WITH_DEAD_LETTERS: &[(&str, &str)] =
    &[("BRIDGE_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters")];

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
async fn a_pointer_without_its_attribute_is_a_payload_like_any_other() {
    let aws = Aws::default();
    let payload = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    assert!(returned(&handler(&aws, &[]), &json!({"Records": [message("m", payload, json!({}))]})).await.is_empty());
    assert_eq!(body(&aws.invoked()[0]), payload.as_bytes());
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
