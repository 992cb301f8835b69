//! SDK clients whose HTTP client is a function: for what mocked operations do not have, time.

use std::fmt;
use std::future::Future;
use std::sync::LazyLock;

use aws_config::BehaviorVersion;
use aws_sdk_s3::config::{Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::aws::Lazy;

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
    F: Fn(String) -> A + Send + Sync,
    A: Future<Output: Outcome> + Send + 'static,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = (self.0)(request.uri().to_owned());
        HttpConnectorFuture::new(async move { answer.await.outcome() })
    }
}

/// A client that answers the request for a URL with what `answer` makes of it.
pub fn http_client<F, A>(answer: F) -> SharedHttpClient
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    http_client_fn(move |_, _| SharedHttpConnector::new(Answering(answer.clone())))
}

macro_rules! client {
    ($sdk:ident, $answer:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-west-1"))
                .credentials_provider(Credentials::for_tests())
                .http_client(http_client($answer))
                .build(),
        )
    };
}

pub fn sagemaker<F, A>(answer: F) -> aws_sdk_sagemakerruntime::Client
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    client!(aws_sdk_sagemakerruntime, answer)
}

pub fn s3<F, A>(answer: F) -> Lazy<aws_sdk_s3::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_s3, answer)))
}

pub fn sqs<F, A>(answer: F) -> Lazy<aws_sdk_sqs::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output: Outcome> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_sqs, answer)))
}

/// An answer of 200 with this body.
pub fn ok(body: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-length", body.len().to_string());
    response
}
