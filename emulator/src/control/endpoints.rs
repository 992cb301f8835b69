//! `CreateEndpoint`, `UpdateEndpoint`, `UpdateEndpointWeightsAndCapacities`, `DescribeEndpoint`, `ListEndpoints`,
//! `DeleteEndpoint`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::call::Call;
use super::error::ControlError;
use super::listing::{self, Item};
use super::registry::Registry;
use super::{describe, epoch, resolve};
use crate::endpoint::deployment::Deployment;
use crate::endpoint::origin::Origin;
use crate::endpoint::{Endpoint, EndpointStatus};
use crate::input::Input;

const WHAT: &str = "endpoint";

pub(super) fn create(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let input = Input::new(request);
    let name = input.name("EndpointName")?;
    let config_name = input.name("EndpointConfigName")?;
    let arn = call.arn(WHAT, &name);
    call.with_registry(|registry| {
        if registry.endpoints.contains_key(&name) {
            return Err(ControlError::already_there(WHAT, &arn));
        }
        let mut deployment = deployment(call, registry, &config_name)?;
        deployment.policy = input.get("DeploymentConfig").cloned();
        check_limit(call, registry, &name, &config_name, deployment.all_instances())?;
        registry.tags.create(WHAT, &name, request)?;
        let endpoint = Endpoint::launch(&name, deployment, call.scaling(), Origin::Created, &call.context);
        registry.endpoints.insert(name, endpoint);
        Ok(json!({"EndpointArn": arn}))
    })
}

pub(super) fn update(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, endpoint) = find_settled(call, request)?;
    let input = Input::new(request);
    let config_name = input.name("EndpointConfigName")?;
    let excluded = input.list("ExcludeRetainedVariantProperties")?;
    let retains = input.flag("RetainAllVariantProperties")?.unwrap_or_default();
    let retains_policy = input.flag("RetainDeploymentConfig")?.unwrap_or_default();
    let deployment = call.with_registry(|registry| {
        let mut deployment = deployment(call, registry, &config_name)?;
        let is_asynchronous = endpoint.with(|core| core.deployment.asynchronous.is_some());
        if is_asynchronous != deployment.asynchronous.is_some() {
            return Err(ControlError::validation(
                "An endpoint cannot change between asynchronous and real-time inference.",
            ));
        }
        endpoint.with(|core| {
            if retains {
                let is_retained = |property: &str| !is_excluded(excluded, property);
                core.retain(&mut deployment, is_retained("DesiredInstanceCount"), is_retained("DesiredWeight"));
            }
            let retained = core.deployment.policy.clone().filter(|_| retains_policy);
            deployment.policy = retained.or_else(|| input.get("DeploymentConfig").cloned());
        });
        check_limit(call, registry, &endpoint.name, &config_name, deployment.all_instances())?;
        Ok(deployment)
    })?;
    endpoint.update(deployment);
    Ok(json!({"EndpointArn": arn}))
}

/// Whether `ExcludeRetainedVariantProperties` names a property.
fn is_excluded(excluded: &[Value], property: &str) -> bool {
    excluded.iter().filter_map(|excluded| excluded.get("VariantPropertyType")).any(|excluded| excluded == property)
}

pub(super) fn resize(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, endpoint) = find_settled(call, request)?;
    let wanted = Input::new(request).list("DesiredWeightsAndCapacities")?;
    let config_name = endpoint.with(|core| core.deployment.config_name.clone());
    let mut shares = endpoint.with(|core| core.shares());
    for wanted in wanted {
        let wanted = Input::of(wanted, "desiredWeightsAndCapacities.1.member.")?;
        let name = wanted.name("VariantName")?;
        let Some((_, share)) = shares.iter_mut().find(|(variant, _)| *variant == name) else {
            return Err(ControlError::validation(format!(
                "The variant name(s) \"{name}\" is/are not present within endpoint configuration \"{config_name}\"."
            )));
        };
        share.weight = wanted.double("DesiredWeight")?.unwrap_or(share.weight);
        share.instances = wanted.count("DesiredInstanceCount")?.unwrap_or(share.instances);
    }
    let instances = shares.iter().map(|(_, share)| share.instances).fold(0, u32::saturating_add);
    call.with_registry(|registry| check_limit(call, registry, &endpoint.name, &config_name, instances))?;
    endpoint.share_out(shares.into_iter().map(|(_, share)| share).collect());
    Ok(json!({"EndpointArn": arn}))
}

pub(super) fn describe(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, endpoint) = find(call, request)?;
    Ok(endpoint.with(|core| describe::endpoint(&endpoint, core, &arn)))
}

pub(super) fn list(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let endpoints: Vec<_> = call.with_registry(|registry| registry.endpoints.values().cloned().collect());
    let item = |endpoint: Arc<Endpoint>| {
        let (created, modified, status) = endpoint.with(|core| (core.created, core.modified, core.status.name()));
        let summary = json!({
            "EndpointName": endpoint.name,
            "EndpointArn": call.arn(WHAT, &endpoint.name),
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

pub(super) fn delete(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (_, endpoint) = find_settled(call, request)?;
    call.with_registry(|registry| {
        // Before another one of its name can be created, whose queue would be taken for this one's.
        endpoint.delete();
        registry.endpoints.remove(&endpoint.name);
        registry.hosted.remove(&endpoint.name);
        registry.tags.delete(WHAT, &endpoint.name);
    });
    Ok(Value::Null)
}

fn find(call: &Call<'_>, request: &Map<String, Value>) -> Result<(String, Arc<Endpoint>), ControlError> {
    let name = Input::new(request).name("EndpointName")?;
    let arn = call.arn(WHAT, &name);
    let found = call.endpoint(&name);
    found.map(|endpoint| (arn.clone(), endpoint)).ok_or_else(|| ControlError::not_found(WHAT, &arn))
}

/// One that is neither being created nor updated.
fn find_settled(call: &Call<'_>, request: &Map<String, Value>) -> Result<(String, Arc<Endpoint>), ControlError> {
    let (arn, endpoint) = find(call, request)?;
    match endpoint.with(|core| core.status) {
        EndpointStatus::InService | EndpointStatus::Failed => Ok((arn, endpoint)),
        _ => Err(ControlError::in_progress(&arn)),
    }
}

fn deployment(call: &Call<'_>, registry: &Registry, config_name: &str) -> Result<Deployment, ControlError> {
    let config = registry
        .configs
        .get(config_name)
        .ok_or_else(|| ControlError::not_found("endpoint configuration", &call.arn("endpoint-config", config_name)))?;
    resolve::deployment(config_name, &config.request, registry, call)
}

/// Instances are limited by account, as SageMaker's quotas do it.
pub(crate) fn check_limit(
    emulator: &crate::Emulator,
    registry: &Registry,
    endpoint_name: &str,
    config_name: &str,
    instances: u32,
) -> Result<(), ControlError> {
    let others = registry.endpoints.values().filter(|endpoint| endpoint.name != endpoint_name);
    let used = others.map(|endpoint| endpoint.with(|core| core.all_desired())).fold(0, u32::saturating_add);
    if used.saturating_add(instances) <= emulator.instance_limit() {
        return Ok(());
    }
    let config = registry.configs.get(config_name);
    let variant = config.and_then(|config| config.request.get("ProductionVariants")).and_then(|list| list.get(0));
    let instance_type = variant.and_then(|variant| variant.get("InstanceType")).and_then(Value::as_str);
    let instance_type = instance_type.unwrap_or(resolve::DEFAULT_INSTANCE_TYPE);
    Err(ControlError::limit_exceeded(instance_type, emulator.instance_limit(), used, instances))
}
