//! The results queue: messages within SQS's limits, sent in as few calls as those allow.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::aws::Lazy;
use crate::config::QueueUrl;
use crate::fault::Fault;

/// Largest SQS message, and largest sum of the messages of one batch, in bytes: body and attributes (name, type and value).
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const MESSAGE_LIMIT_BYTES: usize = 1_048_576;
/// Messages in one `SendMessageBatch`.
pub const BATCH_LIMIT_MESSAGES: usize = 10;
/// Longest attribute value that the bridge sends, in bytes. Ids and locations are shorter; a failure reason is cut.
const ATTRIBUTE_LIMIT_BYTES: usize = 4_096;
/// Longest `MessageGroupId`.
const GROUP_ID_LIMIT_CHARS: usize = 128;

/// Whether SQS takes this character in a body or an attribute: the characters of XML 1.0.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
#[must_use]
pub const fn is_sqs_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// A message for the results queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultMessage {
    body: String,
    /// Name to (type, value).
    attributes: BTreeMap<&'static str, (&'static str, String)>,
    /// The inference id; groups messages on a FIFO queue.
    group: String,
    /// What makes this message the same as another one: its hash is the deduplication id on a FIFO queue.
    identity: String,
}

impl ResultMessage {
    /// A message about the inference `group`. `identity` is a hash of what the message is made from ([`identity_of`]).
    #[must_use]
    pub fn new(body: String, group: &str, identity: String) -> Self {
        Self { body, attributes: BTreeMap::new(), group: group.to_owned(), identity }
    }

    /// Adds a String attribute. Characters that SQS does not take are replaced, an overlong value is cut, and an empty one,
    /// which SQS does not take at all, is left out.
    #[must_use]
    pub fn with(self, name: &'static str, value: Option<&str>) -> Self {
        self.with_typed(name, "String", value.unwrap_or_default())
    }

    /// Adds a Number attribute.
    #[must_use]
    pub fn with_number(self, name: &'static str, value: u64) -> Self {
        self.with_typed(name, "Number", &value.to_string())
    }

    fn with_typed(mut self, name: &'static str, data_type: &'static str, value: &str) -> Self {
        let mut value = value.replace(|character| !is_sqs_char(character), "\u{FFFD}");
        value.truncate(value.floor_char_boundary(ATTRIBUTE_LIMIT_BYTES));
        if !value.is_empty() {
            self.attributes.insert(name, (data_type, value));
        }
        self
    }

    /// The message's body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|(_, value)| value.as_str())
    }

    /// The message's size as SQS counts it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, (kind, value))| name.len() + kind.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }

    /// Whether SQS takes it.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.bytes() <= MESSAGE_LIMIT_BYTES
    }

    fn into_entry(self, id: usize, fifo: bool) -> Result<SendMessageBatchRequestEntry, Fault> {
        let mut entry = SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(self.body);
        for (name, (data_type, value)) in self.attributes {
            let value = MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
            entry = entry.message_attributes(name, value.map_err(|error| Fault::internal(error.to_string()))?);
        }
        if fifo {
            entry = entry.message_group_id(group_id(&self.group)).message_deduplication_id(self.identity);
        }
        entry.build().map_err(|error| Fault::internal(error.to_string()))
    }
}

/// A value as JSON that SQS takes: JSON itself leaves some characters unescaped that SQS refuses.
///
/// # Errors
/// A [`Fault`] when the value cannot be written as JSON.
pub fn json_body(value: &impl Serialize) -> Result<String, Fault> {
    let mut json = serde_json::to_string(value).map_err(|error| Fault::internal(error.to_string()))?;
    // These stand inside strings only: everything outside of them is ASCII.
    for (character, escaped) in [('\u{FFFE}', "\\ufffe"), ('\u{FFFF}', "\\uffff")] {
        if json.contains(character) {
            json = json.replace(character, escaped);
        }
    }
    Ok(json)
}

/// The SHA-256 of a text in lower-case hexadecimals, 64 characters.
#[must_use]
pub fn identity_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An inference id as SQS takes it for a group: up to 128 letters, digits and punctuation, without spaces. Any other is hashed.
fn group_id(inference_id: &str) -> String {
    let fits = (1..=GROUP_ID_LIMIT_CHARS).contains(&inference_id.len())
        && inference_id.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { inference_id.to_owned() } else { identity_of(inference_id) }
}

/// The results queue.
pub struct ResultsQueue {
    sqs: Lazy<aws_sdk_sqs::Client>,
    url: QueueUrl,
    max_concurrency: NonZeroUsize,
}

impl ResultsQueue {
    /// The queue at `url`, to which up to `max_concurrency` calls go at once.
    #[must_use]
    pub const fn new(sqs: Lazy<aws_sdk_sqs::Client>, url: QueueUrl, max_concurrency: NonZeroUsize) -> Self {
        Self { sqs, url, max_concurrency }
    }

    /// Sends messages; answers in their order, one answer each.
    pub async fn send(&self, messages: Vec<ResultMessage>) -> Vec<Result<(), Fault>> {
        let mut answers: Vec<_> =
            messages.iter().map(|_| Err(Fault::internal("SQS did not mention the result"))).collect();
        let mut calls = stream::iter(pack(messages).into_iter().map(|batch| self.send_batch(batch)))
            .buffer_unordered(self.max_concurrency.get());
        while let Some(answered) = calls.next().await {
            for (index, answer) in answered {
                if let Some(slot) = answers.get_mut(index) {
                    *slot = answer;
                }
            }
        }
        answers
    }

    async fn send_batch(&self, batch: Vec<(usize, ResultMessage)>) -> Vec<(usize, Result<(), Fault>)> {
        let indices: Vec<usize> = batch.iter().map(|(index, _)| *index).collect();
        let entries: Result<Vec<_>, _> =
            batch.into_iter().map(|(index, message)| message.into_entry(index, self.url.is_fifo())).collect();
        let sent = match entries {
            Ok(entries) => {
                let call = self.sqs.send_message_batch().queue_url(self.url.as_str()).set_entries(Some(entries));
                call.send().await.map_err(|error| Fault::from_aws("SendMessageBatch", error))
            }
            Err(fault) => Err(fault),
        };
        match sent {
            Ok(answer) => {
                let failed = answer.failed.iter().map(|entry| {
                    let message = entry.message.as_deref().unwrap_or_default();
                    (
                        entry.id.as_str(),
                        Err(Fault::internal(format!("SQS refused the result: {} {message}", entry.code))),
                    )
                });
                let successful = answer.successful.iter().map(|entry| (entry.id.as_str(), Ok(())));
                successful.chain(failed).filter_map(|(id, answer)| Some((id.parse().ok()?, answer))).collect()
            }
            Err(fault) => indices.into_iter().map(|index| (index, Err(fault.shared()))).collect(),
        }
    }
}

/// Packs messages into batches, each message with its index: largest first into the first batch with room, which needs at most
/// about a fifth more batches than the fewest possible, and mostly just those.
fn pack(messages: Vec<ResultMessage>) -> Vec<Vec<(usize, ResultMessage)>> {
    let mut numbered: Vec<(usize, usize, ResultMessage)> =
        messages.into_iter().enumerate().map(|(index, message)| (message.bytes(), index, message)).collect();
    numbered.sort_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
    let mut batches: Vec<(usize, Vec<(usize, ResultMessage)>)> = Vec::new();
    for (bytes, index, message) in numbered {
        let roomy = batches
            .iter_mut()
            .find(|(used, batch)| used + bytes <= MESSAGE_LIMIT_BYTES && batch.len() < BATCH_LIMIT_MESSAGES);
        match roomy {
            Some((used, batch)) => {
                *used += bytes;
                batch.push((index, message));
            }
            None => batches.push((bytes, vec![(index, message)])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
    use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;

    fn message(bytes: usize) -> ResultMessage {
        ResultMessage::new("x".repeat(bytes), "i", identity_of("x"))
    }

    fn sizes(batches: &[Vec<(usize, ResultMessage)>]) -> Vec<(usize, usize)> {
        batches.iter().map(|batch| (batch.len(), batch.iter().map(|(_, message)| message.bytes()).sum())).collect()
    }

    #[test]
    fn batches_hold_at_most_ten_messages_and_one_mebibyte_and_every_message_once() {
        let cases = [
            (vec![100; 25], 3),
            (vec![MESSAGE_LIMIT_BYTES; 2], 2),
            (vec![MESSAGE_LIMIT_BYTES / 4; 8], 2),
            (vec![MESSAGE_LIMIT_BYTES / 4 + 1; 4], 2),
            (vec![600_000, 600_000, 400_000, 400_000], 2),
            (vec![], 0),
        ];
        for (bytes, expected) in cases {
            let batches = pack(bytes.iter().map(|bytes| message(*bytes)).collect());
            assert_eq!(batches.len(), expected, "{bytes:?} {:?}", sizes(&batches));
            assert!(sizes(&batches).iter().all(|(count, sum)| *count <= 10 && *sum <= MESSAGE_LIMIT_BYTES));
            let mut indices: Vec<usize> = batches.iter().flatten().map(|(index, _)| *index).collect();
            indices.sort_unstable();
            assert_eq!(indices, (0..bytes.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_messages_size_counts_its_attributes() {
        let message = message(10).with("InferenceId", Some("abc")).with_number("ExtendedPayloadSize", 12);
        assert_eq!(message.bytes(), 10 + ("InferenceId".len() + 6 + 3) + ("ExtendedPayloadSize".len() + 6 + 2));
    }

    #[test]
    fn attribute_values_are_brought_to_what_sqs_takes() {
        let message = message(1)
            .with("InferenceId", Some("a\u{1}b\u{FFFF}"))
            .with("ContentType", Some(""))
            .with("EndpointName", None)
            .with("FailureReason", Some(&"ü".repeat(4_000)));
        assert_eq!(message.attribute("InferenceId"), Some("a\u{FFFD}b\u{FFFD}"));
        assert_eq!((message.attribute("ContentType"), message.attribute("EndpointName")), (None, None));
        assert_eq!(message.attribute("FailureReason").unwrap().len(), 4_096);
    }

    #[test]
    fn json_holds_only_characters_that_sqs_takes() {
        let json = json_body(&"a\u{0}\u{1F}\u{7F}\u{FFFE}\u{FFFF}ü").unwrap();
        assert!(json.chars().all(is_sqs_char), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{0}\u{1F}\u{7F}\u{FFFE}\u{FFFF}ü");
    }

    #[test]
    fn group_ids_are_brought_to_what_sqs_takes() {
        assert_eq!(group_id("8a80ed4e-1ff9"), "8a80ed4e-1ff9");
        for inference_id in ["order 4711", "", "käse", &"i".repeat(129)] {
            assert_eq!(group_id(inference_id).len(), 64, "{inference_id}");
        }
        assert_ne!(group_id("a b"), group_id("a  b"));
    }

    fn queue(url: &str, client: Client) -> ResultsQueue {
        ResultsQueue::new(LazyLock::new(Box::new(move || client)), url.parse().unwrap(), NonZeroUsize::MIN)
    }

    fn sent(id: &str) -> SendMessageBatchResultEntry {
        SendMessageBatchResultEntry::builder().id(id).message_id("m").md5_of_message_body("d").build().unwrap()
    }

    #[tokio::test]
    async fn a_message_that_sqs_refuses_fails_alone() {
        let refused =
            BatchResultErrorEntry::builder().id("1").code("InternalError").sender_fault(false).build().unwrap();
        let rule = mock!(Client::send_message_batch).then_output(move || {
            let (first, third) = (sent("0"), sent("2"));
            let output = SendMessageBatchOutput::builder().successful(first).successful(third);
            output.failed(refused.clone()).build().unwrap()
        });
        let queue = queue("https://sqs.eu-west-1.amazonaws.com/1/results", mock_client!(aws_sdk_sqs, [&rule]));
        let answers = queue.send(vec![message(1), message(2), message(3)]).await;
        let ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!((ok, rule.num_calls()), (vec![true, false, true], 1));
    }

    #[tokio::test]
    async fn a_message_that_sqs_does_not_mention_counts_as_not_sent() {
        let rule = mock!(Client::send_message_batch).then_output(|| {
            let output = SendMessageBatchOutput::builder().successful(sent("0"));
            output.set_failed(Some(vec![])).build().unwrap()
        });
        let queue = queue("https://sqs.eu-west-1.amazonaws.com/1/results", mock_client!(aws_sdk_sqs, [&rule]));
        let answers = queue.send(vec![message(1), message(1)]).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    }

    #[tokio::test]
    async fn a_fifo_queue_gets_group_and_deduplication_id() {
        let rule = mock!(Client::send_message_batch)
            .match_requests(|request| {
                let entry = &request.entries()[0];
                entry.message_group_id() == Some("i") && entry.message_deduplication_id() == Some(&identity_of("x"))
            })
            .then_output(|| {
                let output = SendMessageBatchOutput::builder().successful(sent("0"));
                output.set_failed(Some(vec![])).build().unwrap()
            });
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&rule]);
        let answers = queue("https://sqs.eu-west-1.amazonaws.com/1/results.fifo", client).send(vec![message(1)]).await;
        assert!(answers[0].is_ok());
    }
}
