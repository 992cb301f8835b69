//! The clients of the AWS services that endpoints use, configured by the usual environment variables.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// What every client shares.
pub async fn config() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

/// A client of the S3 that the emulator brings itself, at its own address.
#[must_use]
pub fn embedded_s3(url: &str) -> aws_sdk_s3::Client {
    let key = std::env::var("AWS_ACCESS_KEY_ID").unwrap_or_else(|_| "emulator".to_owned());
    let secret = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|_| key.clone());
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::Credentials::new(key, secret, None, None, "environment"))
        .endpoint_url(url)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // Nothing is between here and here: what stands still is a busy machine, and would only fail for it.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(Builder::new().build_http());
    aws_sdk_s3::Client::from_conf(config.build())
}

/// A client of S3, or of what stands in for it.
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    // Stand-ins of S3 rarely resolve a bucket's own host name.
    let is_stand_in = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| std::env::var_os(name).is_some());
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(is_stand_in).build();
    aws_sdk_s3::Client::from_conf(s3)
}

/// Why a call failed: a service's error by its code and message, any other with its causes.
pub(crate) fn reason<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> String {
    let answered = error.as_service_error().and_then(|service| Some((service.code()?, service.message())));
    match answered {
        Some((code, Some(message))) => format!("{code}: {message}"),
        Some((code, None)) => code.to_owned(),
        None => words(error),
    }
}

/// What an SDK's error says, with its causes. Not as the SDK prints it: that has the whole answer in it.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors say the same as their causes.
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
