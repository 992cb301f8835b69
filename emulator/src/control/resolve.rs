//! From requests to what runs: checks an endpoint configuration and resolves it, with its models, to a deployment. What the API
//! model says was checked before; here is what it does not say.

use std::collections::BTreeMap;
use std::time::Duration;

use sagemaker_async_bridge::location::{S3Prefix, S3Uri};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::error::ControlError;
use super::registry::Registry;
use crate::endpoint::async_config::{AsyncConfig, IncludeIn};
use crate::endpoint::deployment::{DEFAULT_CONCURRENCY, DEFAULT_STARTUP_TIMEOUT, DEFAULT_WEIGHT, Deployment, Variant};
use crate::input::Input;
use crate::instances::container::Container;

/// Of endpoints that no request has created.
pub(super) const DEFAULT_INSTANCE_TYPE: &str = "ml.m5.xlarge";

/// Checks a request of `CreateEndpointConfig` or one that was stored, and says what it runs.
pub(crate) fn deployment(
    name: &str,
    request: &Map<String, Value>,
    registry: &Registry,
    call: &Call<'_>,
) -> Result<Deployment, ControlError> {
    let input = Input::new(request);
    let mut variants = variants(&input, "ProductionVariants", "productionVariants.1.member.", registry, call)?;
    for shadow in
        self::variants(&input, "ShadowProductionVariants", "shadowProductionVariants.1.member.", registry, call)?
    {
        if variants.iter().any(|variant| variant.name == shadow.name) {
            return Err(ControlError::duplicate_variant(&shadow.name));
        }
    }
    if variants.is_empty() {
        return Err(ControlError::constraint("productionVariants", "have length greater than or equal to 1"));
    }
    let asynchronous = input.get("AsyncInferenceConfig").map(asynchronous).transpose()?;
    let is_serverless = |variant: &Value| variant.get("ServerlessConfig").is_some_and(|config| !config.is_null());
    if asynchronous.is_some() && input.list("ProductionVariants")?.iter().any(is_serverless) {
        return Err(ControlError::unsupported());
    }
    let first = variants.remove(0);
    let configured = input.list("ProductionVariants")?.first().map(|variant| Input::of(variant, "")).transpose()?;
    let timeout = match configured {
        Some(variant) => variant.count("ContainerStartupHealthCheckTimeoutInSeconds")?,
        None => None,
    };
    Ok(Deployment {
        config_name: name.to_owned(),
        model: first.model,
        variant: first.name,
        image: first.image,
        container: first.container,
        instances: first.instances,
        weight: first.weight,
        others: variants,
        startup_timeout: timeout.map_or(DEFAULT_STARTUP_TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
        asynchronous,
        config: request.clone(),
        models: models(&input, registry)?,
        policy: None,
    })
}

/// The models that a configuration names, as they are now.
fn models(input: &Input<'_>, registry: &Registry) -> Result<BTreeMap<String, Map<String, Value>>, ControlError> {
    let variants = input.list("ProductionVariants")?.iter().chain(input.list("ShadowProductionVariants")?);
    let names = variants.filter_map(|variant| variant.get("ModelName")?.as_str());
    let named = names.filter_map(|name| Some((name.to_owned(), registry.models.get(name)?.request.clone())));
    Ok(named.collect())
}

/// A configuration's variants, each with a name of its own.
fn variants(
    input: &Input<'_>,
    member: &str,
    path: &str,
    registry: &Registry,
    call: &Call<'_>,
) -> Result<Vec<Variant>, ControlError> {
    let mut variants: Vec<Variant> = Vec::new();
    for value in input.list(member)? {
        let variant = variant(&Input::of(value, path)?, registry, call)?;
        if variants.iter().any(|other| other.name == variant.name) {
            return Err(ControlError::duplicate_variant(&variant.name));
        }
        variants.push(variant);
    }
    Ok(variants)
}

fn variant(input: &Input<'_>, registry: &Registry, call: &Call<'_>) -> Result<Variant, ControlError> {
    let Some(model_name) = input.text("ModelName")? else {
        return Err(ControlError::validation(
            "The emulator has no inference components: each production variant needs a ModelName.",
        ));
    };
    let model = registry.models.get(model_name);
    let model = model.ok_or_else(|| ControlError::not_found("model", &call.arn("model", model_name)))?;
    if ["InstanceType", "ServerlessConfig", "InstancePools"].iter().all(|member| input.get(member).is_none()) {
        return Err(ControlError::validation(
            "Either InstanceType, InstancePools or ServerlessConfig must be provided for each production variant.",
        ));
    }
    let image = image(&model.request).to_owned();
    let mut container = container(&model.request).map(Container::new).unwrap_or_default();
    let timeout = input.count("ModelDataDownloadTimeoutInSeconds")?;
    container.download_timeout = timeout.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Variant {
        name: input.name("VariantName")?,
        model: call.images().model(&image),
        image,
        container,
        instances: input.count("InitialInstanceCount")?.unwrap_or(1),
        weight: input.double("InitialVariantWeight")?.unwrap_or(DEFAULT_WEIGHT),
    })
}

/// The image of a model's first container; empty where a model package names it.
pub(crate) fn image(model: &Map<String, Value>) -> &str {
    container(model).and_then(|container| container.get("Image")).and_then(Value::as_str).unwrap_or_default()
}

/// A model's first container.
fn container(model: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let first = model.get("Containers").and_then(|containers| containers.get(0));
    model.get("PrimaryContainer").filter(|container| !container.is_null()).or(first)?.as_object()
}

/// `AsyncInferenceConfig`.
fn asynchronous(value: &Value) -> Result<AsyncConfig, ControlError> {
    let input = Input::of(value, "asyncInferenceConfig.")?;
    let output = input.structure("OutputConfig", "asyncInferenceConfig.outputConfig.")?;
    let topics = output.structure("NotificationConfig", "asyncInferenceConfig.outputConfig.notificationConfig.")?;
    let client = input.structure("ClientConfig", "asyncInferenceConfig.clientConfig.")?;
    let include = topics.list("IncludeInferenceResponseIn")?.iter();
    Ok(AsyncConfig {
        output: location(&output, "S3OutputPath")?,
        failure: location(&output, "S3FailurePath")?,
        success_topic: topics.text("SuccessTopic")?.map(str::to_owned),
        error_topic: topics.text("ErrorTopic")?.map(str::to_owned),
        include: include.filter_map(|topic| serde_json::from_value::<IncludeIn>(topic.clone()).ok()).collect(),
        concurrency: client.count("MaxConcurrentInvocationsPerInstance")?.unwrap_or(DEFAULT_CONCURRENCY),
    })
}

/// A location of outputs: as `s3://…`, or as the `https://` URL that S3 has for it.
fn location(output: &Input<'_>, member: &str) -> Result<Option<S3Prefix>, ControlError> {
    let Some(url) = output.text(member)?.filter(|text| text.starts_with("https://")) else {
        return output.parsed(member);
    };
    // A prefix may be empty, an object's key may not.
    let object: Option<S3Uri> = format!("{}/x", url.trim_end_matches('/')).parse().ok();
    let prefix = object.and_then(|object| object.to_string().strip_suffix('x')?.parse().ok());
    prefix.map(Some).ok_or_else(|| {
        ControlError::validation(format!(
            "The emulator writes outputs to s3://bucket/prefix/ or https://bucket.s3.region.amazonaws.com/prefix/, not to {url}."
        ))
    })
}

/// `AsyncInferenceConfig` of an endpoint that the command line or a file names.
fn asynchronous_request(config: &AsyncConfig) -> Value {
    let include: Vec<&str> = config.include.iter().map(|include| include.name()).collect();
    let topics = without_nulls(json!({
        "SuccessTopic": config.success_topic,
        "ErrorTopic": config.error_topic,
        "IncludeInferenceResponseIn": (!include.is_empty()).then_some(include),
    }));
    let has_topics = topics.as_object().is_some_and(|topics| !topics.is_empty());
    json!({
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": config.concurrency},
        "OutputConfig": {
            "S3OutputPath": config.output.as_ref().map(ToString::to_string),
            "S3FailurePath": config.failure.as_ref().map(ToString::to_string),
            "NotificationConfig": has_topics.then_some(topics),
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
        "InstanceType": DEFAULT_INSTANCE_TYPE,
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
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
