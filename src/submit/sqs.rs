//! Requests from SQS: the body is the payload, message attributes are the parameters, and the answer names the messages that
//! must come back.

use std::borrow::Cow;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{StreamExt, stream};
use serde::Deserialize;

use super::{Origin, Submit, rejected};
use crate::deadline::Deadline;
use crate::fault::{Fault, json_problem};
use crate::invocation::{Input, Invocation, Parameter, ParameterSource, Parameters, allowed_input};
use crate::location::S3Uri;
use crate::results::ResultMessage;

/// How the body is encoded: the bridge's one attribute of its own.
const CONTENT_ENCODING: &str = "ContentEncoding";
/// The attributes by which extended clients mark a body as a pointer to an object in S3, today's and the older one.
/// <https://github.com/awslabs/amazon-sqs-java-extended-client-lib>
const POINTER_ATTRIBUTES: [&str; 2] = ["ExtendedPayloadSize", "SQSLargePayloadSize"];
/// The classes that such a body names, today's and the older one.
const POINTER_CLASSES: [&str; 2] =
    ["software.amazon.payloadoffloading.PayloadS3Pointer", "com.amazon.sqs.javamessaging.MessageS3Pointer"];

/// One message and its id, without which it could not be given back.
struct Message {
    id: String,
    record: SqsMessage,
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
    pub(super) async fn answer_batch(&self, batch: SqsEvent, deadline: Deadline) -> Result<SqsBatchResponse, Fault> {
        let groups = groups(batch).inspect_err(|fault| tracing::error!(error = %fault, "event refused"))?;
        let returned: Vec<Vec<Returned>> = stream::iter(groups)
            .map(|group| self.invoke_group(group, deadline))
            .buffer_unordered(self.config.max_concurrency.get())
            .collect()
            .await;
        let mut response = SqsBatchResponse::default();
        let mut rejected = Vec::new();
        for message in returned.into_iter().flatten() {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.id;
            response.batch_item_failures.push(failure);
            rejected.extend(message.rejected);
        }
        self.send_rejected(rejected, deadline).await;
        Ok(response)
    }

    /// Invokes for one message after the other, and for none after one that failed: that keeps a FIFO group's order.
    async fn invoke_group(&self, group: Vec<Message>, deadline: Deadline) -> Vec<Returned> {
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

    async fn invoke_message(&self, mut message: Message, deadline: Deadline) -> Option<Returned> {
        let body = message.record.body.take().unwrap_or_default();
        let invocation = self.invocation(&message, body);
        let fault = self.accept(invocation, Origin::SqsMessage(&message.id), deadline).await.err()?;
        let rejected = self.rejected(&message, &fault);
        Some(Returned { id: message.id, rejected })
    }

    /// Returns a message that was not sent, and tells its sender already now if it never can be: this receipt is its first one,
    /// the next will not be.
    fn return_unsent(&self, mut message: Message) -> Returned {
        let body = message.record.body.take().unwrap_or_default();
        let rejected = self.invocation(&message, body).err().and_then(|fault| self.rejected(&message, &fault));
        Returned { id: message.id, rejected }
    }

    /// The result for a sender whose request can never succeed, on the message's first receipt.
    fn rejected(&self, message: &Message, fault: &Fault) -> Option<ResultMessage> {
        let tell = self.results.is_some() && !fault.kind().is_retryable() && message.is_first_receipt();
        tell.then(|| rejected::result(message, &message.id, &self.config, fault)).flatten()
    }

    fn invocation(&self, message: &Message, body: String) -> Result<Invocation, Fault> {
        let mut parameters = Parameters::read(message, &self.config)?;
        if parameters.inference_id.is_none() {
            // A redelivery keeps the id, so that a consumer of results can tell a repetition.
            parameters.inference_id = message.id.parse().ok();
        }
        let input = match parameters.input_location.take() {
            Some(location) => Input::Location(location),
            None if message.is_pointer() => {
                let location = message.pointed_to(&body)?;
                Input::Location(allowed_input(location, &self.config.allowed_input_locations)?)
            }
            None => Input::Payload(message.payload(body)?),
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
fn groups(batch: SqsEvent) -> Result<Vec<Vec<Message>>, Fault> {
    let mut groups: Vec<(Option<String>, Vec<Message>)> = Vec::new();
    for mut record in batch.records {
        let id = record.message_id.take().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Fault::validation("a record has no messageId: it is none of SQS's"))?;
        let is_fifo = record.event_source_arn.as_deref().is_some_and(|arn| arn.ends_with(".fifo"));
        let group_id = record.attributes.get("MessageGroupId").filter(|_| is_fifo).cloned();
        let message = Message { id, record };
        let known = group_id.is_some().then(|| groups.iter_mut().find(|(other, _)| *other == group_id)).flatten();
        match known {
            Some((_, group)) => group.push(message),
            None => groups.push((group_id, vec![message])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

impl ParameterSource for Message {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        Ok(self.attribute(parameter.name)?.map(Cow::Borrowed))
    }
}

impl Message {
    fn attribute(&self, name: &str) -> Result<Option<&str>, Fault> {
        let Some(attribute) = self.record.message_attributes.get(name) else { return Ok(None) };
        match attribute.string_value.as_deref() {
            Some(text) => Ok(Some(text)),
            None => Err(Fault::validation(format!("{name} must be a message attribute of type String or Number"))),
        }
    }

    fn is_first_receipt(&self) -> bool {
        self.record.attributes.get("ApproximateReceiveCount").is_none_or(|count| count == "1")
    }

    fn is_pointer(&self) -> bool {
        POINTER_ATTRIBUTES.iter().any(|name| self.record.message_attributes.contains_key(*name))
    }

    /// The object that an extended client's body points to.
    fn pointed_to(&self, body: &str) -> Result<S3Uri, Fault> {
        if self.is_base64()? {
            return Err(Fault::validation(
                "ContentEncoding cannot be undone for a payload that lies in S3: put the payload there as it is",
            ));
        }
        let (class, pointer): (String, Pointer) = serde_json::from_str(body).map_err(|error| {
            let names = POINTER_ATTRIBUTES.join(" or ");
            let problem = json_problem(&error);
            Fault::validation(format!(
                "the body is no extended-client pointer, as the attribute {names} says: {problem}"
            ))
        })?;
        if !POINTER_CLASSES.contains(&class.as_str()) {
            let allowed = POINTER_CLASSES.join(" or ");
            return Err(Fault::validation(format!("the body's extended-client pointer must be a {allowed}")));
        }
        S3Uri::new(pointer.bucket, pointer.key)
            .map_err(|error| Fault::validation(format!("the body's extended-client pointer {error}")))
    }

    fn payload(&self, body: String) -> Result<Vec<u8>, Fault> {
        let payload = if self.is_base64()? { decode(body)? } else { body.into_bytes() };
        if payload.is_empty() {
            return Err(Fault::validation("the payload is empty: give a body or an InputLocation"));
        }
        Ok(payload)
    }

    fn is_base64(&self) -> Result<bool, Fault> {
        match self.attribute(CONTENT_ENCODING)? {
            None => Ok(false),
            Some("base64") => Ok(true),
            Some(_) => Err(Fault::validation("ContentEncoding must be `base64`, or not be given")),
        }
    }
}

/// Where an extended client put a payload.
#[derive(Deserialize)]
struct Pointer {
    #[serde(rename = "s3BucketName")]
    bucket: String,
    #[serde(rename = "s3Key")]
    key: String,
}

/// Decodes base64, in which tools like to break lines.
fn decode(mut body: String) -> Result<Vec<u8>, Fault> {
    body.retain(|character| !character.is_ascii_whitespace());
    BASE64_STANDARD.decode(body).map_err(|error| {
        Fault::validation(format!(
            "the body must be base64 (standard alphabet, padded), as ContentEncoding says: {error}"
        ))
    })
}
