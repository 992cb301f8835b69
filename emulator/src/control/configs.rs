//! `CreateEndpointConfig`, `DescribeEndpointConfig`, `ListEndpointConfigs`, `DeleteEndpointConfig`.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::error::ControlError;
use super::listing::{self, Item};
use super::registry::Resource;
use super::{epoch, resolve};
use crate::endpoint::deployment::DEFAULT_WEIGHT;
use crate::input::Input;

const WHAT: &str = "endpoint configuration";
/// In ARNs.
const KIND: &str = "endpoint-config";

pub(super) fn create(call: &Call<'_>, request: Map<String, Value>) -> Result<Value, ControlError> {
    let name = Input::new(&request).name("EndpointConfigName")?;
    let arn = call.arn(KIND, &name);
    call.with_registry(|registry| {
        if registry.configs.contains_key(&name) {
            return Err(ControlError::already_there(WHAT, &arn));
        }
        resolve::deployment(&name, &request, registry, call)?;
        registry.tags.create(KIND, &name, &request)?;
        registry.configs.insert(name, Resource::new(request));
        Ok(json!({"EndpointConfigArn": arn}))
    })
}

pub(super) fn describe(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, resource) = find(call, request)?;
    let mut answer = resource.request;
    answer.remove("Tags");
    answer.insert("EndpointConfigArn".to_owned(), arn.into());
    answer.insert("CreationTime".to_owned(), epoch(resource.created));
    for member in ["ProductionVariants", "ShadowProductionVariants"] {
        let variants = answer.get_mut(member).and_then(Value::as_array_mut).into_iter().flatten();
        for variant in variants.filter_map(Value::as_object_mut) {
            variant.entry("InitialVariantWeight").or_insert(DEFAULT_WEIGHT.into());
        }
    }
    Ok(Value::Object(answer))
}

pub(super) fn list(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let items = call.with_registry(|registry| {
        let item = |(name, config): (&String, &Resource)| Item {
            name: name.clone(),
            created: config.created,
            modified: config.created,
            status: "",
            summary: json!({
                "EndpointConfigName": name,
                "EndpointConfigArn": call.arn(KIND, name),
                "CreationTime": epoch(config.created),
            }),
        };
        registry.configs.iter().map(item).collect()
    });
    let (configs, token) = listing::page(&Input::new(request), items)?;
    Ok(resolve::without_nulls(json!({"EndpointConfigs": configs, "NextToken": token})))
}

pub(super) fn delete(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    find(call, request)?;
    let name = Input::new(request).name("EndpointConfigName")?;
    call.with_registry(|registry| {
        registry.configs.remove(&name);
        registry.tags.delete(KIND, &name);
    });
    Ok(Value::Null)
}

fn find(call: &Call<'_>, request: &Map<String, Value>) -> Result<(String, Resource), ControlError> {
    let name = Input::new(request).name("EndpointConfigName")?;
    let arn = call.arn(KIND, &name);
    let found = call.with_registry(|registry| registry.configs.get(&name).cloned());
    found.map(|config| (arn.clone(), config)).ok_or_else(|| ControlError::not_found(WHAT, &arn))
}
