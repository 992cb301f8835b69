//! What an endpoint runs and where its outputs and notifications go: an endpoint configuration, resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use sagemaker_async_bridge::location::S3Prefix;
use serde_json::{Map, Value};

use crate::instances::container::Container;
use crate::model::Model;

/// AWS's names for the topics of `IncludeInferenceResponseIn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
pub enum IncludeIn {
    /// Successes.
    #[value(name = "SUCCESS_NOTIFICATION_TOPIC")]
    #[serde(rename = "SUCCESS_NOTIFICATION_TOPIC")]
    Success,
    /// Failures.
    #[value(name = "ERROR_NOTIFICATION_TOPIC")]
    #[serde(rename = "ERROR_NOTIFICATION_TOPIC")]
    Error,
}

impl IncludeIn {
    /// AWS's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS_NOTIFICATION_TOPIC",
            Self::Error => "ERROR_NOTIFICATION_TOPIC",
        }
    }
}

/// `AsyncInferenceConfig`.
#[derive(Clone, Debug)]
pub struct AsyncConfig {
    /// `S3OutputPath`. Without it outputs are stored nowhere; a notification may carry them.
    pub output: Option<S3Prefix>,
    /// `S3FailurePath`. Without it a failure leaves no object.
    pub failure: Option<S3Prefix>,
    /// `SuccessTopic`.
    pub success_topic: Option<String>,
    /// `ErrorTopic`.
    pub error_topic: Option<String>,
    /// `IncludeInferenceResponseIn`.
    pub include: Vec<IncludeIn>,
    /// `MaxConcurrentInvocationsPerInstance`.
    pub concurrency: u32,
}

impl AsyncConfig {
    /// The topics, each once.
    #[must_use]
    pub fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = self.success_topic.iter().chain(&self.error_topic).map(String::as_str).collect();
        topics.dedup();
        topics
    }
}

/// What an endpoint runs.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Name of the endpoint configuration.
    pub config_name: String,
    /// Name of the production variant, the first one.
    pub variant: String,
    /// The image that the model names.
    pub image: String,
    /// What runs for it here.
    pub model: Model,
    /// What the model says of its container.
    pub container: Container,
    /// `InitialInstanceCount`.
    pub instances: u32,
    /// `InitialVariantWeight`.
    pub weight: f64,
    /// The production variants behind the first. Of a real-time endpoint they serve too.
    pub others: Vec<Variant>,
    /// `ContainerStartupHealthCheckTimeoutInSeconds`.
    pub startup_timeout: Duration,
    /// `None` for a real-time endpoint, which takes no asynchronous invocations.
    pub asynchronous: Option<AsyncConfig>,
    /// The endpoint configuration as it was given.
    pub config: Map<String, Value>,
    /// The models of that configuration as they were given, by their names.
    pub models: BTreeMap<String, Map<String, Value>>,
    /// `DeploymentConfig` of the call that deployed it.
    pub policy: Option<Value>,
}

/// A production variant.
#[derive(Clone, Debug)]
pub struct Variant {
    /// `VariantName`.
    pub name: String,
    /// The image that its model names.
    pub image: String,
    /// What runs for it here.
    pub model: Model,
    /// What its model says of its container.
    pub container: Container,
    /// `InitialInstanceCount`.
    pub instances: u32,
    /// `InitialVariantWeight`.
    pub weight: f64,
}

/// How an endpoint's capacity comes and goes. On SageMaker that is Application Auto Scaling's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scaling {
    /// How long an instance takes to start, beside its container's answer to `/ping`.
    pub cold_start: Duration,
    /// Idle for so long, an endpoint gives up its instances; work brings them back. `None`: it keeps them.
    pub to_zero_after: Option<Duration>,
}
