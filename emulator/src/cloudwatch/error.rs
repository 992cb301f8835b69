//! Errors of CloudWatch, in its codes.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html>

use axum::http::StatusCode;

use crate::control::error::ControlError;

/// An error: the query protocol knows it by its code, the others by the name of its shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CloudWatchError {
    pub(super) shape: &'static str,
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl CloudWatchError {
    fn new(shape: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { shape, code, status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValueException", "InvalidParameterValue", message)
    }

    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombinationException", "InvalidParameterCombination", message)
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new("MissingRequiredParameterException", "MissingParameter", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", "ValidationError", message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new("LimitExceededFault", "LimitExceeded", message)
    }

    pub(crate) fn no_alarm(name: &str) -> Self {
        let mut error = Self::new("ResourceNotFound", "ResourceNotFound", format!("Unknown alarm {name}"));
        error.status = StatusCode::NOT_FOUND;
        error
    }

    pub(crate) fn token() -> Self {
        Self::new("InvalidNextToken", "InvalidNextToken", "Invalid NextToken.")
    }

    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new("SerializationException", "MalformedInput", message)
    }

    pub(crate) fn unknown_operation(operation: &str) -> Self {
        let message = format!("the emulator has no operation {operation} of CloudWatch");
        Self::new("UnknownOperationException", "InvalidAction", message)
    }
}

impl From<ControlError> for CloudWatchError {
    /// Of a member that is not what the model asks for.
    fn from(error: ControlError) -> Self {
        Self::validation(error.into_message())
    }
}
