//! `InvokeEndpoint` and `InvokeEndpointWithResponseStream`: a real-time endpoint runs its model while the caller waits.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html>

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::{WireError, ascii, checked_at, short_ascii, until_accepted};
use crate::Emulator;
use crate::body::MAX_BYTES;
use crate::endpoint::{Core, EndpointStatus};
use crate::invocation::Parameters;
use crate::model::{Failure, Model, ModelRequest};
use crate::store::Object;

/// `BodyBlob` of the API model.
const BODY_LIMIT_BYTES: usize = 6_291_456;
/// "A customer's model containers must respond to requests within 60 seconds."
const MODEL_TIMEOUT: Duration = Duration::from_secs(60);
/// A stream's answer is cut into parts of this size.
const PART_BYTES: usize = 64 * 1024;
/// Of what a model says of a failure, the caller gets so much.
const SAID_BYTES: usize = 1 << 20;

/// `InvokeEndpoint`.
pub(crate) async fn invoke(
    State(emulator): State<Arc<Emulator>>,
    Path(endpoint_name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, WireError> {
    let (variant, object, parameters) = run(&emulator, &endpoint_name, &headers, "accept", body).await?;
    let content_type = (HeaderName::from_static("content-type"), object.content_type);
    let body = object.body.http().await.map_err(|_| WireError::internal())?;
    let headers = response_headers(content_type, variant, parameters);
    Ok((headers, axum::body::Body::new(body)).into_response())
}

/// `InvokeEndpointWithResponseStream`: what the model answers, in parts.
pub(crate) async fn invoke_with_response_stream(
    State(emulator): State<Arc<Emulator>>,
    Path(endpoint_name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, WireError> {
    let accept = "x-amzn-sagemaker-accept";
    let (variant, object, parameters) = run(&emulator, &endpoint_name, &headers, accept, body).await?;
    let body = object.body.first(MAX_BYTES).await.map_err(|_| WireError::internal())?;
    let mut stream = Vec::with_capacity(body.len() + 256);
    for part in body.chunks(PART_BYTES) {
        write_message_to(&payload_part(body.slice_ref(part)), &mut stream).map_err(|_| WireError::internal())?;
    }
    let content_type = (HeaderName::from_static("x-amzn-sagemaker-content-type"), object.content_type);
    let headers = response_headers(content_type, variant, parameters);
    Ok(([("content-type", "application/vnd.amazon.eventstream")], headers, stream).into_response())
}

fn payload_part(bytes: Bytes) -> Message {
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    Message::new(bytes)
        .add_header(text(":message-type", "event"))
        .add_header(text(":event-type", "PayloadPart"))
        .add_header(text(":content-type", "application/octet-stream"))
}

fn response_headers(content_type: (HeaderName, String), variant: String, parameters: Parameters) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let attributes = parameters.custom_attributes;
    for (name, value) in [
        (content_type.0, Some(content_type.1)),
        (HeaderName::from_static("x-amzn-invoked-production-variant"), Some(variant)),
        (HeaderName::from_static("x-amzn-sagemaker-custom-attributes"), attributes),
    ] {
        if let Some(Ok(value)) = value.map(|value| value.parse()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Runs the model of one of an endpoint's variants.
async fn run(
    emulator: &Emulator,
    endpoint_name: &str,
    headers: &HeaderMap,
    accept: &str,
    body: Result<Bytes, BytesRejection>,
) -> Result<(String, Object, Parameters), WireError> {
    let not_found = || WireError::not_found(endpoint_name, &emulator.context.account);
    let endpoint = emulator.endpoint(endpoint_name).ok_or_else(not_found)?;
    if endpoint.with(|core| core.deployment.asynchronous.is_some()) {
        return Err(WireError::wrong_inference_type(endpoint_name));
    }
    let parameters = Parameters {
        content_type: checked_at(headers, "content-type", "contentType", short_ascii)?,
        accept: checked_at(headers, accept, "accept", short_ascii)?,
        custom_attributes: ascii(headers, "Custom-Attributes", "customAttributes")?,
        inference_id: ascii(headers, "Inference-Id", "inferenceId")?,
        ..Parameters::default()
    };
    let wanted = ascii(headers, "Target-Variant", "targetVariant")?;
    let body = body.ok().filter(|body| body.len() <= BODY_LIMIT_BYTES);
    let body = body.ok_or_else(|| WireError::body_too_long(BODY_LIMIT_BYTES))?;
    let draw = emulator.context.faults.draw(endpoint_name, parameters.inference_id.as_deref());
    until_accepted(emulator, &endpoint, &draw).await?;
    let is_served = |core: &Core| matches!(core.status, EndpointStatus::InService | EndpointStatus::Updating);
    if !endpoint.with(|core| is_served(core)) {
        return Err(not_found());
    }
    let chosen = endpoint.with(|core| choose(core, wanted.as_deref()));
    let (variant, model) = chosen.ok_or_else(|| {
        // Its instances are starting, or have crashed.
        let is_meant = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        if endpoint.with(|core| core.shares().iter().any(|(name, share)| is_meant(name) && share.instances > 0)) {
            return WireError::unavailable();
        }
        let wanted = wanted.unwrap_or_default();
        WireError::validation(format!("Endpoint {endpoint_name} has no production variant {wanted} with instances."))
    })?;
    let id = parameters.inference_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let spool = &emulator.context.spool;
    let asked = ModelRequest { parameters: &parameters, inference_id: &id, needs_length: false, spool };
    let run = tokio::time::timeout(MODEL_TIMEOUT, model.run(body.into(), asked, &emulator.context.http)).await;
    match run.unwrap_or(Err(Failure::Expired)) {
        Ok(object) => Ok((variant, object, parameters)),
        Err(failure) => Err(model_error(emulator, endpoint_name, failure).await),
    }
}

/// The variant that a call names, or one by their weights: its name and model.
fn choose(core: &Core, wanted: Option<&str>) -> Option<(String, Model)> {
    let deployment = &core.deployment;
    let models = std::iter::once(&deployment.model).chain(deployment.others.iter().map(|other| &other.model));
    // The first variant's instances are those that have started, of the others there is no more than a number.
    let started = std::iter::once(core.instances).chain(core.others.iter().map(|other| other.instances));
    let candidates: Vec<(String, f64, &Model)> = core
        .shares()
        .into_iter()
        .zip(models)
        .zip(started)
        .filter(|((_, _), instances)| *instances > 0)
        .map(|(((name, share), model), _)| (name, share.weight, model))
        .filter(|(name, weight, _)| wanted.map_or(*weight > 0.0, |wanted| wanted == name))
        .collect();
    let total: f64 = candidates.iter().map(|(_, weight, _)| weight).sum();
    let mut lot = fraction() * total;
    let lies_in = |(_, weight, _): &&(String, f64, &Model)| {
        lot -= weight;
        lot < 0.0
    };
    let found = candidates.iter().find(lies_in).or_else(|| candidates.last());
    found.map(|(name, _, model)| (name.clone(), (*model).clone()))
}

/// A number from 0 to 1, without 1, by chance.
fn fraction() -> f64 {
    let bits = u32::try_from(Uuid::new_v4().as_u128() & u128::from(u32::MAX)).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// `ModelError`, in words that were seen of it.
async fn model_error(emulator: &Emulator, endpoint_name: &str, failure: Failure) -> WireError {
    let account = &emulator.context.account;
    let (region, id) = (&account.region, &account.id);
    let (status, said) = match failure {
        Failure::Failed { response: Some((status, object)), .. } => {
            let said = object.body.first(SAID_BYTES).await.unwrap_or_default();
            (status, String::from_utf8_lossy(&said).into_owned())
        }
        Failure::Failed { reason, response: None } => (0, reason),
        Failure::Expired => (
            0,
            "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each \
             container in Amazon CloudWatch, resolve the issue, and try again."
                .to_owned(),
        ),
    };
    let side = if (400..500).contains(&status) { "client" } else { "server" };
    let message = format!(
        "Received {side} error ({status}) from primary with message \"{said}\". See \
         https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group=/aws/sagemaker/Endpoints/\
         {endpoint_name} in account {id} for more information."
    );
    let more = json!({
        "OriginalMessage": said,
        "OriginalStatusCode": status,
        "LogStreamArn": format!("arn:aws:logs:{region}:{id}:log-group:/aws/sagemaker/Endpoints/{endpoint_name}"),
    });
    WireError { status: StatusCode::FAILED_DEPENDENCY, error_type: "ModelError", message, more, dropped: false }
}
