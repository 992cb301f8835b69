//! The TOML file of `--config`: names are those of the flags.

use std::collections::BTreeMap;

use sagemaker_async_bridge::location::S3Prefix;
use serde::Deserialize;

use super::duration;
use crate::account::Account;
use crate::cli::Options;
use crate::clock::TimeScale;
use crate::endpoint::async_config::IncludeIn;
use crate::endpoint::deployment::Scaling;
use crate::faults::FaultPlan;
use crate::faults::rules::{Rules, Seconds};
use crate::images::ImageOption;
use crate::model::Model;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct File {
    seed: u64,
    pub(super) instance_limit: Option<u32>,
    pub(super) time_scale: Option<TimeScale>,
    pub(super) queue_limit: Option<usize>,
    pub(super) history_limit: Option<usize>,
    /// For endpoints that say nothing themselves.
    pub(super) defaults: EndpointTable,
    #[serde(rename = "endpoint")]
    pub(super) endpoints: Vec<EndpointTable>,
    /// Patterns and models.
    pub(super) images: BTreeMap<String, Parsed<Model>>,
    /// Of endpoints that have none of their own.
    faults: Rules,
}

/// An endpoint, or the defaults of all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct EndpointTable {
    pub(super) name: Option<String>,
    pub(super) model: Option<String>,
    pub(super) output_location: Option<Parsed<S3Prefix>>,
    pub(super) failure_location: Option<Parsed<S3Prefix>>,
    pub(super) success_topic_arn: Option<String>,
    pub(super) error_topic_arn: Option<String>,
    pub(super) include_inference_response_in: Option<Vec<IncludeIn>>,
    pub(super) instances: Option<u32>,
    pub(super) max_concurrent_invocations_per_instance: Option<u32>,
    pub(super) cold_start: Option<Seconds>,
    pub(super) scale_to_zero_after: Option<Seconds>,
    pub(super) throttle: Option<usize>,
    pub(super) faults: Option<Rules>,
}

/// What is written as text.
#[derive(Clone, Debug)]
pub(super) struct Parsed<T>(T);

impl<'de, T: std::str::FromStr<Err: std::fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl From<Parsed<Self>> for S3Prefix {
    fn from(parsed: Parsed<Self>) -> Self {
        parsed.0
    }
}

impl From<(String, Parsed<Model>)> for ImageOption {
    fn from((pattern, model): (String, Parsed<Model>)) -> Self {
        Self { pattern, model: model.0 }
    }
}

impl File {
    pub(super) fn plan(&self) -> FaultPlan {
        FaultPlan { seed: self.seed, all: self.faults.clone(), endpoints: BTreeMap::new() }
    }
}

impl EndpointTable {
    /// What the flags say of all endpoints.
    pub(super) fn of(options: &Options) -> Self {
        let include = &options.include_inference_response_in;
        Self {
            output_location: options.output_location.clone().map(Parsed),
            failure_location: options.failure_location.clone().map(Parsed),
            success_topic_arn: options.success_topic_arn.clone(),
            error_topic_arn: options.error_topic_arn.clone(),
            include_inference_response_in: (!include.is_empty()).then(|| include.clone()),
            instances: options.instances,
            max_concurrent_invocations_per_instance: options.max_concurrent_invocations_per_instance,
            cold_start: options.cold_start,
            scale_to_zero_after: options.scale_to_zero_after,
            ..Self::default()
        }
    }

    /// Where nothing else is said, outputs go to a bucket of the emulator's own, and notifications carry topics of its account.
    pub(super) fn embedded(account: &Account) -> Self {
        let topic = |name: &str| Some(format!("arn:aws:sns:{}:{}:sagemaker-{name}", account.region, account.id));
        let location = |name: &str| format!("s3://sagemaker/{name}/").parse().ok().map(Parsed);
        Self {
            output_location: location("output"),
            failure_location: location("failure"),
            success_topic_arn: topic("success"),
            error_topic_arn: topic("error"),
            ..Self::default()
        }
    }

    /// Itself, completed with defaults.
    pub(super) fn or(&self, defaults: &Self) -> Self {
        let (own, other) = (self.clone(), defaults.clone());
        Self {
            name: own.name.or(other.name),
            model: own.model.or(other.model),
            output_location: own.output_location.or(other.output_location),
            failure_location: own.failure_location.or(other.failure_location),
            success_topic_arn: own.success_topic_arn.or(other.success_topic_arn),
            error_topic_arn: own.error_topic_arn.or(other.error_topic_arn),
            include_inference_response_in: own.include_inference_response_in.or(other.include_inference_response_in),
            instances: own.instances.or(other.instances),
            max_concurrent_invocations_per_instance: own
                .max_concurrent_invocations_per_instance
                .or(other.max_concurrent_invocations_per_instance),
            cold_start: own.cold_start.or(other.cold_start),
            scale_to_zero_after: own.scale_to_zero_after.or(other.scale_to_zero_after),
            throttle: own.throttle.or(other.throttle),
            faults: own.faults.or(other.faults),
        }
    }

    pub(super) fn scaling(&self) -> Scaling {
        let time = |seconds: Seconds| duration(seconds.into());
        Scaling {
            cold_start: self.cold_start.map(time).unwrap_or_default(),
            to_zero_after: self.scale_to_zero_after.map(time),
        }
    }
}
