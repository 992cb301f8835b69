//! `InvokeEndpointAsync` on the wire: everything but the body travels in headers, and each is checked as SageMaker does.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>

pub(crate) mod realtime;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sagemaker_async_bridge::parameter::{Filename, INLINE_LIMIT_BYTES, InferenceId, S3OutputPathExtension};
use serde_json::{Value, json};

use crate::Emulator;
use crate::account::Account;
use crate::endpoint::{Endpoint, Refusal};
use crate::faults::{Draw, Fault};
use crate::invocation::{Invocation, Parameters};

const MAX_TEXT_CHARS: usize = 1024;
const REQUEST_TTL_SECONDS: RangeInclusive<u64> = 60..=21_600;
const INVOCATION_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=3_600;

/// An error as SageMaker answers it.
#[derive(Debug)]
pub(crate) struct WireError {
    status: StatusCode,
    error_type: &'static str,
    message: String,
    /// Further members of its body.
    more: Value,
    /// No error at all: the connection is closed.
    dropped: bool,
}

impl WireError {
    fn new(status: StatusCode, error_type: &'static str, message: impl Into<String>) -> Self {
        Self { status, error_type, message: message.into(), more: Value::Null, dropped: false }
    }

    fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    fn body_too_long(limit: usize) -> Self {
        Self::constraint("body", &format!("have length less than or equal to {limit}"))
    }

    fn dropped() -> Self {
        Self { dropped: true, ..Self::internal() }
    }

    fn constraint(member: &str, constraint: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {constraint}"
        ))
    }

    /// AWS's common error, which no service models: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html>
    fn throttling() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded")
    }

    fn not_found(endpoint_name: &str, account: &Account) -> Self {
        Self::validation(format!("Endpoint {endpoint_name} of account {} not found.", account.id))
    }

    fn wrong_inference_type(endpoint_name: &str) -> Self {
        Self::validation(format!("Endpoint {endpoint_name} does not support this inference type."))
    }

    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "The service is currently unavailable.")
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "An internal failure occurred.")
    }
}

impl IntoResponse for WireError {
    fn into_response(self) -> Response {
        if self.dropped {
            return dropped_connection();
        }
        let mut body = json!({"Message": self.message});
        if let (Value::Object(body), Value::Object(more)) = (&mut body, self.more) {
            body.extend(more);
        }
        let body = body.to_string();
        let headers = [("x-amzn-errortype", self.error_type), ("content-type", "application/json")];
        (self.status, headers, body).into_response()
    }
}

/// `InvokeEndpointAsync`.
pub(crate) async fn invoke_async(
    State(emulator): State<Arc<Emulator>>,
    Path(endpoint_name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, WireError> {
    let not_found = || WireError::not_found(&endpoint_name, &emulator.context.account);
    let endpoint = emulator.endpoint(&endpoint_name).ok_or_else(not_found)?;
    let parameters = Parameters::read(&headers)?;
    let body = body.map_err(|_| WireError::body_too_long(INLINE_LIMIT_BYTES))?;
    let body = payload(body, &parameters)?;
    let draw = emulator.context.faults.draw(&endpoint_name, parameters.inference_id.as_deref());
    until_accepted(&emulator, &endpoint, &draw).await?;
    let drops = draw.meets(Fault::DroppedAfterAcceptance);
    let (number, invocation) = endpoint.accept(parameters, body, draw).map_err(|refusal| match refusal {
        Refusal::NotInService | Refusal::Forgotten => not_found(),
        Refusal::NotAsynchronous => WireError::wrong_inference_type(&endpoint_name),
        Refusal::Location(error) => WireError::validation(format!("the response's location {error}")),
        Refusal::Full => WireError::unavailable(),
        Refusal::NotKept => WireError::internal(),
    })?;
    if drops {
        endpoint.note(number, Fault::DroppedAfterAcceptance);
        return Err(WireError::dropped());
    }
    Ok(accepted(&invocation))
}

/// The faults that a call meets before it is accepted.
async fn until_accepted(emulator: &Emulator, endpoint: &Endpoint, draw: &Draw) -> Result<(), WireError> {
    let faults = &emulator.context.faults;
    let meets = |fault| {
        let meets = draw.meets(fault);
        if meets {
            faults.count(fault);
        }
        meets
    };
    let latency = draw.latency();
    if !latency.is_zero() {
        faults.count(Fault::Latency);
        tokio::time::sleep(latency).await;
    }
    if meets(Fault::DroppedBeforeAcceptance) {
        return Err(WireError::dropped());
    }
    if endpoint.is_throttled() || meets(Fault::Throttling) {
        return Err(WireError::throttling());
    }
    if meets(Fault::ServerError) {
        return Err(if draw.is_first_kind() { WireError::internal() } else { WireError::unavailable() });
    }
    Ok(())
}

/// The inline payload, if that is what the request has.
fn payload(body: Bytes, parameters: &Parameters) -> Result<Option<Bytes>, WireError> {
    match (body.is_empty(), &parameters.input_location) {
        (true, Some(_)) => Ok(None),
        (false, None) if body.len() > INLINE_LIMIT_BYTES => Err(WireError::body_too_long(INLINE_LIMIT_BYTES)),
        // A copy of its own size: the bytes of a request are part of a read buffer, which is larger.
        (false, None) => Ok(Some(Bytes::copy_from_slice(&body))),
        (true, None) => Err(WireError::validation("One of Body and InputLocation must be provided.")),
        (false, Some(_)) => Err(WireError::validation("Only one of Body and InputLocation can be provided.")),
    }
}

fn accepted(invocation: &Invocation) -> Response {
    let body = json!({"InferenceId": invocation.inference_id}).to_string();
    let mut headers = HeaderMap::new();
    let output = invocation.output_location.as_ref();
    let failure = invocation.failure_location.as_ref();
    for (name, location) in [("x-amzn-sagemaker-outputlocation", output), ("x-amzn-sagemaker-failurelocation", failure)]
    {
        if let Some(Ok(value)) = location.map(|location| location.to_string().parse()) {
            headers.insert(name, value);
        }
    }
    (StatusCode::ACCEPTED, headers, [("content-type", "application/json")], body).into_response()
}

impl Parameters {
    fn read(headers: &HeaderMap) -> Result<Self, WireError> {
        Ok(Self {
            content_type: ascii(headers, "Content-Type", "contentType")?,
            accept: ascii(headers, "Accept", "accept")?,
            custom_attributes: ascii(headers, "Custom-Attributes", "customAttributes")?,
            inference_id: checked(headers, "Inference-Id", "inferenceId", |text| {
                text.parse::<InferenceId>().map_err(|error| error.to_string())
            })?,
            input_location: checked(headers, "InputLocation", "inputLocation", input_location)?,
            s3_output_path_extension: checked(headers, "S3OutputPathExtension", "s3OutputPathExtension", |text| {
                text.parse::<S3OutputPathExtension>().map_err(|error| error.to_string())
            })?,
            filename: checked(headers, "Filename", "filename", |text| {
                text.parse::<Filename>().map_err(|error| error.to_string())
            })?,
            request_ttl: seconds(headers, "RequestTTLSeconds", "requestTTLSeconds", &REQUEST_TTL_SECONDS)?,
            invocation_timeout: seconds(
                headers,
                "InvocationTimeoutSeconds",
                "invocationTimeoutSeconds",
                &INVOCATION_TIMEOUT_SECONDS,
            )?,
        })
    }
}

/// A header's text, if the rule of the parameter lets it pass; the rule says what a member must do, or be.
fn checked<T>(
    headers: &HeaderMap,
    header: &str,
    member: &str,
    rule: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<String>, WireError> {
    checked_at(headers, &format!("x-amzn-sagemaker-{header}"), member, rule)
}

/// The same for a header by its whole name.
fn checked_at<T>(
    headers: &HeaderMap,
    header: &str,
    member: &str,
    rule: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<String>, WireError> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| WireError::constraint(member, "be UTF-8"))?;
    match rule(text) {
        Ok(_) => Ok(Some(text.to_owned())),
        Err(problem) => Err(WireError::constraint(member, problem.trim_start_matches("must "))),
    }
}

fn ascii(headers: &HeaderMap, header: &str, member: &str) -> Result<Option<String>, WireError> {
    checked(headers, header, member, short_ascii)
}

/// The API model's pattern alone. Whether an object is there, or could be, is seen when the input is read.
fn input_location(text: &str) -> Result<(), String> {
    let rest = ["s3://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        _ if text.chars().count() > MAX_TEXT_CHARS => {
            Err(format!("have length less than or equal to {MAX_TEXT_CHARS}"))
        }
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(()),
        _ => Err("satisfy regular expression pattern: ^(https|s3)://([^/]+)/?(.*)$".to_owned()),
    }
}

fn short_ascii(text: &str) -> Result<(), String> {
    match (text.len() <= MAX_TEXT_CHARS, text.is_ascii()) {
        (false, _) => Err(format!("have length less than or equal to {MAX_TEXT_CHARS}")),
        (true, false) => Err(r"satisfy regular expression pattern: \p{ASCII}*".to_owned()),
        (true, true) => Ok(()),
    }
}

fn seconds(
    headers: &HeaderMap,
    header: &str,
    member: &str,
    allowed: &RangeInclusive<u64>,
) -> Result<Option<Duration>, WireError> {
    let text = checked(headers, header, member, |text| match text.parse::<u64>() {
        Ok(seconds) if allowed.contains(&seconds) => Ok(()),
        _ => Err(format!("be a whole number from {} to {}", allowed.start(), allowed.end())),
    })?;
    Ok(text.and_then(|text| text.parse().ok()).map(Duration::from_secs))
}

/// In a response: close the connection instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropConnection;

/// A response that is no answer: the connection is closed.
fn dropped_connection() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    response.extensions_mut().insert(DropConnection);
    response
}
