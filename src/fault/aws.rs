//! What an answer of AWS means.

use std::error::Error;

use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::InvokeEndpointAsyncError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Fault, FaultKind, words};

impl Fault {
    /// What SageMaker answered to an invocation.
    #[must_use]
    pub fn from_invoke(error: SdkError<InvokeEndpointAsyncError, HttpResponse>) -> Self {
        let modelled = match error.as_service_error() {
            Some(InvokeEndpointAsyncError::ValidationError(_)) => Some(FaultKind::Validation),
            Some(InvokeEndpointAsyncError::InternalFailure(_)) => Some(FaultKind::InternalFailure),
            Some(InvokeEndpointAsyncError::ServiceUnavailable(_)) => Some(FaultKind::ServiceUnavailable),
            _ => None,
        };
        let fault = Self::from_sdk("InvokeEndpointAsync", modelled, error);
        let is_refusal = fault.kind == FaultKind::Validation;
        match words::endpoint_problem(&fault.message).filter(|_| is_refusal) {
            Some(problem) => {
                let message = format!("{problem}: its operator has to fix that; then send the request again");
                Self { kind: FaultKind::ServiceUnavailable, message, ..fault }
            }
            None => fault,
        }
    }

    /// What SageMaker answered to an invocation whose `InputLocation` has characters beyond ASCII. Its header carries them as the SDKs of
    /// AWS do, in UTF-8, and AWS's model of the API forbids none; but not every service of AWS reads such a header as it was
    /// signed (<https://github.com/aws/aws-sdk/issues/795>). Then it never will, whoever mends what.
    #[must_use]
    pub fn from_invoke_beyond_ascii(error: SdkError<InvokeEndpointAsyncError, HttpResponse>) -> Self {
        if !matches!(error.code(), Some("InvalidSignatureException" | "SignatureDoesNotMatch")) {
            return Self::from_invoke(error);
        }
        let message = "SageMaker cannot read this InputLocation, whose key has characters beyond ASCII: copy the object to a key \
                       of ASCII characters";
        Self { source: Some(Box::new(error)), ..Self::validation(message) }
    }

    /// What any other service than SageMaker answered to `operation`.
    #[must_use]
    pub fn from_aws<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        Self::from_sdk(operation, None, error)
    }

    /// What a service answered to one entry of a call, by its code.
    #[must_use]
    pub fn refused(code: &str, problem: String) -> Self {
        Self::new(kind_of_answer(Some(code), 0), problem)
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
        Self { source: Some(Box::new(error)), ..Self::new(kind, message) }
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
