//! A message that can never succeed: it goes to the dead-letter queue, and its sender is told.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Submit;
use super::dead_letter::DeadLetterQueue;
use super::sqs::{Batch, Message};
use crate::config::SubmitConfig;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::invocation::{
    ACCEPT, CONTENT_TYPE, CUSTOM_ATTRIBUTES, ENDPOINT_NAME, EndpointName, HeaderText, INFERENCE_ID, INPUT_LOCATION,
    InferenceId, Parameter, ParameterSource,
};
use crate::results::{BATCH_LIMIT_MESSAGES, ResultMessage, ResultsQueue, attribute, identity_of, json_body};

const STATUS: &str = "Rejected";

/// What a sender is to be told.
pub(super) struct Rejection {
    message_id: String,
    is_dead_letter: bool,
    result: ResultMessage,
}

impl Submit {
    /// Rejects a message; tells whether it must come back. The dead-letter queue comes first: what lies there is not received again,
    /// so nobody is told `Rejected` and gets a result later. Without it, or when it does not take the message, the sender is told
    /// at the first receipt, because the message comes back.
    pub(super) async fn reject(&self, message: &Message<'_>, fault: &Fault, batch: &Batch) -> bool {
        let is_dead_letter = match &self.dead_letters {
            Some(queue) => keep(queue, message, fault, batch.deadline).await,
            None => false,
        };
        if is_dead_letter || message.is_first_receipt {
            self.tell(message, fault, is_dead_letter, batch);
        }
        !is_dead_letter
    }

    /// Tells the sender already now of a message that comes back unsent, if it never can be sent: this receipt is its first one,
    /// the next will not be. With a dead-letter queue it is rejected when its turn comes.
    pub(super) fn return_unsent(&self, message: &Message<'_>, batch: &Batch) {
        if self.dead_letters.is_none()
            && message.is_first_receipt
            && let Err(fault) = self.invocation(message)
        {
            self.tell(message, &fault, false, batch);
        }
    }

    fn tell(&self, message: &Message<'_>, fault: &Fault, is_dead_letter: bool, batch: &Batch) {
        if self.results.is_some()
            && let Some(result) = result(message, &message.id, &self.config, fault)
        {
            // The other end is there for as long as the batch.
            let _ = batch.rejections.send(Rejection { message_id: message.id.clone(), is_dead_letter, result });
        }
    }

    /// Tells senders as soon as there is something to tell, until the batch is done.
    pub(super) async fn tell_senders(&self, mut rejections: UnboundedReceiver<Rejection>, deadline: Deadline) {
        let Some(results) = &self.results else { return };
        stream::poll_fn(|context| rejections.poll_recv(context))
            .ready_chunks(BATCH_LIMIT_MESSAGES)
            .for_each_concurrent(self.config.max_concurrency.get(), |told| send(results, told, deadline))
            .await;
    }
}

/// Whether the dead-letter queue has confirmed a message. It has as long as leaves time to tell the sender.
async fn keep(queue: &DeadLetterQueue, message: &Message<'_>, fault: &Fault, deadline: Deadline) -> bool {
    let error_type = fault.kind().error_type();
    match deadline.go_on(Box::pin(queue.put(message, fault))).await {
        Ok(id) => {
            tracing::info!(
                sqs.message_id = message.id,
                dead_letter.message_id = id,
                "error.type" = error_type,
                "rejected: the message lies in the dead-letter queue"
            );
            true
        }
        Err(unkept) => {
            tracing::error!(
                sqs.message_id = message.id,
                "error.type" = error_type,
                error = unkept.details(),
                "the dead-letter queue did not take a rejected message: it comes back"
            );
            false
        }
    }
}

/// A result that cannot be sent is logged and nothing more: what lies in the dead-letter queue must not be invoked again.
async fn send(results: &ResultsQueue, told: Vec<Rejection>, deadline: Deadline) {
    let (messages, told): (Vec<_>, Vec<_>) =
        told.into_iter().map(|told| ((told.message_id, told.is_dead_letter), told.result)).unzip();
    for ((message_id, is_dead_letter), answer) in messages.into_iter().zip(results.send(told, deadline).await) {
        let Err(fault) = answer else { continue };
        let lies = if is_dead_letter { "it lies in the dead-letter queue" } else { "it comes back" };
        tracing::error!(
            sqs.message_id = message_id,
            error = fault.details(),
            "sender not told of a rejected message: {lies}"
        );
    }
}

/// Shaped like SageMaker's notifications.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected<'a> {
    event_source: &'static str,
    event_name: &'static str,
    event_version: &'static str,
    event_time: String,
    invocation_status: &'static str,
    failure_reason: String,
    inference_id: &'a str,
    request_parameters: RequestParameters,
}

/// What the request gave of these; as in SageMaker's notifications, what it did not give is not there. A value that is no valid
/// one is left out: who counts results by endpoint must not blame one that was never asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_location: Option<String>,
}

/// The result for a request that came as the message `message_id`. `None` only if it cannot be written as JSON.
fn result(
    request: &impl ParameterSource,
    message_id: &str,
    config: &SubmitConfig,
    fault: &Fault,
) -> Option<ResultMessage> {
    let given = |parameter: Parameter| -> Option<String> {
        let value = request.get(parameter).ok()??;
        value.parse::<HeaderText>().ok().map(String::from)
    };
    let inference_id = given(INFERENCE_ID).and_then(|id| id.parse::<InferenceId>().ok()).map(String::from);
    let inference_id = inference_id.as_deref().unwrap_or(message_id);
    let rejected = Rejected {
        event_source: "sagemaker-async-bridge",
        event_name: "InferenceRejected",
        event_version: "1.0",
        event_time: now(),
        invocation_status: STATUS,
        failure_reason: fault.to_string(),
        inference_id,
        request_parameters: RequestParameters {
            endpoint_name: endpoint_name(request, config),
            accept: given(ACCEPT),
            content_type: given(CONTENT_TYPE),
            custom_attributes: given(CUSTOM_ATTRIBUTES),
            input_location: given(INPUT_LOCATION),
        },
    };
    let body = json_body(&rejected).ok()?;
    let message = ResultMessage::new(body, inference_id, identity_of(&format!("{STATUS} {message_id}")))
        .with(attribute::INFERENCE_ID, Some(inference_id))
        .with(attribute::INVOCATION_STATUS, Some(STATUS))
        .with(attribute::ENDPOINT_NAME, rejected.request_parameters.endpoint_name.as_deref());
    Some(message)
}

/// The endpoint that was asked for, by name or by naming none.
fn endpoint_name(request: &impl ParameterSource, config: &SubmitConfig) -> Option<String> {
    match request.get(ENDPOINT_NAME).ok()? {
        Some(name) => name.parse::<EndpointName>().ok().map(String::from),
        None => Some(config.endpoint_name.as_str().to_owned()),
    }
}

/// The time as SageMaker's notifications give it, in milliseconds.
fn now() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let milliseconds = i64::try_from(now.as_millis()).unwrap_or_default();
    DateTime::from_millis(milliseconds).fmt(Format::DateTime).unwrap_or_default()
}
