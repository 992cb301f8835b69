//! `CreateModel`, `DescribeModel`, `ListModels`, `DeleteModel`.

use serde_json::{Map, Value, json};

use super::epoch;
use super::error::ControlError;
use super::input::Input;
use super::listing::{self, Item};
use super::registry::Resource;
use crate::Emulator;

const WHAT: &str = "model";

pub(super) fn create(emulator: &Emulator, request: Map<String, Value>) -> Result<Value, ControlError> {
    let input = Input::new(&request);
    let name = input.name("ModelName")?;
    let containers = input.list("Containers")?;
    match (input.get("PrimaryContainer"), containers) {
        (None, []) => return Err(ControlError::validation("Either PrimaryContainer or Containers must be provided.")),
        (Some(container), _) => drop(Input::of(container, "primaryContainer.")?.text("Image")?),
        (None, containers) => {
            for container in containers {
                Input::of(container, "containers.1.member.")?.text("Image")?;
            }
        }
    }
    let arn = emulator.arn("model", &name);
    emulator.with_registry(|registry| {
        if registry.models.contains_key(&name) {
            return Err(ControlError::already_there(WHAT, &arn));
        }
        registry.models.insert(name, Resource::new(request));
        Ok(json!({"ModelArn": arn}))
    })
}

pub(super) fn describe(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, resource) = find(emulator, request)?;
    let mut answer = resource.request;
    answer.remove("Tags");
    answer.insert("ModelArn".to_owned(), arn.into());
    answer.insert("CreationTime".to_owned(), epoch(resource.created));
    answer.entry("EnableNetworkIsolation").or_insert(false.into());
    Ok(Value::Object(answer))
}

pub(super) fn list(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let items = emulator.with_registry(|registry| {
        let item = |(name, model): (&String, &Resource)| Item {
            name: name.clone(),
            created: model.created,
            modified: model.created,
            status: "",
            summary: json!({
                "ModelName": name,
                "ModelArn": emulator.arn("model", name),
                "CreationTime": epoch(model.created),
            }),
        };
        registry.models.iter().map(item).collect()
    });
    let (models, token) = listing::page(&Input::new(request), items)?;
    Ok(super::resolve::without_nulls(json!({"Models": models, "NextToken": token})))
}

pub(super) fn delete(emulator: &Emulator, request: &Map<String, Value>) -> Result<Value, ControlError> {
    find(emulator, request)?;
    let name = Input::new(request).name("ModelName")?;
    // As on SageMaker, an endpoint that runs it goes on running it.
    emulator.with_registry(|registry| registry.models.remove(&name));
    Ok(Value::Null)
}

fn find(emulator: &Emulator, request: &Map<String, Value>) -> Result<(String, Resource), ControlError> {
    let name = Input::new(request).name("ModelName")?;
    let arn = emulator.arn("model", &name);
    let found = emulator.with_registry(|registry| registry.models.get(&name).cloned());
    found.map(|model| (arn.clone(), model)).ok_or_else(|| ControlError::not_found(WHAT, &arn))
}
