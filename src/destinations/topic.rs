//! A topic of SNS that requests name in `ReplyTo`.

use std::collections::HashMap;

use aws_sdk_sns::operation::publish_batch::PublishBatchError;
use aws_sdk_sns::types::{BatchResultErrorEntry, MessageAttributeValue, PublishBatchRequestEntry};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::queue::inference_group;
use super::{Destination, Limits, ResultMessage};
use crate::aws::Lazy;
use crate::fault::Fault;

/// Largest message, and largest sum of the messages of one call, in bytes: body and attributes (name, type and value). A topic takes
/// more, up to 1 MiB, or less where its `MaximumMessageSize` says so. To learn that takes a call and a permission of its own; this much
/// it takes by default.
/// <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>,
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>
const PUBLISH_LIMIT_BYTES: usize = 262_144;
/// Messages in one `PublishBatch`; the first of these pages.
const CALL_LIMIT_MESSAGES: usize = 10;

/// A topic.
pub(crate) struct Topic {
    name: String,
    sns: Lazy<aws_sdk_sns::Client>,
    arn: String,
}

impl Destination for Topic {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> Limits {
        Limits {
            message_bytes: PUBLISH_LIMIT_BYTES,
            call_messages: CALL_LIMIT_MESSAGES,
            call_bytes: PUBLISH_LIMIT_BYTES,
        }
    }

    fn bytes(&self, message: &ResultMessage) -> usize {
        message.bytes_with_attributes()
    }

    fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>> {
        self.publish_batch(messages).boxed()
    }
}

impl Topic {
    /// The topic of this ARN, under the name that the log has for it.
    #[must_use]
    pub(super) fn new(name: &str, sns: Lazy<aws_sdk_sns::Client>, arn: &str) -> Self {
        Self { name: name.to_owned(), sns, arn: arn.to_owned() }
    }

    async fn publish_batch(&self, messages: Vec<ResultMessage>) -> Vec<Result<(), Fault>> {
        let count = messages.len();
        let entries = messages.into_iter().enumerate().map(|(index, message)| self.entry(index, message));
        let published = match entries.collect::<Result<Vec<_>, _>>() {
            Ok(entries) => {
                let call = self.sns.publish_batch().topic_arn(&self.arn);
                let call = call.set_publish_batch_request_entries(Some(entries));
                call.send().await.map_err(call_refusal)
            }
            Err(fault) => Err(fault),
        };
        match published {
            Ok(answer) => {
                let failed = answer.failed().iter().map(|entry| (entry.id(), Err(refusal(entry))));
                let successful = answer.successful().iter().filter_map(|entry| Some((entry.id()?, Ok(()))));
                let mut answers: HashMap<_, _> = successful.chain(failed).collect();
                let mut answer_to = |index: usize| answers.remove(index.to_string().as_str());
                let unconfirmed = || Err(Fault::internal("SNS did not confirm the result"));
                (0..count).map(|index| answer_to(index).unwrap_or_else(unconfirmed)).collect()
            }
            Err(fault) => (0..count).map(|_| Err(fault.shared())).collect(),
        }
    }

    fn entry(&self, index: usize, message: ResultMessage) -> Result<PublishBatchRequestEntry, Fault> {
        let bad = |error: aws_sdk_sns::error::BuildError| Fault::internal(error.to_string());
        let ResultMessage { body, attributes, inference_id, identity, return_address, .. } = message;
        let mut entry = PublishBatchRequestEntry::builder().id(index.to_string()).message(body);
        for (name, (data_type, value)) in attributes {
            let value = MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
            entry = entry.message_attributes(name, value.map_err(bad)?);
        }
        if self.arn.ends_with(".fifo") {
            entry = entry.message_group_id(inference_group(&inference_id)).message_deduplication_id(identity);
        } else if let Some(group_id) = return_address.group_id {
            // A standard topic hands it on to its queues, which are fair to groups.
            entry = entry.message_group_id(group_id.as_str());
        }
        entry.build().map_err(bad)
    }
}

/// Why SNS did not take a call. One whose sum is too long has a code; a single message that is too long has words.
fn call_refusal(error: SdkError<PublishBatchError, HttpResponse>) -> Fault {
    if error.message().is_some_and(says_too_long) {
        return Fault::payload_too_large(format!("PublishBatch answered {}", error.code().unwrap_or_default()));
    }
    Fault::from_aws("PublishBatch", error)
}

/// Why SNS did not take an entry.
fn refusal(entry: &BatchResultErrorEntry) -> Fault {
    let message = entry.message().unwrap_or_default();
    let problem = format!("SNS refused the result: {} {message}", entry.code());
    if entry.sender_fault() && says_too_long(message) {
        return Fault::payload_too_large(problem);
    }
    Fault::refused(entry.code(), problem)
}

/// "Invalid parameter: Message too long": what SNS says of a message over the limit has no code of its own. LocalStack has compared
/// that with AWS: <https://github.com/localstack/localstack/pull/11458>.
fn says_too_long(message: &str) -> bool {
    message.contains("too long")
}
