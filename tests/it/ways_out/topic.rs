//! Topics of SNS.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::operation::publish_batch::{PublishBatchError, PublishBatchInput, PublishBatchOutput};
use aws_sdk_sns::types::{BatchResultErrorEntry, PublishBatchRequestEntry, PublishBatchResultEntry};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

use super::*;
use crate::aws::{Seen, lazy, only_sqs, remember};

const TOPIC: &str = "to:answers";

#[derive(Clone, Default)]
struct Sns {
    calls: Seen<PublishBatchInput>,
    /// The topic's `MaximumMessageSize`.
    limit_bytes: Option<usize>,
}

impl Sns {
    fn clients(&self, aws: &Aws) -> Clients {
        self.with_rules(aws, vec![])
    }

    fn with_rules(&self, aws: &Aws, mut rules: Vec<Rule>) -> Clients {
        let sns = self.clone();
        rules.push(mock!(Client::publish_batch).then_compute_output(move |input| {
            remember(&sns.calls, input.clone());
            sns.answer(input.publish_batch_request_entries())
        }));
        let rules: Vec<_> = rules.iter().collect();
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, &rules, |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Clients { sns: Arc::new(lazy(client)), ..only_sqs(aws.sqs()) }
    }

    /// A result of the inference `refused` is refused, one of `silent` not mentioned.
    fn answer(&self, entries: &[PublishBatchRequestEntry]) -> PublishBatchOutput {
        let mut output = PublishBatchOutput::builder().set_failed(Some(vec![]));
        for entry in entries {
            let failed = BatchResultErrorEntry::builder().id(entry.id());
            output = match attribute(entry, "InferenceId").as_deref() {
                Some("silent") => output,
                Some("refused") => output.failed(failed.code("InternalError").sender_fault(false).build().unwrap()),
                _ if self.limit_bytes.is_some_and(|limit| entry.message().len() > limit) => {
                    let message = "Invalid parameter: Message too long";
                    output.failed(failed.code("InvalidParameter").message(message).sender_fault(true).build().unwrap())
                }
                _ => output.successful(PublishBatchResultEntry::builder().id(entry.id()).message_id("m").build()),
            };
        }
        output.build()
    }

    fn entries(&self) -> Vec<PublishBatchRequestEntry> {
        let calls = self.calls.lock().unwrap();
        calls.iter().flat_map(|call| call.publish_batch_request_entries().to_vec()).collect()
    }
}

fn attribute(entry: &PublishBatchRequestEntry, name: &str) -> Option<String> {
    entry.message_attributes()?.get(name)?.string_value().map(str::to_owned)
}

/// An entry's size as SNS counts it: body, and of each attribute name, type and value.
fn size(entry: &PublishBatchRequestEntry) -> usize {
    let attributes = entry.message_attributes().into_iter().flatten();
    let bytes =
        attributes.map(|(name, value)| name.len() + value.data_type().len() + value.string_value().unwrap().len());
    entry.message().len() + bytes.sum::<usize>()
}

#[tokio::test]
async fn a_topic_gets_body_and_attributes_of_a_result_and_the_results_queue_nothing() {
    let (aws, notification) = completed(TOPIC, "i", 5);
    let sns = Sns::default();
    assert_eq!(returned(&aws, &sns.clients(&aws), &[], &[notification]).await, ids(&[]));
    assert_eq!(sns.calls.lock().unwrap()[0].topic_arn(), Some("arn:aws:sns:eu-west-1:123456789012:answers"));
    let [entry] = &sns.entries()[..] else { panic!("{} messages", sns.entries().len()) };
    let result = json_of(entry.message());
    assert_is_the_callers(&result, "i");
    assert_eq!(result["responseBody"]["content"], "xxxxx");
    let attributes = ["InferenceId", "InvocationStatus", "EndpointName", "ContentType"];
    let expected = ["i", "Completed", "summarizer", "application/json"].map(|value| Some(value.to_owned()));
    assert_eq!(attributes.map(|name| attribute(entry, name)), expected);
    assert_eq!((entry.message_group_id(), entry.message_deduplication_id()), (None, None));
    assert!(aws.sent().is_empty());
}

#[tokio::test]
async fn a_raw_result_is_raw_on_a_topic_and_above_its_limit_a_pointer_to_a_copy() {
    for (bytes, is_whole) in [(5, true), (262_144, false)] {
        let (aws, notification) = completed(TOPIC, "i", bytes);
        let sns = Sns::default();
        let more = [RAW[0], RAW[1], LARGE];
        assert_eq!(returned(&aws, &sns.clients(&aws), &more, &[notification]).await, ids(&[]));
        let entry = &sns.entries()[0];
        assert_eq!(entry.message() == "x".repeat(bytes), is_whole, "{bytes}");
        assert_eq!(attribute(entry, "ExtendedPayloadSize"), (!is_whole).then(|| bytes.to_string()));
    }
}

#[tokio::test]
async fn a_message_is_longer_than_262_144_bytes_only_without_the_response() {
    for (bytes, expected) in [(261_000, true), (262_000, false), (900_000, false)] {
        let (aws, notification) = completed(TOPIC, "i", bytes);
        let sns = Sns::default();
        assert_eq!(returned(&aws, &sns.clients(&aws), &[LARGE], &[notification]).await, ids(&[]));
        let entry = &sns.entries()[0];
        assert!(size(entry) <= 262_144, "{}", size(entry));
        assert_eq!(json_of(entry.message()).get("responseBody").is_some(), expected, "{bytes}");
    }
}

#[tokio::test]
async fn no_call_has_more_than_ten_messages_or_262_144_bytes_and_no_message_is_dropped() {
    for bytes in [10, 100_000] {
        let (mut aws, mut notifications) = (Aws::default(), Vec::new());
        for n in 0..25 {
            let location = format!("s3://models-bucket/output/{n}.out");
            let mut notification = notification("completed.json", TOPIC, &n.to_string());
            notification["responseParameters"]["outputLocation"] = json!(location);
            aws = aws.with_object(&location, &vec![b'x'; bytes]);
            notifications.push(notification);
        }
        let sns = Sns::default();
        assert_eq!(returned(&aws, &sns.clients(&aws), &[], &notifications).await, ids(&[]));
        for call in sns.calls.lock().unwrap().iter() {
            let entries = call.publish_batch_request_entries();
            assert!(entries.len() <= 10 && entries.iter().map(size).sum::<usize>() <= 262_144);
        }
        let published: BTreeSet<_> = sns.entries().iter().filter_map(|entry| attribute(entry, "InferenceId")).collect();
        assert_eq!((published.len(), sns.entries().len()), (25, 25));
    }
}

#[tokio::test]
async fn a_fifo_topic_gets_the_inference_id_as_group_and_the_same_deduplication_id_for_the_same_notification() {
    let sns = Sns::default();
    for id in ["i", "i", "two words"] {
        let (aws, notification) = completed("to:answers.fifo", id, 5);
        assert_eq!(returned(&aws, &sns.clients(&aws), &[], &[notification]).await, ids(&[]));
    }
    let entries = sns.entries();
    assert_eq!(entries[0].message_group_id(), Some("i"));
    assert_eq!(entries[0].message_deduplication_id(), entries[1].message_deduplication_id());
    assert_ne!(entries[0].message_deduplication_id(), entries[2].message_deduplication_id());
    // SNS takes no blank there.
    assert_eq!(entries[2].message_group_id().unwrap().len(), 64);
}

#[tokio::test]
async fn a_standard_topic_gets_the_message_group_of_the_request() {
    let (aws, notification) = completed("to:answers;group:tenant-1", "i", 5);
    let sns = Sns::default();
    assert_eq!(returned(&aws, &sns.clients(&aws), &[], &[notification]).await, ids(&[]));
    assert_eq!(sns.entries()[0].message_group_id(), Some("tenant-1"));
}

#[tokio::test]
async fn a_message_that_sns_refuses_or_does_not_mention_comes_back_alone() {
    let aws = crate::collect_result::aws();
    let sns = Sns::default();
    let notifications = ["good", "refused", "silent", "fine"].map(|id| notification("completed.json", TOPIC, id));
    let back = returned(&aws, &sns.clients(&aws), &[], &notifications).await;
    assert_eq!(back, ids(&["refused", "silent"]));
    assert_eq!((sns.entries().len(), aws.sent().len()), (4, 0));
}

#[tokio::test]
async fn a_topic_that_takes_less_gets_the_result_again_without_its_output() {
    let (aws, notification) = completed(TOPIC, "i", 100_000);
    let sns = Sns { limit_bytes: Some(65_536), ..Sns::default() };
    assert_eq!(returned(&aws, &sns.clients(&aws), &[], &[notification]).await, ids(&[]));
    let has_output = |entry: &PublishBatchRequestEntry| json_of(entry.message()).get("responseBody").is_some();
    assert_eq!(sns.entries().iter().map(has_output).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_call_that_sns_refuses_brings_all_its_messages_back_unless_it_was_too_long() {
    let cases = [
        ("ThrottledException", "Rate exceeded", ids(&["i"])),
        ("AuthorizationError", "not authorized to perform: SNS:Publish", ids(&["i"])),
        ("NotFound", "Topic does not exist", ids(&["i"])),
        ("BatchRequestTooLong", "The length of all the messages put together is more than the limit.", ids(&[])),
    ];
    for (code, message, expected) in cases {
        let (aws, notification) = completed(TOPIC, "i", 5);
        let sns = Sns::default();
        let refused = mock!(Client::publish_batch)
            .match_requests(|input| input.publish_batch_request_entries()[0].message().contains("responseBody"))
            .then_error(move || PublishBatchError::generic(error(code, message)));
        let clients = sns.with_rules(&aws, vec![refused]);
        assert_eq!(returned(&aws, &clients, &[], &[notification]).await, expected, "{code}");
        assert_eq!(sns.entries().len(), usize::from(expected.is_empty()), "{code}");
    }
}
