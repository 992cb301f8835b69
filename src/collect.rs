//! `collect`: notifications in, results out.
//!
//! `sources` take notifications out of events, `output` gets what the model answered, `message` makes the result of the two, `flow`
//! does so for many at once and sends what is made to its destination. Whatever cannot be read, fetched or sent is an error, so that it
//! is delivered again and ends in the dead-letter queue.

mod calls;
mod delivery;
mod flow;
mod memory;
mod message;
mod outcome;
mod output;
mod sources;

use aws_config::SdkConfig;
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::aws::{self, Lazy};
use crate::batch::SqsBatchResponse;
use crate::config::CollectConfig;
use crate::deadline::Deadline;
use crate::destinations::{Destination, ResultMessage, ResultsQueue};
use crate::event::{self, Call, Handler};
use crate::fault::Fault;
use crate::notification::Notification;
use delivery::Delivery;
use flow::{Attempt, Flow};
use memory::{Memory, Room};

/// The handler of the function `collect`.
pub struct Collect {
    config: CollectConfig,
    s3: Lazy<aws_sdk_s3::Client>,
    results: ResultsQueue,
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
        let (s3, sqs) = (aws::s3(sdk), aws::sqs(sdk));
        // Each result needs SQS: at the start, where Lambda gives more of a processor and nobody waits yet.
        Lazy::force(&sqs);
        Self::with_clients(config, s3, sqs)
    }

    /// A handler with these clients.
    #[must_use]
    pub fn with_clients(config: CollectConfig, s3: Lazy<aws_sdk_s3::Client>, sqs: Lazy<aws_sdk_sqs::Client>) -> Self {
        let results = ResultsQueue::new(sqs, config.results_queue_url.clone());
        Self { config, s3, results }
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
        answering.await
    }

    /// Passes on notifications; gives back those that could not be, by their message ids.
    async fn pass_on(&self, deliveries: &[Delivery], deadline: Deadline) -> Vec<(String, Fault)> {
        Flow::new(self, &self.results, deadline).run(deliveries).await
    }

    /// Reads a notification, gets the response, and makes the result of the two for `destination`; `None` for a mere test, and for a
    /// notification of an endpoint that is not this bridge's.
    async fn result_of<'a>(
        &self,
        attempt: Attempt<'a>,
        destination: &dyn Destination,
        memory: &'a Memory,
    ) -> Result<Option<(ResultMessage, Room<'a>)>, Fault> {
        let message_id = attempt.delivery.id();
        let text = attempt.delivery.notification()?;
        let Some(notification) = Notification::parse(text)? else {
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
        self.message(&notification, text, attempt, destination, memory).await.map(Some)
    }

    /// Whether notifications of an endpoint are passed on. Its name may stand there in lower case, as in ARNs, and those who share a
    /// topic must not get each other's results; what names no endpoint may be anybody's.
    fn serves(&self, endpoint_name: Option<&str>) -> bool {
        let name = endpoint_name.filter(|name| !name.is_empty());
        let (Some(allowed), Some(name)) = (&self.config.allowed_endpoints, name) else { return true };
        allowed.iter().any(|allowed| allowed.as_str().eq_ignore_ascii_case(name))
    }
}
