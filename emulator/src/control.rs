//! SageMaker's control plane, enough to live with: models, endpoint configurations and endpoints over its JSON protocol.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations_Amazon_SageMaker_Service.html>

pub(crate) mod call;
mod configs;
mod describe;
pub(crate) mod endpoints;
pub(crate) mod error;
mod listing;
mod models;
pub(crate) mod registry;
pub(crate) mod resolve;
mod shapes;
pub(crate) mod tags;

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::{Emulator, other_services};
use call::Call;
use error::ControlError;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// Of the targets of SageMaker's operations.
const PREFIX: &str = "SageMaker.";

/// `POST /` with an `X-Amz-Target`.
pub(crate) async fn call(
    State(emulator): State<Arc<Emulator>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return ControlError::too_large().into_response() };
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if !target.starts_with(PREFIX) {
        return other_services::answer(&headers, target, &body, emulator.account());
    }
    match perform(&Call::new(&emulator, &headers), target, &body) {
        Ok(Value::Null) => ([("content-type", CONTENT_TYPE)], String::new()).into_response(),
        Ok(answer) => ([("content-type", CONTENT_TYPE)], answer.to_string()).into_response(),
        Err(error) => error.into_response(),
    }
}

fn perform(call: &Call<'_>, target: &str, body: &[u8]) -> Result<Value, ControlError> {
    let operation = target.trim_start_matches(PREFIX);
    let request: Map<String, Value> = match body {
        [] => Map::new(),
        body => serde_json::from_slice(body).map_err(|error| ControlError::no_json(&error))?,
    };
    shapes::check(operation, &request)?;
    match operation {
        "CreateModel" => models::create(call, request),
        "DescribeModel" => models::describe(call, &request),
        "ListModels" => models::list(call, &request),
        "DeleteModel" => models::delete(call, &request),
        "CreateEndpointConfig" => configs::create(call, request),
        "DescribeEndpointConfig" => configs::describe(call, &request),
        "ListEndpointConfigs" => configs::list(call, &request),
        "DeleteEndpointConfig" => configs::delete(call, &request),
        "CreateEndpoint" => endpoints::create(call, &request),
        "UpdateEndpoint" => endpoints::update(call, &request),
        "UpdateEndpointWeightsAndCapacities" => endpoints::resize(call, &request),
        "DescribeEndpoint" => endpoints::describe(call, &request),
        "ListEndpoints" => endpoints::list(call, &request),
        "DeleteEndpoint" => endpoints::delete(call, &request),
        "ListTags" => tags::list(call, &request),
        "AddTags" => tags::add(call, &request),
        "DeleteTags" => tags::delete(call, &request),
        _ => Err(ControlError::unknown_operation(target)),
    }
}

/// A time as the JSON protocol has it: seconds since 1970, with fractions.
fn epoch(time: SystemTime) -> Value {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // To the millisecond, as AWS gives it.
    let milliseconds = u32::from(since.subsec_millis() as u16);
    serde_json::json!(f64::from(milliseconds).mul_add(1e-3, since.as_secs() as f64))
}
