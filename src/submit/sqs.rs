//! Requests from SQS: the body is the payload, message attributes are the parameters, and the answer names the messages that
//! must come back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;
use std::task::Poll;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, future};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::once::{Key, Once};
use super::rejected::Rejection;
use super::{Accepted, Origin, Submit};
use crate::batch::{self, CONTENT_ENCODING, SqsBatchResponse};
use crate::config::QueueUrl;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::invocation::{Input, Invocation, Parameter, ParameterSource, Parameters, allowed_input};
use crate::location::S3Uri;
use crate::pointer::{self, SIZE_ATTRIBUTES};

/// The fields of a message that matter, none of them read yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    message_id: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    message_attributes: Option<&'a RawValue>,
    #[serde(borrow, rename = "eventSourceARN")]
    event_source_arn: Option<&'a RawValue>,
}

/// One message, and its id, without which it could not be given back.
pub(super) struct Message<'a> {
    pub(super) id: String,
    body: Option<&'a RawValue>,
    /// What SQS adds, and the queue's ARN; not read yet.
    system: Option<&'a RawValue>,
    source: Option<&'a RawValue>,
    /// `None` when they are no JSON object.
    attributes: Option<Fields<'a>>,
    pub(super) is_first_receipt: bool,
}

pub(super) type Fields<'a> = HashMap<String, &'a RawValue>;

/// A message attribute, of which only a text is of use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    #[serde(borrow)]
    string_value: Cow<'a, str>,
}

/// What the messages of a batch share.
pub(super) struct Batch {
    pub(super) deadline: Deadline,
    /// Takes what senders are to be told.
    pub(super) rejections: UnboundedSender<Rejection>,
    /// One for each message that may be in flight at once. A message that is being rejected has given its own back.
    flights: Semaphore,
}

impl Submit {
    /// Invokes the endpoint for every message of a batch and answers with those that must come back.
    ///
    /// # Errors
    /// A [`Fault`] when a message has no id, so that the whole batch has to come back.
    pub(super) async fn answer_batch(
        &self,
        records: Vec<Record<'_>>,
        deadline: Deadline,
    ) -> Result<SqsBatchResponse, Fault> {
        let groups = groups(records).inspect_err(|fault| tracing::error!(error = %fault, "event refused"))?;
        let (rejections, told) = mpsc::unbounded_channel();
        let batch = Batch { deadline, rejections, flights: Semaphore::new(self.config.max_concurrency.get()) };
        let (returned, ()) = future::join(self.invoke_groups(groups, batch), self.tell_senders(told, deadline)).await;
        Ok(returned.into_iter().collect())
    }

    /// Begins with a group whenever there is a flight for it, until all have ended. Not `buffer_unordered`: there a group that only
    /// waits for the dead-letter queue would hold the place of one that could be invoked.
    async fn invoke_groups(&self, groups: Vec<Vec<Message<'_>>>, batch: Batch) -> Vec<String> {
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
        group: Vec<Message<'_>>,
        batch: &'f Batch,
        flight: SemaphorePermit<'f>,
    ) -> Vec<String> {
        let (mut returned, mut flight) = (Vec::new(), Some(flight));
        for message in group {
            if !returned.is_empty() {
                tracing::warn!(sqs.message_id = message.id, "returned: a message before it in its group failed");
                self.return_unsent(&message, batch);
                returned.push(message.id);
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
                returned.push(message.id);
            }
        }
        returned
    }

    async fn accept_message(&self, message: &Message<'_>, deadline: Deadline) -> Result<Accepted, Fault> {
        let invocation = self.invocation(message);
        let once = self
            .config
            .deduplicate
            .then(|| Once::Message { key: Key::of_message(&message.id), is_redelivered: !message.is_first_receipt });
        self.accept(invocation, Origin::SqsMessage(&message.id), once.as_ref(), deadline).await
    }

    pub(super) fn invocation(&self, message: &Message<'_>) -> Result<Invocation, Fault> {
        let mut parameters = Parameters::read(message, &self.config)?;
        if parameters.inference_id.is_none() {
            // A redelivery keeps the id, so that a consumer of results can tell a repetition.
            parameters.inference_id = message.id.parse().ok();
        }
        let is_base64 = message.is_base64()?;
        let input = match parameters.input_location.take() {
            Some(location) => Input::Location(location),
            None if message.is_pointer() => {
                let location = message.pointed_to(is_base64)?;
                Input::Location(allowed_input(location, &self.config.allowed_input_locations)?)
            }
            None => Input::Payload(message.payload(is_base64)?),
        };
        Ok(Invocation { parameters, input })
    }
}

/// Messages that must be invoked one after the other: those of one group from a FIFO queue, each by itself from any other. A
/// group id alone says nothing: on a standard queue it only makes for fairness.
fn groups(records: Vec<Record<'_>>) -> Result<Vec<Vec<Message<'_>>>, Fault> {
    let mut groups: Vec<(Option<&str>, Vec<Message>)> = Vec::new();
    for record in records {
        let system = record.attributes.and_then(fields).unwrap_or_default();
        let is_fifo = record.event_source_arn.and_then(batch::text).is_some_and(|arn| arn.ends_with(".fifo"));
        let group_id = system.get("MessageGroupId").filter(|_| is_fifo).map(|id| id.get());
        let count = system.get("ApproximateReceiveCount");
        let message = Message {
            id: batch::message_id(record.message_id)?,
            body: record.body,
            system: record.attributes,
            source: record.event_source_arn,
            attributes: record.message_attributes.map_or_else(|| Some(Fields::new()), fields),
            is_first_receipt: count.is_none_or(|count| matches!(count.get(), r#""1""# | "1")),
        };
        let known = group_id.is_some().then(|| groups.iter_mut().find(|(other, _)| *other == group_id)).flatten();
        match known {
            Some((_, group)) => group.push(message),
            None => groups.push((group_id, vec![message])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

fn fields(json: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(json.get()).ok()
}

impl ParameterSource for Message<'_> {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        self.attribute(parameter.name)
    }
}

impl<'a> Message<'a> {
    /// Its message attributes by their names, none of them read yet.
    pub(super) fn attributes(&self) -> Result<&Fields<'a>, Fault> {
        let attributes = self.attributes.as_ref();
        attributes.ok_or_else(|| Fault::validation("messageAttributes must be names with message attributes"))
    }

    /// Its message group, on a queue of either kind.
    pub(super) fn group_id(&self) -> Option<String> {
        self.system.and_then(fields)?.get("MessageGroupId").and_then(|id| batch::text(id)).map(Cow::into_owned)
    }

    /// Whether it came from this queue.
    pub(super) fn is_from(&self, queue: &QueueUrl) -> bool {
        self.source.and_then(batch::text).is_some_and(|arn| queue.is_of_arn(&arn))
    }

    fn attribute(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(attribute) = self.attributes()?.get(name) else { return Ok(None) };
        match serde_json::from_str(attribute.get()) {
            Ok(Attribute { string_value }) => Ok(Some(string_value)),
            Err(_) => Err(Fault::validation(format!("{name} must be a message attribute of type String or Number"))),
        }
    }

    pub(super) fn body(&self) -> Result<Cow<'a, str>, Fault> {
        let Some(body) = self.body else { return Ok(Cow::Borrowed("")) };
        batch::text(body).ok_or_else(|| Fault::validation("the message's body must be a text"))
    }

    fn is_pointer(&self) -> bool {
        self.attributes.as_ref().is_some_and(|given| SIZE_ATTRIBUTES.iter().any(|name| given.contains_key(*name)))
    }

    /// The object that an extended client's body points to.
    fn pointed_to(&self, is_base64: bool) -> Result<S3Uri, Fault> {
        if is_base64 {
            return Err(Fault::validation(
                "ContentEncoding cannot be undone for a payload that lies in S3: put the payload there as it is",
            ));
        }
        pointer::read(&self.body()?)
    }

    fn payload(&self, is_base64: bool) -> Result<Vec<u8>, Fault> {
        let body = self.body()?;
        let payload = if is_base64 { decode(&body)? } else { body.into_owned().into_bytes() };
        if payload.is_empty() {
            return Err(Fault::validation("the payload is empty: give a body or an InputLocation"));
        }
        Ok(payload)
    }

    fn is_base64(&self) -> Result<bool, Fault> {
        match self.attribute(CONTENT_ENCODING)?.as_deref() {
            None => Ok(false),
            Some("base64") => Ok(true),
            Some(_) => Err(Fault::validation("ContentEncoding must be `base64`, or not be given")),
        }
    }
}

/// Decodes base64, in which tools like to break lines.
fn decode(body: &str) -> Result<Vec<u8>, Fault> {
    let is_broken = body.contains(|character: char| character.is_ascii_whitespace());
    let decoded = if is_broken {
        BASE64_STANDARD.decode(body.split_ascii_whitespace().collect::<String>())
    } else {
        BASE64_STANDARD.decode(body)
    };
    decoded.map_err(|error| {
        Fault::validation(format!(
            "the body must be base64 (standard alphabet, padded), as ContentEncoding says: {error}"
        ))
    })
}
