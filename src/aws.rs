//! AWS clients: one configuration and one HTTP client for all, each service client built when it is first used.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_types::sdk_config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// Every service that is called, as the variable of its endpoint's URL names it.
const SERVICES: [&str; 7] = ["SAGEMAKER_RUNTIME", "S3", "SQS", "SNS", "EVENTBRIDGE", "SFN", "LAMBDA"];

/// A client that costs nothing until it is used.
pub type Lazy<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// Four tries of a call within about seven seconds of backing off; a queue's redelivery comes on top.
const MAX_ATTEMPTS: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One try of a call, from the request's first byte to the answer's headers and small body.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every client is built from: region, credentials and endpoint URLs from the AWS environment variables that Lambda sets.
///
/// Not from `aws_config::defaults`: that looks further where none is set, in profiles, STS, ECS and IMDS, which a function has
/// not, and links all of it (docs/performance.md has the figures).
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
#[must_use]
pub fn sdk_config() -> SdkConfig {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_set = |name: &str| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let is_plain = |name: &str| variable(name).map(|url| url.starts_with("http://"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .service_config(ServiceEndpoints)
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
        // An upload that stalls runs into the attempt's timeout; only a download outlasts its answer's headers.
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build());
    config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    config.set_use_fips(is_set("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(is_set("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}

/// Endpoint URLs of single services: `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME` and its like.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
#[derive(Debug)]
struct ServiceEndpoints;

impl LoadServiceConfig for ServiceEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_ascii_uppercase().replace(' ', "_");
        std::env::var(format!("{}_{service}", key.env())).ok().filter(|value| !value.is_empty())
    }
}

/// A client for SageMaker's runtime.
#[must_use]
pub fn sagemaker(config: &SdkConfig) -> aws_sdk_sagemakerruntime::Client {
    aws_sdk_sagemakerruntime::Client::new(config)
}

/// A client for S3, built when it is first used.
#[must_use]
pub fn s3(config: &SdkConfig) -> Lazy<aws_sdk_s3::Client> {
    lazy(config, aws_sdk_s3::Client::new)
}

/// Clients of the services that results go to. Only SQS's is needed by everybody.
#[allow(missing_debug_implementations)]
pub struct Clients {
    /// Queues.
    pub sqs: Arc<Lazy<aws_sdk_sqs::Client>>,
    /// Topics.
    pub sns: Arc<Lazy<aws_sdk_sns::Client>>,
    /// Event buses.
    pub events: Arc<Lazy<aws_sdk_eventbridge::Client>>,
    /// Tasks of state machines.
    pub sfn: Arc<Lazy<aws_sdk_sfn::Client>>,
    /// Callbacks of durable functions.
    pub lambda: Arc<Lazy<aws_sdk_lambda::Client>>,
}

impl Clients {
    /// Each built when it is first used.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            sqs: Arc::new(lazy(config, aws_sdk_sqs::Client::new)),
            sns: Arc::new(lazy(config, aws_sdk_sns::Client::new)),
            events: Arc::new(lazy(config, aws_sdk_eventbridge::Client::new)),
            sfn: Arc::new(lazy(config, aws_sdk_sfn::Client::new)),
            lambda: Arc::new(lazy(config, aws_sdk_lambda::Client::new)),
        }
    }
}

/// Another handle of the same client, built with it.
#[must_use]
pub(crate) fn share_client<T: Clone + Send + Sync + 'static>(client: &Arc<Lazy<T>>) -> Lazy<T> {
    let client = Arc::clone(client);
    LazyLock::new(Box::new(move || T::clone(&client)))
}

fn lazy<T: 'static>(config: &SdkConfig, new: fn(&SdkConfig) -> T) -> Lazy<T> {
    let config = config.clone();
    LazyLock::new(Box::new(move || new(&config)))
}

/// An HTTP client that sends nothing and answers every request with an empty JSON object.
pub(crate) fn silent_http_client() -> SharedHttpClient {
    #[derive(Debug)]
    struct Silent;
    impl HttpConnector for Silent {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let answer = StatusCode::try_from(200).map(|status| HttpResponse::new(status, SdkBody::from("{}")));
            HttpConnectorFuture::ready(answer.map_err(|error| ConnectorError::other(error.into(), None)))
        }
    }
    http_client_fn(|_, _| SharedHttpConnector::new(Silent))
}

/// Whether every service is reached by plain HTTP, as on a local AWS: then reading the root certificates would be for nothing.
fn only_plain_http(is_plain: impl Fn(&str) -> Option<bool>) -> bool {
    let default = is_plain("AWS_ENDPOINT_URL").unwrap_or(false);
    SERVICES.into_iter().all(|service| is_plain(&format!("AWS_ENDPOINT_URL_{service}")).unwrap_or(default))
}

/// One pool of connections for all clients, and the root certificates read once, now. The SDK's own HTTP clients read them for
/// each service's client, and once more with the first request.
fn http_client(plain: bool) -> SharedHttpClient {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder().connector_settings(settings);
    let connector = SharedHttpConnector::new(if plain {
        connector.build_http()
    } else {
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    });
    http_client_fn(move |_, _| connector.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_left_out_only_when_no_service_can_need_it() {
        let cases: [(&[(&str, bool)], bool); 6] = [
            (&[], false),
            (&[("AWS_ENDPOINT_URL", true)], true),
            (&[("AWS_ENDPOINT_URL", true), ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", false)], false),
            (&[("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", true)], false),
            (&[("AWS_ENDPOINT_URL", false), ("AWS_ENDPOINT_URL_S3", true)], false),
            (&[("AWS_ENDPOINT_URL", true), ("AWS_ENDPOINT_URL_LAMBDA", false)], false),
        ];
        for (set, expected) in cases {
            let lookup = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, plain)| *plain);
            assert_eq!(only_plain_http(lookup), expected, "{set:?}");
        }
    }

    #[test]
    fn a_services_endpoint_is_named_in_capitals_with_underscores() {
        // A variable that Cargo sets for every test.
        let key = ServiceConfigKey::builder().service_id("manifest dir").env("CARGO").profile("unused").build();
        assert_eq!(ServiceEndpoints.load_config(key.unwrap()).as_deref(), Some(env!("CARGO_MANIFEST_DIR")));
        let key = ServiceConfigKey::builder().service_id("SQS").env("NOT_SET").profile("unused").build();
        assert_eq!(ServiceEndpoints.load_config(key.unwrap()), None);
    }
}
