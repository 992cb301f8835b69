//! A local SageMaker async endpoint.
//!
//! ```text
//!             ┌▶ other_services.rs: other services, told that they are not here
//!             ├▶ control.rs: models, configurations, endpoints
//! HTTP ─▶ server.rs ─▶ wire.rs ─▶ Invocation ─▶ endpoint.rs: ledger.rs, a queue ─▶ endpoint/processing.rs: model.rs,
//!             ├▶ admin.rs: faults, state          lifecycle.rs, its instances      instances.rs, store.rs, notifier.rs
//!             │                                   durable.rs, state.rs, their files
//!             └▶ services.rs ─▶ cloudwatch.rs: metrics and alarms of each minute ─▶ autoscaling.rs: instances
//! ```

pub mod account;
mod admin;
mod autoscaling;
pub mod aws;
pub mod body;
pub mod cli;
pub mod clock;
mod cloudwatch;
pub mod context;
mod control;
pub mod durable;
pub mod embedded;
pub mod endpoint;
pub mod faults;
pub mod images;
mod input;
pub mod instances;
pub mod invocation;
pub mod model;
pub mod notification;
pub mod notifier;
mod other_services;
pub mod scratch;
pub mod server;
mod services;
pub mod settings;
pub mod start;
mod state;
pub mod store;
pub mod telemetry;
mod wire;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use account::Account;
use autoscaling::AutoScaling;
use cloudwatch::CloudWatch;
use context::Context;
use control::endpoints::check_limit;
use control::error::ControlError;
use control::registry::{Registry, Resource};
use control::resolve;
use endpoint::Endpoint;
use endpoint::deployment::Scaling;
use endpoint::origin::Origin;
use images::Images;
use settings::{ConfiguredEndpoint, Settings};
use state::State;

/// Everything that runs here.
#[derive(Debug)]
pub struct Emulator {
    context: Arc<Context>,
    scaling: Scaling,
    images: Images,
    instance_limit: u32,
    registry: Mutex<Registry>,
    cloudwatch: CloudWatch,
    autoscaling: AutoScaling,
}

impl Emulator {
    /// Starts the endpoints that the settings name.
    #[must_use]
    pub fn start(settings: Settings, context: Context) -> Arc<Self> {
        Self::resume(State::default(), settings, context)
    }

    /// The same, with what an earlier run has left.
    fn resume(state: State, settings: Settings, context: Context) -> Arc<Self> {
        let emulator = Self {
            context: Arc::new(context),
            scaling: settings.scaling,
            images: settings.images,
            instance_limit: settings.instance_limit,
            registry: Mutex::default(),
            cloudwatch: CloudWatch::new(settings.time_scale, settings.account),
            autoscaling: AutoScaling::default(),
        };
        emulator.with_registry(|registry| {
            for endpoint in settings.endpoints {
                registry.host(endpoint, &emulator.context);
            }
        });
        let emulator = Arc::new(emulator);
        emulator.restore(state);
        tokio::spawn(Self::pass_minutes(Arc::downgrade(&emulator)));
        tokio::spawn(Self::note_history(Arc::downgrade(&emulator)));
        emulator
    }

    /// What happens every minute, as long as there is an emulator.
    async fn pass_minutes(emulator: Weak<Self>) {
        let mut next = emulator.upgrade().map_or(0, |emulator| emulator.cloudwatch.clock.minute() + 1);
        while let Some(wait) = emulator.upgrade().map(|emulator| emulator.cloudwatch.clock.until(next)) {
            tokio::time::sleep(wait).await;
            let Some(emulator) = emulator.upgrade() else { return };
            // After a machine's sleep the minutes that it missed stay without datapoints.
            let minute = emulator.cloudwatch.clock.minute().max(next);
            emulator.cloudwatch.publish(&emulator.endpoints(), minute - 1);
            let fired = emulator.cloudwatch.evaluate(minute);
            emulator.autoscaling.scale(&emulator, &fired);
            // What it cannot write is logged, and tried again in a minute.
            let _ = emulator.save();
            next = minute + 1;
        }
    }

    /// Every second, for the page.
    async fn note_history(emulator: Weak<Self>) {
        while let Some(emulator) = emulator.upgrade() {
            for endpoint in emulator.endpoints() {
                endpoint.with(|core| core.note_history(SystemTime::now()));
            }
            drop(emulator);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
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

    /// Writes down what is not written yet, and logs what is lost when the process ends now.
    pub fn end(&self) {
        let _ = self.save();
        let is_durable = self.context.durable.is_some();
        let mut nothing = true;
        for endpoint in self.endpoints() {
            let (queued, in_progress, not_notified) =
                endpoint.with(|core| (core.ledger.waiting(), core.ledger.running(), core.ledger.not_notified()));
            if queued + in_progress + not_notified == 0 {
                continue;
            }
            nothing = false;
            let name = &endpoint.name;
            if is_durable {
                let what =
                    "nothing is lost: these invocations are in the queue again at the next start with this directory";
                tracing::info!(endpoint.name = name, queued, in_progress, not_notified, "{what}");
            } else {
                let what = "lost: these invocations get no answer, because only --embedded DIR keeps queues";
                tracing::warn!(endpoint.name = name, queued, in_progress, not_notified, "{what}");
            }
        }
        if nothing {
            tracing::info!("nothing is lost: no invocation was queued or in progress");
        }
    }

    /// Never called with an endpoint's state in hand: the registry comes first.
    fn with_registry<T>(&self, act: impl FnOnce(&mut Registry) -> T) -> T {
        act(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn account(&self) -> &Account {
        &self.context.account
    }

    const fn cloudwatch(&self) -> &CloudWatch {
        &self.cloudwatch
    }

    const fn autoscaling(&self) -> &AutoScaling {
        &self.autoscaling
    }

    /// Whether the account's instances suffice for an endpoint with so many.
    fn may_resize(&self, endpoint: &Endpoint, instances: u32) -> Result<(), String> {
        let config_name = endpoint.with(|core| core.deployment.config_name.clone());
        let checked =
            self.with_registry(|registry| check_limit(self, registry, &endpoint.name, &config_name, instances));
        checked.map_err(ControlError::into_message)
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
        self.hosted.insert(name.clone());
        self.models.insert(name.clone(), Resource::new(model));
        self.configs.insert(name.clone(), Resource::new(config));
        let endpoint = Endpoint::launch(&name, deployment, scaling, Origin::Configured { throttled }, context);
        self.endpoints.insert(name, endpoint);
    }
}
