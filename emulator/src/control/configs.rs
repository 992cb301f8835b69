//! `CreateEndpointConfig`, `DescribeEndpointConfig`, `ListEndpointConfigs`, `DeleteEndpointConfig`.

use serde_json::{Map, Value, json};

use super::error::ControlError;
use super::input::Input;
use super::listing::{self, Item};
use super::registry::Resource;
use super::{epoch, resolve};
use crate::Emulator;

const WHAT: &str = "endpoint configuration";

pub(super) fn create(emulator: &Emulator, request: Map<String, Value>) -> Result<Value, ControlError> {
    let name = Input::new(&request).name("EndpointConfigName")?;
    let arn = emulator.arn("endpoint-config", &name);
    emulator.with_registry(|registry| {
        if registry.configs.contains_key(&name) {
            return Err(ControlError::already_there(WHAT, &arn));
        }
        resolve::deployment(&name, &request, registry, emulator.images(), emulator.account())?;
        registry.configs.insert(name, Resource::new(request));
        Ok(json!({"EndpointConfigArn": arn}))
    })
}

pub(super) fn describe(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, resource) = find(emulator, request)?;
    let mut answer = resource.request;
    answer.remove("Tags");
    answer.insert("EndpointConfigArn".to_owned(), arn.into());
    answer.insert("CreationTime".to_owned(), epoch(resource.created));
    Ok(Value::Object(answer))
}

pub(super) fn list(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let items = emulator.with_registry(|registry| {
        let item = |(name, config): (&String, &Resource)| Item {
            name: name.clone(),
            created: config.created,
            modified: config.created,
            status: "",
            summary: json!({
                "EndpointConfigName": name,
                "EndpointConfigArn": emulator.arn("endpoint-config", name),
                "CreationTime": epoch(config.created),
            }),
        };
        registry.configs.iter().map(item).collect()
    });
    let (configs, token) = listing::page(&Input::new(request), items)?;
    Ok(resolve::without_nulls(json!({"EndpointConfigs": configs, "NextToken": token})))
}

pub(super) fn delete(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    find(emulator, request)?;
    let name = Input::new(request).name("EndpointConfigName")?;
    emulator.with_registry(|registry| registry.configs.remove(&name));
    Ok(Value::Null)
}

fn find(emulator: &Emulator, request: &Map<String, Value>) -> Result<(String, Resource), ControlError> {
    let name = Input::new(request).name("EndpointConfigName")?;
    let arn = emulator.arn("endpoint-config", &name);
    let found = emulator.with_registry(|registry| registry.configs.get(&name).cloned());
    found.map(|config| (arn.clone(), config)).ok_or_else(|| ControlError::not_found(WHAT, &arn))
}
