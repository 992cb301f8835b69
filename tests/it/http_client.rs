//! SDK clients whose HTTP client is a function: for what mocked operations do not have, time.

use std::fmt;
use std::future::Future;
use std::sync::LazyLock;

use aws_config::BehaviorVersion;
use aws_sdk_s3::config::{Credentials, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::aws::Lazy;
use serde_json::Value;

#[derive(Clone)]
struct Answering<F>(F);

impl<F> fmt::Debug for Answering<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}

/// What comes of a request: an answer, or none for certain.
pub trait Outcome {
    fn outcome(self) -> Result<HttpResponse, ConnectorError>;
}

impl Outcome for HttpResponse {
    fn outcome(self) -> Result<HttpResponse, ConnectorError> {
        Ok(self)
    }
}

impl Outcome for Result<HttpResponse, ConnectorError> {
    fn outcome(self) -> Self {
        self
    }
}

impl<F, A> HttpConnector for Answering<F>
where
    F: Fn(HttpRequest) -> A + Send + Sync,
    A: Future<Output: Outcome> + Send + 'static,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = (self.0)(request);
        HttpConnectorFuture::new(async move { answer.await.outcome() })
    }
}

/// A client that answers the request for a URL with what `answer` makes of it.
pub fn http_client<F, A>(answer: F) -> SharedHttpClient
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    answering(move |request| answer(request.uri().to_owned()))
}

fn answering<F, A>(answer: F) -> SharedHttpClient
where
    F: Fn(HttpRequest) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    http_client_fn(move |_, _| SharedHttpConnector::new(Answering(answer.clone())))
}

macro_rules! client {
    ($sdk:ident, $client:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-west-1"))
                .credentials_provider(Credentials::for_tests())
                .http_client($client)
                // As in src/aws.rs.
                .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
                .build(),
        )
    };
}

pub fn sagemaker<F, A>(answer: F) -> aws_sdk_sagemakerruntime::Client
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    client!(aws_sdk_sagemakerruntime, http_client(answer))
}

pub fn s3<F, A>(answer: F) -> Lazy<aws_sdk_s3::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_s3, http_client(answer))))
}

/// An S3 client whose calls are answered by their method, URL and body.
pub fn s3_by_request<F, A>(answer: F) -> Lazy<aws_sdk_s3::Client>
where
    F: Fn(String, String, Vec<u8>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    let by_request = move |request: HttpRequest| {
        let body = request.body().bytes().unwrap_or_default().to_vec();
        answer(request.method().to_owned(), request.uri().to_owned(), body)
    };
    LazyLock::new(Box::new(move || client!(aws_sdk_s3, answering(by_request))))
}

pub fn sqs<F, A>(answer: F) -> Lazy<aws_sdk_sqs::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_sqs, http_client(answer))))
}

/// An SQS client whose calls are answered by their operation and input.
pub fn sqs_by_operation<F, A>(answer: F) -> Lazy<aws_sdk_sqs::Client>
where
    F: Fn(String, Value) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    let by_operation = move |request: HttpRequest| {
        let operation = request.headers().get("x-amz-target").unwrap().trim_start_matches("AmazonSQS.").to_owned();
        answer(operation, serde_json::from_slice(request.body().bytes().unwrap()).unwrap())
    };
    LazyLock::new(Box::new(move || client!(aws_sdk_sqs, answering(by_operation))))
}

/// An SQS client whose calls are answered by their body.
pub fn sqs_by_body<F, A>(answer: F) -> Lazy<aws_sdk_sqs::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    sqs_by_operation(move |_, input| answer(input.to_string()))
}

/// A client of Step Functions whose calls are answered by their body.
pub fn sfn<F, A>(answer: F) -> aws_sdk_sfn::Client
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    let by_body =
        move |request: HttpRequest| answer(String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap());
    client!(aws_sdk_sfn, answering(by_body))
}

/// A client of Lambda whose calls are answered by their URL.
pub fn lambda<F, A>(answer: F) -> aws_sdk_lambda::Client
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    client!(aws_sdk_lambda, http_client(answer))
}

/// A refusal by the name of an error, as the services of AWS answer that speak JSON.
pub fn refused(code: &str) -> HttpResponse {
    let body = SdkBody::from(format!("{{\"__type\": \"{code}\"}}"));
    let mut response = HttpResponse::new(StatusCode::try_from(400).unwrap(), body);
    response.headers_mut().insert("x-amzn-errortype", code.to_owned());
    response
}

/// An answer of 200 with this body.
pub fn ok(body: impl Into<String>) -> HttpResponse {
    let body = body.into();
    let length = body.len().to_string();
    let mut response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-length", length);
    response
}
