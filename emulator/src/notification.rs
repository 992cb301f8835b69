//! SageMaker's notifications, in the shapes that have been seen.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html>

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::invocation::Invocation;
use crate::store::Object;

/// Largest response that a notification carries, in bytes.
const INCLUDED_LIMIT_BYTES: usize = 128 * 1024;
const INCLUDED_MESSAGE: &str = "Check S3 path location(if configured) or Cloudwatch for additional details.";

/// A notification. What a request did not have is not there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    aws_region: String,
    event_time: String,
    received_time: String,
    invocation_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    request_parameters: RequestParameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_parameters: Option<ResponseParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<ResponseBody>,
    inference_id: String,
    event_version: &'static str,
    event_source: &'static str,
    event_name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    endpoint_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_location: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_location: Option<String>,
}

#[derive(Debug, Serialize)]
struct ResponseBody {
    content: String,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

impl Notification {
    fn new(invocation: &Invocation, invocation_status: &'static str) -> Self {
        let parameters = &invocation.parameters;
        Self {
            aws_region: invocation.region.clone(),
            event_time: time(SystemTime::now()),
            received_time: time(invocation.received),
            invocation_status,
            failure_reason: None,
            request_parameters: RequestParameters {
                accept: parameters.accept.clone(),
                content_type: parameters.content_type.clone(),
                endpoint_name: invocation.endpoint_name.clone(),
                custom_attributes: parameters.custom_attributes.clone(),
                input_location: parameters.input_location.clone(),
            },
            response_parameters: None,
            response_body: None,
            inference_id: invocation.inference_id.clone(),
            event_version: "1.0",
            event_source: "aws:sagemaker",
            event_name: "InferenceResult",
        }
    }

    /// Of a success. The response is carried, in base64, where `include` says so and its size allows.
    #[must_use]
    pub fn completed(invocation: &Invocation, response: &Object, include: bool) -> Self {
        let included = included(response, include);
        Self {
            response_parameters: Some(ResponseParameters {
                content_type: Some(response.content_type.clone()),
                output_location: invocation.output_location.as_ref().map(ToString::to_string),
                failure_location: None,
            }),
            response_body: included.map(|body| ResponseBody {
                content: BASE64_STANDARD.encode(body),
                message: INCLUDED_MESSAGE,
                encoding: Some("BASE64"),
            }),
            ..Self::new(invocation, "Completed")
        }
    }

    /// Of a failure. `stored` tells whether there is a failure output; an included response is plain text.
    #[must_use]
    pub fn failed(
        invocation: &Invocation,
        reason: String,
        response: Option<&Object>,
        stored: bool,
        include: bool,
    ) -> Self {
        let location = invocation.failure_location.as_ref().filter(|_| stored);
        let included = response.and_then(|response| included(response, include));
        Self {
            failure_reason: Some(reason),
            response_parameters: location.map(|location| ResponseParameters {
                content_type: response.map(|response| response.content_type.clone()),
                output_location: None,
                failure_location: Some(location.to_string()),
            }),
            response_body: included.map(|body| ResponseBody {
                content: String::from_utf8_lossy(body).into_owned(),
                message: INCLUDED_MESSAGE,
                encoding: None,
            }),
            ..Self::new(invocation, "Failed")
        }
    }

    /// Whether it names an output or a failure output.
    #[must_use]
    pub fn has_location(&self) -> bool {
        let parameters = self.response_parameters.as_ref();
        parameters.is_some_and(|found| found.output_location.is_some() || found.failure_location.is_some())
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        self.invocation_status
    }

    /// Of a request that waited longer than its `RequestTTLSeconds`, or ran longer than its `InvocationTimeoutSeconds`: both are
    /// "marked as expired", says the API reference. Nobody has published such a notification: status and shape are a guess.
    #[must_use]
    pub fn expired(invocation: &Invocation) -> Self {
        Self::new(invocation, "Expired")
    }
}

/// A response that is to be included, unless it is too large.
fn included(response: &Object, include: bool) -> Option<&Bytes> {
    response.body.in_memory().filter(|body| include && body.len() <= INCLUDED_LIMIT_BYTES)
}

/// What SageMaker publishes to each topic of an endpoint that was created or updated, to see whether it may.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-create-endpoint-create-endpoint.html>
pub const TEST_NOTIFICATION: &str =
    r#"{"eventVersion":"1.0","eventSource":"aws:sagemaker","eventName":"TestNotification"}"#;

/// A time with milliseconds, always three digits of them.
pub(crate) fn time(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let seconds = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use std::sync::Arc;

    use crate::invocation::Parameters;

    /// A sample of a real notification.
    fn sample(name: &str) -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/notifications").join(name);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Every field's path and type.
    fn shape(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                object.iter().for_each(|(name, value)| shape(value, &format!("{path}.{name}"), fields));
            }
            Value::String(_) => {
                fields.insert(format!("{path}: string"));
            }
            other => panic!("{path} is {other}"),
        }
    }

    fn assert_shaped_like(name: &str, notification: &Notification) {
        let (mut expected, mut actual) = (BTreeSet::new(), BTreeSet::new());
        shape(&sample(name), "", &mut expected);
        shape(&serde_json::to_value(notification).unwrap(), "", &mut actual);
        assert_eq!(actual, expected, "{name}");
    }

    fn invocation(parameters: Parameters) -> Invocation {
        Invocation {
            region: "us-east-1".to_owned(),
            endpoint_name: "summarizer".to_owned(),
            inference_id: "i".to_owned(),
            parameters,
            body: None,
            received: SystemTime::UNIX_EPOCH + Duration::from_millis(1_754_224_858_040),
            output_location: Some("s3://bucket/output/x.out".parse().unwrap()),
            failure_location: Some("s3://bucket/failure/x-error.out".parse().unwrap()),
            draw: Arc::default(),
        }
    }

    fn response(body: &str) -> Object {
        Object { body: body.to_owned().into(), content_type: "application/json".to_owned() }
    }

    #[test]
    fn notifications_are_shaped_like_those_that_were_seen() {
        let text = |text: &str| Some(text.to_owned());
        let by_location = Parameters { input_location: text("s3://bucket/in/x"), ..Parameters::default() };
        let full = Parameters {
            accept: text("application/json"),
            content_type: text("application/json"),
            custom_attributes: text("accept_eula=true"),
            ..by_location.clone()
        };
        let typed = Parameters { custom_attributes: None, input_location: None, ..full.clone() };
        let none = invocation(Parameters::default());
        assert_shaped_like("completed.json", &Notification::completed(&invocation(full), &response("{}"), false));
        assert_shaped_like(
            "completed-with-body.json",
            &Notification::completed(&invocation(typed), &response("{}"), true),
        );
        let bare = Notification::failed(&invocation(by_location), "r".to_owned(), None, false, false);
        assert_shaped_like("failed-bare.json", &bare);
        let with_location = Notification::failed(&none, "r".to_owned(), Some(&response("x")), true, false);
        assert_shaped_like("failed-with-location.json", &with_location);
        let with_body = Notification::failed(&none, "r".to_owned(), Some(&response("x")), false, true);
        assert_shaped_like("failed-with-body.json", &with_body);
    }

    #[test]
    fn a_response_over_128_kilobytes_is_not_included() {
        for (bytes, included) in [(131_072, true), (131_073, false)] {
            let notification =
                Notification::completed(&invocation(Parameters::default()), &response(&"x".repeat(bytes)), true);
            assert_eq!(notification.response_body.is_some(), included, "{bytes}");
        }
    }

    #[test]
    fn times_have_three_digits_of_milliseconds() {
        let notification = Notification::expired(&invocation(Parameters::default()));
        assert_eq!(notification.received_time, "2025-08-03T12:40:58.040Z");
    }
}
