//! The result of a notification, in either format.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::timeout::TimeoutConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Collect;
use super::flow::Attempt;
use super::memory::{Memory, MemoryReservation};
use crate::batch::CONTENT_ENCODING;
use crate::config::ResultFormat;
use crate::destinations::{Destination, Measures, ResultMessage, attribute, fits, is_sqs_char};
use crate::fault::Fault;
use crate::hash::sha256_hex;
use crate::location::S3Uri;
use crate::notification::{Included, Notification, Response};
use crate::pointer;

/// What `x-amz-copy-source` leaves as it is.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One try of a copy: 1 GB, the most that SageMaker puts out, takes some ten seconds.
const COPY_TIMEOUT: Duration = Duration::from_secs(60);

impl Collect {
    /// The result that `notification`, read from `text`, becomes, and the room in `memory` that its output takes.
    pub(super) async fn message<'a>(
        &self,
        notification: &Notification,
        text: &str,
        attempt: &Attempt,
        destination: &dyn Destination,
        memory: &'a Memory,
    ) -> Result<(ResultMessage, MemoryReservation<'a>), Fault> {
        let (response, room) = self.response(notification, attempt.limit_bytes, memory).await?;
        let identity = sha256_hex(text);
        let raw = match &self.config.result_format {
            ResultFormat::Raw { result_location } if destination.takes_raw() && !notification.is_unanswered() => {
                Some(result_location)
            }
            _ => None,
        };
        let Some(result_location) = raw else {
            return Ok((completed(notification, &response, identity, destination)?, room));
        };
        if let Some(message) = direct(notification, &response, &identity, destination) {
            return Ok((message, room));
        }
        let left_out = response.without_bytes();
        // A copy takes its time, but no memory.
        drop((response, room));
        let message = match notification.location() {
            Some(location) if left_out != Response::Absent => {
                // Message id and time make the copy this message's own: an extended client deletes it with the message, and must
                // not delete that of another delivery, or of another try of the same one.
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
                let copy = result_location.join(&format!("{identity}-{}-{now}", attempt.delivery.id()));
                let copy = copy.map_err(|error| Fault::internal(format!("the copy's location {error}")))?;
                self.copy(&self.readable(location)?, &copy).await?;
                pointer_message(notification, &left_out, &copy, identity)
            }
            _ if says_only_why(notification, &left_out) => {
                Ok(raw_message(notification, &left_out, reason(notification), identity))
            }
            _ => Err(Fault::validation("the notification has no response to use as the message body")),
        };
        Ok((message?, MemoryReservation::default()))
    }

    /// Copies an object inside S3: not a byte of it comes through here, but a large one takes its time.
    async fn copy(&self, from: &S3Uri, to: &S3Uri) -> Result<(), Fault> {
        let source = format!("{}/{}", from.bucket(), from.key());
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(COPY_TIMEOUT).build();
        self.s3
            .copy_object()
            .copy_source(utf8_percent_encode(&source, COPY_SOURCE).to_string())
            .bucket(to.bucket())
            .key(to.key())
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts))
            .send()
            .await
            .map(drop)
            .map_err(|error| Fault::from_aws("CopyObject", error))
    }
}

/// `notification` format: SageMaker's notification, completed with the response where a message can carry it.
fn completed(
    notification: &Notification,
    response: &Response,
    identity: String,
    destination: &dyn Destination,
) -> Result<ResultMessage, Fault> {
    let whole = base_message(notification, response, notification.complete(response)?, identity.clone());
    if fits(destination, &whole) {
        return Ok(whole);
    }
    // Escaping and base64 make a response longer; only the finished message tells whether it is too long.
    let response = response.without_bytes();
    let bare = base_message(notification, &response, notification.complete(&response)?, identity);
    if fits(destination, &bare) {
        Ok(bare)
    } else {
        Err(Fault::payload_too_large(format!("the notification alone is larger than {} takes", destination.name())))
    }
}

/// `raw` format, the response itself as the body. `None` when no message can carry it.
fn direct(
    notification: &Notification,
    response: &Response,
    identity: &str,
    destination: &dyn Destination,
) -> Option<ResultMessage> {
    let message = match response {
        // SQS takes no empty body.
        Response::Bytes(bytes) if bytes.is_empty() => return None,
        Response::TooLarge(_) | Response::Absent => return None,
        Response::Bytes(bytes) => match sqs_text(bytes) {
            Some(text) => raw_message(notification, response, text.to_owned(), identity.to_owned()),
            None => raw_message(notification, response, BASE64_STANDARD.encode(bytes), identity.to_owned())
                .with(CONTENT_ENCODING, Some("base64")),
        },
    };
    fits(destination, &message).then_some(message)
}

/// `raw` format, a pointer to a copy of a response that no message can carry.
fn pointer_message(
    notification: &Notification,
    response: &Response,
    copy: &S3Uri,
    identity: String,
) -> Result<ResultMessage, Fault> {
    let message = raw_message(notification, response, pointer::write(copy)?, identity);
    Ok(message.with_number(pointer::SIZE_ATTRIBUTE, response.length().unwrap_or_default()))
}

/// A body with everything else that the notification says in attributes.
fn raw_message(notification: &Notification, response: &Response, body: String, identity: String) -> ResultMessage {
    base_message(notification, response, body, identity)
        .with(attribute::OUTPUT_LOCATION, notification.output_location.as_deref())
        .with(attribute::FAILURE_REASON, notification.failure_reason.as_deref())
}

/// A body with the attributes that every result has.
fn base_message(notification: &Notification, response: &Response, body: String, identity: String) -> ResultMessage {
    let measures = Measures {
        output_bytes: response.length(),
        is_output_left_out: matches!(response, Response::TooLarge(1..)),
        requested_at: None,
    };
    let inference_id = notification.inference_id.as_deref();
    ResultMessage::new(body, inference_id.unwrap_or_default(), identity)
        .to(notification.return_address.clone())
        .measured(measures)
        .failed(notification.error())
        .with(attribute::INFERENCE_ID, inference_id)
        .with(attribute::INVOCATION_STATUS, Some(&notification.status))
        .with(attribute::ENDPOINT_NAME, notification.endpoint_name.as_deref())
        .with(attribute::CONTENT_TYPE, notification.content_type.as_deref())
}

/// Whether an inference failed without any response, so that a reason in its place drops nothing.
fn says_only_why(notification: &Notification, response: &Response) -> bool {
    !notification.is_completed()
        && response.length().unwrap_or_default() == 0
        && notification.included_response() != Included::Unreadable
}

/// The body where a failure has no response: SQS wants one, and this is what there is to say.
fn reason(notification: &Notification) -> String {
    let reason = notification.failure_reason.as_ref().filter(|reason| !reason.is_empty());
    reason.unwrap_or(&notification.status).replace(|character| !is_sqs_char(character), "\u{FFFD}")
}

/// Bytes that an SQS message can carry as they are.
fn sqs_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(is_sqs_char))
}
