//! The one place that decides what a fault is: whether trying again can help, and what a caller is told.

use std::error::Error;
use std::fmt;

use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::InvokeEndpointAsyncError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
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
    /// A service, or the way to it, is not there at the moment; also: the function's time is used up.
    ServiceUnavailable,
    /// The first request with the same idempotency key is still being accepted.
    Conflict,
    /// The first request with the same idempotency key was another one.
    IdempotentParameterMismatch,
    /// Anything else, among it all that is wrong with the bridge's own role or configuration.
    InternalFailure,
}

impl FaultKind {
    /// Whether the same request may succeed later. What is unknown may.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Validation | Self::AccessDenied | Self::PayloadTooLarge | Self::IdempotentParameterMismatch => false,
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
        Self { kind, message: message.into(), source: None }
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

    /// Something that should not happen.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultKind::InternalFailure, message)
    }

    /// The first request with the same idempotency key is under way.
    #[must_use]
    pub fn under_way() -> Self {
        let message = "the first request with this Idempotency-Key is still being accepted: try again in a moment";
        Self::new(FaultKind::Conflict, message)
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

    /// The function's time is used up.
    #[must_use]
    pub fn deadline() -> Self {
        Self::unavailable("the function's deadline came before the request was ended: try again")
    }

    /// What SageMaker answered to an invocation.
    #[must_use]
    pub fn from_invoke(error: SdkError<InvokeEndpointAsyncError, HttpResponse>) -> Self {
        let modelled = match error.as_service_error() {
            Some(InvokeEndpointAsyncError::ValidationError(_)) => Some(FaultKind::Validation),
            Some(InvokeEndpointAsyncError::InternalFailure(_)) => Some(FaultKind::InternalFailure),
            Some(InvokeEndpointAsyncError::ServiceUnavailable(_)) => Some(FaultKind::ServiceUnavailable),
            _ => None,
        };
        Self::from_sdk("InvokeEndpointAsync", modelled, error)
    }

    /// What S3 or SQS answered to `operation`.
    #[must_use]
    pub fn from_aws<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        Self::from_sdk(operation, None, error)
    }

    fn from_sdk<E>(operation: &'static str, modelled: Option<FaultKind>, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let kind = modelled.unwrap_or_else(|| kind_of(&error));
        let message = match (error.code(), error.message()) {
            // SageMaker's own words, which name what is wrong with the request.
            (_, Some(message)) if kind == FaultKind::Validation => message.to_owned(),
            (Some(code), _) => format!("{operation} answered {code}"),
            (None, _) => match error.raw_response() {
                Some(response) => format!("{operation} answered status {}", response.status().as_u16()),
                None => format!("{operation} got no answer"),
            },
        };
        Self { kind, message, source: Some(Box::new(error)) }
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

fn kind_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> FaultKind {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => FaultKind::ServiceUnavailable,
        // The bridge could not make sense of its own request or of the answer: nothing that the caller did.
        SdkError::ConstructionFailure(_) => FaultKind::InternalFailure,
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            kind_of_answer(error.code(), status)
        }
        // `SdkError` is non-exhaustive.
        _ => FaultKind::InternalFailure,
    }
}

/// Throttling arrives unmodelled. `AccessDeniedException` from AWS is the bridge's own role lacking a permission: not the
/// caller's fault, and mended by whoever runs the bridge, so it is retried like everything unknown.
fn kind_of_answer(code: Option<&str>, status: u16) -> FaultKind {
    match (code, status) {
        (Some("ValidationError" | "ValidationException"), _) => FaultKind::Validation,
        (Some("EntityTooLarge" | "RequestEntityTooLargeException"), _) | (_, 413) => FaultKind::PayloadTooLarge,
        (Some("BatchRequestTooLong" | "AWS.SimpleQueueService.BatchRequestTooLong"), _) => FaultKind::PayloadTooLarge,
        (_, 429) => FaultKind::Throttling,
        (Some(code), _) if aws_runtime::retries::classifiers::THROTTLING_ERRORS.contains(&code) => {
            FaultKind::Throttling
        }
        (Some("ServiceUnavailable" | "RequestTimeout" | "RequestTimeoutException"), _) | (_, 502..=504) => {
            FaultKind::ServiceUnavailable
        }
        _ => FaultKind::InternalFailure,
    }
}

/// What is wrong with a JSON text, and where. serde's own words would repeat a piece of it, which may be a payload.
#[must_use]
pub fn json_problem(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        Category::Data => "it is JSON of another shape",
        Category::Eof => "its JSON breaks off",
        Category::Syntax | Category::Io => "it is no JSON",
    };
    format!("{problem} (line {}, column {})", error.line(), error.column())
}

#[cfg(test)]
mod tests;
