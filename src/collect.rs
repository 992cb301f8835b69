//! `collect`: notifications in, results out.
//!
//! `sources` take notifications out of events, `routing` looks where their results go, `output` gets what the model answered, `message` makes the result of the two, `flow`
//! does so for many at once and sends what is made to its destination. Whatever cannot be read, fetched or sent is an error, so that it
//! is delivered again and ends in the dead-letter queue.

mod calls;
mod delivery;
mod flow;
mod forget;
mod memory;
mod message;
mod outcome;
mod output;
mod routing;
mod sources;
mod sweep;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::SqsBatchResponse;
use futures_util::{future, stream};
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::aws::{self, Clients, Lazy};
use crate::config::CollectConfig;
use crate::deadline::Deadline;
use crate::destinations::{Destination, Queue, ResultMessage, Routes};
use crate::event::{self, Call, Handler};
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::notification::Notification;
use delivery::Delivery;
use flow::{Attempt, Flow};
use memory::{Memory, MemoryReservation};

/// The handler of the function `collect`.
pub struct Collect {
    config: CollectConfig,
    s3: Lazy<aws_sdk_s3::Client>,
    results: Queue,
    routes: Routes,
    metrics: Metrics,
}

/// What `collect` answers, in the form that the event's source takes.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Answer(AnswerForm);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum AnswerForm {
    /// The messages of a batch that must come back.
    Sqs(SqsBatchResponse),
    /// For a source that only looks at whether the function failed.
    Nothing(()),
}

impl Handler for Collect {
    type Answer = Answer;
}

impl Collect {
    /// A handler whose clients come from `sdk`.
    #[must_use]
    pub fn new(config: CollectConfig, sdk: &SdkConfig) -> Self {
        let clients = Clients::new(sdk);
        // Most results need SQS: at the start, where Lambda gives more of a processor and nobody waits yet.
        Lazy::force(&clients.sqs);
        Self::with_clients(config, aws::s3(sdk), &clients)
    }

    /// A handler with these clients.
    #[must_use]
    pub fn with_clients(config: CollectConfig, s3: Lazy<aws_sdk_s3::Client>, clients: &Clients) -> Self {
        let results = Queue::results(aws::share_client(&clients.sqs), config.results_queue_url.clone());
        let routes = Routes::new(&config.reply_to, clients);
        let metrics = Metrics::new(config.metrics, config.allowed_endpoints.iter().flatten());
        Self { config, s3, results, routes, metrics }
    }

    /// Passes on the notifications of one event of any of the sources.
    ///
    /// # Errors
    /// A [`Fault`] when it is an event of none of them, or when a notification that SNS delivered could not be passed on; Lambda then
    /// delivers the event again.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Fault> {
        let (payload, context) = event.into_parts();
        let answering = event::read(sources::SOURCES, self, &payload, Call::from(context))
            .inspect_err(|fault| tracing::error!(error = %fault, "event refused"))?;
        drop(payload);
        let answer = answering.await;
        self.metrics.write();
        answer
    }

    /// Passes on notifications; gives back those that could not be, by their message ids.
    async fn pass_on(&self, deliveries: Vec<Delivery>, deadline: Deadline) -> Vec<(String, Fault)> {
        let (mut failed, mut answered) = (Vec::new(), Vec::new());
        let routed = self.route(deliveries, &mut failed, &mut answered);
        let flows = routed.len();
        let flow = |(destination, attempts)| async move {
            Flow::new(self, destination, flows, deadline).run::<Vec<_>>(stream::iter(attempts)).await
        };
        let flowing = future::join_all(routed.into_iter().map(flow));
        let (refused, ()) = future::join(flowing, self.forget_all(answered, deadline)).await;
        failed.extend(refused.into_iter().flatten());
        failed
    }

    /// Reads a notification, gets the response, and makes the result of the two for `destination`; `None` as for [`read`](Self::read).
    async fn result_of<'a>(
        &self,
        attempt: &Attempt,
        destination: &dyn Destination,
        memory: &'a Memory,
    ) -> Result<Option<(ResultMessage, MemoryReservation<'a>)>, Fault> {
        let Some(notification) = self.read(&attempt.delivery)? else { return Ok(None) };
        let text = attempt.delivery.notification()?;
        let (mut message, room) = self.message(&notification, text, attempt, destination, memory).await?;
        if self.metrics.are_wanted() {
            message.measures.requested_at = notification.requested_at();
        }
        Ok(Some((message, room)))
    }

    /// Reads a notification; `None` for a mere test, and for one of an endpoint that is not this bridge's.
    fn read(&self, delivery: &Delivery) -> Result<Option<Notification>, Fault> {
        let message_id = delivery.id();
        let Some(notification) = Notification::parse(delivery.notification()?)? else {
            tracing::info!(message_id, "test notification of an endpoint");
            return Ok(None);
        };
        if !self.serves(notification.endpoint_name.as_deref()) {
            tracing::info!(
                inference.id = notification.inference_id,
                endpoint.name = notification.endpoint_name,
                message_id,
                "notification of an endpoint that is not this bridge's: acknowledged without a result"
            );
            return Ok(None);
        }
        Ok(Some(notification))
    }

    /// Whether notifications of an endpoint are passed on. Its name may stand there in lower case, as in ARNs, and those who share a
    /// topic must not get each other's results; what names no endpoint may be anybody's.
    fn serves(&self, endpoint_name: Option<&str>) -> bool {
        let name = endpoint_name.filter(|name| !name.is_empty());
        let (Some(allowed), Some(name)) = (&self.config.allowed_endpoints, name) else { return true };
        allowed.iter().any(|allowed| allowed.as_str().eq_ignore_ascii_case(name))
    }
}
