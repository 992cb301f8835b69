//! `collect`: notifications in, results out.
//!
//! `event` takes notifications out of SNS's and SQS's events, `output` gets what the model answered, `message` makes the
//! message for the results queue. Whatever cannot be read, fetched or sent is an error, so that it is delivered again and ends
//! in the dead-letter queue.

mod event;
mod message;
mod output;

use aws_config::SdkConfig;
use futures_util::{StreamExt, stream};
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::aws::{self, Lazy};
use crate::batch::SqsBatchResponse;
use crate::config::CollectConfig;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::notification::Notification;
use crate::results::{BATCH_LIMIT_MESSAGES, ResultMessage, ResultsQueue, attribute};
use crate::telemetry;
use event::{Delivery, Event};

/// The responses that may be in memory at once while they are fetched, in bytes.
const RESPONSES_LIMIT_BYTES: usize = 8 * 1_048_576;
/// Groups of results on their way to the results queue at once, each of as many as one call may take.
const SENDS_AT_ONCE: usize = 2;

/// A result, or why there is none, and the message id of its notification. A mere test has none.
type Made = (String, Result<Option<ResultMessage>, Fault>);

/// The handler of the function `collect`.
pub struct Collect {
    config: CollectConfig,
    s3: Lazy<aws_sdk_s3::Client>,
    results: ResultsQueue,
}

/// What `collect` answers, in the form that the event's source takes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The messages of a batch that must come back.
    Sqs(SqsBatchResponse),
    /// Nothing: SNS only looks at whether the function failed.
    Sns(()),
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
        let results = ResultsQueue::new(sqs, config.results_queue_url.clone(), config.max_concurrency);
        Self { config, s3, results }
    }

    /// Passes on the notifications of one event, from SNS or from SQS.
    ///
    /// # Errors
    /// A [`Fault`] when the event is neither, or when a notification that SNS delivered could not be passed on; Lambda then
    /// delivers the event again.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Fault> {
        let deadline = Deadline::at(event.context.deadline());
        let parsed =
            Event::parse(&event.payload).inspect_err(|fault| tracing::error!(error = %fault, "event refused"))?;
        let failed = self.pass_on(parsed.deliveries, deadline).await;
        if parsed.from_sqs {
            return Ok(Answer::Sqs(failed.into_iter().map(|(id, _)| id).collect()));
        }
        match failed.into_iter().next() {
            Some((_, fault)) => Err(fault),
            None => Ok(Answer::Sns(())),
        }
    }

    /// Passes on notifications; gives back those that could not be, by their message ids. Results are sent while others are
    /// still fetched, so that a batch of large ones never lies in memory as a whole.
    async fn pass_on(&self, deliveries: Vec<Delivery<'_>>, deadline: Deadline) -> Vec<(String, Fault)> {
        let start = Instant::now();
        stream::iter(deliveries)
            .map(async |delivery| {
                let result = deadline.run(Box::pin(self.result_of(&delivery))).await;
                (delivery.id, result)
            })
            .buffer_unordered(self.fetches_at_once())
            .chunks(BATCH_LIMIT_MESSAGES)
            .map(|made| self.send(made, deadline, start))
            .buffer_unordered(SENDS_AT_ONCE)
            .concat()
            .await
    }

    fn fetches_at_once(&self) -> usize {
        let fit = RESPONSES_LIMIT_BYTES / self.config.result_body_limit_bytes.max(1);
        self.config.max_concurrency.get().min(fit).max(1)
    }

    /// Sends results; gives back what could not be made or sent.
    async fn send(&self, made: Vec<Made>, deadline: Deadline, start: Instant) -> Vec<(String, Fault)> {
        let mut failed = Vec::new();
        let (mut ids, mut messages) = (Vec::new(), Vec::new());
        for (id, result) in made {
            match result {
                Ok(None) => tracing::info!(message_id = id, "test notification of an endpoint"),
                Ok(Some(message)) => {
                    ids.push((id, Outcome::of(&message)));
                    messages.push(message);
                }
                Err(fault) => {
                    tracing::error!(message_id = id, error = fault.details(), "notification not passed on");
                    failed.push((id, fault));
                }
            }
        }
        for ((id, outcome), answer) in ids.into_iter().zip(self.results.send(messages, deadline).await) {
            outcome.log(&id, &answer, start);
            failed.extend(answer.err().map(|fault| (id, fault)));
        }
        failed
    }

    /// Reads a notification, gets the response, and makes the message for the results queue; `None` for a mere test.
    async fn result_of(&self, delivery: &Delivery<'_>) -> Result<Option<ResultMessage>, Fault> {
        let text = delivery.notification()?;
        let Some(notification) = Notification::parse(&text)? else { return Ok(None) };
        self.message(&notification, &text, &delivery.id).await.map(Some)
    }
}

/// What the log says of a result.
struct Outcome {
    inference_id: Option<String>,
    endpoint_name: Option<String>,
    status: Option<String>,
    bytes: usize,
}

impl Outcome {
    fn of(message: &ResultMessage) -> Self {
        let value = |name| message.attribute(name).map(str::to_owned);
        Self {
            inference_id: value(attribute::INFERENCE_ID),
            endpoint_name: value(attribute::ENDPOINT_NAME),
            status: value(attribute::INVOCATION_STATUS),
            bytes: message.bytes(),
        }
    }

    fn log(&self, message_id: &str, answer: &Result<(), Fault>, start: Instant) {
        let duration_ms = telemetry::milliseconds_since(start);
        match answer {
            Ok(()) => tracing::info!(
                inference.id = self.inference_id,
                endpoint.name = self.endpoint_name,
                invocation.status = self.status,
                message_id,
                result.bytes = self.bytes,
                duration_ms,
                "result sent"
            ),
            Err(fault) => tracing::error!(
                inference.id = self.inference_id,
                endpoint.name = self.endpoint_name,
                invocation.status = self.status,
                message_id,
                error = fault.details(),
                duration_ms,
                "result not sent"
            ),
        }
    }
}
