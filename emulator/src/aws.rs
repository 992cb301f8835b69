//! The clients of the AWS services that endpoints use, configured by the usual environment variables.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// What every client shares.
pub async fn config() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

/// A client of S3, or of what stands in for it.
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    // Stand-ins of S3 rarely resolve a bucket's own host name.
    let is_stand_in = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| std::env::var_os(name).is_some());
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(is_stand_in).build();
    aws_sdk_s3::Client::from_conf(s3)
}
