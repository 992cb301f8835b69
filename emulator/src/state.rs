//! What requests have created, as it is written down and taken up again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Emulator;
use crate::autoscaling::Targets;
use crate::cloudwatch::SavedAlarm;
use crate::control::call::Call;
use crate::control::error::ControlError;
use crate::control::registry::{Registry, Resource, Tags};
use crate::control::resolve;
use crate::endpoint::deployment::Deployment;
use crate::endpoint::origin::{FormerEndpoint, Origin};
use crate::endpoint::variants::Share;
use crate::endpoint::{Core, Endpoint};

/// Everything but the queues. Endpoints of the command line are not in it: the command line says what they are.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    models: BTreeMap<String, Resource>,
    configs: BTreeMap<String, Resource>,
    endpoints: BTreeMap<String, SavedEndpoint>,
    tags: Tags,
    targets: Targets,
    alarms: Vec<SavedAlarm>,
}

/// An endpoint.
#[derive(Debug, Serialize, Deserialize)]
struct SavedEndpoint {
    deployment: SavedDeployment,
    /// Of an update that is not ready yet.
    next: Option<SavedDeployment>,
    former: FormerEndpoint,
}

/// What it runs: the requests, which are resolved again, and what an update has retained.
#[derive(Debug, Serialize, Deserialize)]
struct SavedDeployment {
    config_name: String,
    config: Map<String, Value>,
    /// As they were when it was deployed.
    models: BTreeMap<String, Map<String, Value>>,
    policy: Option<Value>,
    shares: Vec<Share>,
}

impl SavedDeployment {
    fn of(deployment: &Deployment) -> Self {
        Self {
            config_name: deployment.config_name.clone(),
            config: deployment.config.clone(),
            models: deployment.models.clone(),
            policy: deployment.policy.clone(),
            shares: deployment.shares(),
        }
    }

    fn resolve(self, call: &Call<'_>) -> Result<Deployment, ControlError> {
        let models = self.models.into_iter().map(|(name, request)| (name, Resource::new(request))).collect();
        let registry = Registry { models, ..Registry::default() };
        let mut deployment = resolve::deployment(&self.config_name, &self.config, &registry, call)?;
        deployment.set_shares(&self.shares);
        deployment.policy = self.policy;
        Ok(deployment)
    }
}

impl SavedEndpoint {
    fn of(core: &Core) -> Self {
        Self {
            deployment: SavedDeployment::of(&core.deployment),
            next: core.next.as_deref().map(SavedDeployment::of),
            former: FormerEndpoint {
                status: core.status,
                failure_reason: core.failure_reason.clone(),
                created: core.created,
                modified: core.modified,
                shares: core.shares().into_iter().map(|(_, share)| share).collect(),
            },
        }
    }
}

impl Emulator {
    /// Writes down what there is, where it is to be kept.
    ///
    /// # Errors
    /// When it cannot be written, which is logged.
    pub(crate) fn save(&self) -> std::io::Result<()> {
        let Some(durable) = &self.context.durable else { return Ok(()) };
        durable.save(|| self.state()).inspect_err(|error| {
            tracing::error!(directory = %durable.root.display(), %error, "what was created is not written down");
        })
    }

    fn state(&self) -> State {
        let targets = self.autoscaling.saved();
        let alarms = self.cloudwatch.saved_alarms();
        self.with_registry(|registry| {
            let own = |resources: &BTreeMap<String, Resource>| {
                let own = resources.iter().filter(|(name, _)| !registry.hosted.contains(*name));
                own.map(|(name, resource)| (name.clone(), resource.clone())).collect()
            };
            let endpoints = registry.endpoints.iter().filter(|(name, _)| !registry.hosted.contains(*name));
            State {
                models: own(&registry.models),
                configs: own(&registry.configs),
                endpoints: endpoints
                    .map(|(name, endpoint)| (name.clone(), endpoint.with(|core| SavedEndpoint::of(core))))
                    .collect(),
                tags: registry.tags.clone(),
                targets,
                alarms,
            }
        })
    }

    /// Takes up what an earlier run has left; what the command line names is as that has it.
    pub(crate) fn restore(self: &Arc<Self>, state: State) {
        let Some(durable) = &self.context.durable else { return };
        let call = Call::new(self, &HeaderMap::new());
        self.with_registry(|registry| {
            for (name, model) in state.models {
                registry.models.entry(name).or_insert(model);
            }
            for (name, config) in state.configs {
                registry.configs.entry(name).or_insert(config);
            }
            registry.tags = state.tags;
            for (name, saved) in state.endpoints {
                if registry.endpoints.contains_key(&name) {
                    continue;
                }
                match self.restored(&name, saved, &call) {
                    Ok(endpoint) => drop(registry.endpoints.insert(name, endpoint)),
                    Err(error) => {
                        let error = error.into_message();
                        tracing::error!(endpoint.name = name, error, "not there any more");
                    }
                }
            }
        });
        self.cloudwatch.restore_alarms(state.alarms);
        self.autoscaling.restore(state.targets);
        self.autoscaling.scale(self, &[]);
        for (name, invocations) in durable.queue.endpoints() {
            if self.endpoint(&name).is_none() {
                tracing::warn!(endpoint.name = name, invocations, "they wait for an endpoint that is not there");
            }
        }
    }

    fn restored(&self, name: &str, saved: SavedEndpoint, call: &Call<'_>) -> Result<Arc<Endpoint>, ControlError> {
        let deployment = saved.deployment.resolve(call)?;
        let next = saved.next.map(|next| next.resolve(call)).transpose()?;
        let origin = Origin::Restored(saved.former);
        let endpoint = Endpoint::launch(name, deployment, self.scaling, origin, &self.context);
        if let Some(next) = next {
            endpoint.update(next);
        }
        Ok(endpoint)
    }
}
