//! Tasks of Step Functions (`.waitForTaskToken`): a result ends the task whose token is its return address.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};

use super::{Destination, Limits, ResultMessage};
use crate::aws::Lazy;
use crate::fault::Fault;
use crate::return_address::ReplyTo;

/// Longest output of a task, in bytes.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>
const OUTPUT_LIMIT_BYTES: usize = 262_144;
/// Longest cause of a failure. It is said in characters, of which there are never more than bytes.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>
const CAUSE_LIMIT_BYTES: usize = 32_768;

/// All tasks.
pub(crate) struct Tasks(Lazy<aws_sdk_sfn::Client>);

impl Destination for Tasks {
    fn name(&self) -> &'static str {
        "Step Functions task"
    }

    fn limits(&self) -> Limits {
        Limits { message_bytes: OUTPUT_LIMIT_BYTES, call_messages: 1, call_bytes: OUTPUT_LIMIT_BYTES }
    }

    fn limit_of(&self, message: &ResultMessage) -> usize {
        if message.error.is_some() { CAUSE_LIMIT_BYTES } else { OUTPUT_LIMIT_BYTES }
    }

    fn bytes(&self, message: &ResultMessage) -> usize {
        message.body.len()
    }

    /// A task's output is JSON.
    fn takes_raw(&self) -> bool {
        false
    }

    fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>> {
        future::join_all(messages.into_iter().map(|message| self.end(message))).boxed()
    }
}

impl Tasks {
    /// The tasks of this account and Region.
    #[must_use]
    pub(super) const fn new(sfn: Lazy<aws_sdk_sfn::Client>) -> Self {
        Self(sfn)
    }

    async fn end(&self, message: ResultMessage) -> Result<(), Fault> {
        let ResultMessage { body, return_address, error, .. } = message;
        let ReplyTo::Task(token) = return_address.to else {
            return Err(Fault::internal("the result's return address is not a task"));
        };
        let token = token.as_str();
        let ended = match error {
            None => {
                let call = self.0.send_task_success().task_token(token).output(body);
                call.send().await.map(drop).map_err(|error| fault("SendTaskSuccess", error))
            }
            Some(error) => {
                let call = self.0.send_task_failure().task_token(token).error(error).cause(body);
                call.send().await.map(drop).map_err(|error| fault("SendTaskFailure", error))
            }
        };
        ended.map_err(|fault| fault.without_secret(token))
    }
}

/// What Step Functions answered. `TaskTimedOut` is said of a task that has ended in any way; the two others of what never was one. Both
/// pages above have all three.
fn fault<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error.code() {
        Some(code @ ("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken")) => {
            Fault::not_waiting(format!("{operation} answered {code}"))
        }
        _ => Fault::from_aws(operation, error),
    }
}
