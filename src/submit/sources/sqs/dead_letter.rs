//! The dead-letter queue: a message that can never succeed is put there whole, and why with it.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use aws_lambda_events::sqs::SqsMessageAttribute;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use tokio::sync::Semaphore;

use super::message::Message;
use crate::aws::Lazy;
use crate::config::QueueUrl;
use crate::destinations::{MESSAGE_LIMIT_BYTES, attribute::FAILURE_REASON, attribute_text};
use crate::fault::Fault;

/// Most attributes of a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
const ATTRIBUTES_LIMIT: usize = 10;
/// The type of `FailureReason`, by which the bridge's own is known in a message that was moved back; SQS lets a type have a label.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#message-attribute-data-types>
const REASON_TYPE: &str = "String.sagemaker-async-bridge";

/// The dead-letter queue of the request queue.
pub(in crate::submit) struct DeadLetterQueue {
    sqs: Lazy<aws_sdk_sqs::Client>,
    url: QueueUrl,
    /// One for each call that may be made at once.
    calls: Semaphore,
}

type Attributes = HashMap<String, MessageAttributeValue>;

impl DeadLetterQueue {
    /// The queue at `url`, to which up to `max_concurrency` calls go at once.
    pub(in crate::submit) fn new(sqs: Lazy<aws_sdk_sqs::Client>, url: QueueUrl, max_concurrency: NonZeroUsize) -> Self {
        Self { sqs, url, calls: Semaphore::new(max_concurrency.get()) }
    }

    /// Puts a message there as it came, with the fault as its attribute `FailureReason`. Gives back the id that SQS confirmed it
    /// under.
    ///
    /// # Errors
    /// What SQS said, or what keeps the message from being put there whole: then it is none that SQS delivered.
    pub(super) async fn put(&self, message: &Message, fault: &Fault) -> Result<Option<String>, Fault> {
        if message.is_from(&self.url) {
            let problem = "BRIDGE_DEAD_LETTER_QUEUE_URL names the queue that the message came from";
            return Err(Fault::internal(problem));
        }
        let _call = self.calls.acquire().await;
        let body = message.body()?;
        let mut attributes = attributes(message)?;
        add_reason(&mut attributes, body.len(), fault);
        // Its own id deduplicates: its sender's deduplication id may have come back in a later message within SQS's five minutes,
        // and that one would be lost.
        // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
        let deduplication_id = self.url.is_fifo().then(|| message.id().to_owned());
        // On a standard queue a group is kept too, where there is one: it makes for fairness there.
        let group_id = message.group_id().map(str::to_owned).or_else(|| deduplication_id.clone());
        let call = self.sqs.send_message().queue_url(self.url.as_str()).message_body(body);
        let call = call.set_message_attributes(Some(attributes));
        let call = call.set_message_group_id(group_id).set_message_deduplication_id(deduplication_id);
        let sent = call.send().await.map_err(|error| Fault::from_aws("SendMessage", error))?;
        Ok(sent.message_id)
    }
}

fn attributes(message: &Message) -> Result<Attributes, Fault> {
    let value = |(name, given): (&String, &SqsMessageAttribute)| {
        let value = attribute(given)
            .ok_or_else(|| Fault::internal(format!("the message attribute {name} is not one that SQS can deliver")))?;
        Ok((name.clone(), value))
    };
    message.attributes()?.iter().map(value).collect()
}

fn attribute(given: &SqsMessageAttribute) -> Option<MessageAttributeValue> {
    let data_type = given.data_type.as_ref()?;
    let value = MessageAttributeValue::builder().data_type(data_type);
    // The type may have a label of the sender's behind it: `Binary.png`.
    let value = if data_type.starts_with("Binary") {
        value.binary_value(Blob::new(given.binary_value.as_ref()?.0.clone()))
    } else {
        value.string_value(given.string_value.as_ref()?)
    };
    value.build().ok()
}

/// Adds why, where there is room for it, and takes away what an earlier rejection said. What the sender has under that name is the
/// sender's.
fn add_reason(attributes: &mut Attributes, body_bytes: usize, fault: &Fault) {
    let reason = attribute_text(&fault.to_string());
    let reason = MessageAttributeValue::builder().data_type(REASON_TYPE).string_value(reason).build();
    let Ok(reason) = reason else { return };
    if attributes.get(FAILURE_REASON).is_some_and(|known| known.data_type() == REASON_TYPE) {
        attributes.remove(FAILURE_REASON);
    }
    let bytes = body_bytes + attributes.iter().map(|(name, value)| bytes(name, value)).sum::<usize>();
    let fits =
        attributes.len() < ATTRIBUTES_LIMIT && bytes + self::bytes(FAILURE_REASON, &reason) <= MESSAGE_LIMIT_BYTES;
    if fits && !attributes.contains_key(FAILURE_REASON) {
        attributes.insert(FAILURE_REASON.to_owned(), reason);
    }
}

/// An attribute's size as SQS counts it: name, type and value.
fn bytes(name: &str, value: &MessageAttributeValue) -> usize {
    let text = value.string_value().map_or(0, str::len);
    let binary = value.binary_value().map_or(0, |value| value.as_ref().len());
    name.len() + value.data_type().len() + text + binary
}
