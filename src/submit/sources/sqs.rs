//! Requests from SQS: the body is the payload, message attributes are the parameters, and the answer names the messages that
//! must come back. `message` reads one of them, `rejection` is for those that can never succeed.

mod dead_letter;
mod message;
mod rejection;

use std::mem;
use std::task::Poll;

use aws_lambda_events::sqs::SqsBatchResponse;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, future};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(in crate::submit) use self::dead_letter::DeadLetterQueue;
pub(in crate::submit) use self::message::{Attributes, Message, string_attribute};
use self::rejection::Rejection;
use crate::batch;
use crate::deadline::Deadline;
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::Fault;
use crate::parameter::ParameterSource;
use crate::submit::idempotency::{Idempotency, Key};
use crate::submit::outcome::Origin;
use crate::submit::sources::s3;
use crate::submit::{Answer, AnswerForm, Submit};

/// SQS, and EventBridge Pipes, which gives the records alone and takes the same answer.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html>
pub(in crate::submit) struct Sqs;

impl Source<Submit> for Sqs {
    fn shape(&self) -> &'static str {
        "a batch of SQS (`Records` with `messageId`, or from EventBridge Pipes a list of them)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.has_records_with("messageId")
    }

    fn read<'f>(&self, submit: &'f Submit, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Submit>, Fault> {
        let groups = groups(shape.into_records(), call.trace_header.as_deref())?;
        let answer = async move { Ok(Answer(AnswerForm::Sqs(submit.answer_batch(groups, call.deadline).await))) };
        Ok(answer.boxed())
    }
}

/// What the messages of a batch share.
struct Batch {
    deadline: Deadline,
    /// Takes what senders are to be told.
    rejections: UnboundedSender<Rejection>,
    /// One for each message that may be in flight at once. A message that is being rejected has given its own back.
    flights: Semaphore,
}

impl Submit {
    /// Invokes the endpoint for every message of a batch and answers with those that must come back.
    async fn answer_batch(&self, groups: Vec<Vec<Message>>, deadline: Deadline) -> SqsBatchResponse {
        let (rejections, told) = mpsc::unbounded_channel();
        let batch = Batch { deadline, rejections, flights: Semaphore::new(self.config.max_concurrency.get()) };
        let (returned, ()) = future::join(self.invoke_groups(groups, batch), self.tell_senders(told, deadline)).await;
        batch::response(returned)
    }

    /// Begins with a group whenever there is a flight for it, until all have ended. Not `buffer_unordered`: there a group that only
    /// waits for the dead-letter queue would hold the place of one that could be invoked.
    async fn invoke_groups(&self, groups: Vec<Vec<Message>>, batch: Batch) -> Vec<String> {
        let mut groups = groups.into_iter();
        let (mut begun, mut returned) = (FuturesUnordered::new(), Vec::new());
        future::poll_fn(|context| {
            loop {
                while groups.len() > 0
                    && let Ok(flight) = batch.flights.try_acquire()
                {
                    begun.extend(groups.next().map(|group| self.invoke_group(group, &batch, flight)));
                }
                match begun.poll_next_unpin(context) {
                    Poll::Ready(Some(ids)) => returned.extend::<Vec<String>>(ids),
                    Poll::Ready(None) => return Poll::Ready(mem::take(&mut returned)),
                    // A message that is being rejected has given back its flight.
                    Poll::Pending if groups.len() > 0 && batch.flights.available_permits() > 0 => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Invokes for one message after the other, and for none after one that comes back: that keeps a FIFO group's order. Gives back
    /// the ids of those that do.
    async fn invoke_group<'f>(
        &self,
        group: Vec<Message>,
        batch: &'f Batch,
        flight: SemaphorePermit<'f>,
    ) -> Vec<String> {
        let (mut returned, mut flight) = (Vec::new(), Some(flight));
        for message in group {
            if !returned.is_empty() {
                tracing::warn!(
                    sqs.message_id = message.id(),
                    "message returned: an earlier message of its group failed"
                );
                self.return_unsent(&message, batch);
                returned.push(message.id().to_owned());
                continue;
            }
            if flight.is_none() {
                flight = batch.flights.acquire().await.ok();
            }
            let Err(fault) = self.accept_message(&message, batch.deadline).await else { continue };
            let comes_back = fault.kind().is_retryable() || {
                flight = None;
                Box::pin(self.reject(&message, &fault, batch)).await
            };
            if comes_back {
                returned.push(message.id().to_owned());
            }
        }
        returned
    }

    async fn accept_message(&self, message: &Message, deadline: Deadline) -> Result<(), Fault> {
        if self.config.s3_event_queue_arn.as_ref().is_some_and(|arn| message.is_from_arn(arn.as_str())) {
            // Boxed: every other message's future would be as large.
            return Box::pin(self.accept_notification(message, deadline)).await;
        }
        let invocation = self.invocation(message);
        let idempotency = self.config.deduplicate.then(|| {
            let is_redelivered = !message.is_first_receipt();
            Idempotency::Remember { key: Key::of_message(message.id()), is_redelivered }
        });
        let origin = Origin::sqs_message(message.id());
        self.accept(invocation, origin, idempotency.as_ref(), deadline).await.map(drop)
    }

    /// A message that S3 sent. What of it is rejected has its own dead letter; it comes back for anything else.
    async fn accept_notification(&self, message: &Message, deadline: Deadline) -> Result<(), Fault> {
        let requests = s3::read(message.body()?, self, message.trace_header())?;
        self.accept_events(requests, message.is_first_receipt(), deadline).await.map_err(Fault::retryable)
    }
}

/// Messages that must be invoked one after the other: those of one group from a FIFO queue, each by itself from any other. A
/// group id alone says nothing: on a standard queue it only makes for fairness. `trace_header` is Lambda's.
///
/// # Errors
/// A [`Fault`] when a message has no id, so that the whole batch has to come back.
fn groups(records: Vec<&RawValue>, trace_header: Option<&str>) -> Result<Vec<Vec<Message>>, Fault> {
    let mut groups: Vec<Vec<Message>> = Vec::new();
    for record in records {
        let message = Message::read(record, trace_header)?;
        let group_id = message.group_id().filter(|_| message.is_from_fifo_queue());
        let is_of_group = |group: &&mut Vec<Message>| group.first().is_some_and(|first| first.group_id() == group_id);
        match group_id.and_then(|_| groups.iter_mut().find(is_of_group)) {
            Some(group) => group.push(message),
            None => groups.push(vec![message]),
        }
    }
    Ok(groups)
}
