//! What whoever sent a request is told when it can never succeed: a result, by the way on which the answer would have come.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;

use crate::config::SubmitConfig;
use crate::destinations::{ResultMessage, attribute, json_body};
use crate::fault::Fault;
use crate::hash::sha256_hex;
use crate::parameter::{
    ACCEPT, CONTENT_TYPE, CUSTOM_ATTRIBUTES, ENDPOINT_NAME, EndpointName, HeaderText, INFERENCE_ID, INPUT_LOCATION,
    InferenceId, Parameter, ParameterSource,
};
use crate::return_address::ReturnAddress;

const STATUS: &str = "Rejected";

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

/// The result of a request that was rejected, by its return address unless that is what is wrong. `id` is AWS's of what it came in, and its inference id if it has none of its own. `None` only
/// if it cannot be written as JSON.
pub(super) fn result(
    request: &impl ParameterSource,
    id: &str,
    config: &SubmitConfig,
    fault: &Fault,
) -> Option<ResultMessage> {
    let value_of = |parameter: Parameter| -> Option<String> {
        let value = request.get(parameter).ok()??;
        value.parse::<HeaderText>().ok().map(String::from)
    };
    let inference_id = value_of(INFERENCE_ID).and_then(|id| id.parse::<InferenceId>().ok()).map(String::from);
    let inference_id = inference_id.as_deref().unwrap_or(id);
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
            accept: value_of(ACCEPT),
            content_type: value_of(CONTENT_TYPE),
            custom_attributes: value_of(CUSTOM_ATTRIBUTES),
            input_location: value_of(INPUT_LOCATION),
        },
    };
    let body = json_body(&rejected).ok()?;
    let return_address = ReturnAddress::read(request, &config.reply_to).unwrap_or_default();
    let message = ResultMessage::new(body, inference_id, sha256_hex(&format!("{STATUS} {id}")))
        .to(return_address)
        .failed(Some(fault.kind().error_type()))
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
