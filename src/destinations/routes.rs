//! The destinations that return addresses lead to, besides the results queue.

use std::sync::Arc;

use super::{Destination, Queue};
use crate::aws::{self, Lazy};
use crate::config::{Route, Target};
use crate::return_address::{ReplyTo, RouteName};

/// All that is configured.
pub(crate) struct Routes(Vec<(RouteName, Box<dyn Destination>)>);

impl Routes {
    /// The destinations of these routes.
    #[must_use]
    pub(crate) fn new(routes: &[Route], sqs: &Arc<Lazy<aws_sdk_sqs::Client>>) -> Self {
        let destination = |route: &Route| -> Option<(RouteName, Box<dyn Destination>)> {
            match &route.target {
                Target::Queue(url) => {
                    let queue = Queue::new(route.name.as_str(), aws::another(sqs), url.clone());
                    Some((route.name.clone(), Box::new(queue)))
                }
                // Refused at the start.
                Target::Topic(_) | Target::EventBus(_) => None,
            }
        };
        Self(routes.iter().filter_map(destination).collect())
    }

    /// One destination under this name.
    #[cfg(test)]
    pub(crate) fn of(name: &str, destination: impl Destination + 'static) -> Self {
        Self(vec![(name.parse().unwrap(), Box::new(destination))])
    }

    /// Where a return address leads; `None` where that is nowhere that is configured: the results queue's.
    #[must_use]
    pub(crate) fn find(&self, to: &ReplyTo) -> Option<&dyn Destination> {
        let ReplyTo::Named(name) = to else { return None };
        self.0.iter().find(|(route, _)| route == name).map(|(_, destination)| &**destination)
    }
}
