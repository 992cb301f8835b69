//! SageMaker's control plane, enough to live with: models, endpoint configurations and endpoints over its JSON protocol.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations_Amazon_SageMaker_Service.html>

mod configs;
pub(crate) mod endpoints;
pub(crate) mod error;
pub(crate) mod input;
mod listing;
mod models;
pub(crate) mod registry;
pub(crate) mod resolve;

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::Emulator;
use error::ControlError;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// `POST /` with an `X-Amz-Target`.
pub(crate) async fn call(State(emulator): State<Arc<Emulator>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match perform(&emulator, target, &body) {
        Ok(Value::Null) => ([("content-type", CONTENT_TYPE)], String::new()).into_response(),
        Ok(answer) => ([("content-type", CONTENT_TYPE)], answer.to_string()).into_response(),
        Err(error) => error.into_response(),
    }
}

fn perform(emulator: &Emulator, target: &str, body: &[u8]) -> Result<Value, ControlError> {
    let operation = target.strip_prefix("SageMaker.").ok_or_else(|| ControlError::unknown_operation(target))?;
    let request: Map<String, Value> = match body {
        [] => Map::new(),
        body => serde_json::from_slice(body).map_err(|error| ControlError::no_json(&error))?,
    };
    match operation {
        "CreateModel" => models::create(emulator, request),
        "DescribeModel" => models::describe(emulator, &request),
        "ListModels" => models::list(emulator, &request),
        "DeleteModel" => models::delete(emulator, &request),
        "CreateEndpointConfig" => configs::create(emulator, request),
        "DescribeEndpointConfig" => configs::describe(emulator, &request),
        "ListEndpointConfigs" => configs::list(emulator, &request),
        "DeleteEndpointConfig" => configs::delete(emulator, &request),
        "CreateEndpoint" => endpoints::create(emulator, &request),
        "UpdateEndpoint" => endpoints::update(emulator, &request),
        "UpdateEndpointWeightsAndCapacities" => endpoints::resize(emulator, &request),
        "DescribeEndpoint" => endpoints::describe(emulator, &request),
        "ListEndpoints" => endpoints::list(emulator, &request),
        "DeleteEndpoint" => endpoints::delete(emulator, &request),
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
