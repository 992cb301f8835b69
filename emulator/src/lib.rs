//! A local SageMaker async endpoint.
//!
//! ```text
//! HTTP ─▶ wire.rs ─▶ Invocation ─▶ endpoint.rs, a queue ─▶ model.rs ─▶ aws.rs: output to S3, notification.rs to SNS
//! ```

pub mod aws;
pub mod cli;
pub mod endpoint;
pub mod model;
pub mod notification;
pub mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use aws::Services;
use cli::Options;
use endpoint::Endpoint;
pub use wire::router;

/// The endpoints that run here.
pub struct Emulator {
    endpoints: HashMap<String, Endpoint>,
    options: Arc<Options>,
}

impl Emulator {
    /// Starts the queues of the endpoints that `options` name.
    ///
    /// # Errors
    /// A [`cli::UnknownEndpoint`] when `--throttle` names an endpoint that is none.
    pub fn start(options: Options, services: Services) -> Result<Arc<Self>, cli::UnknownEndpoint> {
        options.check()?;
        let (options, services) = (Arc::new(options), Arc::new(services));
        let endpoints = options.endpoints.iter().map(|endpoint| {
            let throttled =
                options.throttle.iter().filter(|throttle| throttle.name == endpoint.name).map(|t| t.count).sum();
            (endpoint.name.clone(), Endpoint::start(endpoint.model.clone(), throttled, &options, &services))
        });
        Ok(Arc::new(Self { endpoints: endpoints.collect(), options: Arc::clone(&options) }))
    }
}
