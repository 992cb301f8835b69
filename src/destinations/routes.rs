//! The destinations that return addresses lead to, besides the results queue.

use super::callback::Callbacks;
use super::event_bus::EventBus;
use super::task::Tasks;
use super::topic::Topic;
use super::{Destination, Queue};
use crate::aws::{self, Clients};
use crate::config::{Route, Target};
use crate::return_address::{ReplyTo, RouteName};

/// All of them. Queues, topics and event buses are configured; tasks and callbacks are known by their tokens alone.
pub(crate) struct Routes {
    named: Vec<(RouteName, Box<dyn Destination>)>,
    tasks: Tasks,
    callbacks: Callbacks,
}

impl Routes {
    /// The destinations of these routes, and tasks and callbacks.
    #[must_use]
    pub(crate) fn new(routes: &[Route], clients: &Clients) -> Self {
        let destination = |route: &Route| -> (RouteName, Box<dyn Destination>) {
            let name = route.name.as_str();
            let destination: Box<dyn Destination> = match &route.target {
                Target::Queue(url) => Box::new(Queue::new(name, aws::share_client(&clients.sqs), url.clone())),
                Target::Topic(arn) => Box::new(Topic::new(name, aws::share_client(&clients.sns), arn)),
                Target::EventBus(arn) => Box::new(EventBus::new(name, aws::share_client(&clients.events), arn)),
            };
            (route.name.clone(), destination)
        };
        Self {
            named: routes.iter().map(destination).collect(),
            tasks: Tasks::new(aws::share_client(&clients.sfn)),
            callbacks: Callbacks::new(aws::share_client(&clients.lambda)),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &dyn Destination> {
        let ends: [&dyn Destination; 2] = [&self.tasks, &self.callbacks];
        self.named.iter().map(|(_, destination)| &**destination).chain(ends)
    }

    /// Where a return address leads; `None` where that is nowhere that is configured: the results queue's.
    #[must_use]
    pub(crate) fn find(&self, to: &ReplyTo) -> Option<&dyn Destination> {
        match to {
            ReplyTo::Named(name) => {
                self.named.iter().find(|(route, _)| route == name).map(|(_, destination)| &**destination)
            }
            ReplyTo::Task(_) => Some(&self.tasks),
            ReplyTo::Callback(_) => Some(&self.callbacks),
            ReplyTo::ResultsQueue | ReplyTo::Nobody => None,
        }
    }
}
