//! What an endpoint runs and where its outputs and notifications go: an endpoint configuration, resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::async_config::AsyncConfig;
use crate::instances::container::Container;
use crate::model::Model;

/// SageMaker chooses by itself where a configuration says nothing.
pub(crate) const DEFAULT_CONCURRENCY: u32 = 4;
/// A container has eight minutes to become healthy.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>
pub(crate) const DEFAULT_STARTUP_TIMEOUT: Duration = Duration::from_secs(480);
/// "Unspecified, it defaults to 1.0": <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html>
pub(crate) const DEFAULT_WEIGHT: f64 = 1.0;

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
