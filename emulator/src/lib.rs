//! A local SageMaker async endpoint.
//!
//! ```text
//! HTTP ─▶ server.rs ─▶ wire.rs ─▶ Invocation ─▶ endpoint.rs: ledger.rs, a queue ─▶ endpoint/course.rs: model.rs,
//!                                               lifecycle.rs, its instances        store.rs, notifier.rs
//! ```

pub mod account;
pub mod aws;
pub mod cli;
pub mod context;
pub mod endpoint;
pub mod faults;
pub mod invocation;
pub mod model;
pub mod notification;
pub mod notifier;
pub mod server;
pub mod store;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cli::Options;
use context::Context;
use endpoint::Endpoint;
use endpoint::deployment::{AsyncConfig, Deployment, Scaling};
use endpoint::lifecycle::Origin;

/// The endpoints that run here.
#[derive(Debug)]
pub struct Emulator {
    context: Arc<Context>,
    endpoints: Mutex<BTreeMap<String, Arc<Endpoint>>>,
}

impl Emulator {
    /// Starts the endpoints that `options` name.
    ///
    /// # Errors
    /// A [`cli::UnknownEndpoint`] when `--throttle` names an endpoint that is none.
    pub fn start(options: &Options, context: Context) -> Result<Arc<Self>, cli::UnknownEndpoint> {
        options.check()?;
        let context = Arc::new(context);
        let launch = |endpoint: &cli::EndpointOption| {
            let throttles = options.throttle.iter().filter(|throttle| throttle.name == endpoint.name);
            let throttled = throttles.map(|throttle| throttle.count).sum();
            let deployment = Deployment {
                config_name: endpoint.name.clone(),
                variant: "AllTraffic".to_owned(),
                image: String::new(),
                model: endpoint.model.clone(),
                instances: 1,
                startup_timeout: std::time::Duration::from_secs(480),
                asynchronous: Some(AsyncConfig {
                    output: options.output_location.clone(),
                    failure: options.failure_location.clone(),
                    success_topic: options.success_topic_arn.clone(),
                    error_topic: options.error_topic_arn.clone(),
                    include: options.include_inference_response_in.clone(),
                    concurrency: options.max_concurrent_invocations_per_instance,
                }),
            };
            let origin = Origin::Configured { throttled };
            (endpoint.name.clone(), Endpoint::launch(&endpoint.name, deployment, Scaling::default(), origin, &context))
        };
        let endpoints = options.endpoints.iter().map(launch).collect();
        Ok(Arc::new(Self { context, endpoints: Mutex::new(endpoints) }))
    }

    /// An endpoint by its name.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
