//! Requests by HTTP: API Gateway's payload formats 1.0 and 2.0, and function URLs. Paths, headers, answers and errors are those
//! of SageMaker's own `InvokeEndpointAsync`, so that an AWS SDK can be pointed here.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::{Accepted, Origin, Submit};
use crate::deadline::Deadline;
use crate::fault::{Fault, FaultKind};
use crate::invocation::{Input, Invocation, Parameter, ParameterSource, Parameters};

/// Largest request that Lambda takes from a gateway, in bytes, the envelope around the body included.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const REQUEST_LIMIT_BYTES: usize = 6_291_456;
/// When to come back after throttling or an outage, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// The fields of payload formats 1.0 and 2.0 that matter here. The two differ in where method and path are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    raw_path: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    headers: Option<HashMap<String, Option<String>>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: RequestContext,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    http: Option<Http>,
    request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: Option<String>,
}

/// A response in the form that payload formats 1.0 and 2.0 share.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

/// The body of a 202.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AcceptedBody<'a> {
    inference_id: Option<&'a str>,
    output_location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_location: Option<&'a str>,
}

/// The body of an error.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    message: &'a str,
}

/// What a path asks for.
enum Route<'a> {
    /// An invocation of the named endpoint, or of the default one.
    Invocations(Option<&'a str>),
    Unknown,
}

impl Submit {
    /// Answers a request. `lambda_request_id` names the uploaded input where the gateway gave no id of its own.
    pub(super) async fn answer_request(
        &self,
        mut request: Request,
        lambda_request_id: &str,
        deadline: Deadline,
    ) -> Response {
        let body = request.body.take().unwrap_or_default();
        let request = request.with_lower_case_headers();
        let Route::Invocations(endpoint) = route(request.path()) else {
            return Response::error(404, "UnknownOperationException", UNKNOWN_PATH);
        };
        if !request.method().eq_ignore_ascii_case("POST") {
            let refused = Response::error(405, "MethodNotAllowedException", "the method must be POST");
            return refused.with("allow", Some("POST"));
        }
        let request_id = request.request_context.request_id.as_deref().unwrap_or(lambda_request_id);
        let invocation = self.http_invocation(&request, endpoint, body);
        let upload_name = upload_name(request_id, lambda_request_id);
        match self.accept(invocation, Origin::HttpRequest { request_id, upload_name: &upload_name }, deadline).await {
            Ok(accepted) => Response::accepted(&accepted),
            Err(fault) => Response::fault(&fault),
        }
    }

    fn http_invocation(&self, request: &Request, endpoint: Option<&str>, body: String) -> Result<Invocation, Fault> {
        let mut parameters = Parameters::read(&Source { request, endpoint }, &self.config)?;
        let payload = request.payload(body)?;
        let input = match (parameters.input_location.take(), payload.is_empty()) {
            (Some(location), true) => Input::Location(location),
            (None, false) => Input::Payload(payload),
            (Some(_), false) => {
                return Err(Fault::validation("the request has both a body and an InputLocation: give exactly one"));
            }
            (None, true) => {
                return Err(Fault::validation("the request has neither a body nor an InputLocation: give exactly one"));
            }
        };
        Ok(Invocation { parameters, input })
    }
}

/// What an uploaded input is called: the gateway's request id, and Lambda's, because a caller of a REST API can choose the
/// former (header `x-amzn-RequestId`) and must not reach another request's input with it.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html>
fn upload_name(request_id: &str, lambda_request_id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
    if request_id != lambda_request_id && request_id.len() <= 64 && request_id.bytes().all(is_plain) {
        format!("{request_id}-{lambda_request_id}")
    } else {
        lambda_request_id.to_owned()
    }
}

const UNKNOWN_PATH: &str = "the path must be /invocations or /endpoints/{EndpointName}/async-invocations";

/// Matches a path's last segments: what comes before them, a stage or a custom domain's mapping, is the gateway's business.
fn route(path: &str) -> Route<'_> {
    let mut segments = path.rsplit('/');
    match (segments.next(), segments.next(), segments.next()) {
        // SageMaker's synchronous path: the endpoint that it names must not silently become the default one.
        (Some("invocations"), Some(_), Some("endpoints")) => Route::Unknown,
        (Some("invocations"), Some(_), _) => Route::Invocations(None),
        (Some("async-invocations"), Some(endpoint), Some("endpoints")) => Route::Invocations(Some(endpoint)),
        _ => Route::Unknown,
    }
}

impl Request {
    /// Format 1.0 keeps the case that the caller wrote headers in.
    fn with_lower_case_headers(mut self) -> Self {
        let headers = self.headers.take().unwrap_or_default();
        self.headers = Some(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect());
        self
    }

    fn path(&self) -> &str {
        self.raw_path.as_deref().or(self.path.as_deref()).unwrap_or_default()
    }

    fn method(&self) -> &str {
        let method = self.request_context.http.as_ref().and_then(|http| http.method.as_deref());
        method.or(self.http_method.as_deref()).unwrap_or_default()
    }

    /// The value of a header, by its lower-case name; an empty one counts as none.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name)?.as_deref().map(str::trim).filter(|value| !value.is_empty())
    }

    fn payload(&self, body: String) -> Result<Vec<u8>, Fault> {
        if body.len() > REQUEST_LIMIT_BYTES {
            return Err(Fault::payload_too_large(format!(
                "the request's body has {} bytes as it came from the gateway, at most {REQUEST_LIMIT_BYTES} are taken: put the \
                 payload into S3 and give its InputLocation",
                body.len()
            )));
        }
        if self.is_base64_encoded.unwrap_or(false) {
            let bad = |error| Fault::validation(format!("the gateway's base64 body cannot be decoded: {error}"));
            return BASE64_STANDARD.decode(body).map_err(bad);
        }
        Ok(body.into_bytes())
    }
}

struct Source<'a> {
    request: &'a Request,
    endpoint: Option<&'a str>,
}

impl ParameterSource for Source<'_> {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        let value = match parameter.name {
            "EndpointName" => self.endpoint,
            _ => self.request.header(parameter.header),
        };
        // SageMaker's headers win; HTTP's own serve callers that know nothing of SageMaker.
        let value = value.or_else(|| match parameter.name {
            "ContentType" => self.request.header("content-type"),
            "Accept" => self.request.header("accept").filter(|accept| *accept != "*/*"),
            _ => None,
        });
        Ok(value.map(Cow::Borrowed))
    }
}

impl Response {
    fn json(status_code: u16, body: &impl Serialize) -> Self {
        let headers = BTreeMap::from([("content-type", "application/json".to_owned())]);
        // Structs of strings always can be written; an empty body would still carry the status.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status_code, headers, body, is_base64_encoded: false }
    }

    fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    fn accepted(accepted: &Accepted) -> Self {
        let body = AcceptedBody {
            inference_id: accepted.inference_id.as_deref(),
            output_location: accepted.output_location.as_deref(),
            failure_location: accepted.failure_location.as_deref(),
        };
        Self::json(202, &body)
            .with("x-amzn-sagemaker-outputlocation", body.output_location)
            .with("x-amzn-sagemaker-failurelocation", body.failure_location)
            .with("x-amzn-sagemaker-inference-id", body.inference_id)
    }

    fn error(status_code: u16, error_type: &str, message: &str) -> Self {
        Self::json(status_code, &ErrorBody { message }).with("x-amzn-errortype", Some(error_type))
    }

    fn fault(fault: &Fault) -> Self {
        let kind = fault.kind();
        let retry_after = match kind {
            FaultKind::Throttling | FaultKind::ServiceUnavailable => Some(RETRY_AFTER_SECONDS),
            _ => None,
        };
        Self::error(kind.status(), kind.error_type(), fault.message()).with("retry-after", retry_after)
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status_code(&self) -> u16 {
        self.status_code
    }

    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body, JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}
