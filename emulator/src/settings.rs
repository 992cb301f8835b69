//! Command line and configuration file together: which endpoints there are from the start, and what holds for all.

mod file;

use std::collections::BTreeMap;
use std::time::Duration;

use sagemaker_async_bridge::parameter::EndpointName;
use serde_json::{Map, Value};

use crate::account::Account;
use crate::cli::Options;
use crate::clock::TimeScale;
use crate::endpoint::async_config::AsyncConfig;
use crate::endpoint::deployment::{DEFAULT_CONCURRENCY, DEFAULT_STARTUP_TIMEOUT, DEFAULT_WEIGHT, Deployment, Scaling};
use crate::endpoint::ledger::Limits;
use crate::faults::FaultPlan;
use crate::faults::rules::Rules;
use crate::images::Images;
use crate::instances::container::Container;
use crate::model::Model;
use file::{EndpointTable, File};

const DEFAULT_INSTANCE_LIMIT: u32 = 100;

/// What holds for all endpoints, and which there are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For ARNs and notifications.
    pub account: Account,
    /// Of the endpoints that `CreateEndpoint` creates.
    pub scaling: Scaling,
    /// What runs for the images of models.
    pub images: Images,
    /// Instances that all endpoints together may have.
    pub instance_limit: u32,
    /// How fast CloudWatch's and Application Auto Scaling's time passes.
    pub time_scale: TimeScale,
    /// Of each endpoint's memory.
    pub limits: Limits,
    /// Faults from the start.
    pub plan: FaultPlan,
    /// Endpoints from the start.
    pub endpoints: Vec<ConfiguredEndpoint>,
}

/// An endpoint that is there from the start.
#[derive(Clone, Debug)]
pub struct ConfiguredEndpoint {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub deployment: Deployment,
    /// How its capacity comes and goes.
    pub scaling: Scaling,
    /// Calls to throttle before any other.
    pub throttled: usize,
}

/// Why there is nothing to start.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// `--config` cannot be read.
    #[error("{0}: {1}")]
    Read(String, std::io::Error),
    /// `--config` is not what it must be.
    #[error("{0}: {1}")]
    File(String, String),
    /// An endpoint is not what it must be.
    #[error("endpoint {0}: {1}")]
    Endpoint(String, String),
    /// `--throttle` for an endpoint that there is not.
    #[error("--throttle names the endpoint {0}, which neither --endpoint nor the configuration does")]
    UnknownEndpoint(String),
}

impl Settings {
    /// Reads the file that the options name and puts the options over it.
    ///
    /// # Errors
    /// A [`SettingsError`].
    pub fn read(options: &Options, account: Account) -> Result<Self, SettingsError> {
        let Some(path) = &options.config else { return Self::new(options, File::default(), account) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| SettingsError::Read(name.clone(), error))?;
        let file = toml::from_str(&text).map_err(|error| SettingsError::File(name, error.to_string()))?;
        Self::new(options, file, account)
    }

    fn new(options: &Options, file: File, account: Account) -> Result<Self, SettingsError> {
        let mut defaults = EndpointTable::of(options).or(&file.defaults);
        if options.embedded.is_some() {
            defaults = defaults.or(&EndpointTable::embedded(&account));
        }
        let named = options.endpoints.iter().map(|endpoint| EndpointTable {
            name: Some(endpoint.name.clone()),
            model: Some(endpoint.image.clone()),
            ..EndpointTable::default()
        });
        let mut plan = file.plan();
        let mut endpoints = Vec::new();
        for table in named.chain(file.endpoints) {
            let endpoint = configured(table.or(&defaults))?;
            if let Some(rules) = table.faults {
                plan.endpoints.insert(endpoint.name.clone(), rules);
            }
            if endpoints.iter().any(|other: &ConfiguredEndpoint| other.name == endpoint.name) {
                return Err(SettingsError::Endpoint(endpoint.name, "is there twice".to_owned()));
            }
            endpoints.push(endpoint);
        }
        for throttle in &options.throttle {
            let endpoint = endpoints.iter_mut().find(|endpoint| endpoint.name == throttle.name);
            endpoint.ok_or_else(|| SettingsError::UnknownEndpoint(throttle.name.clone()))?.throttled += throttle.count;
        }
        override_plan(&mut plan, options);
        let mut limits = Limits::default();
        limits.waiting = options.queue_limit.or(file.queue_limit).unwrap_or(limits.waiting);
        limits.ended = options.history_limit.or(file.history_limit).unwrap_or(limits.ended);
        let images = options.images.iter().cloned().chain(file.images.into_iter().map(Into::into)).collect();
        Ok(Self {
            account,
            scaling: defaults.scaling(),
            images: Images::new(images),
            instance_limit: options.instance_limit.or(file.instance_limit).unwrap_or(DEFAULT_INSTANCE_LIMIT),
            time_scale: options.time_scale.or(file.time_scale).unwrap_or_default(),
            limits,
            plan,
            endpoints,
        })
    }

    /// The buckets that the endpoints write to.
    pub fn buckets(&self) -> impl Iterator<Item = String> {
        let configs = self.endpoints.iter().filter_map(|endpoint| endpoint.deployment.asynchronous.as_ref());
        let prefixes = configs.flat_map(|config| config.output.iter().chain(&config.failure));
        // A prefix has no bucket to ask for, an object under it has.
        prefixes.filter_map(|prefix| Some(prefix.join("x").ok()?.bucket().to_owned()))
    }
}

/// An endpoint with everything filled in.
fn configured(table: EndpointTable) -> Result<ConfiguredEndpoint, SettingsError> {
    let name = table.name.clone().unwrap_or_default();
    let bad = |problem: String| SettingsError::Endpoint(name.clone(), problem);
    name.parse::<EndpointName>().map_err(|error| bad(format!("the name {error}")))?;
    let image = table.model.clone().unwrap_or_else(|| "echo".to_owned());
    let output = table.output_location.clone().ok_or_else(|| {
        bad("needs an output location: --output-location s3://bucket/prefix/, or --embedded".to_owned())
    })?;
    let asynchronous = AsyncConfig {
        output: Some(output.into()),
        failure: table.failure_location.clone().map(Into::into),
        success_topic: table.success_topic_arn.clone(),
        error_topic: table.error_topic_arn.clone(),
        include: table.include_inference_response_in.clone().unwrap_or_default(),
        concurrency: table.max_concurrent_invocations_per_instance.unwrap_or(DEFAULT_CONCURRENCY),
    };
    let deployment = Deployment {
        config_name: name.clone(),
        variant: "AllTraffic".to_owned(),
        model: image.parse::<Model>().map_err(bad)?,
        image,
        container: Container::default(),
        instances: table.instances.unwrap_or(1),
        weight: DEFAULT_WEIGHT,
        others: Vec::new(),
        startup_timeout: DEFAULT_STARTUP_TIMEOUT,
        asynchronous: Some(asynchronous),
        config: Map::new(),
        models: BTreeMap::new(),
        policy: None,
    };
    let (scaling, throttled) = (table.scaling(), table.throttle.unwrap_or(0));
    Ok(ConfiguredEndpoint { name, deployment, scaling, throttled })
}

/// Puts `--seed` and every `--fault` over the plan of the file.
fn override_plan(plan: &mut FaultPlan, options: &Options) {
    plan.seed = options.seed.unwrap_or(plan.seed);
    let mut by_endpoint: BTreeMap<Option<&str>, Map<String, Value>> = BTreeMap::new();
    for fault in &options.faults {
        by_endpoint.entry(fault.endpoint.as_deref()).or_default().insert(fault.name.clone(), fault.number.into());
    }
    for (endpoint, numbers) in by_endpoint {
        let rules = match endpoint {
            Some(endpoint) => plan.endpoints.entry(endpoint.to_owned()).or_default(),
            None => &mut plan.all,
        };
        *rules = over(rules, numbers);
    }
}

/// Rules with some numbers in place of their own; the numbers were checked one by one.
fn over(rules: &Rules, numbers: Map<String, Value>) -> Rules {
    let Ok(Value::Object(mut all)) = serde_json::to_value(rules) else { return rules.clone() };
    all.extend(numbers);
    serde_json::from_value(Value::Object(all)).unwrap_or_else(|_| rules.clone())
}

/// Seconds of the file.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
