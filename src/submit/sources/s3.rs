//! Objects that are put into S3, each a request by its location: S3's event notifications, by S3 itself or out of a queue.
//!
//! Keys are URL-encoded in them, and only in them: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use aws_lambda_events::s3::S3Entity;
use futures_util::FutureExt;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::sqs::{Attributes, Message, string_attribute};
use crate::batch;
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::{Fault, json_problem};
use crate::location::S3Uri;
use crate::parameter::{INFERENCE_ID, INPUT_LOCATION};
use crate::submit::Submit;
use crate::submit::events::{EventRequest, event_id};

/// S3, which invokes the function asynchronously.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html>
pub(super) struct S3;

/// The fields of a record that matter. The crate's own type refuses one for a time or an identity that nobody reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    s3: S3Entity,
}

/// An object that was put into S3, as an event tells of it, its key raw.
pub(super) struct PutObject<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) version: Option<&'a str>,
    /// Grows with each write to the key.
    pub(super) sequencer: Option<&'a str>,
    pub(super) size: Option<i64>,
}

impl Source<Submit> for S3 {
    fn shape(&self) -> &'static str {
        "an event notification of S3 (`Records` with `s3`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.has_records_with("s3") || is_test(shape)
    }

    fn read<'f>(&self, submit: &'f Submit, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Submit>, Fault> {
        let requests = requests(shape, submit, call.trace_header.as_deref())?;
        Ok(submit.answer_events(requests, call.deadline).boxed())
    }
}

/// The requests of a notification that lies in a queue.
///
/// # Errors
/// A [`Fault`] when it is none.
pub(super) fn read(
    notification: &str,
    submit: &Submit,
    trace_header: Option<&str>,
) -> Result<Vec<EventRequest>, Fault> {
    let bad =
        |error| Fault::validation(format!("the message is not an S3 event notification: {}", json_problem(&error)));
    let notification: &RawValue = serde_json::from_str(notification).map_err(bad)?;
    let shape = Shape::read(notification).map_err(bad)?;
    if !S3.recognises(&shape) {
        return Err(Fault::validation("the message is not an S3 event notification: it has no `Records` with `s3`"));
    }
    requests(shape, submit, trace_header)
}

/// S3 sends one when notifications are set up.
fn is_test(shape: &Shape<'_>) -> bool {
    shape.fields().json("Event").and_then(batch::text).is_some_and(|event| event == "s3:TestEvent")
}

fn requests(shape: Shape<'_>, submit: &Submit, trace_header: Option<&str>) -> Result<Vec<EventRequest>, Fault> {
    if is_test(&shape) {
        tracing::info!("test event of S3 acknowledged");
        return Ok(Vec::new());
    }
    shape.into_records().into_iter().filter_map(|record| request(record, submit, trace_header).transpose()).collect()
}

/// The request of a record; `None` where it tells of none.
fn request(record: &RawValue, submit: &Submit, trace_header: Option<&str>) -> Result<Option<EventRequest>, Fault> {
    let bad = |error| Fault::validation(format!("a record of the event is not an S3 record: {}", json_problem(&error)));
    let read = serde_json::from_str::<Record>(record.get()).map_err(bad).and_then(|record| {
        let name = record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name);
        if !name.starts_with("ObjectCreated:") {
            return Err(Fault::validation(
                "the event must be one of `s3:ObjectCreated:*`: other events are not requests",
            ));
        }
        let key = decoded(record.s3.object.key.as_deref().unwrap_or_default())?;
        Ok((record.s3, key))
    });
    let (entity, key) = match read {
        Ok(read) => read,
        Err(fault) => return EventRequest::refused(record, fault, trace_header).map(Some),
    };
    let object = PutObject {
        bucket: entity.bucket.name.as_deref().unwrap_or_default(),
        key: &key,
        version: entity.object.version_id.as_deref(),
        sequencer: entity.object.sequencer.as_deref(),
        size: entity.object.size,
    };
    object.request(record, submit, trace_header)
}

/// A plus is a space, as in a form.
fn decoded(key: &str) -> Result<String, Fault> {
    let key = key.replace('+', " ");
    let key = percent_decode_str(&key).decode_utf8();
    key.map(Into::into).map_err(|_| Fault::validation("the object's key must be UTF-8, URL-encoded"))
}

impl PutObject<'_> {
    /// The request for it; `None` for a folder, which the console makes as an empty object.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-folders.html>
    pub(super) fn request(
        &self,
        event: &RawValue,
        submit: &Submit,
        trace_header: Option<&str>,
    ) -> Result<Option<EventRequest>, Fault> {
        if self.key.ends_with('/') && self.size == Some(0) {
            tracing::info!("folder acknowledged: it is not a request");
            return Ok(None);
        }
        let location = match S3Uri::new(self.bucket, self.key) {
            Ok(location) => location,
            Err(error) => {
                let fault = Fault::validation(format!("the object's location {error}"));
                return EventRequest::refused(event, fault, trace_header).map(Some);
            }
        };
        // The same event has the same id, however often it comes and whichever way.
        let id =
            event_id(&[self.bucket, self.key, self.version.unwrap_or_default(), self.sequencer.unwrap_or_default()]);
        let attributes = Attributes::from_iter([
            (INPUT_LOCATION.name.to_owned(), string_attribute(location.to_string())),
            (INFERENCE_ID.name.to_owned(), string_attribute(&id)),
        ]);
        let message = Message::of_event(&id, event.get(), attributes, trace_header)?;
        let invocation = submit.invocation(&message);
        Ok(Some(EventRequest { message, invocation, is_object: true }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_once() {
        let keys = [
            ("in/a+b%2Bc.wav", Some("in/a b+c.wav")),
            ("in/r%C3%A9union", Some("in/réunion")),
            ("in/100%2525", Some("in/100%25")),
            ("in/%zz%", Some("in/%zz%")),
            ("in/%2e%2e/x", Some("in/../x")),
            ("in/%FF", None),
        ];
        for (key, expected) in keys {
            assert_eq!(decoded(key).ok().as_deref(), expected, "{key}");
        }
    }
}
