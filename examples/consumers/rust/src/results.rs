//! Results of sagemaker-async-bridge: what a message's body says, as types. The body's schema is schemas/result.json.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// A result with its output.
#[derive(Debug)]
pub(crate) struct InferenceResult {
    /// The request's id.
    pub(crate) inference_id: String,
    /// The endpoint, if the request named one.
    pub(crate) endpoint_name: Option<String>,
    /// What became of the request.
    pub(crate) outcome: Outcome,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The model has answered.
    Completed { output: Vec<u8> },
    /// The model failed, or the request expired. `status` is SageMaker's word for it, `Failed` as a rule.
    Failed { status: String, reason: String, failure_output: Option<Vec<u8>> },
    /// The request was not sent to the model and never will be; the message is in the dead-letter queue.
    Rejected { reason: String },
    /// The answer is overdue. It may still come, as one more result.
    Unanswered { reason: String },
}

/// What the model said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// It was in the message.
    Here(Vec<u8>),
    /// It is too large for a message.
    At(Object),
    /// Nothing.
    None,
}

/// An object in S3. Its key stands for itself: it is never URL-decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// Why a message is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoResult {
    #[error("the message is no result")]
    Json(#[from] serde_json::Error),
    #[error("a completed result has neither an output nor its location")]
    NoOutput,
    #[error("unknown encoding: it must be UTF8 or BASE64")]
    Encoding,
    #[error("the output is no base64, as its encoding says")]
    Base64(#[from] base64::DecodeError),
    #[error("the output's location is no S3 object: it must be s3://bucket/key")]
    Location,
}

/// What a message's body says, before a large output is fetched.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    invocation_status: String,
    inference_id: Option<String>,
    failure_reason: Option<String>,
    #[serde(default)]
    request_parameters: RequestParameters,
    #[serde(default)]
    response_parameters: ResponseParameters,
    response_body: Option<ResponseBody>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    endpoint_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseParameters {
    content_length: Option<u64>,
    output_location: Option<String>,
    failure_location: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ResponseBody {
    content: String,
    encoding: String,
}

impl Notification {
    /// Reads a message's body. `message_id` stands in for an inference id, though SageMaker always gave one so far.
    pub(crate) fn parse(body: &str, message_id: &str) -> Result<Self, NoResult> {
        let mut notification: Self = serde_json::from_str(body)?;
        notification.inference_id.get_or_insert_with(|| message_id.to_owned());
        Ok(notification)
    }

    /// The same for each delivery of this result: its status and its request's inference id.
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.invocation_status, self.inference_id.as_deref().unwrap_or_default())
    }

    /// What the model said, or where that lies.
    pub(crate) fn response(&self) -> Result<Response, NoResult> {
        // An `Unanswered` result names the location at which nothing was found.
        if matches!(self.invocation_status.as_str(), "Rejected" | "Unanswered") {
            return Ok(Response::None);
        }
        if let Some(body) = &self.response_body {
            return match body.encoding.as_str() {
                "UTF8" => Ok(Response::Here(body.content.clone().into_bytes())),
                "BASE64" => Ok(Response::Here(BASE64_STANDARD.decode(&body.content)?)),
                _ => Err(NoResult::Encoding),
            };
        }
        let ResponseParameters { content_length, output_location, failure_location } = &self.response_parameters;
        // A failure output has a length if it is there, and may have a location though it is not.
        let location = output_location.as_ref().or(content_length.and(failure_location.as_ref()));
        location.map_or(Ok(Response::None), |location| Object::parse(location).map(Response::At))
    }

    /// The result, with what the model said.
    pub(crate) fn into_result(self, response: Option<Vec<u8>>) -> Result<InferenceResult, NoResult> {
        let status = self.invocation_status;
        let reason = self.failure_reason.unwrap_or_else(|| status.clone());
        let outcome = match status.as_str() {
            "Completed" => Outcome::Completed { output: response.ok_or(NoResult::NoOutput)? },
            "Rejected" => Outcome::Rejected { reason },
            "Unanswered" => Outcome::Unanswered { reason },
            _ => Outcome::Failed { status, reason, failure_output: response },
        };
        let endpoint_name = self.request_parameters.endpoint_name;
        Ok(InferenceResult { inference_id: self.inference_id.unwrap_or_default(), endpoint_name, outcome })
    }
}

impl Object {
    /// Reads `s3://bucket/key` or `https://bucket.s3.region.amazonaws.com/key`.
    pub(crate) fn parse(location: &str) -> Result<Self, NoResult> {
        let (bucket, key) = if let Some(rest) = location.strip_prefix("s3://") {
            rest.split_once('/')
        } else {
            let url = location.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
            url.and_then(|(host, key)| host.find(".s3").and_then(|end| host.get(..end)).map(|bucket| (bucket, key)))
        }
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or(NoResult::Location)?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(body: &str) -> Result<Response, NoResult> {
        Notification::parse(body, "m").unwrap().response()
    }

    #[test]
    fn a_location_is_read_as_it_is() {
        let object = |bucket: &str, key: &str| Object { bucket: bucket.to_owned(), key: key.to_owned() };
        assert_eq!(Object::parse("s3://b/a b/%20?#").unwrap(), object("b", "a b/%20?#"));
        assert_eq!(Object::parse("https://b.s3.eu-west-2.amazonaws.com/a/b").unwrap(), object("b", "a/b"));
        for location in ["", "b/key", "s3://b", "s3://b/", "s3:///key", "https://host/key", "http://b.s3.x/key"] {
            assert!(Object::parse(location).is_err(), "{location}");
        }
    }

    #[test]
    fn an_answer_is_read_by_its_encoding_and_no_other() {
        let body = |content: &str, encoding: &str| {
            let body = serde_json::json!({"content": content, "encoding": encoding});
            response(&serde_json::json!({"invocationStatus": "Completed", "responseBody": body}).to_string())
        };
        assert_eq!(body("AA==", "BASE64").unwrap(), Response::Here(vec![0]));
        assert_eq!(body("AA==", "UTF8").unwrap(), Response::Here(b"AA==".to_vec()));
        assert!(matches!(body("%", "BASE64"), Err(NoResult::Base64(_))));
        assert!(matches!(body("x", "GZIP"), Err(NoResult::Encoding)));
    }

    #[test]
    fn a_failure_output_that_is_not_there_is_not_fetched() {
        let failed = |parameters: &str| {
            response(&format!(r#"{{"invocationStatus": "Failed", "responseParameters": {parameters}}}"#)).unwrap()
        };
        assert_eq!(failed(r#"{"failureLocation": "s3://b/k"}"#), Response::None);
        assert!(matches!(failed(r#"{"failureLocation": "s3://b/k", "contentLength": 9}"#), Response::At(_)));
    }
}
