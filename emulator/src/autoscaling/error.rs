//! Errors of Application Auto Scaling.
//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/CommonErrors.html>

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::CONTENT_TYPE;
use crate::control::error::ControlError;

/// An error: every one of these is a 400.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScalingError(&'static str, pub(super) String);

impl ScalingError {
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self("ValidationException", message.into())
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self("ObjectNotFoundException", message.into())
    }

    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self("LimitExceededException", message.into())
    }

    pub(super) fn token() -> Self {
        Self("InvalidNextTokenException", "The next token is invalid.".to_owned())
    }

    pub(super) fn unknown_operation(operation: &str) -> Self {
        let message = format!("the emulator has no operation {operation} of Application Auto Scaling");
        Self("UnknownOperationException", message)
    }

    pub(super) fn no_json(error: &serde_json::Error) -> Self {
        let message = format!("the request is not a JSON object: line {}, column {}", error.line(), error.column());
        Self("SerializationException", message)
    }
}

impl From<ControlError> for ScalingError {
    /// Of a member that is not what the model asks for.
    fn from(error: ControlError) -> Self {
        Self::validation(error.into_message())
    }
}

impl IntoResponse for ScalingError {
    fn into_response(self) -> Response {
        let body = json!({"__type": self.0, "Message": self.1}).to_string();
        (StatusCode::BAD_REQUEST, [("x-amzn-errortype", self.0), ("content-type", CONTENT_TYPE)], body).into_response()
    }
}
