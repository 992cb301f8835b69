//! `ListTags`, `AddTags`, `DeleteTags`.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::error::ControlError;
use super::registry::Registry;
use crate::input::Input;

pub(super) fn list(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    call.with_registry(|registry| {
        let resource = find(registry, request)?;
        // At most 50: that is the smallest page there is.
        Ok(json!({"Tags": registry.tags.of(&resource)}))
    })
}

pub(super) fn add(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    call.with_registry(|registry| {
        let resource = find(registry, request)?;
        registry.tags.add(&resource, Input::new(request).list("Tags")?)?;
        Ok(json!({"Tags": registry.tags.of(&resource)}))
    })
}

pub(super) fn delete(call: &Call<'_>, request: &Map<String, Value>) -> Result<Value, ControlError> {
    call.with_registry(|registry| {
        let resource = find(registry, request)?;
        registry.tags.remove(resource, Input::new(request).list("TagKeys")?);
        Ok(json!({}))
    })
}

/// The resource that a request's ARN names, if it is there.
fn find(registry: &Registry, request: &Map<String, Value>) -> Result<String, ControlError> {
    let arn = Input::new(request).name("ResourceArn")?;
    let named = arn.splitn(6, ':').last().unwrap_or_default().to_ascii_lowercase();
    let (kind, name) = named.split_once('/').unwrap_or_default();
    let has = |mut names: Box<dyn Iterator<Item = &String> + '_>| names.any(|other| other.eq_ignore_ascii_case(name));
    let (what, is_there) = match kind {
        "model" => ("model", has(Box::new(registry.models.keys()))),
        "endpoint-config" => ("endpoint configuration", has(Box::new(registry.configs.keys()))),
        "endpoint" => ("endpoint", has(Box::new(registry.endpoints.keys()))),
        _ => ("resource", false),
    };
    if is_there { Ok(named) } else { Err(ControlError::not_found(what, &arn)) }
}
