//! The models, endpoint configurations and endpoints that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tags::Tags;
use crate::endpoint::Endpoint;

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
