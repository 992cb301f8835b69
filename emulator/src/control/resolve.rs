//! From requests to what runs: checks an endpoint configuration and resolves it, with its model, to a deployment.

use std::time::Duration;

use sagemaker_async_bridge::location::S3Prefix;
use serde_json::{Map, Value, json};

use super::error::ControlError;
use super::input::Input;
use super::registry::Registry;
use crate::account::Account;
use crate::endpoint::deployment::{AsyncConfig, Deployment, IncludeIn};
use crate::images::Images;

/// SageMaker chooses by itself where a configuration says nothing.
pub(crate) const DEFAULT_CONCURRENCY: u32 = 4;
/// A container has eight minutes to become healthy.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>
pub(crate) const DEFAULT_STARTUP_TIMEOUT: Duration = Duration::from_secs(480);

/// Checks a request of `CreateEndpointConfig` or one that was stored, and says what it runs.
pub(crate) fn deployment(
    name: &str,
    request: &Map<String, Value>,
    registry: &Registry,
    images: &Images,
    account: &Account,
) -> Result<Deployment, ControlError> {
    let input = Input::new(request);
    input.required("ProductionVariants")?;
    let variants = input.list("ProductionVariants")?;
    if !(1..=10).contains(&variants.len()) {
        return Err(input.error("ProductionVariants", "have 1 to 10 members"));
    }
    let mut checked = variants.iter().map(|variant| Variant::read(variant, registry, account));
    // One variant serves here; SageMaker weighs them.
    let variant = checked.next().transpose()?.ok_or_else(|| input.error("ProductionVariants", "not be empty"))?;
    checked.try_for_each(|variant| variant.map(drop))?;
    let asynchronous = input.get("AsyncInferenceConfig").map(asynchronous).transpose()?;
    Ok(Deployment {
        config_name: name.to_owned(),
        model: images.model(&variant.image),
        variant: variant.name,
        image: variant.image,
        instances: variant.instances,
        startup_timeout: variant.startup_timeout,
        asynchronous,
    })
}

/// A member of `ProductionVariants`.
struct Variant {
    name: String,
    image: String,
    instances: u32,
    startup_timeout: Duration,
}

impl Variant {
    fn read(value: &Value, registry: &Registry, account: &Account) -> Result<Self, ControlError> {
        let input = Input::of(value, "productionVariants.1.member.")?;
        let name = input.name("VariantName")?;
        let model_name = input.name("ModelName")?;
        let model = registry.models.get(&model_name);
        let model = model.ok_or_else(|| ControlError::not_found("model", &account.arn("model", &model_name)))?;
        let timeout = input.integer("ContainerStartupHealthCheckTimeoutInSeconds", &(60..=3600))?;
        Ok(Self {
            name,
            image: image(&model.request).to_owned(),
            instances: input.integer("InitialInstanceCount", &(1..=u32::MAX))?.unwrap_or(1),
            startup_timeout: timeout.map_or(DEFAULT_STARTUP_TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
        })
    }
}

/// The image of a model's first container; empty where a model package names it.
pub(crate) fn image(model: &Map<String, Value>) -> &str {
    let first = model.get("Containers").and_then(|containers| containers.get(0));
    let container = model.get("PrimaryContainer").or(first);
    container.and_then(|container| container.get("Image")).and_then(Value::as_str).unwrap_or_default()
}

/// `AsyncInferenceConfig`.
fn asynchronous(value: &Value) -> Result<AsyncConfig, ControlError> {
    let input = Input::of(value, "asyncInferenceConfig.")?;
    let output = Input::of(input.required("OutputConfig")?, "asyncInferenceConfig.outputConfig.")?;
    // Optional on SageMaker; where outputs go then is not published.
    output.required("S3OutputPath")?;
    let location = output.parsed::<S3Prefix>("S3OutputPath")?;
    let none = Value::Object(Map::new());
    let topics = output.get("NotificationConfig").unwrap_or(&none);
    let topics = Input::of(topics, "asyncInferenceConfig.outputConfig.notificationConfig.")?;
    let client = Input::of(input.get("ClientConfig").unwrap_or(&none), "asyncInferenceConfig.clientConfig.")?;
    let concurrency = client.integer("MaxConcurrentInvocationsPerInstance", &(1..=1000))?;
    Ok(AsyncConfig {
        output: location.ok_or_else(|| output.error("S3OutputPath", "not be null"))?,
        failure: output.parsed("S3FailurePath")?,
        success_topic: topic(&topics, "SuccessTopic")?,
        error_topic: topic(&topics, "ErrorTopic")?,
        include: include(&topics)?,
        concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY),
    })
}

fn topic(topics: &Input<'_>, member: &str) -> Result<Option<String>, ControlError> {
    let Some(arn) = topics.text(member)? else { return Ok(None) };
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", _, account, name]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && !name.is_empty() =>
        {
            Ok(Some(arn.to_owned()))
        }
        _ => Err(topics.error(
            member,
            r"satisfy regular expression pattern: arn:aws[a-z\-]*:sns:[a-z0-9\-]*:[0-9]{12}:[a-zA-Z0-9_.-]+",
        )),
    }
}

fn include(topics: &Input<'_>) -> Result<Vec<IncludeIn>, ControlError> {
    let allowed = || {
        let names = [IncludeIn::Success, IncludeIn::Error].map(IncludeIn::name).join(", ");
        topics.error("IncludeInferenceResponseIn", &format!("satisfy enum value set: [{names}]"))
    };
    let list = topics.list("IncludeInferenceResponseIn")?;
    list.iter().map(|value| serde_json::from_value(value.clone()).map_err(|_| allowed())).collect()
}

/// `AsyncInferenceConfig` as a description gives it.
pub(crate) fn asynchronous_request(config: &AsyncConfig) -> Value {
    let include: Vec<&str> = config.include.iter().map(|include| include.name()).collect();
    json!({
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": config.concurrency},
        "OutputConfig": {
            "S3OutputPath": config.output.to_string(),
            "S3FailurePath": config.failure.as_ref().map(ToString::to_string),
            "NotificationConfig": {
                "SuccessTopic": config.success_topic,
                "ErrorTopic": config.error_topic,
                "IncludeInferenceResponseIn": include,
            },
        },
    })
}

/// The requests that would create the model and the configuration of an endpoint which the command line or a file names.
pub(crate) fn requests(name: &str, deployment: &Deployment) -> [Map<String, Value>; 2] {
    let model = json!({"ModelName": name, "PrimaryContainer": {"Image": deployment.image}});
    let variant = json!({
        "VariantName": deployment.variant,
        "ModelName": name,
        "InitialInstanceCount": deployment.instances,
    });
    let config = json!({
        "EndpointConfigName": deployment.config_name,
        "ProductionVariants": [variant],
        "AsyncInferenceConfig": deployment.asynchronous.as_ref().map(asynchronous_request),
    });
    [model, config].map(|request| match without_nulls(request) {
        Value::Object(request) => request,
        _ => Map::new(),
    })
}

/// Optional members that are not there are left out, as clients expect.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}
