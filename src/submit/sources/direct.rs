//! Requests by direct invocation: `aws lambda invoke`, a task of Step Functions, EventBridge Scheduler. The event has the API's names as
//! its fields, and the answer is the API's.

use std::borrow::Cow;

use futures_util::FutureExt;
use serde_json::value::RawValue;

use crate::batch::{self, CONTENT_ENCODING, decode_base64};
use crate::event::{Answering, Call, Fields, Shape, Source};
use crate::fault::Fault;
use crate::invocation::{Input, Invocation, Parameters};
use crate::parameter::{INPUT_LOCATION, Parameter, ParameterSource};
use crate::submit::outcome::Origin;
use crate::submit::{Answer, AnswerForm, Submit};

pub(super) const BODY: &str = "Body";

/// Whoever calls Lambda's `Invoke`. A fault is the function's error, under the fault's name, so that `Retry` and `Catch` of a state machine
/// match it.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>
pub(in crate::submit) struct Direct;

impl Source<Submit> for Direct {
    fn shape(&self) -> &'static str {
        "a direct invocation (`Body` or `InputLocation`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        [BODY, INPUT_LOCATION.name].iter().any(|name| shape.fields().json(name).is_some())
    }

    fn read<'f>(&self, submit: &'f Submit, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Submit>, Fault> {
        // A bad request is an outcome like any other, with its line in the log.
        let request = Request { fields: shape.fields(), trace_header: call.trace_header.as_deref() };
        let invocation = invocation(&request, submit);
        let answer = async move {
            let origin = Origin::lambda_invocation(&call.request_id);
            let accepted = submit.accept(invocation, origin, None, call.deadline).await?;
            Ok(Answer(AnswerForm::Accepted(accepted)))
        };
        Ok(answer.boxed())
    }
}

/// An object's fields, and X-Ray's header of the invocation that brought them.
pub(super) struct Request<'a> {
    pub(super) fields: &'a Fields<'a>,
    pub(super) trace_header: Option<&'a str>,
}

/// The request that an object's fields make.
pub(super) fn invocation(request: &Request<'_>, submit: &Submit) -> Result<Invocation, Fault> {
    let mut parameters = Parameters::read(request, &submit.config)?;
    let fields = request.fields;
    let input = match (non_null(fields, BODY), parameters.input_location.take()) {
        (None, Some(location)) => Input::Location(location),
        (Some(body), None) => Input::Payload(payload(body, fields)?),
        (Some(_), Some(_)) => {
            return Err(Fault::validation("the request has both a Body and an InputLocation: give exactly one"));
        }
        (None, None) => {
            return Err(Fault::validation("the request has neither a Body nor an InputLocation: give exactly one"));
        }
    };
    Ok(Invocation { parameters, input })
}

/// A text is the payload itself; any other JSON is it as it stands in the event.
fn payload(body: &RawValue, fields: &Fields<'_>) -> Result<Vec<u8>, Fault> {
    let encoding = value(fields, CONTENT_ENCODING)?;
    let text = body.get().starts_with('"').then(|| {
        batch::text(body)
            .ok_or_else(|| Fault::validation("Body has an unpaired surrogate, which is not a valid character"))
    });
    let payload = match (text.transpose()?, encoding.as_deref()) {
        (Some(text), None) => text.into_owned().into_bytes(),
        (Some(text), Some("base64")) => decode_base64(&text)?,
        (None, None) => body.get().as_bytes().to_vec(),
        (None, Some("base64")) => {
            return Err(Fault::validation("Body must be a string if ContentEncoding is `base64`"));
        }
        (_, Some(_)) => return Err(Fault::validation("ContentEncoding must be `base64` or absent")),
    };
    if payload.is_empty() {
        return Err(Fault::validation("Body is empty: give a payload or an InputLocation"));
    }
    Ok(payload)
}

/// As AWS's APIs have it, `null` is a field that is not given: that is what a state machine makes of a value that it has not.
pub(super) fn non_null<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a RawValue> {
    fields.json(name).filter(|json| json.get() != "null")
}

/// A text, or a number in its text.
pub(super) fn value<'a>(fields: &Fields<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
    let Some(json) = non_null(fields, name) else { return Ok(None) };
    let is_number = json.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let value = if is_number { Some(Cow::Borrowed(json.get())) } else { batch::text(json) };
    value.ok_or_else(|| Fault::validation(format!("{name} must be a string or a number"))).map(Some)
}

impl ParameterSource for Request<'_> {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        value(self.fields, parameter.name)
    }

    fn trace_header(&self) -> Option<&str> {
        self.trace_header
    }
}
