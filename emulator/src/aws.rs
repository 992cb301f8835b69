//! The AWS services that an endpoint uses: S3 for inputs and outputs, SNS for notifications.

use aws_config::BehaviorVersion;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::error::display::DisplayErrorContext;
use sagemaker_async_bridge::location::S3Uri;

use crate::model::Response;

/// The clients.
#[derive(Clone, Debug)]
pub struct Services {
    /// For inputs and outputs.
    pub s3: aws_sdk_s3::Client,
    /// For notifications.
    pub sns: aws_sdk_sns::Client,
}

impl Services {
    /// Clients configured by the usual environment variables.
    pub async fn from_env() -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        // Stand-ins of S3 rarely resolve a bucket's own host name.
        let is_stand_in =
            ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| std::env::var_os(name).is_some());
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(is_stand_in).build();
        Self { s3: aws_sdk_s3::Client::from_conf(s3), sns: aws_sdk_sns::Client::new(&config) }
    }

    /// Reads an input.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn fetch(&self, location: &S3Uri) -> Result<Vec<u8>, String> {
        let object = self.s3.get_object().bucket(location.bucket()).key(location.key()).send().await;
        let object = object.map_err(|error| DisplayErrorContext(error).to_string())?;
        Ok(object.body.collect().await.map_err(|error| error.to_string())?.to_vec())
    }

    /// Writes an output.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn store(&self, location: &S3Uri, response: &Response) -> Result<(), String> {
        self.s3
            .put_object()
            .bucket(location.bucket())
            .key(location.key())
            .content_type(&response.content_type)
            .body(ByteStream::from(response.body.clone()))
            .send()
            .await
            .map(drop)
            .map_err(|error| DisplayErrorContext(error).to_string())
    }

    /// Publishes a notification; the SDK retries what can be.
    ///
    /// # Errors
    /// What SNS said, as text.
    pub async fn publish(&self, topic_arn: &str, message: String) -> Result<(), String> {
        let published = self.sns.publish().topic_arn(topic_arn).message(message).send().await;
        published.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
    }
}
