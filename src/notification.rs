//! SageMaker's notification of an inference's end, read with as few demands as possible and written back as it came.
//!
//! Nothing but JSON and a status is required, no field is unknown enough to be dropped.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html>

use std::borrow::Cow;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::destinations::json_body;
use crate::fault::{Fault, json_problem};
use crate::pending::UNANSWERED;
use crate::return_address::{self, ReturnAddress};

const REQUEST_PARAMETERS: &str = "requestParameters";
const CUSTOM_ATTRIBUTES: &str = "customAttributes";
const RESPONSE_PARAMETERS: &str = "responseParameters";
const RESPONSE_BODY: &str = "responseBody";

/// A JSON object whose fields keep their order and their very text.
type Object = IndexMap<String, Box<RawValue>>;

/// A notification.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    fields: Object,
    response_parameters: Option<Object>,
    /// `Completed`, `Failed`, or whatever else SageMaker may say.
    pub(crate) status: String,
    /// The inference's id.
    pub(crate) inference_id: Option<String>,
    /// The endpoint's name.
    pub(crate) endpoint_name: Option<String>,
    /// The output's content type.
    pub(crate) content_type: Option<String>,
    /// Where the output is.
    pub(crate) output_location: Option<String>,
    /// Where the failure output is.
    pub(crate) failure_location: Option<String>,
    /// Why the inference failed.
    pub(crate) failure_reason: Option<String>,
    /// Where its result goes; taken off the request's `CustomAttributes`.
    pub(crate) return_address: ReturnAddress,
}

/// A response body as results carry it.
#[derive(Debug, Serialize)]
struct ResponseBody<'a> {
    content: Cow<'a, str>,
    encoding: &'static str,
}

/// The body that SageMaker includes with `IncludeInferenceResponseIn`.
#[derive(Deserialize)]
struct IncludedBody {
    content: Option<String>,
    encoding: Option<String>,
}

impl Notification {
    /// Reads the message of an SNS notification. `None` is the test that SageMaker publishes to an endpoint's topics when the
    /// endpoint is created or updated: it tells of no inference.
    /// <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-create-endpoint-create-endpoint.html>
    ///
    /// # Errors
    /// A [`Fault`] when it is no JSON object with an `invocationStatus`.
    pub(crate) fn parse(message: &str) -> Result<Option<Self>, Fault> {
        let mut fields: Object = serde_json::from_str(message).map_err(|error| {
            Fault::validation(format!("the message is not a SageMaker notification: {}", json_problem(&error)))
        })?;
        let Some(status) = text(&fields, "invocationStatus") else {
            if is_test(&fields) {
                return Ok(None);
            }
            let problem = "the message is not a SageMaker notification: it has no invocationStatus";
            return Err(Fault::validation(problem));
        };
        let mut request = object(&fields, REQUEST_PARAMETERS);
        let return_address = request.as_mut().map(take_return_address).transpose()?.flatten();
        if let (Some(request), Some(_)) = (&request, &return_address) {
            fields.insert(REQUEST_PARAMETERS.to_owned(), raw(request)?);
        }
        let response = object(&fields, RESPONSE_PARAMETERS);
        let of_response = |name| response.as_ref().and_then(|parameters| text(parameters, name));
        Ok(Some(Self {
            status,
            inference_id: text(&fields, "inferenceId"),
            endpoint_name: request.as_ref().and_then(|parameters| text(parameters, "endpointName")),
            content_type: of_response("contentType"),
            output_location: of_response("outputLocation").filter(|location| !location.is_empty()),
            failure_location: of_response("failureLocation").filter(|location| !location.is_empty()),
            failure_reason: text(&fields, "failureReason"),
            return_address: return_address.unwrap_or_default(),
            response_parameters: response,
            fields,
        }))
    }

    /// Whether the inference ended well. Any other status than this one is a failure: nobody has published them all.
    #[must_use]
    pub(crate) fn is_completed(&self) -> bool {
        self.status == "Completed"
    }

    /// When the request was sent, or else when SageMaker received it, in milliseconds since 1970.
    #[must_use]
    pub(crate) fn requested_at(&self) -> Option<u64> {
        let received = || {
            let time = DateTime::from_str(&text(&self.fields, "receivedTime")?, Format::DateTime).ok()?;
            u64::try_from(time.to_millis().ok()?).ok()
        };
        self.return_address.sent_timestamp.or_else(received)
    }

    /// Whether it tells of a request that was given up: the bridge's own word, for which there is no output that could be a body.
    #[must_use]
    pub(crate) fn is_unanswered(&self) -> bool {
        self.status == UNANSWERED
    }

    /// The name of what went wrong, `None` for an output.
    #[must_use]
    pub(crate) fn error(&self) -> Option<&'static str> {
        match self.status.as_str() {
            "Completed" => None,
            UNANSWERED => Some(UNANSWERED),
            _ => Some("ModelError"),
        }
    }

    /// Where the response is, the output or the failure output.
    #[must_use]
    pub(crate) fn location(&self) -> Option<&str> {
        let location = if self.is_completed() { &self.output_location } else { &self.failure_location };
        location.as_deref()
    }

    /// The response that SageMaker included. What names no encoding is plain text.
    #[must_use]
    pub(crate) fn included_response(&self) -> Included {
        let Some(body) = self.fields.get(RESPONSE_BODY) else { return Included::None };
        let Ok(body) = serde_json::from_str::<Option<IncludedBody>>(body.get()) else { return Included::Unreadable };
        let Some(IncludedBody { content: Some(content), encoding }) = body else { return Included::None };
        match encoding.as_deref() {
            None | Some("UTF8" | "UTF-8") => Included::Bytes(content.into_bytes()),
            Some("BASE64") => BASE64_STANDARD.decode(content).map_or(Included::Unreadable, Included::Bytes),
            Some(_) => Included::Unreadable,
        }
    }

    /// The notification completed with the response, as JSON.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot be written as JSON, which does not happen.
    pub(crate) fn complete(&self, response: &Response) -> Result<String, Fault> {
        let mut fields = self.fields.clone();
        // Parameters that are no object have no place for a length, and stay what they are.
        let has_place = self.response_parameters.is_some()
            || self.fields.get(RESPONSE_PARAMETERS).is_none_or(|parameters| parameters.get() == "null");
        if let Some(length) = response.length().filter(|_| has_place) {
            let mut parameters = self.response_parameters.clone().unwrap_or_default();
            parameters.insert("contentLength".to_owned(), raw(&length)?);
            fields.insert(RESPONSE_PARAMETERS.to_owned(), raw(&parameters)?);
        }
        match response {
            Response::Bytes(bytes) => {
                fields.insert(RESPONSE_BODY.to_owned(), raw(&response_body(bytes))?);
            }
            Response::TooLarge(_) => {
                fields.shift_remove(RESPONSE_BODY);
            }
            Response::Absent => {}
        }
        json_body(&fields)
    }
}

/// The response that a notification includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Included {
    /// The whole of it.
    Bytes(Vec<u8>),
    /// It is there, encoded in a way unknown here: it is to be fetched.
    Unreadable,
    /// There is none.
    None,
}

/// What a model answered, as far as a result can carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// The whole of it.
    Bytes(Vec<u8>),
    /// More than a result may carry; its length in bytes.
    TooLarge(u64),
    /// There is none.
    Absent,
}

impl Response {
    /// Its length in bytes.
    #[must_use]
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::TooLarge(length) => Some(*length),
            Self::Absent => None,
        }
    }

    /// The same without the bytes, for a result that cannot carry them.
    #[must_use]
    pub(crate) fn without_bytes(&self) -> Self {
        self.length().map_or(Self::Absent, Self::TooLarge)
    }
}

fn response_body(bytes: &[u8]) -> ResponseBody<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => ResponseBody { content: text.into(), encoding: "UTF8" },
        Err(_) => ResponseBody { content: BASE64_STANDARD.encode(bytes).into(), encoding: "BASE64" },
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Fault> {
    to_raw_value(value).map_err(|error| Fault::internal(error.to_string()))
}

/// Takes the return address off the custom attributes: those that are left are the caller's own, as the caller sent them.
fn take_return_address(request: &mut Object) -> Result<Option<ReturnAddress>, Fault> {
    let Some(custom_attributes) = text(request, CUSTOM_ATTRIBUTES) else { return Ok(None) };
    let Some((callers, return_address)) = return_address::split(&custom_attributes) else { return Ok(None) };
    match callers {
        Some(callers) => {
            request.insert(CUSTOM_ATTRIBUTES.to_owned(), raw(&callers)?);
        }
        None => {
            request.shift_remove(CUSTOM_ATTRIBUTES);
        }
    }
    Ok(Some(return_address))
}

fn is_test(fields: &Object) -> bool {
    text(fields, "eventSource").as_deref() == Some("aws:sagemaker")
        && text(fields, "eventName").as_deref() == Some("TestNotification")
}

/// A field's text. `None` where the field is not there or is no text: nothing in a notification is worth refusing it for.
fn text(fields: &Object, name: &str) -> Option<String> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

fn object(fields: &Object, name: &str) -> Option<Object> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

#[cfg(test)]
mod tests;
