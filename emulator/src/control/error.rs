//! Errors of the control plane, in SageMaker's types and, where they were seen, words.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html>

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error of the JSON protocol: every one of these is a 400.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ControlError {
    error_type: &'static str,
    message: String,
}

impl ControlError {
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self { error_type: "ValidationException", message: message.into() }
    }

    /// A member that is not what its shape in the API model asks for.
    pub(crate) fn constraint(member: &str, constraint: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {constraint}"
        ))
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn not_found(what: &str, arn: &str) -> Self {
        Self::validation(format!("Could not find {what} \"{arn}\"."))
    }

    pub(crate) fn already_there(what: &str, arn: &str) -> Self {
        Self::validation(format!("Cannot create already existing {what} \"{arn}\"."))
    }

    pub(crate) fn in_progress(arn: &str) -> Self {
        Self::validation(format!("Cannot update in-progress endpoint \"{arn}\"."))
    }

    pub(crate) fn limit_exceeded(instance_type: &str, limit: u32, used: u32, more: u32) -> Self {
        let message = format!(
            "The account-level service limit '{instance_type} for endpoint usage' is {limit} Instances, with current utilization of \
             {used} Instances and a request delta of {more} Instances. Please use AWS Service Quotas to request an increase for \
             this quota."
        );
        Self { error_type: "ResourceLimitExceeded", message }
    }

    pub(crate) fn into_message(self) -> String {
        self.message
    }

    pub(crate) fn duplicate_variant(name: &str) -> Self {
        Self::validation(format!("Each production variant needs a name of its own; \"{name}\" is there twice."))
    }

    /// Seen where an asynchronous endpoint was asked for what it cannot be: <https://github.com/boto/boto3/issues/4275>
    pub(crate) fn unsupported() -> Self {
        Self::validation("One or more endpoint features are not supported using this configuration.")
    }

    pub(crate) fn too_many_tags(limit: usize) -> Self {
        let message = format!("A resource has at most {limit} tags.");
        Self { error_type: "ResourceLimitExceeded", message }
    }

    pub(crate) fn unknown_operation(target: &str) -> Self {
        let message = format!("the emulator has no operation `{target}`");
        Self { error_type: "UnknownOperationException", message }
    }

    pub(crate) fn too_large() -> Self {
        let message = "the request is too large to be read";
        Self { error_type: "SerializationException", message: message.to_owned() }
    }

    pub(crate) fn no_json(error: &serde_json::Error) -> Self {
        // serde's own words would quote the text.
        let message = format!("the request is not a JSON object: line {}, column {}", error.line(), error.column());
        Self { error_type: "SerializationException", message }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let body = json!({"__type": self.error_type, "message": self.message}).to_string();
        let headers = [("x-amzn-errortype", self.error_type), ("content-type", super::CONTENT_TYPE)];
        (StatusCode::BAD_REQUEST, headers, body).into_response()
    }
}
