//! AWS clients: one configuration and one HTTP client for all, each service client built when it is first used.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation};

/// A client that costs nothing until it is used.
pub type Lazy<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// Four tries of a call within about seven seconds of backing off; a queue's redelivery comes on top.
const MAX_ATTEMPTS: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One try of a call, from the request's first byte to the answer's headers and small body.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every client is built from: region, credentials and endpoint URLs from the usual AWS environment variables.
pub async fn sdk_config() -> SdkConfig {
    let is_plain = |name: &str| std::env::var(name).ok().map(|url| url.starts_with("http://"));
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client(only_plain_http(is_plain)))
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        )
        // TLS guards the way, SigV4 the body's hash; a checksum on top would read every payload once more.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .load()
        .await
}

/// A client for SageMaker's runtime.
#[must_use]
pub fn sagemaker(config: &SdkConfig) -> aws_sdk_sagemakerruntime::Client {
    aws_sdk_sagemakerruntime::Client::new(config)
}

/// A client for S3, built when it is first used.
#[must_use]
pub fn s3(config: &SdkConfig) -> Lazy<aws_sdk_s3::Client> {
    lazy("s3", config, aws_sdk_s3::Client::new)
}

/// A client for SQS, built when it is first used.
#[must_use]
pub fn sqs(config: &SdkConfig) -> Lazy<aws_sdk_sqs::Client> {
    lazy("sqs", config, aws_sdk_sqs::Client::new)
}

fn lazy<T: 'static>(service: &'static str, config: &SdkConfig, new: fn(&SdkConfig) -> T) -> Lazy<T> {
    let config = config.clone();
    LazyLock::new(Box::new(move || {
        let start = Instant::now();
        let client = new(&config);
        let duration_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(service, duration_us, "client built");
        client
    }))
}

/// Whether every service is reached by plain HTTP, as on a local AWS: then reading the root certificates would be for nothing.
fn only_plain_http(is_plain: impl Fn(&str) -> Option<bool>) -> bool {
    let default = is_plain("AWS_ENDPOINT_URL").unwrap_or(false);
    ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS"]
        .into_iter()
        .all(|name| is_plain(name).unwrap_or(default))
}

fn http_client(plain: bool) -> SharedHttpClient {
    if plain {
        return Builder::new().build_http();
    }
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_left_out_only_when_no_service_can_need_it() {
        let cases: [(&[(&str, bool)], bool); 5] = [
            (&[], false),
            (&[("AWS_ENDPOINT_URL", true)], true),
            (&[("AWS_ENDPOINT_URL", true), ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", false)], false),
            (&[("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", true)], false),
            (&[("AWS_ENDPOINT_URL", false), ("AWS_ENDPOINT_URL_S3", true)], false),
        ];
        for (set, expected) in cases {
            let lookup = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, plain)| *plain);
            assert_eq!(only_plain_http(lookup), expected, "{set:?}");
        }
    }
}
