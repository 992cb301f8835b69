//! The results queue: messages sent in few calls, each within SQS's limits.

mod message;

use std::num::NonZeroUsize;

use aws_sdk_sqs::types::BatchResultErrorEntry;
use futures_util::{StreamExt, stream};

use crate::aws::Lazy;
use crate::config::QueueUrl;
use crate::deadline::Deadline;
use crate::fault::Fault;
pub(crate) use message::{
    MESSAGE_LIMIT_BYTES, ResultMessage, attribute, attribute_text, hex, identity_of, is_sqs_char, json_body,
};

/// Messages in one `SendMessageBatch`.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub(crate) const BATCH_LIMIT_MESSAGES: usize = 10;

/// The results queue.
pub(crate) struct ResultsQueue {
    sqs: Lazy<aws_sdk_sqs::Client>,
    url: QueueUrl,
    max_concurrency: NonZeroUsize,
}

impl ResultsQueue {
    /// The queue at `url`, to which up to `max_concurrency` calls go at once.
    #[must_use]
    pub(crate) const fn new(sqs: Lazy<aws_sdk_sqs::Client>, url: QueueUrl, max_concurrency: NonZeroUsize) -> Self {
        Self { sqs, url, max_concurrency }
    }

    /// Sends messages until the deadline; answers in their order, one answer each. What SQS has confirmed by then stays sent.
    pub(crate) async fn send(&self, messages: Vec<ResultMessage>, deadline: Deadline) -> Vec<Result<(), Fault>> {
        if deadline.is_over() {
            return messages.iter().map(|_| Err(Fault::deadline())).collect();
        }
        let mut answers: Vec<_> =
            messages.iter().map(|_| Err(Fault::internal("SQS did not confirm the result"))).collect();
        let mut calls = stream::iter(pack(messages).into_iter().map(|batch| self.send_batch(batch)))
            .buffer_unordered(self.max_concurrency.get());
        while let Ok(Some(answered)) = deadline.finish(async { Ok(calls.next().await) }).await {
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
                let failed = answer.failed.iter().map(|entry| (entry.id.as_str(), Err(refusal(entry))));
                let successful = answer.successful.iter().map(|entry| (entry.id.as_str(), Ok(())));
                successful.chain(failed).filter_map(|(id, answer)| Some((id.parse().ok()?, answer))).collect()
            }
            Err(fault) => indices.into_iter().map(|index| (index, Err(fault.shared()))).collect(),
        }
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

/// Takes the messages of one call out of `waiting`: in their order, each for which there is still room.
pub(crate) fn take_call<T>(waiting: &mut Vec<T>, message: impl Fn(&T) -> &ResultMessage) -> Vec<T> {
    let (mut count, mut used) = (0, 0);
    let taken = waiting.extract_if(.., |item| {
        if count == BATCH_LIMIT_MESSAGES {
            return false;
        }
        let bytes = message(item).bytes();
        // One that no call has room for is for SQS to refuse.
        let has_room = count == 0 || used + bytes <= MESSAGE_LIMIT_BYTES;
        if has_room {
            (count, used) = (count + 1, used + bytes);
        }
        has_room
    });
    taken.collect()
}

/// Packs messages into calls, each message with its index.
fn pack(messages: Vec<ResultMessage>) -> Vec<Vec<(usize, ResultMessage)>> {
    let mut waiting: Vec<_> = messages.into_iter().enumerate().collect();
    let mut calls = Vec::new();
    while !waiting.is_empty() {
        calls.push(take_call(&mut waiting, |(_, message)| message));
    }
    calls
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
    use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry, SendMessageBatchResultEntry};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use proptest::prelude::*;
    use proptest::test_runner::Config;

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
            (vec![600_000, 600_000, 400_000, 100, 400_000], 2),
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

    proptest! {
        #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

        #[test]
        fn no_batch_passes_sqss_limits_and_no_message_is_dropped(
            sizes in prop::collection::vec(prop_oneof![0..500_usize, 0..MESSAGE_LIMIT_BYTES], 0..60),
            attribute in any::<String>(),
        ) {
            let labelled = |bytes: &usize| message(*bytes).with(attribute::INFERENCE_ID, Some(&attribute));
            let messages: Vec<_> = sizes.iter().map(labelled).filter(ResultMessage::fits).collect();
            let bodies: Vec<_> = messages.iter().map(|message| message.clone().into_entry(0, false).unwrap()).collect();
            let mut seen = Vec::new();
            for batch in pack(messages) {
                let entries: Vec<_> = batch.into_iter().map(|(index, message)| message.into_entry(index, false).unwrap()).collect();
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
        let answers = queue.send(vec![message(1), message(2), message(3)], in_a_minute()).await;
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
        let answers = queue.send(vec![message(1), message(1)], in_a_minute()).await;
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
        let answers = queue("https://sqs.eu-west-1.amazonaws.com/1/results.fifo", client)
            .send(vec![message(1)], in_a_minute())
            .await;
        assert!(answers[0].is_ok());
    }
}
