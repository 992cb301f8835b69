//! Events from an event bus: an object that S3 tells of, or a request as by direct invocation in `detail`.

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::direct::{self, BODY};
use super::s3::PutObject;
use super::sqs::{Attributes, Message, string_attribute};
use crate::batch::{self, CONTENT_ENCODING};
use crate::event::{Answering, Call, Fields, Shape, Source};
use crate::fault::{Fault, json_problem};
use crate::parameter::PARAMETERS;
use crate::return_address::RETURN_PARAMETERS;
use crate::submit::Submit;
use crate::submit::events::EventRequest;

/// An event bus of EventBridge, which invokes the function asynchronously.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
pub(super) struct EventBridge;

/// `detail` of S3's events, of which the crate has no type. Keys are not URL-encoded here.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
#[derive(Deserialize)]
struct ObjectCreated {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    size: Option<i64>,
    version_id: Option<String>,
    sequencer: Option<String>,
}

impl Source<Submit> for EventBridge {
    fn shape(&self) -> &'static str {
        "an event of EventBridge (`detail-type`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.fields().json("detail-type").is_some()
    }

    fn read<'f>(&self, submit: &'f Submit, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Submit>, Fault> {
        let text = |name| shape.fields().json(name).and_then(batch::text);
        let is_object = text("source").as_deref() == Some("aws.s3");
        let is_object = is_object && text("detail-type").as_deref() == Some("Object Created");
        let trace_header = call.trace_header.as_deref();
        let request = match (shape.fields().json("detail"), is_object) {
            (None, _) => {
                Some(EventRequest::refused(shape.whole(), Fault::validation("the event has no detail"), trace_header)?)
            }
            (Some(detail), true) => created(detail, shape.whole(), submit, trace_header)?,
            (Some(detail), false) => {
                let id = text("id").filter(|id| !id.is_empty());
                Some(in_detail(detail, id.as_deref().unwrap_or(&call.request_id), shape.whole(), submit, trace_header)?)
            }
        };
        Ok(submit.answer_events(request.into_iter().collect(), call.deadline).boxed())
    }
}

fn created(
    detail: &RawValue,
    event: &RawValue,
    submit: &Submit,
    trace_header: Option<&str>,
) -> Result<Option<EventRequest>, Fault> {
    let ObjectCreated { bucket, object } = match serde_json::from_str(detail.get()) {
        Ok(created) => created,
        Err(error) => {
            let problem = format!("the event's detail is not an S3 event: {}", json_problem(&error));
            return EventRequest::refused(event, Fault::validation(problem), trace_header).map(Some);
        }
    };
    let object = PutObject {
        bucket: &bucket.name,
        key: &object.key,
        version: object.version_id.as_deref(),
        sequencer: object.sequencer.as_deref(),
        size: object.size,
    };
    object.request(event, submit, trace_header)
}

/// The request that `detail` is. An event that comes again has the same id, and so has its request.
fn in_detail(
    detail: &RawValue,
    id: &str,
    event: &RawValue,
    submit: &Submit,
    trace_header: Option<&str>,
) -> Result<EventRequest, Fault> {
    let Ok(shape) = Shape::read(detail) else {
        return EventRequest::refused(event, Fault::validation("the event's detail must be an object"), trace_header);
    };
    let fields = shape.fields();
    let message = message(fields, id, event, trace_header)?;
    let mut invocation = direct::invocation(&direct::Request { fields, trace_header }, submit);
    if let Ok(invocation) = &mut invocation
        && invocation.parameters.inference_id.is_none()
    {
        invocation.parameters.inference_id = id.parse().ok();
    }
    Ok(EventRequest { message, invocation, is_object: false })
}

/// A message that asks for the same. What is no text cannot be a message attribute; the event is the body where there is none.
fn message(fields: &Fields<'_>, id: &str, event: &RawValue, trace_header: Option<&str>) -> Result<Message, Fault> {
    let names = PARAMETERS.iter().chain(&RETURN_PARAMETERS).map(|parameter| parameter.name);
    let attributes = names.chain([CONTENT_ENCODING]).filter_map(|name| {
        let value = direct::value(fields, name).ok()??;
        Some((name.to_owned(), string_attribute(value)))
    });
    let body = direct::non_null(fields, BODY).map(|body| batch::text(body).unwrap_or_else(|| body.get().into()));
    let body = body.filter(|body| !body.is_empty());
    Message::of_event(
        id,
        body.as_deref().unwrap_or_else(|| event.get()),
        attributes.collect::<Attributes>(),
        trace_header,
    )
}
