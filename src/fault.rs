//! The one place that decides what a fault is: whether trying again can help, and what a caller is told.

mod aws;
mod words;

use std::error::Error;
use std::fmt;

use lambda_runtime::Diagnostic;
use serde_json::error::Category;

/// What went wrong, by the name that SageMaker's API has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The request is not a valid one and never will be.
    Validation,
    /// The request names an endpoint or a location that this bridge does not serve.
    AccessDenied,
    /// The payload is larger than can be taken.
    PayloadTooLarge,
    /// SageMaker, S3 or SQS asks for fewer requests.
    Throttling,
    /// A service, the endpoint, or the way to them is not there at the moment; also: the function's time is used up.
    ServiceUnavailable,
    /// The first request with the same idempotency key is still being accepted, or its outcome is unknown.
    Conflict,
    /// The first request with the same idempotency key was another one.
    IdempotentParameterMismatch,
    /// The task or callback that a result was for has ended, timed out, or was never there.
    NotWaiting,
    /// Anything else, among it all that is wrong with the bridge's own role or configuration.
    InternalFailure,
}

impl FaultKind {
    /// Whether the same request may succeed later. What is unknown may.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Validation
            | Self::AccessDenied
            | Self::PayloadTooLarge
            | Self::IdempotentParameterMismatch
            | Self::NotWaiting => false,
            Self::Throttling | Self::ServiceUnavailable | Self::Conflict | Self::InternalFailure => true,
        }
    }

    /// The name for `x-amzn-ErrorType` and `failureReason`.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Validation => "ValidationError",
            Self::AccessDenied => "AccessDeniedException",
            Self::PayloadTooLarge => "PayloadTooLarge",
            Self::Throttling => "ThrottlingException",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::Conflict => "ConflictException",
            Self::IdempotentParameterMismatch => "IdempotentParameterMismatchException",
            Self::NotWaiting => "ResourceNotFound",
            Self::InternalFailure => "InternalFailure",
        }
    }

    /// The HTTP status for it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Validation => 400,
            Self::AccessDenied => 403,
            Self::Conflict => 409,
            Self::NotWaiting => 404,
            Self::PayloadTooLarge => 413,
            Self::IdempotentParameterMismatch => 422,
            Self::Throttling => 429,
            Self::InternalFailure => 500,
            Self::ServiceUnavailable => 503,
        }
    }
}

/// A fault: its kind, a message for whoever sent the request, and, where AWS answered, its error with all causes.
#[derive(Debug, thiserror::Error)]
pub struct Fault {
    kind: FaultKind,
    message: String,
    /// Seconds after which to try again, where they are known.
    retry_after: Option<u64>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// `ValidationError: InferenceId must be …`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.error_type(), self.message)
    }
}

impl Fault {
    fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, source: None }
    }

    /// A request that is not valid.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Validation, message)
    }

    /// A request for something that this bridge does not serve.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(FaultKind::AccessDenied, message)
    }

    /// A payload over a limit.
    pub fn payload_too_large(message: impl Into<String>) -> Self {
        Self::new(FaultKind::PayloadTooLarge, message)
    }

    /// Something is not there at the moment.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(FaultKind::ServiceUnavailable, message)
    }

    /// Nobody waits for a result any more.
    pub fn not_waiting(message: impl Into<String>) -> Self {
        Self::new(FaultKind::NotWaiting, message)
    }

    /// Something that should not happen.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultKind::InternalFailure, message)
    }

    /// The first request with the same idempotency key is under way.
    #[must_use]
    pub fn under_way(seconds: u64) -> Self {
        let message =
            format!("the first request with this Idempotency-Key is still being accepted: try again in {seconds} s");
        Self::new(FaultKind::Conflict, message).retry_after(seconds)
    }

    /// Nobody knows whether the first request with the same idempotency key was accepted.
    #[must_use]
    pub fn unknown_outcome(seconds: u64) -> Self {
        let message = format!(
            "SageMaker's answer to the first request with this Idempotency-Key was lost, so the request may have been \
             accepted: the key is free after {seconds} s, and the same request then invokes again"
        );
        Self::new(FaultKind::Conflict, message).retry_after(seconds)
    }

    /// The same fault with the seconds after which to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Seconds after which to try again; `None` where the fault's kind alone tells.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
    }

    /// An idempotency key was used for two different requests.
    #[must_use]
    pub fn other_request() -> Self {
        let message = "this Idempotency-Key was used for a different request within the last 24 hours";
        Self::new(FaultKind::IdempotentParameterMismatch, message)
    }

    /// The same fault for another one of those that it befell. Causes cannot be cloned, so it has them in its message.
    #[must_use]
    pub fn shared(&self) -> Self {
        let details = self.details();
        let prefix = format!("{}: ", self.kind.error_type());
        Self::new(self.kind, details.strip_prefix(&prefix).unwrap_or(&details))
    }

    /// The same fault without a secret that an answer of AWS may repeat.
    #[must_use]
    pub fn without_secret(&self, secret: &str) -> Self {
        let fault = self.shared();
        Self { message: fault.message.replace(secret, "…"), ..fault }
    }

    /// The same fault, but of a kind that may be mended: for what befell a request that is not to blame for it.
    #[must_use]
    pub fn retryable(self) -> Self {
        let kind = if self.kind.is_retryable() { self.kind } else { FaultKind::InternalFailure };
        Self { kind, ..self }
    }

    /// The function's time is used up.
    #[must_use]
    pub fn deadline() -> Self {
        Self::unavailable("the function ran out of time before the request was complete: try again")
    }

    /// What kind of fault it is.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What is wrong, for whoever sent the request.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The whole chain of causes, for the log. Not the SDK's `DisplayErrorContext`: that adds the raw response, and with it what
    /// a body may hold.
    #[must_use]
    pub fn details(&self) -> String {
        let mut details = self.to_string();
        let mut cause = Error::source(self);
        while let Some(error) = cause {
            details.push_str(": ");
            details.push_str(&error.to_string());
            cause = error.source();
        }
        details
    }
}

/// What Lambda records of a function's error.
impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        Self { error_type: fault.kind.error_type().to_owned(), error_message: fault.message }
    }
}

/// What is wrong with a JSON text, and where. serde's own words would repeat a piece of it, which may be a payload.
#[must_use]
pub fn json_problem(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        Category::Data => "the JSON has a different structure",
        Category::Eof => "the JSON is incomplete",
        Category::Syntax | Category::Io => "it is not JSON",
    };
    format!("{problem} (line {}, column {})", error.line(), error.column())
}

#[cfg(test)]
mod tests;
