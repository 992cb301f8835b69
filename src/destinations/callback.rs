//! Callbacks of Lambda's durable functions: a result ends the callback whose id is its return address.

use std::error::Error;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::ErrorObject;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use serde::Deserialize;

use super::{Destination, Limits, ResultMessage, attribute_text};
use crate::aws::Lazy;
use crate::fault::Fault;
use crate::return_address::ReplyTo;

/// Longest result of a callback, and all fields of an error together, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html>,
/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecution.html>
const RESULT_LIMIT_BYTES: usize = 262_144;

/// All callbacks.
pub(crate) struct Callbacks(Lazy<aws_sdk_lambda::Client>);

/// What a result says of why there is no output.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reason {
    failure_reason: Option<String>,
}

impl Destination for Callbacks {
    fn name(&self) -> &'static str {
        "durable function callback"
    }

    fn limits(&self) -> Limits {
        Limits { message_bytes: RESULT_LIMIT_BYTES, call_messages: 1, call_bytes: RESULT_LIMIT_BYTES }
    }

    fn bytes(&self, message: &ResultMessage) -> usize {
        let words = message.error.map_or(0, |error| error.len() + reason(&message.body, error).len());
        message.body.len() + words
    }

    /// As of a task: one form, of which a program can read everything.
    fn takes_raw(&self) -> bool {
        false
    }

    fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>> {
        future::join_all(messages.into_iter().map(|message| self.end(message))).boxed()
    }
}

impl Callbacks {
    /// The callbacks of this account and Region.
    #[must_use]
    pub(super) const fn new(lambda: Lazy<aws_sdk_lambda::Client>) -> Self {
        Self(lambda)
    }

    async fn end(&self, message: ResultMessage) -> Result<(), Fault> {
        let ResultMessage { body, return_address, error, .. } = message;
        let ReplyTo::Callback(id) = return_address.to else {
            return Err(Fault::internal("the result's return address is not a callback"));
        };
        let id = id.as_str();
        let ended = match error {
            None => {
                let call = self.0.send_durable_execution_callback_success().callback_id(id).result(Blob::new(body));
                call.send().await.map(drop).map_err(|error| fault("SendDurableExecutionCallbackSuccess", error))
            }
            Some(error) => {
                let object = ErrorObject::builder()
                    .error_type(error)
                    .error_message(reason(&body, error))
                    .error_data(body)
                    .build();
                let call = self.0.send_durable_execution_callback_failure().callback_id(id).error(object);
                call.send().await.map(drop).map_err(|error| fault("SendDurableExecutionCallbackFailure", error))
            }
        };
        ended.map_err(|fault| fault.without_secret(id))
    }
}

/// Why there is no output, in words: what a durable function's exception says. Its data has the rest.
fn reason(body: &str, error: &str) -> String {
    let reason = serde_json::from_str(body).ok().and_then(|Reason { failure_reason }| failure_reason);
    attribute_text(reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or(error))
}

/// What Lambda answered. A callback that has ended is a `CallbackTimeoutException`; one that never was is not found, or its id is no valid
/// parameter. The page above has all three.
fn fault<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error.code() {
        Some(code @ ("CallbackTimeoutException" | "ResourceNotFoundException" | "InvalidParameterValueException")) => {
            Fault::not_waiting(format!("{operation} answered {code}"))
        }
        _ => Fault::from_aws(operation, error),
    }
}
