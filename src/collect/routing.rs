//! Where the results of notifications go: each destination gets a flow of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Collect;
use super::delivery::Delivery;
use super::flow::Attempt;
use super::outcome;
use crate::destinations::Destination;
use crate::fault::Fault;
use crate::pending::PendingKey;
use crate::return_address::{self, ReplyTo};

/// What goes to one destination.
type Routed<'a> = (&'a dyn Destination, VecDeque<Attempt>);

impl Collect {
    /// Notifications by the destinations of their results. What nobody wants the result of is put into `failed` if it cannot be read, and
    /// is done otherwise: its key is put into `answered`.
    pub(super) fn route(
        &self,
        deliveries: Vec<Delivery>,
        failed: &mut Vec<(String, Fault)>,
        answered: &mut Vec<PendingKey>,
    ) -> Vec<Routed<'_>> {
        let mut routed: Vec<Routed<'_>> = Vec::new();
        for delivery in deliveries {
            let Some(destination) = self.destination_of(&delivery) else {
                match self.skip(&delivery) {
                    Ok(key) => answered.extend(key),
                    Err(fault) => failed.push((delivery.id().to_owned(), fault)),
                }
                continue;
            };
            let delivery = Arc::new(delivery);
            let attempt = self.attempt(delivery);
            // Each destination is one object.
            match routed.iter_mut().find(|(other, _)| std::ptr::addr_eq(*other, destination)) {
                Some((_, attempts)) => attempts.push_back(attempt),
                None => routed.push((destination, VecDeque::from([attempt]))),
            }
        }
        routed
    }

    /// A first try to pass on a notification.
    pub(super) const fn attempt(&self, delivery: Arc<Delivery>) -> Attempt {
        Attempt { delivery, limit_bytes: self.config.result_body_limit_bytes }
    }

    /// `None` for a result that nobody wants. What cannot be read fails on its way to the results queue.
    pub(super) fn destination_of(&self, delivery: &Delivery) -> Option<&dyn Destination> {
        let to = delivery.notification().map(return_address::in_notification).unwrap_or_default().to;
        match to {
            ReplyTo::ResultsQueue => Some(&self.results),
            ReplyTo::Nobody => None,
            to => Some(self.routes.find(&to).unwrap_or_else(|| {
                let route = if let ReplyTo::Named(name) = &to { Some(name.as_str()) } else { None };
                tracing::warn!(
                    message_id = delivery.id(),
                    route,
                    "the return address is not configured here: the result goes to the results queue"
                );
                &self.results
            })),
        }
    }

    /// Makes no result of a notification, since its request wanted none; gives its key.
    pub(super) fn skip(&self, delivery: &Delivery) -> Result<Option<PendingKey>, Fault> {
        let message_id = delivery.id();
        let notification = self.read(delivery).inspect_err(|fault| {
            tracing::error!(message_id, error = fault.details(), "notification not passed on");
        })?;
        if let Some(notification) = &notification {
            outcome::count_unsent(notification, &self.metrics);
            tracing::info!(
                inference.id = notification.inference_id,
                endpoint.name = notification.endpoint_name,
                invocation.status = notification.status,
                message_id,
                "no result sent: the request has ReplyTo none"
            );
        }
        Ok(notification.and_then(|notification| notification.return_address.pending))
    }
}
