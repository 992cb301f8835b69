//! Queues of SQS: the results queue, which is the default destination, and reply queues.

use std::collections::HashMap;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Destination, Limits, ResultMessage};
use crate::aws::Lazy;
use crate::config::QueueUrl;
use crate::fault::Fault;
use crate::hash::sha256_hex;
use crate::return_address::ReturnAddress;

/// Largest SQS message, and largest sum of the messages of one batch, in bytes: body and attributes (name, type and value).
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub(crate) const MESSAGE_LIMIT_BYTES: usize = 1_048_576;
/// Messages in one `SendMessageBatch`; the same page.
const CALL_LIMIT_MESSAGES: usize = 10;
/// Longest `MessageGroupId`.
const GROUP_ID_LIMIT_CHARS: usize = 128;

/// A queue.
pub(crate) struct Queue {
    name: String,
    sqs: Lazy<aws_sdk_sqs::Client>,
    url: QueueUrl,
}

impl Destination for Queue {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> Limits {
        Limits {
            message_bytes: MESSAGE_LIMIT_BYTES,
            call_messages: CALL_LIMIT_MESSAGES,
            call_bytes: MESSAGE_LIMIT_BYTES,
        }
    }

    fn bytes(&self, message: &ResultMessage) -> usize {
        message.bytes_with_attributes()
    }

    fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>> {
        self.send_batch(messages).boxed()
    }
}

impl Queue {
    /// The results queue.
    #[must_use]
    pub(crate) fn results(sqs: Lazy<aws_sdk_sqs::Client>, url: QueueUrl) -> Self {
        Self::new("results queue", sqs, url)
    }

    /// The queue at `url`, under the name that the log has for it.
    #[must_use]
    pub(super) fn new(name: &str, sqs: Lazy<aws_sdk_sqs::Client>, url: QueueUrl) -> Self {
        Self { name: name.to_owned(), sqs, url }
    }

    async fn send_batch(&self, messages: Vec<ResultMessage>) -> Vec<Result<(), Fault>> {
        let count = messages.len();
        let entries = messages.into_iter().enumerate().map(|(index, message)| self.entry(index, message));
        let sent = match entries.collect::<Result<Vec<_>, _>>() {
            Ok(entries) => {
                let call = self.sqs.send_message_batch().queue_url(self.url.as_str()).set_entries(Some(entries));
                call.send().await.map_err(|error| Fault::from_aws("SendMessageBatch", error))
            }
            Err(fault) => Err(fault),
        };
        match sent {
            Ok(answer) => {
                let failed = answer.failed.iter().map(|entry| (entry.id.as_str(), Err(refusal(entry))));
                let successful = answer.successful.iter().map(|entry| (entry.id.as_str(), Ok(())));
                let mut answers: HashMap<_, _> = successful.chain(failed).collect();
                let mut answer_to = |index: usize| answers.remove(index.to_string().as_str());
                let unconfirmed = || Err(Fault::internal("SQS did not confirm the result"));
                (0..count).map(|index| answer_to(index).unwrap_or_else(unconfirmed)).collect()
            }
            Err(fault) => (0..count).map(|_| Err(fault.shared())).collect(),
        }
    }

    fn entry(&self, index: usize, message: ResultMessage) -> Result<SendMessageBatchRequestEntry, Fault> {
        let bad = |error: aws_sdk_sqs::error::BuildError| Fault::internal(error.to_string());
        let ResultMessage { body, attributes, inference_id, identity, return_address, .. } = message;
        let ReturnAddress { group_id, trace_header, .. } = return_address;
        let mut entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body);
        for (name, (data_type, value)) in attributes {
            let value = MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
            entry = entry.message_attributes(name, value.map_err(bad)?);
        }
        if self.url.is_fifo() {
            entry = entry.message_group_id(inference_group(&inference_id)).message_deduplication_id(identity);
        } else if let Some(group_id) = group_id {
            // It keeps no order here: a standard queue is fair to groups.
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
            entry = entry.message_group_id(group_id.as_str());
        }
        if let Some(header) = trace_header {
            let value = MessageSystemAttributeValue::builder().data_type("String").string_value(header.as_str());
            let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
            entry = entry.message_system_attributes(name, value.build().map_err(bad)?);
        }
        entry.build().map_err(bad)
    }
}

/// Why SQS did not take an entry. A queue whose own `MaximumMessageSize` an entry passes refuses it with `InvalidParameterValue` and
/// "One or more parameters cannot be validated. Reason: Message must be shorter than 262144 bytes.", and takes its neighbours; seen on
/// AWS by LocalStack's tests (`test_send_batch_message_size` in tests/aws/services/sqs/test_sqs.snapshot.json).
fn refusal(entry: &BatchResultErrorEntry) -> Fault {
    let message = entry.message.as_deref().unwrap_or_default();
    let problem = format!("SQS refused the result: {} {message}", entry.code);
    let is_too_large = entry.sender_fault && message.contains("Message must be shorter than");
    if is_too_large { Fault::payload_too_large(problem) } else { Fault::internal(problem) }
}

/// An inference id as SQS and SNS take it for a group: up to 128 letters, digits and punctuation, without spaces. Any other is hashed.
pub(super) fn inference_group(inference_id: &str) -> String {
    let fits = (1..=GROUP_ID_LIMIT_CHARS).contains(&inference_id.len())
        && inference_id.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { inference_id.to_owned() } else { sha256_hex(inference_id) }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::LazyLock;

    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
    use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry, SendMessageBatchResultEntry};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use proptest::prelude::*;
    use proptest::test_runner::Config;

    use super::super::{attribute, fits, pack, send};
    use super::*;
    use crate::deadline::Deadline;

    fn message(bytes: usize) -> ResultMessage {
        ResultMessage::new("x".repeat(bytes), "i", sha256_hex("x"))
    }

    fn sizes(batches: &[Vec<(usize, ResultMessage)>]) -> Vec<(usize, usize)> {
        let bytes = |(_, message): &(usize, ResultMessage)| silent().bytes(message);
        batches.iter().map(|batch| (batch.len(), batch.iter().map(bytes).sum())).collect()
    }

    #[test]
    fn batches_hold_at_most_ten_messages_and_one_mebibyte_and_every_message_once() {
        let cases = [
            (vec![100; 25], 3),
            (vec![MESSAGE_LIMIT_BYTES; 2], 2),
            (vec![MESSAGE_LIMIT_BYTES / 4; 8], 2),
            (vec![MESSAGE_LIMIT_BYTES / 4 + 1; 4], 2),
            (vec![600_000, 600_000, 400_000, 100, 400_000], 2),
            (vec![], 0),
        ];
        for (bytes, expected) in cases {
            let batches = pack(&silent(), bytes.iter().map(|bytes| message(*bytes)).collect());
            assert_eq!(batches.len(), expected, "{bytes:?} {:?}", sizes(&batches));
            assert!(sizes(&batches).iter().all(|(count, sum)| *count <= 10 && *sum <= MESSAGE_LIMIT_BYTES));
            let mut indices: Vec<usize> = batches.iter().flatten().map(|(index, _)| *index).collect();
            indices.sort_unstable();
            assert_eq!(indices, (0..bytes.len()).collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

        #[test]
        fn no_batch_passes_sqss_limits_and_no_message_is_dropped(
            sizes in prop::collection::vec(prop_oneof![0..500_usize, 0..MESSAGE_LIMIT_BYTES], 0..60),
            attribute in any::<String>(),
        ) {
            let labelled = |bytes: &usize| message(*bytes).with(attribute::INFERENCE_ID, Some(&attribute));
            let messages: Vec<_> = sizes.iter().map(labelled).filter(|message| fits(&silent(), message)).collect();
            let bodies: Vec<_> = messages.iter().map(|message| silent().entry(0, message.clone()).unwrap()).collect();
            let mut seen = Vec::new();
            for batch in pack(&silent(), messages) {
                let entries: Vec<_> = batch.into_iter().map(|(index, message)| silent().entry(index, message).unwrap()).collect();
                prop_assert!((1..=10).contains(&entries.len()));
                prop_assert!(entries.iter().map(size).sum::<usize>() <= 1_048_576);
                seen.extend(entries.iter().map(|entry| entry.id().parse::<usize>().unwrap()));
                for entry in &entries {
                    let index: usize = entry.id().parse().unwrap();
                    prop_assert_eq!(entry.message_body().len(), bodies[index].message_body().len());
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..bodies.len()).collect::<Vec<_>>());
        }
    }

    /// An entry's size as SQS counts it: body, and of each attribute name, type and value.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
    fn size(entry: &SendMessageBatchRequestEntry) -> usize {
        let attributes = entry.message_attributes().into_iter().flatten();
        let attributes =
            attributes.map(|(name, value)| name.len() + value.data_type().len() + value.string_value().unwrap().len());
        entry.message_body().len() + attributes.sum::<usize>()
    }

    fn in_a_minute() -> Deadline {
        Deadline::after(std::time::Duration::from_secs(60))
    }

    fn queue(url: &str, client: Client) -> Queue {
        Queue::results(LazyLock::new(Box::new(move || client)), url.parse().unwrap())
    }

    /// A queue that nothing is sent to.
    fn silent() -> Queue {
        let never = || unreachable!("nothing is sent");
        Queue::results(LazyLock::new(Box::new(never)), "https://sqs.eu-west-1.amazonaws.com/1/results".parse().unwrap())
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
        let answers = send(&queue, vec![message(1), message(2), message(3)], NonZeroUsize::MIN, in_a_minute()).await;
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
        let answers = send(&queue, vec![message(1), message(1)], NonZeroUsize::MIN, in_a_minute()).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    }

    #[tokio::test]
    async fn a_fifo_queue_gets_group_and_deduplication_id() {
        let rule = mock!(Client::send_message_batch)
            .match_requests(|request| {
                let entry = &request.entries()[0];
                entry.message_group_id() == Some("i") && entry.message_deduplication_id() == Some(&sha256_hex("x"))
            })
            .then_output(|| {
                let output = SendMessageBatchOutput::builder().successful(sent("0"));
                output.set_failed(Some(vec![])).build().unwrap()
            });
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&rule]);
        let queue = queue("https://sqs.eu-west-1.amazonaws.com/1/results.fifo", client);
        let answers = send(&queue, vec![message(1)], NonZeroUsize::MIN, in_a_minute()).await;
        assert!(answers[0].is_ok());
    }

    #[test]
    fn a_messages_size_counts_its_attributes() {
        let message = message(10).with("InferenceId", Some("abc")).with_number("ExtendedPayloadSize", 12);
        assert_eq!(
            silent().bytes(&message),
            10 + ("InferenceId".len() + 6 + 3) + ("ExtendedPayloadSize".len() + 6 + 2)
        );
    }

    #[test]
    fn group_ids_are_brought_to_what_sqs_takes() {
        assert_eq!(inference_group("8a80ed4e-1ff9"), "8a80ed4e-1ff9");
        for inference_id in ["order 4711", "", "käse", &"i".repeat(129)] {
            assert_eq!(inference_group(inference_id).len(), 64, "{inference_id}");
        }
        assert_ne!(inference_group("a b"), inference_group("a  b"));
    }
}
