//! Both handlers without a network: AWS takes everything and has nothing.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use lambda_runtime::{Context, LambdaEvent};
use sagemaker_async_bridge::collect::Collect;
use sagemaker_async_bridge::config::{CollectConfig, SubmitConfig};
use sagemaker_async_bridge::submit::Submit;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
static SUBMIT: LazyLock<Submit> = LazyLock::new(|| Submit::new(SubmitConfig::from_lookup(variable).unwrap(), &sdk()));
static COLLECT: LazyLock<Collect> =
    LazyLock::new(|| Collect::new(CollectConfig::from_lookup(variable).unwrap(), &sdk()));

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "BRIDGE_ENDPOINT_NAME" => "summarizer",
        // Of both functions: collect is to pass on what the samples tell of.
        "BRIDGE_ALLOWED_ENDPOINTS" => "summarizer,asr",
        "BRIDGE_INPUT_LOCATION" => "s3://models-bucket/input/",
        "BRIDGE_OUTPUT_LOCATIONS" => "s3://models-bucket/output/,s3://models-bucket/failure/",
        "BRIDGE_DEAD_LETTER_QUEUE_URL" => "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters",
        "BRIDGE_S3_EVENT_QUEUE_ARN" => "arn:aws:sqs:eu-west-1:123456789012:objects",
        "BRIDGE_RESULTS_QUEUE_URL" => "https://sqs.eu-west-1.amazonaws.com/123456789012/results",
        "BRIDGE_REPLY_TO_ARNS" => "arn:aws:sqs:eu-west-1:123456789012:team-a",
        // A wait would only wait for nothing.
        "BRIDGE_MAX_WAIT_SECONDS" => "0",
        _ => return None,
    };
    Some(value.to_owned())
}

/// AWS: S3 has no object and takes all, SageMaker accepts all, SQS confirms all.
#[derive(Debug, Clone, Copy)]
struct Aws;

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = match (request.method(), request.uri()) {
            ("GET" | "HEAD", _) => (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
            (_, uri) if uri.contains("runtime.sagemaker") => (202, r#"{"InferenceId":"i"}"#.to_owned()),
            ("POST", uri) if uri.contains("sqs") => {
                let sent: Vec<String> = (0..10).map(|id| format!(r#"{{"Id":"{id}","MessageId":"m"}}"#)).collect();
                (200, format!(r#"{{"Successful":[{}],"Failed":[]}}"#, sent.join(",")))
            }
            _ => (200, String::new()),
        };
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.clone()));
        response.headers_mut().insert("content-length", body.len().to_string());
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn sdk() -> SdkConfig {
    let credentials = Credentials::from_keys("test", "test", None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(|_, _| SharedHttpConnector::new(Aws)))
        .build()
}

/// The bytes as an event's payload, if they are JSON: Lambda hands over nothing else.
pub fn payload(bytes: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice(bytes).ok()
}

fn event(payload: Box<RawValue>) -> LambdaEvent<Box<RawValue>> {
    let mut context = Context::default();
    let end = SystemTime::now() + Duration::from_secs(60);
    context.deadline = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    context.request_id = "00000000-0000-4000-8000-000000000000".to_owned();
    LambdaEvent::new(payload, context)
}

/// `submit`'s answer, checked.
pub fn submit(payload: Box<RawValue>) -> Option<Value> {
    let ids = message_ids(&payload);
    let answer = RUNTIME.block_on(SUBMIT.handle(event(payload)));
    checked(answer, &ids)
}

/// `collect`'s answer, checked.
pub fn collect(payload: Box<RawValue>) -> Option<Value> {
    let ids = message_ids(&payload);
    let answer = RUNTIME.block_on(COLLECT.handle(event(payload)));
    checked(answer, &ids)
}

/// An answer names messages of its batch only, and has an HTTP status if it is one of HTTP.
fn checked<A: serde::Serialize, E: fmt::Display>(answer: Result<A, E>, ids: &[String]) -> Option<Value> {
    let answer = serde_json::to_value(answer.ok()?).expect("an answer is JSON");
    for failure in answer["batchItemFailures"].as_array().into_iter().flatten() {
        let id = failure["itemIdentifier"].as_str().expect("an id is a text");
        assert!(ids.iter().any(|other| other == id), "{id} was not in the batch");
    }
    if let Some(status) = answer["statusCode"].as_u64() {
        assert!((200..600).contains(&status), "status {status}");
    }
    Some(answer)
}

fn message_ids(payload: &RawValue) -> Vec<String> {
    let event: Value = serde_json::from_str(payload.get()).unwrap_or_default();
    let records = event.get("Records").unwrap_or(&event).as_array().cloned().unwrap_or_default();
    records.iter().filter_map(|record| record["messageId"].as_str().map(str::to_owned)).collect()
}
