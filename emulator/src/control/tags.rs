//! `ListTags`, `AddTags`, `DeleteTags`, and the `Tags` of what is created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::error::ControlError;
use super::registry::Registry;
use crate::input::Input;

/// Tags of one resource. <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Tag.html>
const MAX_TAGS: usize = 50;

/// Tags by resource, in the order of their keys: the resource is what an ARN names behind account and region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tags(BTreeMap<String, BTreeMap<String, String>>);

impl Tags {
    /// Puts tags on a resource, over those of the same keys.
    fn add(&mut self, resource: &str, tags: &[Value]) -> Result<(), ControlError> {
        let mut all = self.0.get(resource).cloned().unwrap_or_default();
        for tag in tags {
            let tag = Input::of(tag, "tags.")?;
            all.insert(tag.name("Key")?, tag.name("Value")?);
        }
        if all.len() > MAX_TAGS {
            return Err(ControlError::too_many_tags(MAX_TAGS));
        }
        self.0.insert(resource.to_owned(), all);
        Ok(())
    }

    fn of(&self, resource: &str) -> Vec<Value> {
        let tags = self.0.get(resource).into_iter().flatten();
        tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    }

    /// Those of a resource that is created.
    pub(super) fn create(&mut self, kind: &str, name: &str, request: &Map<String, Value>) -> Result<(), ControlError> {
        self.add(&resource(kind, name), Input::new(request).list("Tags")?)
    }

    /// Forgets those of a resource that is deleted.
    pub(super) fn delete(&mut self, kind: &str, name: &str) {
        self.0.remove(&resource(kind, name));
    }
}

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
        let tags = registry.tags.0.entry(resource).or_default();
        for key in Input::new(request).list("TagKeys")? {
            tags.remove(key.as_str().unwrap_or_default());
        }
        Ok(json!({}))
    })
}

/// As an ARN has it: names are in lower case there.
fn resource(kind: &str, name: &str) -> String {
    format!("{kind}/{}", name.to_ascii_lowercase())
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
