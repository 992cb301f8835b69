//! A local SageMaker async endpoint.
//!
//! ```text
//!             ┌▶ services.rs: other services, told that they are not here
//!             ├▶ control.rs: models, configurations, endpoints
//! HTTP ─▶ server.rs ─▶ wire.rs ─▶ Invocation ─▶ endpoint.rs: ledger.rs, a queue ─▶ endpoint/course.rs: model.rs,
//!             └▶ admin.rs: faults, state          lifecycle.rs, its instances      store.rs, notifier.rs
//! ```

pub mod account;
mod admin;
pub mod aws;
pub mod cli;
pub mod context;
mod control;
pub mod embedded;
pub mod endpoint;
pub mod faults;
pub mod images;
pub mod invocation;
pub mod model;
pub mod notification;
pub mod notifier;
pub mod server;
mod services;
pub mod settings;
pub mod start;
pub mod store;
pub mod telemetry;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};

use account::Account;
use context::Context;
use control::registry::{Registry, Resource};
use control::resolve;
use endpoint::Endpoint;
use endpoint::deployment::Scaling;
use endpoint::lifecycle::Origin;
use images::Images;
use settings::{ConfiguredEndpoint, Settings};

/// Everything that runs here.
#[derive(Debug)]
pub struct Emulator {
    context: Arc<Context>,
    scaling: Scaling,
    images: Images,
    instance_limit: u32,
    registry: Mutex<Registry>,
}

impl Emulator {
    /// Starts the endpoints that the settings name.
    #[must_use]
    pub fn start(settings: Settings, context: Context) -> Arc<Self> {
        let emulator = Self {
            context: Arc::new(context),
            scaling: settings.scaling,
            images: settings.images,
            instance_limit: settings.instance_limit,
            registry: Mutex::default(),
        };
        emulator.with_registry(|registry| {
            for endpoint in settings.endpoints {
                registry.host(endpoint, &emulator.context);
            }
        });
        Arc::new(emulator)
    }

    /// An endpoint by its name.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.with_registry(|registry| registry.endpoints.get(name).cloned())
    }

    /// The endpoints, in the order of their names.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.with_registry(|registry| registry.endpoints.values().cloned().collect())
    }

    /// Never called with an endpoint's state in hand: the registry comes first.
    fn with_registry<T>(&self, act: impl FnOnce(&mut Registry) -> T) -> T {
        act(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn account(&self) -> &Account {
        &self.context.account
    }

    const fn images(&self) -> &Images {
        &self.images
    }

    const fn scaling(&self) -> Scaling {
        self.scaling
    }

    const fn instance_limit(&self) -> u32 {
        self.instance_limit
    }
}

impl Registry {
    /// Starts an endpoint of the settings, with a model and a configuration of its name.
    fn host(&mut self, endpoint: ConfiguredEndpoint, context: &Arc<Context>) {
        let ConfiguredEndpoint { name, mut deployment, scaling, throttled } = endpoint;
        let [model, config] = resolve::requests(&name, &deployment);
        deployment.config.clone_from(&config);
        self.models.insert(name.clone(), Resource::new(model));
        self.configs.insert(name.clone(), Resource::new(config));
        let endpoint = Endpoint::launch(&name, deployment, scaling, Origin::Configured { throttled }, context);
        self.endpoints.insert(name, endpoint);
    }
}
