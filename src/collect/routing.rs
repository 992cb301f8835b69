//! Where the results of notifications go: each destination gets a flow of its own.

use std::collections::VecDeque;

use super::Collect;
use super::delivery::Delivery;
use super::flow::Attempt;
use crate::destinations::Destination;
use crate::fault::Fault;
use crate::return_address::{self, ReplyTo};

/// What goes to one destination.
type Routed<'a> = (&'a dyn Destination, VecDeque<Attempt<'a>>);

impl Collect {
    /// Notifications by the destinations of their results. What nobody wants the result of is put into `failed` if it cannot be read, and
    /// is done otherwise.
    pub(super) fn route<'a>(
        &'a self,
        deliveries: &'a [Delivery],
        failed: &mut Vec<(String, Fault)>,
    ) -> Vec<Routed<'a>> {
        let mut routed: Vec<Routed<'a>> = Vec::new();
        for delivery in deliveries {
            let Some(destination) = self.destination_of(delivery) else {
                failed.extend(self.leave(delivery).err().map(|fault| (delivery.id().to_owned(), fault)));
                continue;
            };
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
    pub(super) const fn attempt<'a>(&self, delivery: &'a Delivery) -> Attempt<'a> {
        Attempt { delivery, limit_bytes: self.config.result_body_limit_bytes }
    }

    /// `None` for a result that nobody wants. What cannot be read fails on its way to the results queue.
    fn destination_of(&self, delivery: &Delivery) -> Option<&dyn Destination> {
        let to = delivery.notification().map(return_address::in_notification).unwrap_or_default().to;
        match to {
            ReplyTo::ResultsQueue => Some(&self.results),
            ReplyTo::Nobody => None,
            to => Some(self.routes.find(&to).unwrap_or_else(|| {
                let route = if let ReplyTo::Named(name) = &to { Some(name.as_str()) } else { None };
                tracing::warn!(
                    message_id = delivery.id(),
                    route,
                    "a return address that is not configured here: its result goes to the results queue"
                );
                &self.results
            })),
        }
    }

    /// Makes no result of a notification, since its request wanted none.
    fn leave(&self, delivery: &Delivery) -> Result<(), Fault> {
        let message_id = delivery.id();
        let notification = self.read(delivery).inspect_err(|fault| {
            tracing::error!(message_id, error = fault.details(), "notification not passed on");
        })?;
        if let Some(notification) = notification {
            tracing::info!(
                inference.id = notification.inference_id,
                endpoint.name = notification.endpoint_name,
                invocation.status = notification.status,
                message_id,
                "no result: its request has ReplyTo none"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock, Mutex};
    use std::time::Duration;

    use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
    use aws_sdk_sqs::types::SendMessageBatchResultEntry;
    use aws_smithy_mocks::{mock, mock_client};
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::config::CollectConfig;
    use crate::deadline::Deadline;
    use crate::destinations::{Limits, ResultMessage, Routes};

    /// Where nobody waits for a result of the model `gone`, and every other one is taken.
    struct Tasks(Arc<Mutex<usize>>);

    impl Destination for Tasks {
        fn name(&self) -> &'static str {
            "task"
        }

        fn limits(&self) -> Limits {
            Limits { message_bytes: 262_144, call_messages: 1, call_bytes: 262_144 }
        }

        fn bytes(&self, message: &ResultMessage) -> usize {
            message.attribute("InferenceId").map_or(0, str::len)
        }

        fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>> {
            *self.0.lock().unwrap() += 1;
            let answer = |message: ResultMessage| match message.attribute("InferenceId") {
                Some("gone") => Err(Fault::not_waiting("the task has timed out")),
                _ => Ok(()),
            };
            futures_util::future::ready(messages.into_iter().map(answer).collect()).boxed()
        }
    }

    #[tokio::test]
    async fn a_result_that_nobody_waits_for_any_more_goes_to_the_results_queue_once() {
        let (ids, calls) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let seen = Arc::clone(&ids);
        let taken = mock!(aws_sdk_sqs::Client::send_message_batch).then_compute_output(move |input| {
            let attributes = input.entries()[0].message_attributes().unwrap();
            seen.lock().unwrap().push(attributes["InferenceId"].string_value().unwrap().to_owned());
            let sent = SendMessageBatchResultEntry::builder().id("0").message_id("m").md5_of_message_body("d").build();
            SendMessageBatchOutput::builder().successful(sent.unwrap()).set_failed(Some(vec![])).build().unwrap()
        });
        let sqs = mock_client!(aws_sdk_sqs, [&taken]);
        let queue = "https://sqs.eu-west-1.amazonaws.com/1/results";
        let config = CollectConfig::from_lookup(|name| (name == "BRIDGE_RESULTS_QUEUE_URL").then(|| queue.to_owned()));
        let no_s3 =
            LazyLock::new(Box::new(|| -> aws_sdk_s3::Client { unreachable!("nothing is fetched") })
                as Box<dyn FnOnce() -> _ + Send>);
        let mut collect = Collect::with_clients(config.unwrap(), no_s3, LazyLock::new(Box::new(move || sqs)));
        collect.routes = Routes::of("tasks", Tasks(Arc::clone(&calls)));

        let deliveries = ["gone", "waits"].map(|id| {
            let notification = serde_json::json!({"invocationStatus": "Expired", "inferenceId": id,
                "requestParameters": {"customAttributes": "bridge=to:tasks"}});
            Delivery::new(id.to_owned(), notification.to_string())
        });
        let failed = collect.pass_on(&deliveries, Deadline::after(Duration::from_secs(60))).await;
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!((ids.lock().unwrap().clone(), *calls.lock().unwrap()), (vec!["gone".to_owned()], 2));
    }
}
