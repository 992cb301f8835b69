//! `CreateEndpoint`, `UpdateEndpoint`, `UpdateEndpointWeightsAndCapacities`, `DescribeEndpoint`, `ListEndpoints`,
//! `DeleteEndpoint`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::ControlError;
use super::input::Input;
use super::listing::{self, Item};
use super::registry::Registry;
use super::{epoch, resolve};
use crate::Emulator;
use crate::endpoint::deployment::Deployment;
use crate::endpoint::lifecycle::Origin;
use crate::endpoint::{Core, Endpoint, EndpointStatus};

const WHAT: &str = "endpoint";

pub(super) fn create(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let input = Input::new(request);
    let name = input.name("EndpointName")?;
    let config_name = input.name("EndpointConfigName")?;
    let arn = emulator.arn(WHAT, &name);
    emulator.with_registry(|registry| {
        if registry.endpoints.contains_key(&name) {
            return Err(ControlError::already_there(WHAT, &arn));
        }
        let deployment = deployment(emulator, registry, &config_name)?;
        check_limit(emulator, registry, &name, &config_name, deployment.instances)?;
        let endpoint = Endpoint::launch(&name, deployment, emulator.scaling(), Origin::Created, &emulator.context);
        registry.endpoints.insert(name, endpoint);
        Ok(json!({"EndpointArn": arn}))
    })
}

pub(super) fn update(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, endpoint) = find_settled(emulator, request)?;
    let config_name = Input::new(request).name("EndpointConfigName")?;
    let deployment = emulator.with_registry(|registry| {
        let deployment = deployment(emulator, registry, &config_name)?;
        check_limit(emulator, registry, &endpoint.name, &config_name, deployment.instances)?;
        let is_asynchronous = endpoint.with(|core| core.deployment.asynchronous.is_some());
        if is_asynchronous != deployment.asynchronous.is_some() {
            return Err(ControlError::validation(
                "An endpoint cannot change between asynchronous and real-time inference.",
            ));
        }
        Ok(deployment)
    })?;
    endpoint.update(deployment);
    Ok(json!({"EndpointArn": arn}))
}

pub(super) fn resize(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, endpoint) = find_settled(emulator, request)?;
    let input = Input::new(request);
    input.required("DesiredWeightsAndCapacities")?;
    let (variant, config_name) =
        endpoint.with(|core| (core.deployment.variant.clone(), core.deployment.config_name.clone()));
    for desired in input.list("DesiredWeightsAndCapacities")? {
        let desired = Input::of(desired, "desiredWeightsAndCapacities.1.member.")?;
        let name = desired.name("VariantName")?;
        if name != variant {
            return Err(ControlError::validation(format!(
                "The variant name(s) \"{name}\" is/are not present within \
                                                         endpoint configuration \"{config_name}\"."
            )));
        }
        if let Some(instances) = desired.integer("DesiredInstanceCount", &(0..=u32::MAX))? {
            emulator
                .with_registry(|registry| check_limit(emulator, registry, &endpoint.name, &config_name, instances))?;
            endpoint.resize(instances);
        }
    }
    Ok(json!({"EndpointArn": arn}))
}

pub(super) fn describe(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, endpoint) = find(emulator, request)?;
    let answer = endpoint.with(|core| {
        json!({
            "EndpointName": endpoint.name,
            "EndpointArn": arn,
            "EndpointConfigName": core.deployment.config_name,
            "ProductionVariants": [variant(core)],
            "EndpointStatus": core.status.name(),
            "FailureReason": core.failure_reason,
            "CreationTime": epoch(core.created),
            "LastModifiedTime": epoch(core.modified),
            "AsyncInferenceConfig": core.deployment.asynchronous.as_ref().map(resolve::asynchronous_request),
        })
    });
    Ok(resolve::without_nulls(answer))
}

pub(super) fn list(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let endpoints: Vec<_> = emulator.with_registry(|registry| registry.endpoints.values().cloned().collect());
    let item = |endpoint: Arc<Endpoint>| {
        let (created, modified, status) = endpoint.with(|core| (core.created, core.modified, core.status.name()));
        let summary = json!({
            "EndpointName": endpoint.name,
            "EndpointArn": emulator.arn(WHAT, &endpoint.name),
            "CreationTime": epoch(created),
            "LastModifiedTime": epoch(modified),
            "EndpointStatus": status,
        });
        Item { name: endpoint.name.clone(), created, modified, status, summary }
    };
    let items = endpoints.into_iter().map(item).collect();
    let (endpoints, token) = listing::page(&Input::new(request), items)?;
    Ok(resolve::without_nulls(json!({"Endpoints": endpoints, "NextToken": token})))
}

pub(super) fn delete(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (_, endpoint) = find_settled(emulator, request)?;
    emulator.with_registry(|registry| registry.endpoints.remove(&endpoint.name));
    endpoint.delete();
    Ok(Value::Null)
}

fn find(emulator: &Emulator, request: &Map<String, Value>) -> Result<(String, Arc<Endpoint>), ControlError> {
    let name = Input::new(request).name("EndpointName")?;
    let arn = emulator.arn(WHAT, &name);
    let found = emulator.endpoint(&name);
    found.map(|endpoint| (arn.clone(), endpoint)).ok_or_else(|| ControlError::not_found(WHAT, &arn))
}

/// One that is neither being created nor updated.
fn find_settled(emulator: &Emulator, request: &Map<String, Value>) -> Result<(String, Arc<Endpoint>), ControlError> {
    let (arn, endpoint) = find(emulator, request)?;
    match endpoint.with(|core| core.status) {
        EndpointStatus::InService | EndpointStatus::Failed => Ok((arn, endpoint)),
        _ => Err(ControlError::in_progress(&arn)),
    }
}

fn deployment(emulator: &Emulator, registry: &Registry, config_name: &str) -> Result<Deployment, ControlError> {
    let config = registry.configs.get(config_name).ok_or_else(|| {
        ControlError::not_found("endpoint configuration", &emulator.arn("endpoint-config", config_name))
    })?;
    resolve::deployment(config_name, &config.request, registry, emulator.images(), emulator.account())
}

/// Instances are limited by account, as SageMaker's quotas do it.
pub(crate) fn check_limit(
    emulator: &Emulator,
    registry: &Registry,
    endpoint_name: &str,
    config_name: &str,
    instances: u32,
) -> Result<(), ControlError> {
    let others = registry.endpoints.values().filter(|endpoint| endpoint.name != endpoint_name);
    let used = others.map(|endpoint| endpoint.with(|core| core.desired)).fold(0, u32::saturating_add);
    if used.saturating_add(instances) <= emulator.instance_limit() {
        return Ok(());
    }
    let config = registry.configs.get(config_name);
    let variant = config.and_then(|config| config.request.get("ProductionVariants")).and_then(|list| list.get(0));
    let instance_type = variant.and_then(|variant| variant.get("InstanceType")).and_then(Value::as_str);
    let instance_type = instance_type.unwrap_or("ml.m5.xlarge");
    Err(ControlError::limit_exceeded(instance_type, emulator.instance_limit(), used, instances))
}

/// `ProductionVariantSummary`.
fn variant(core: &Core) -> Value {
    let image = &core.deployment.image;
    json!({
        "VariantName": core.deployment.variant,
        "DeployedImages": [{
            "SpecifiedImage": image,
            "ResolvedImage": image,
            "ResolutionTime": epoch(core.modified),
        }],
        "CurrentWeight": 1.0,
        "DesiredWeight": 1.0,
        "CurrentInstanceCount": core.instances,
        "DesiredInstanceCount": core.desired,
    })
}
