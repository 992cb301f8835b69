//! Requests from SQS: the body is the payload, message attributes are the parameters, and the answer names the messages that
//! must come back.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::once::{Key, Once};
use super::{Origin, Submit, rejected};
use crate::batch::{self, CONTENT_ENCODING, SqsBatchResponse};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::invocation::{Input, Invocation, Parameter, ParameterSource, Parameters, allowed_input};
use crate::location::S3Uri;
use crate::pointer::{self, SIZE_ATTRIBUTES};
use crate::results::ResultMessage;

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
struct Message<'a> {
    id: String,
    body: Option<&'a RawValue>,
    /// `None` when they are no JSON object.
    attributes: Option<Fields<'a>>,
    is_first_receipt: bool,
}

type Fields<'a> = HashMap<String, &'a RawValue>;

/// A message attribute, of which only a text is of use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    #[serde(borrow)]
    string_value: Cow<'a, str>,
}

/// A message that must come back, and what its sender is told.
struct Returned {
    id: String,
    rejected: Option<ResultMessage>,
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
        let returned: Vec<Vec<Returned>> = stream::iter(groups)
            .map(|group| self.invoke_group(group, deadline))
            .buffer_unordered(self.config.max_concurrency.get())
            .collect()
            .await;
        let (ids, rejected): (Vec<_>, Vec<_>) =
            returned.into_iter().flatten().map(|message| (message.id, message.rejected)).unzip();
        self.send_rejected(rejected.into_iter().flatten().collect(), deadline).await;
        Ok(ids.into_iter().collect())
    }

    /// Invokes for one message after the other, and for none after one that failed: that keeps a FIFO group's order.
    async fn invoke_group(&self, group: Vec<Message<'_>>, deadline: Deadline) -> Vec<Returned> {
        let mut returned = Vec::new();
        for message in group {
            if returned.is_empty() {
                returned.extend(self.invoke_message(message, deadline).await);
            } else {
                tracing::warn!(sqs.message_id = message.id, "returned: a message before it in its group failed");
                returned.push(self.return_unsent(message));
            }
        }
        returned
    }

    async fn invoke_message(&self, message: Message<'_>, deadline: Deadline) -> Option<Returned> {
        let invocation = self.invocation(&message);
        let once = self
            .config
            .deduplicate
            .then(|| Once::Message { key: Key::of_message(&message.id), is_redelivered: !message.is_first_receipt });
        let origin = Origin::SqsMessage(&message.id);
        let fault = self.accept(invocation, origin, once.as_ref(), deadline).await.err()?;
        let rejected = self.rejected(&message, &fault);
        Some(Returned { id: message.id, rejected })
    }

    /// Returns a message that was not sent, and tells its sender already now if it never can be: this receipt is its first one,
    /// the next will not be.
    fn return_unsent(&self, message: Message<'_>) -> Returned {
        let rejected = self.invocation(&message).err().and_then(|fault| self.rejected(&message, &fault));
        Returned { id: message.id, rejected }
    }

    /// The result for a sender whose request can never succeed, on the message's first receipt.
    fn rejected(&self, message: &Message<'_>, fault: &Fault) -> Option<ResultMessage> {
        let tell = self.results.is_some() && !fault.kind().is_retryable() && message.is_first_receipt;
        tell.then(|| rejected::result(message, &message.id, &self.config, fault)).flatten()
    }

    fn invocation(&self, message: &Message<'_>) -> Result<Invocation, Fault> {
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

    /// Tells senders that their requests can never succeed. The messages come back all the same, so that the dead-letter queue
    /// keeps them; a result that cannot be sent is logged and nothing more.
    async fn send_rejected(&self, rejected: Vec<ResultMessage>, deadline: Deadline) {
        let Some(results) = self.results.as_ref().filter(|_| !rejected.is_empty()) else { return };
        for fault in results.send(rejected, deadline).await.into_iter().filter_map(Result::err) {
            tracing::error!(error = fault.details(), "rejected result not sent");
        }
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
    fn attribute(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        let attributes = self.attributes.as_ref();
        let attributes =
            attributes.ok_or_else(|| Fault::validation("messageAttributes must be names with message attributes"))?;
        let Some(attribute) = attributes.get(name) else { return Ok(None) };
        match serde_json::from_str(attribute.get()) {
            Ok(Attribute { string_value }) => Ok(Some(string_value)),
            Err(_) => Err(Fault::validation(format!("{name} must be a message attribute of type String or Number"))),
        }
    }

    fn body(&self) -> Result<Cow<'a, str>, Fault> {
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
