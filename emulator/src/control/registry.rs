//! The models, endpoint configurations and endpoints that there are, with their tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ControlError;
use crate::endpoint::Endpoint;
use crate::input::Input;

/// A model or an endpoint configuration: what it was created with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub(crate) created: SystemTime,
    pub(crate) request: Map<String, Value>,
}

impl Resource {
    pub(crate) fn new(request: Map<String, Value>) -> Self {
        Self { created: SystemTime::now(), request }
    }
}

/// All resources by their names.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) models: BTreeMap<String, Resource>,
    pub(crate) configs: BTreeMap<String, Resource>,
    pub(crate) endpoints: BTreeMap<String, Arc<Endpoint>>,
    pub(crate) tags: Tags,
    /// The endpoints that the command line or a file names.
    pub(crate) hosted: BTreeSet<String>,
}

/// Tags of one resource. <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Tag.html>
const MAX_TAGS: usize = 50;

/// Tags by resource, in the order of their keys: the resource is what an ARN names behind account and region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tags(BTreeMap<String, BTreeMap<String, String>>);

impl Tags {
    /// Puts tags on a resource, over those of the same keys.
    pub(super) fn add(&mut self, resource: &str, tags: &[Value]) -> Result<(), ControlError> {
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

    pub(super) fn of(&self, resource: &str) -> Vec<Value> {
        let tags = self.0.get(resource).into_iter().flatten();
        tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    }

    /// Takes tags off a resource, by their keys.
    pub(super) fn remove(&mut self, resource: String, keys: &[Value]) {
        let tags = self.0.entry(resource).or_default();
        for key in keys {
            tags.remove(key.as_str().unwrap_or_default());
        }
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

/// As an ARN has it: names are in lower case there.
fn resource(kind: &str, name: &str) -> String {
    format!("{kind}/{}", name.to_ascii_lowercase())
}
