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
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::aws::Lazy;

/// An answer is made from one part of the request.
#[derive(Clone)]
struct Answering<F> {
    part: fn(&HttpRequest) -> String,
    answer: F,
}

impl<F> fmt::Debug for Answering<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}

impl<F, A> HttpConnector for Answering<F>
where
    F: Fn(String) -> A + Send + Sync,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = (self.answer)((self.part)(&request));
        HttpConnectorFuture::new(async move { Ok(answer.await) })
    }
}

/// A client that answers the request for a URL with what `answer` makes of it.
pub fn http_client<F, A>(answer: F) -> SharedHttpClient
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    answering(|request| request.uri().to_owned(), answer)
}

fn answering<F, A>(part: fn(&HttpRequest) -> String, answer: F) -> SharedHttpClient
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    http_client_fn(move |_, _| SharedHttpConnector::new(Answering { part, answer: answer.clone() }))
}

fn body_of(request: &HttpRequest) -> String {
    String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap()
}

macro_rules! client {
    ($sdk:ident, $http_client:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-west-1"))
                .credentials_provider(Credentials::for_tests())
                .http_client($http_client)
                .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
                .build(),
        )
    };
}

pub fn sagemaker<F, A>(answer: F) -> aws_sdk_sagemakerruntime::Client
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    client!(aws_sdk_sagemakerruntime, http_client(answer))
}

pub fn s3<F, A>(answer: F) -> Lazy<aws_sdk_s3::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_s3, http_client(answer))))
}

pub fn sqs<F, A>(answer: F) -> Lazy<aws_sdk_sqs::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_sqs, http_client(answer))))
}

/// A client that answers a request with what `answer` makes of its body.
pub fn sqs_by_body<F, A>(answer: F) -> Lazy<aws_sdk_sqs::Client>
where
    F: Fn(String) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    LazyLock::new(Box::new(move || client!(aws_sdk_sqs, answering(body_of, answer))))
}

/// An answer of 200 with this body.
pub fn ok(body: impl Into<String>) -> HttpResponse {
    let body = body.into();
    let length = body.len();
    let mut response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-length", length.to_string());
    response
}
