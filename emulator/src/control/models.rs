//! `CreateModel`, `DescribeModel`, `ListModels`, `DeleteModel`.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::epoch;
use super::error::ControlError;
use super::listing::{self, Item};
use super::registry::Resource;
use crate::input::Input;

const WHAT: &str = "model";

pub(super) fn create(call: &Call<'_>, request: Map<String, Value>) -> Result<Value, ControlError> {
    let input = Input::new(&request);
    let name = input.name("ModelName")?;
    match (input.get("PrimaryContainer"), input.list("Containers")?) {
        (None, []) => return Err(ControlError::validation("Either PrimaryContainer or Containers must be provided.")),
        (Some(_), [_, ..]) => {
            return Err(ControlError::validation("Only one of PrimaryContainer and Containers can be provided."));
        }
        _ => {}
    }
    let arn = call.arn("model", &name);
    call.with_registry(|registry| {
        if registry.models.contains_key(&name) {
            return Err(ControlError::already_there(WHAT, &arn));
        }
        registry.tags.create(WHAT, &name, &request)?;
        registry.models.insert(name, Resource::new(request));
        Ok(json!({"ModelArn": arn}))
    })
}

pub(super) fn describe(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let (arn, resource) = find(call, request)?;
    let mut answer = resource.request;
    answer.remove("Tags");
    answer.insert("ModelArn".to_owned(), arn.into());
    answer.insert("CreationTime".to_owned(), epoch(resource.created));
    answer.entry("EnableNetworkIsolation").or_insert(false.into());
    for member in ["PrimaryContainer", "Containers"] {
        let containers = match answer.get_mut(member) {
            Some(Value::Array(several)) => several.as_mut_slice(),
            Some(one) => std::slice::from_mut(one),
            None => continue,
        };
        for container in containers.iter_mut().filter_map(Value::as_object_mut) {
            container.entry("Mode").or_insert("SingleModel".into());
        }
    }
    Ok(Value::Object(answer))
}

pub(super) fn list(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    let items = call.with_registry(|registry| {
        let item = |(name, model): (&String, &Resource)| Item {
            name: name.clone(),
            created: model.created,
            modified: model.created,
            status: "",
            summary: json!({
                "ModelName": name,
                "ModelArn": call.arn("model", name),
                "CreationTime": epoch(model.created),
            }),
        };
        registry.models.iter().map(item).collect()
    });
    let (models, token) = listing::page(&Input::new(request), items)?;
    Ok(super::resolve::without_nulls(json!({"Models": models, "NextToken": token})))
}

pub(super) fn delete(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    find(call, request)?;
    let name = Input::new(request).name("ModelName")?;
    // As on SageMaker, an endpoint that runs it goes on running it.
    call.with_registry(|registry| {
        registry.models.remove(&name);
        registry.tags.delete(WHAT, &name);
    });
    Ok(Value::Null)
}

fn find(call: &Call<'_>, request: &Map<String, Value>) -> Result<(String, Resource), ControlError> {
    let name = Input::new(request).name("ModelName")?;
    let arn = call.arn("model", &name);
    let found = call.with_registry(|registry| registry.models.get(&name).cloned());
    found.map(|model| (arn.clone(), model)).ok_or_else(|| ControlError::not_found(WHAT, &arn))
}
