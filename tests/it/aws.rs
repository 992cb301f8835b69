//! Mocked AWS clients that remember what they were asked.

use std::sync::{Arc, LazyLock, Mutex};

use aws_sdk_s3::operation::copy_object::CopyObjectOutput;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::error::{NoSuchKey, NotFound};
use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::{
    InvokeEndpointAsyncError, InvokeEndpointAsyncInput, InvokeEndpointAsyncOutput,
};
use aws_sdk_sagemakerruntime::types::error::ValidationError;
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageInput, SendMessageOutput};
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry, SendMessageBatchResultEntry};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use sagemaker_async_bridge::aws::{Clients, Lazy};

/// What SageMaker says of a request that it refuses.
pub const REFUSAL: &str = "1 validation error detected: Value at 'accept' failed to satisfy constraint";

pub type Seen<T> = Arc<Mutex<Vec<T>>>;

/// What the mocked services were asked.
#[derive(Clone, Default)]
pub struct Aws {
    pub invoked: Seen<InvokeEndpointAsyncInput>,
    /// Location, content type and bytes.
    pub put: Seen<(String, Option<String>, Vec<u8>)>,
    pub fetched: Seen<String>,
    /// Copy source and the copy's location.
    pub copied: Seen<(String, String)>,
    pub sent: Seen<SendMessageBatchRequestEntry>,
    /// Each `SendMessage`: dead letters.
    pub dead_letters: Seen<SendMessageInput>,
    /// The operations of SQS, in order.
    pub sqs_calls: Seen<&'static str>,
    /// Size of each `SendMessageBatch`.
    pub batches: Seen<usize>,
    /// Location, length, and the bytes unless reading them is to fail.
    objects: Seen<(String, usize, Option<Vec<u8>>)>,
    /// Location, length and content type of what can be asked for without being read.
    heads: Seen<(String, i64, &'static str)>,
    /// The locations that were asked for so.
    pub asked: Seen<String>,
}

pub fn remember<T>(seen: &Seen<T>, item: T) {
    seen.lock().unwrap().push(item);
}

pub fn lazy<T: Send + 'static>(client: T) -> Lazy<T> {
    LazyLock::new(Box::new(move || client))
}

/// Clients of which only this one may be needed: none of the others is even built.
pub fn only_sqs(sqs: Lazy<aws_sdk_sqs::Client>) -> Clients {
    fn never<T>() -> Arc<Lazy<T>> {
        Arc::new(LazyLock::new(Box::new(|| unreachable!("a client that is not needed was built"))))
    }
    Clients { sqs: Arc::new(sqs), sns: never(), events: never(), sfn: never(), lambda: never() }
}

fn body_of(input: &InvokeEndpointAsyncInput) -> &[u8] {
    input.body().map(AsRef::as_ref).unwrap_or_default()
}

impl Aws {
    /// S3 holds an object.
    pub fn with_object(self, location: &str, bytes: &[u8]) -> Self {
        remember(&self.objects, (location.to_owned(), bytes.len(), Some(bytes.to_vec())));
        self
    }

    /// S3 holds an object of which no byte can be read.
    pub fn with_unreadable_object(self, location: &str, length: usize) -> Self {
        remember(&self.objects, (location.to_owned(), length, None));
        self
    }

    /// S3 tells this of an object.
    pub fn with_head(self, location: &str, length: i64, content_type: &'static str) -> Self {
        remember(&self.heads, (location.to_owned(), length, content_type));
        self
    }

    pub fn invoked(&self) -> Vec<InvokeEndpointAsyncInput> {
        self.invoked.lock().unwrap().clone()
    }

    pub fn dead_letters(&self) -> Vec<SendMessageInput> {
        self.dead_letters.lock().unwrap().clone()
    }

    pub fn sent(&self) -> Vec<SendMessageBatchRequestEntry> {
        self.sent.lock().unwrap().clone()
    }

    /// SageMaker: throttles a payload of `throttle`, refuses one of `refuse`, accepts every other.
    pub fn sagemaker(&self) -> aws_sdk_sagemakerruntime::Client {
        use aws_sdk_sagemakerruntime::Client;
        let throttled = mock!(Client::invoke_endpoint_async).match_requests(|input| body_of(input) == b"throttle");
        let throttled = throttled.then_error(|| {
            InvokeEndpointAsyncError::generic(ErrorMetadata::builder().code("ThrottlingException").build())
        });
        let refused = mock!(Client::invoke_endpoint_async).match_requests(|input| body_of(input) == b"refuse");
        let refused = refused.then_error(|| {
            let meta = ErrorMetadata::builder().code("ValidationError").message(REFUSAL).build();
            let error = ValidationError::builder().message(REFUSAL).meta(meta).build();
            InvokeEndpointAsyncError::ValidationError(error)
        });
        let seen = self.invoked.clone();
        let accepted = mock!(Client::invoke_endpoint_async).match_requests(move |input| {
            remember(&seen, input.clone());
            true
        });
        let accepted = accepted.then_output(|| {
            let output = InvokeEndpointAsyncOutput::builder().inference_id("from-sagemaker");
            output
                .output_location("s3://models-bucket/output/x.out")
                .failure_location("s3://models-bucket/failure/x")
                .build()
        });
        mock_client!(aws_sdk_sagemakerruntime, RuleMode::MatchAny, [&throttled, &refused, &accepted], |config| {
            config.retry_config(aws_config::retry::RetryConfig::disabled())
        })
    }

    /// S3: gives the objects it holds, takes every other.
    pub fn s3(&self) -> Lazy<aws_sdk_s3::Client> {
        use aws_sdk_s3::Client;
        let seen = self.put.clone();
        let put = mock!(Client::put_object).match_requests(move |input| {
            let location = format!("s3://{}/{}", input.bucket().unwrap(), input.key().unwrap());
            let bytes = input.body().bytes().unwrap().to_vec();
            remember(&seen, (location, input.content_type().map(str::to_owned), bytes));
            true
        });
        let put = put.then_output(|| PutObjectOutput::builder().build());
        let seen = self.copied.clone();
        let copy = mock!(Client::copy_object).match_requests(move |input| {
            let to = format!("s3://{}/{}", input.bucket().unwrap(), input.key().unwrap());
            remember(&seen, (input.copy_source().unwrap().to_owned(), to));
            true
        });
        let copy = copy.then_output(|| CopyObjectOutput::builder().build());
        let mut rules = vec![put, copy];
        rules.extend(
            self.heads.lock().unwrap().iter().map(|(location, length, kind)| self.head(location, *length, kind)),
        );
        let seen = self.asked.clone();
        let missing = mock!(Client::head_object).match_requests(move |input| {
            remember(&seen, input.key().unwrap().to_owned());
            true
        });
        rules.push(missing.then_error(|| HeadObjectError::NotFound(NotFound::builder().build())));
        rules.extend(
            self.objects
                .lock()
                .unwrap()
                .iter()
                .map(|(location, length, bytes)| self.object(location, *length, bytes.clone())),
        );
        let seen = self.fetched.clone();
        let missing = mock!(Client::get_object).match_requests(move |input| {
            remember(&seen, input.key().unwrap().to_owned());
            true
        });
        rules.push(missing.then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build())));
        let rules: Vec<&Rule> = rules.iter().collect();
        lazy(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &rules))
    }

    fn head(&self, location: &str, length: i64, content_type: &'static str) -> Rule {
        let (location, seen) = (location.to_owned(), self.asked.clone());
        let rule = mock!(aws_sdk_s3::Client::head_object).match_requests(move |input| {
            let is_this = format!("s3://{}/{}", input.bucket().unwrap(), input.key().unwrap()) == location;
            if is_this {
                remember(&seen, location.clone());
            }
            is_this
        });
        rule.then_output(move || HeadObjectOutput::builder().content_length(length).content_type(content_type).build())
    }

    fn object(&self, location: &str, length: usize, bytes: Option<Vec<u8>>) -> Rule {
        let (location, seen) = (location.to_owned(), self.fetched.clone());
        let rule = mock!(aws_sdk_s3::Client::get_object).match_requests(move |input| {
            let is_this = format!("s3://{}/{}", input.bucket().unwrap(), input.key().unwrap()) == location;
            if is_this {
                remember(&seen, location.clone());
            }
            is_this
        });
        rule.then_output(move || {
            let body = bytes.clone().map_or_else(SdkBody::taken, SdkBody::from);
            let length = i64::try_from(length).unwrap();
            GetObjectOutput::builder().content_length(length).body(ByteStream::new(body)).build()
        })
    }

    /// SQS: refuses a message whose body holds `refuse-result`, or as a dead letter `refuse-dead-letter`, takes every other.
    pub fn sqs(&self) -> Lazy<aws_sdk_sqs::Client> {
        let (calls, dead_letters) = (self.sqs_calls.clone(), self.dead_letters.clone());
        let refused = mock!(aws_sdk_sqs::Client::send_message)
            .match_requests(|input| input.message_body().unwrap().contains("refuse-dead-letter"))
            .then_error(|| {
                SendMessageError::generic(
                    ErrorMetadata::builder().code("AWS.SimpleQueueService.NonExistentQueue").build(),
                )
            });
        let taken = mock!(aws_sdk_sqs::Client::send_message).then_compute_output(move |input| {
            remember(&calls, "SendMessage");
            remember(&dead_letters, input.clone());
            SendMessageOutput::builder().message_id("dead-letter").build()
        });
        let (calls, seen, batches) = (self.sqs_calls.clone(), self.sent.clone(), self.batches.clone());
        let rule = mock!(aws_sdk_sqs::Client::send_message_batch).then_compute_output(move |input| {
            remember(&calls, "SendMessageBatch");
            remember(&batches, input.entries().len());
            seen.lock().unwrap().extend(input.entries().iter().cloned());
            let (mut good, mut bad) = (vec![], vec![]);
            for entry in input.entries() {
                if entry.message_body().contains("refuse-result") {
                    bad.push(
                        BatchResultErrorEntry::builder().id(entry.id()).code("No").sender_fault(true).build().unwrap(),
                    );
                } else {
                    let sent = SendMessageBatchResultEntry::builder().id(entry.id()).message_id("m");
                    good.push(sent.md5_of_message_body("d").build().unwrap());
                }
            }
            SendMessageBatchOutput::builder().set_successful(Some(good)).set_failed(Some(bad)).build().unwrap()
        });
        lazy(mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&refused, &taken, &rule]))
    }
}
