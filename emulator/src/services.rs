//! The services at one address, told apart as AWS's protocols let them be: by `X-Amz-Target`, by a form's version, by the path.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::Response;

use crate::cloudwatch::{self, CloudWatch, Protocol};
use crate::{Emulator, autoscaling, control, other_services};

const FORM: &str = "application/x-www-form-urlencoded";

/// `POST /`: JSON, whose header names service and operation, or a form that names operation and version.
pub(crate) async fn call(
    State(emulator): State<Arc<Emulator>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let response = perform(&emulator, headers, body).await;
    once_saved(&emulator, response)
}

async fn perform(emulator: &Arc<Emulator>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let state = State(Arc::clone(emulator));
    let Ok(body) = body else { return control::call(state, headers, body).await };
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or_default();
    if service == autoscaling::SERVICE {
        return emulator.autoscaling().answer(emulator, operation, &body);
    }
    if service == cloudwatch::SERVICE {
        return cloudwatch(emulator, Protocol::Json, operation, &headers, &body);
    }
    if is_form_of(cloudwatch::QUERY_VERSION, &headers, &body) {
        return cloudwatch(emulator, Protocol::Query, "", &headers, &body);
    }
    control::call(state, headers, Ok(body)).await
}

/// The response, once what the request has changed is written down.
fn once_saved(emulator: &Emulator, response: Response) -> Response {
    if emulator.save().is_ok() { response } else { other_services::not_kept() }
}

/// `POST /service/…/operation/…`: CBOR. CloudWatch is the only one here that speaks it.
pub(crate) async fn cbor(
    State(emulator): State<Arc<Emulator>>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let response = cloudwatch(&emulator, Protocol::Cbor, &operation, &headers, &body);
    once_saved(&emulator, response)
}

fn cloudwatch(emulator: &Emulator, protocol: Protocol, operation: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return CloudWatch::refuse_compressed(protocol);
    }
    let response = emulator.cloudwatch().answer(protocol, operation, body);
    let set = emulator.cloudwatch().take_set();
    if !set.is_empty() {
        emulator.autoscaling().scale(emulator, &set);
    }
    response
}

fn is_form_of(version: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.starts_with(FORM)
        && form_urlencoded::parse(body).any(|(name, value)| name == "Version" && value == version)
}
