//! Whether SageMaker may have accepted a call that failed. The SDK tells how the last try ended; an earlier one may have been
//! accepted and its answer lost.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::InvokeEndpointAsyncError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The tries of one call. Clones count the same tries.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    /// Tries that were sent and not refused. A try that was abandoned stays among them.
    open: Arc<AtomicU32>,
}

impl Tries {
    /// Whether SageMaker may have accepted one of the tries.
    pub(super) fn may_be_accepted(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }
}

#[dyn_dispatch_hint]
impl Intercept for Tries {
    fn name(&self) -> &'static str {
        "Tries"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if is_refused(context) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether it is certain that a try that was sent was not accepted.
fn is_refused(context: &FinalizerInterceptorContextRef<'_>) -> bool {
    let Some(Err(error)) = context.output_or_error() else { return false };
    if let Some(answer) = error.as_operation_error() {
        let code = answer.downcast_ref::<InvokeEndpointAsyncError>().and_then(ProvideErrorMetadata::code);
        return context.response().is_some_and(|response| is_refusal(code, response.status().as_u16()));
    }
    error.as_connector_error().is_some_and(|error| is_connect_error(error))
}

/// Whether an answer says that the request was turned away. SageMaker's `InternalFailure` (500) does not: something broke, before
/// or after the request was accepted. Nor does a bare 502, 503 or 504: it is a proxy's, of which nobody knows what it passed on.
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html#API_runtime_InvokeEndpointAsync_Errors>
fn is_refusal(code: Option<&str>, status: u16) -> bool {
    let is_turned_away = |code: &str| code == "ServiceUnavailable" || THROTTLING_ERRORS.contains(&code);
    // 408: something timed out after the request's first byte.
    ((400..500).contains(&status) && status != 408) || code.is_some_and(is_turned_away)
}

/// Whether there was no connection over which the request could have gone: DNS, TCP and TLS, each failed or too slow.
fn is_connect_error(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_turns_the_request_away_is_a_refusal() {
        for (code, status, refused) in [
            (Some("ValidationError"), 400, true),
            (Some("ThrottlingException"), 400, true),
            (Some("ThrottlingException"), 429, true),
            (Some("RequestLimitExceeded"), 503, true),
            (Some("AccessDeniedException"), 403, true),
            (Some("ExpiredTokenException"), 403, true),
            (Some("ServiceUnavailable"), 503, true),
            (None, 403, true),
            (None, 413, true),
            (None, 429, true),
            (Some("InternalFailure"), 500, false),
            (Some("InternalServerException"), 500, false),
            (None, 408, false),
            (None, 500, false),
            (None, 502, false),
            (None, 503, false),
            (None, 504, false),
            (None, 302, false),
        ] {
            assert_eq!(is_refusal(code, status), refused, "{code:?} {status}");
        }
    }
}
