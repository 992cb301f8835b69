//! A running emulator; S3 and SNS are mocked and remember what they were asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::error::NoSuchKey;
use aws_sdk_sagemakerruntime::Client;
use aws_sdk_sagemakerruntime::config::retry::RetryConfig;
use aws_sdk_sagemakerruntime::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sns::operation::publish::PublishOutput;
use aws_smithy_http_client::Builder;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use clap::Parser;
use sagemaker_async_emulator::account::Account;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::context::Context;
use sagemaker_async_emulator::notifier::{Notifier, Sink};
use sagemaker_async_emulator::settings::Settings;
use sagemaker_async_emulator::store::Store;
use sagemaker_async_emulator::{Emulator, server};
use serde_json::Value;
use tokio::net::TcpListener;

/// Location, content type and bytes of each object written.
pub(crate) type Stored = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

/// What `look` finds, once it finds something that must come. It has five minutes, far longer than that takes on any machine.
pub(crate) async fn found<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..60_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not found: {what}");
}

/// A running emulator.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) stored: Stored,
    /// Topic and message of each notification.
    pub(crate) published: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Running {
    pub(crate) async fn start(more: &[&str]) -> Self {
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
        let output = mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|input| input.key().is_some_and(|key| key.starts_with("output/")));
        let output = output.then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"<b>x")).build());
        let missing = mock!(aws_sdk_s3::Client::get_object).then_error(|| {
            let meta = ErrorMetadata::builder().code("NoSuchKey").message("no such key").build();
            GetObjectError::NoSuchKey(NoSuchKey::builder().meta(meta).build())
        });
        let seen = Arc::clone(&published);
        let publish = mock!(aws_sdk_sns::Client::publish).match_requests(move |input| {
            let message = serde_json::from_str(input.message().unwrap()).unwrap();
            seen.lock().unwrap().push((input.topic_arn().unwrap().to_owned(), message));
            true
        });
        let publish = publish.then_output(|| PublishOutput::builder().build());
        let store = Store::Aws(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put, &get, &output, &missing]));
        let notifier = Notifier { sinks: vec![Sink::Sns(mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&publish]))] };
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
        let settings = Settings::read(&options, Account::default()).unwrap();
        let context = Context::new(&settings, store, notifier);
        let emulator = Emulator::start(settings, context);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { server::serve(listener, emulator, None).await });
        Self { url, stored, published }
    }

    pub(crate) fn client(&self) -> Client {
        runtime_client(&self.url)
    }

    /// The `count`th notification, once it has come.
    pub(crate) async fn notification(&self, count: usize) -> (String, Value) {
        let look = async || self.published.lock().unwrap().get(count - 1).cloned();
        found(&format!("notification {count}"), look).await
    }
}

/// The AWS SDK's client, unmodified but for the address.
pub(crate) fn runtime_client(url: &str) -> Client {
    let config = aws_sdk_sagemakerruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .retry_config(RetryConfig::disabled())
        .http_client(Builder::new().build_http());
    Client::from_conf(config.build())
}
