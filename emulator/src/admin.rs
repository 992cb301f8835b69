//! The emulator's own API: `/_emulator/…`, in JSON.

pub(crate) mod faults;
pub(crate) mod history;
pub(crate) mod metrics;
pub(crate) mod page;
pub(crate) mod state;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// What is wrong with a request.
#[derive(Debug)]
pub(crate) struct AdminError(StatusCode, String);

impl AdminError {
    pub(crate) fn bad_request(message: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, message.to_string())
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        (self.0, answer(&json!({"message": self.1}))).into_response()
    }
}

/// An answer in JSON.
pub(crate) fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([("content-type", "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
