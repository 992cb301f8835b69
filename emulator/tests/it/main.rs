//! The emulator over HTTP, driven by the AWS SDK's own client; S3 and SNS are mocked and remember what they were asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::error::NoSuchKey;
use aws_sdk_sagemakerruntime::Client;
use aws_sdk_sagemakerruntime::config::retry::RetryConfig;
use aws_sdk_sagemakerruntime::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sagemakerruntime::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sagemakerruntime::primitives::Blob;
use aws_sdk_sns::operation::publish::PublishOutput;
use aws_smithy_http_client::Builder;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use clap::Parser;
use sagemaker_async_emulator::aws::Services;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::{Emulator, router};
use serde_json::Value;
use tokio::net::TcpListener;

/// Location, content type and bytes of each object written.
type Stored = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

/// A running emulator.
struct Running {
    url: String,
    stored: Stored,
    /// Topic and message of each notification.
    published: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Running {
    async fn start(more: &[&str]) -> Self {
        let (stored, published) = (Stored::default(), Arc::<Mutex<Vec<_>>>::default());
        let seen = Arc::clone(&stored);
        let put = mock!(aws_sdk_s3::Client::put_object).match_requests(move |input| {
            let location = format!("s3://{}/{}", input.bucket().unwrap(), input.key().unwrap());
            let bytes = input.body().bytes().unwrap().to_vec();
            seen.lock().unwrap().push((location, input.content_type().unwrap().to_owned(), bytes));
            true
        });
        let put = put.then_output(|| PutObjectOutput::builder().build());
        let get =
            mock!(aws_sdk_s3::Client::get_object).match_requests(|input| input.key() == Some("in put/100%25.json"));
        let get = get.then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"from S3")).build());
        let missing = mock!(aws_sdk_s3::Client::get_object)
            .then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().message("no such key").build()));
        let seen = Arc::clone(&published);
        let publish = mock!(aws_sdk_sns::Client::publish).match_requests(move |input| {
            let message = serde_json::from_str(input.message().unwrap()).unwrap();
            seen.lock().unwrap().push((input.topic_arn().unwrap().to_owned(), message));
            true
        });
        let publish = publish.then_output(|| PublishOutput::builder().build());
        let services = Services {
            s3: mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put, &get, &missing]),
            sns: mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&publish]),
        };
        let base = [
            "sagemaker-async-emulator",
            "--endpoint=demo=echo",
            "--endpoint=broken=fail",
            "--endpoint=slow=sleep:5",
            "--output-location=s3://bucket/output/",
            "--success-topic-arn=arn:success",
            "--error-topic-arn=arn:error",
        ];
        let options = Options::parse_from(base.iter().chain(more));
        let emulator = Emulator::start(options, services).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router(emulator)).await });
        Self { url, stored, published }
    }

    fn client(&self) -> Client {
        let config = aws_sdk_sagemakerruntime::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::for_tests())
            .retry_config(RetryConfig::disabled())
            .http_client(Builder::new().build_http());
        Client::from_conf(config.build())
    }

    /// The `count`th notification, once it has come.
    async fn notification(&self, count: usize) -> (String, Value) {
        for _ in 0..1000 {
            if let Some(published) = self.published.lock().unwrap().get(count - 1) {
                return published.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no notification {count}");
    }
}

#[tokio::test]
async fn an_inline_request_is_answered_stored_and_notified() {
    let running = Running::start(&["--failure-location=s3://bucket/failure/"]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("demo").inference_id("order 4711");
    let accepted = call.content_type("application/json").body(Blob::new("{}")).send().await.unwrap();
    assert_eq!(accepted.inference_id(), Some("order 4711"));
    let output_location = accepted.output_location().unwrap();
    assert!(output_location.starts_with("s3://bucket/output/") && !output_location.contains("order"));
    assert!(accepted.failure_location().unwrap().starts_with("s3://bucket/failure/"));
    let (topic, notification) = running.notification(1).await;
    assert_eq!((topic.as_str(), &notification["invocationStatus"]), ("arn:success", &"Completed".into()));
    assert_eq!(notification["responseParameters"]["outputLocation"], output_location);
    assert_eq!((notification.get("responseBody"), &notification["inferenceId"]), (None, &"order 4711".into()));
    let stored = running.stored.lock().unwrap().clone();
    assert_eq!(stored, [(output_location.to_owned(), "application/json".to_owned(), b"{}".to_vec())]);
}

#[tokio::test]
async fn an_input_is_read_from_s3_by_its_raw_key() {
    let running = Running::start(&["--include-inference-response-in=SUCCESS_NOTIFICATION_TOPIC"]).await;
    let location = "s3://bucket/in put/100%25.json";
    let accepted = running.client().invoke_endpoint_async().endpoint_name("demo").input_location(location).send().await;
    assert_eq!(accepted.unwrap().failure_location(), None);
    let (_, notification) = running.notification(1).await;
    assert_eq!(notification["requestParameters"]["inputLocation"], location);
    assert_eq!(notification["responseBody"]["content"], "ZnJvbSBTMw==");
    assert_eq!(running.stored.lock().unwrap()[0].2, b"from S3");
}

#[tokio::test]
async fn path_extension_and_filename_name_the_output() {
    let running = Running::start(&[]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("demo").body(Blob::new("x"));
    let accepted = call.s3_output_path_extension("2026/06/").filename("a.out").send().await.unwrap();
    assert_eq!(accepted.output_location(), Some("s3://bucket/output/2026/06/a.out"));
}

#[tokio::test]
async fn a_failure_is_notified_with_and_without_a_failure_path() {
    for (more, has_location) in [(&["--failure-location=s3://bucket/failure/"][..], true), (&[], false)] {
        let running = Running::start(more).await;
        running.client().invoke_endpoint_async().endpoint_name("broken").body(Blob::new("x")).send().await.unwrap();
        let (topic, notification) = running.notification(1).await;
        assert_eq!((topic.as_str(), &notification["invocationStatus"]), ("arn:error", &"Failed".into()));
        assert!(
            notification["failureReason"].as_str().unwrap().starts_with("ClientError: Received client error (400)")
        );
        let stored = running.stored.lock().unwrap();
        let location = stored.first().map(|(location, ..)| Value::from(location.as_str()));
        assert_eq!(
            (location.is_some(), notification["responseParameters"].get("failureLocation")),
            (has_location, location.as_ref())
        );
    }
}

#[tokio::test]
async fn an_input_that_is_not_there_fails_and_a_model_that_takes_too_long_expires() {
    let running = Running::start(&[]).await;
    let client = running.client();
    client.invoke_endpoint_async().endpoint_name("demo").input_location("s3://bucket/none").send().await.unwrap();
    let (_, notification) = running.notification(1).await;
    assert!(notification["failureReason"].as_str().unwrap().contains("s3://bucket/none"), "{notification}");
    let call = client.invoke_endpoint_async().endpoint_name("slow").invocation_timeout_seconds(1);
    call.body(Blob::new("x")).send().await.unwrap();
    assert_eq!(running.notification(2).await.1["invocationStatus"], "Expired");
}

#[tokio::test]
async fn a_container_gets_sagemakers_headers_and_its_errors_are_failures() {
    let container = axum::Router::new().route(
        "/invocations",
        axum::routing::post(|headers: axum::http::HeaderMap, body: String| async move {
            let header =
                |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
            if body == "bad" {
                return (axum::http::StatusCode::INTERNAL_SERVER_ERROR, "no memory".to_owned());
            }
            let names =
                ["content-type", "accept", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-inference-id"];
            (axum::http::StatusCode::OK, names.map(header).join("|"))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("--endpoint=real=http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, container).await });
    let include = "--include-inference-response-in=SUCCESS_NOTIFICATION_TOPIC,ERROR_NOTIFICATION_TOPIC";
    let running = Running::start(&[&endpoint, include]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("x"));
    let call = call.content_type("text/csv").accept("text/plain").custom_attributes("a=b").inference_id("i");
    call.send().await.unwrap();
    running.notification(1).await;
    assert_eq!(running.stored.lock().unwrap()[0].2, b"text/csv|text/plain|a=b|i");
    running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("bad")).send().await.unwrap();
    let (_, notification) = running.notification(2).await;
    assert!(notification["failureReason"].as_str().unwrap().contains("server error (500)"));
    assert_eq!(
        (&notification["responseBody"]["content"], notification["responseBody"].get("encoding")),
        (&"no memory".into(), None)
    );
}

#[tokio::test]
async fn the_first_invocations_of_a_throttled_endpoint_are_refused() {
    let running = Running::start(&["--throttle=demo=2"]).await;
    let call = || running.client().invoke_endpoint_async().endpoint_name("demo").body(Blob::new("x")).send();
    for _ in 0..2 {
        assert_eq!(call().await.unwrap_err().code(), Some("ThrottlingException"));
    }
    assert!(call().await.is_ok());
}

#[tokio::test]
async fn what_breaks_a_bound_is_a_validation_error_that_names_the_member() {
    let running = Running::start(&[]).await;
    let client = running.client();
    let call = || client.invoke_endpoint_async().endpoint_name("demo");
    let long = "x".repeat(1025);
    let body = Blob::new("x");
    let cases = [
        (call(), "One of Body and InputLocation"),
        (call().body(body.clone()).input_location("s3://bucket/x"), "Only one of Body and InputLocation"),
        (call().endpoint_name("other").body(body.clone()), "Endpoint other of account"),
        (call().body(Blob::new(vec![0; 128_001])), "'body'"),
        (call().body(Blob::new(vec![0; 1_000_000])), "'body'"),
        (call().body(body.clone()).content_type(&long), "'contentType'"),
        (call().body(body.clone()).accept(&long), "'accept'"),
        (call().body(body.clone()).custom_attributes(&long), "'customAttributes'"),
        (call().body(body.clone()).inference_id("i".repeat(65)), "'inferenceId'"),
        (call().input_location("ftp://bucket/x"), "'inputLocation'"),
        (call().input_location(format!("s3://bucket/{}", "k".repeat(1020))), "'inputLocation'"),
        (call().body(body.clone()).s3_output_path_extension("s3://x"), "'s3OutputPathExtension'"),
        (call().body(body.clone()).filename("a.b.c"), "'filename'"),
        (call().body(body.clone()).request_ttl_seconds(59), "'requestTTLSeconds'"),
        (call().body(body).invocation_timeout_seconds(3601), "'invocationTimeoutSeconds'"),
    ];
    for (call, expected) in cases {
        let error = call.send().await.expect_err(expected);
        assert!(
            error.as_service_error().is_some_and(|error| error.is_validation_error()),
            "{}",
            DisplayErrorContext(&error)
        );
        assert!(error.message().unwrap().contains(expected), "{:?} / {expected}", error.message());
    }
    assert!(call().body(Blob::new(vec![0; 128_000])).send().await.is_ok());
}
