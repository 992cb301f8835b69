//! What a model is asked, and how it fails.

use crate::body::Spool;
use crate::invocation::Parameters;
use crate::store::Object;

/// What a model is asked beside its input.
#[derive(Clone, Copy, Debug)]
pub struct ModelRequest<'a> {
    /// Content types and attributes.
    pub parameters: &'a Parameters,
    /// The caller's id, or a new one.
    pub inference_id: &'a str,
    /// Whether a container has to say how long its response is: asynchronous endpoints take no other.
    pub needs_length: bool,
    /// Where a large response comes to lie.
    pub spool: &'a Spool,
}

/// Why there is no response.
#[derive(Debug)]
pub enum Failure {
    /// The request waited, or the model took, longer than it may.
    Expired,
    /// The inference failed.
    Failed {
        /// As the notification gives it.
        reason: String,
        /// What the model said of it, with its status.
        response: Option<(u16, Object)>,
    },
}

impl Failure {
    /// A failure that the model has no part in.
    pub fn without_response(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), response: None }
    }

    /// The model answered with an error status; the words are SageMaker's.
    pub(super) fn answered(status: u16, response: Object) -> Self {
        let side = if status < 500 { "client" } else { "server" };
        let reason = format!(
            "ClientError: Received {side} error ({status}) from model. See the SageMaker Endpoint logs in your account for more \
             information."
        );
        Self::Failed { reason, response: Some((status, response)) }
    }
}

/// There is no room for a response, or it is larger than any may be.
pub(super) fn not_kept(error: std::io::Error) -> Failure {
    Failure::without_response(format!("ClientError: Unable to keep the response of the model: {error}"))
}
