//! `InvokeEndpointAsync` on the wire: everything but the body travels in headers, and each is checked as SageMaker does.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use sagemaker_async_bridge::invocation::{Filename, INLINE_LIMIT_BYTES, InferenceId, S3OutputPathExtension};
use sagemaker_async_bridge::location::{S3Prefix, S3Uri};
use serde_json::json;
use uuid::Uuid;

use crate::Emulator;

/// The account in SageMaker's messages.
const ACCOUNT: &str = "000000000000";
const MAX_TEXT_CHARS: usize = 1024;
const REQUEST_TTL_SECONDS: RangeInclusive<u64> = 60..=21_600;
const INVOCATION_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=3_600;
/// Bodies up to this are read and refused in SageMaker's words; larger ones are cut off.
const READ_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// A request that was accepted.
#[derive(Debug)]
pub struct Invocation {
    /// The endpoint.
    pub endpoint_name: String,
    /// The caller's id, or a new one.
    pub inference_id: String,
    /// What the request's headers say.
    pub parameters: Parameters,
    /// The inline payload; otherwise there is an input location.
    pub body: Option<Bytes>,
    /// When it came.
    pub received: SystemTime,
    /// Where the output goes.
    pub output_location: S3Uri,
    /// Where the failure output goes.
    pub failure_location: Option<S3Uri>,
}

/// What a request's headers say; `None` where they say nothing.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// The input's content type.
    pub content_type: Option<String>,
    /// The output's wanted content type.
    pub accept: Option<String>,
    /// Passed to the model and back in the notification.
    pub custom_attributes: Option<String>,
    /// The caller's inference id.
    pub inference_id: Option<String>,
    /// Where the input is.
    pub input_location: Option<String>,
    /// Path under the output location.
    pub s3_output_path_extension: Option<String>,
    /// Name of the output file.
    pub filename: Option<String>,
    /// How long the request may wait.
    pub request_ttl: Option<Duration>,
    /// How long the model may take.
    pub invocation_timeout: Option<Duration>,
}

/// An error as SageMaker answers it.
#[derive(Debug)]
pub struct WireError {
    status: StatusCode,
    error_type: &'static str,
    message: String,
}

impl WireError {
    fn validation(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type: "ValidationError", message: message.into() }
    }

    fn constraint(member: &str, constraint: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {constraint}"
        ))
    }

    /// AWS's common error, which no service models: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html>
    fn throttling() -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type: "ThrottlingException", message: "Rate exceeded".to_owned() }
    }

    fn unavailable() -> Self {
        let message = "The endpoint's queue is full.".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error_type: "ServiceUnavailable", message }
    }
}

impl IntoResponse for WireError {
    fn into_response(self) -> Response {
        let body = json!({"Message": self.message}).to_string();
        let headers = [("x-amzn-errortype", self.error_type), ("content-type", "application/json")];
        (self.status, headers, body).into_response()
    }
}

/// The emulator's HTTP interface.
pub fn router(emulator: Arc<Emulator>) -> Router {
    Router::new()
        .route("/endpoints/{endpoint_name}/async-invocations", post(invoke))
        .layer(DefaultBodyLimit::max(READ_LIMIT_BYTES))
        .with_state(emulator)
}

async fn invoke(
    State(emulator): State<Arc<Emulator>>,
    Path(endpoint_name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, WireError> {
    let endpoint = emulator
        .endpoints
        .get(&endpoint_name)
        .ok_or_else(|| WireError::validation(format!("Endpoint {endpoint_name} of account {ACCOUNT} not found.")))?;
    let invocation = emulator.accept(endpoint_name, Parameters::read(&headers)?, body)?;
    if endpoint.is_throttled() {
        return Err(WireError::throttling());
    }
    let accepted = accepted(&invocation);
    endpoint.enqueue(invocation).map_err(|()| WireError::unavailable())?;
    Ok(accepted)
}

fn accepted(invocation: &Invocation) -> Response {
    let body = json!({"InferenceId": invocation.inference_id}).to_string();
    let mut headers = HeaderMap::new();
    let output = Some(&invocation.output_location);
    let failure = invocation.failure_location.as_ref();
    for (name, location) in [("x-amzn-sagemaker-outputlocation", output), ("x-amzn-sagemaker-failurelocation", failure)]
    {
        if let Some(Ok(value)) = location.map(|location| location.to_string().parse()) {
            headers.insert(name, value);
        }
    }
    (StatusCode::ACCEPTED, headers, [("content-type", "application/json")], body).into_response()
}

impl Emulator {
    fn accept(&self, endpoint_name: String, parameters: Parameters, body: Bytes) -> Result<Invocation, WireError> {
        let body = match (body.is_empty(), &parameters.input_location) {
            (true, Some(_)) => None,
            (false, None) if body.len() > INLINE_LIMIT_BYTES => {
                let constraint = format!("have length less than or equal to {INLINE_LIMIT_BYTES}");
                return Err(WireError::constraint("body", &constraint));
            }
            (false, None) => Some(body),
            (true, None) => return Err(WireError::validation("One of Body and InputLocation must be provided.")),
            (false, Some(_)) => {
                return Err(WireError::validation("Only one of Body and InputLocation can be provided."));
            }
        };
        let uuid = Uuid::new_v4();
        let locate = |prefix: &S3Prefix, name: &str| {
            prefix.join(name).map_err(|error| WireError::validation(format!("the response's location {error}")))
        };
        Ok(Invocation {
            inference_id: parameters.inference_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
            output_location: locate(&self.options.output_location, &parameters.output_name(uuid))?,
            failure_location: match &self.options.failure_location {
                Some(prefix) => Some(locate(prefix, &format!("{uuid}-error.out"))?),
                None => None,
            },
            endpoint_name,
            parameters,
            body,
            received: SystemTime::now(),
        })
    }
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
            input_location: checked(headers, "InputLocation", "inputLocation", |text| match text.parse::<S3Uri>() {
                Ok(_) if text.len() > MAX_TEXT_CHARS => Err("have length less than or equal to 1024".to_owned()),
                Ok(location) => Ok(location),
                Err(error) => Err(error.to_string()),
            })?,
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

    /// The path of the output under the output location: the extension, then the file's name. SageMaker's own names are no
    /// inference ids.
    fn output_name(&self, uuid: Uuid) -> String {
        let filename = self.filename.clone().unwrap_or_else(|| format!("{uuid}.out"));
        match self
            .s3_output_path_extension
            .as_deref()
            .map(|path| path.trim_matches('/'))
            .filter(|path| !path.is_empty())
        {
            Some(path) => format!("{path}/{filename}"),
            None => filename,
        }
    }
}

/// A header's text, if the rule of the parameter lets it pass; the rule says what a member must do, or be.
fn checked<T>(
    headers: &HeaderMap,
    header: &str,
    member: &str,
    rule: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<String>, WireError> {
    let Some(value) = headers.get(format!("x-amzn-sagemaker-{header}")) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| WireError::constraint(member, "be UTF-8"))?;
    match rule(text) {
        Ok(_) => Ok(Some(text.to_owned())),
        Err(problem) => Err(WireError::constraint(member, problem.trim_start_matches("must "))),
    }
}

fn ascii(headers: &HeaderMap, header: &str, member: &str) -> Result<Option<String>, WireError> {
    checked(headers, header, member, |text| match (text.len() <= MAX_TEXT_CHARS, text.is_ascii()) {
        (false, _) => Err(format!("have length less than or equal to {MAX_TEXT_CHARS}")),
        (true, false) => Err(r"satisfy regular expression pattern: \p{ASCII}*".to_owned()),
        (true, true) => Ok(()),
    })
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
