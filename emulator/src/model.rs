//! What an endpoint runs: a built-in model, or a container that serves `POST /invocations`.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>

use std::str::FromStr;
use std::time::Duration;

use crate::wire::Parameters;

/// A model.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Answers with its input after a while.
    Echo(Duration),
    /// Answers with an error.
    Fail,
    /// The base URL of a container.
    Container(String),
}

/// What a model answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The body.
    pub body: Vec<u8>,
    /// Its content type.
    pub content_type: String,
}

/// Why there is no response.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request waited, or the model took, longer than it may.
    Expired,
    /// The inference failed.
    Failed {
        /// As the notification gives it.
        reason: String,
        /// What the model said of it.
        response: Option<Response>,
    },
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
        let model = match text {
            "echo" => Some(Self::Echo(Duration::ZERO)),
            "fail" => Some(Self::Fail),
            _ if text.starts_with("http://") => Some(Self::Container(text.trim_end_matches('/').to_owned())),
            _ => text.strip_prefix("sleep:").and_then(seconds).map(Self::Echo),
        };
        model.ok_or_else(|| format!("the model must be echo, fail, sleep:SECONDS or http://host:port, not `{text}`"))
    }
}

impl Failure {
    /// A failure that the model has no part in.
    pub fn without_response(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), response: None }
    }

    /// The model answered with an error status; the words are SageMaker's.
    fn answered(status: u16, response: Response) -> Self {
        let side = if status < 500 { "client" } else { "server" };
        let reason = format!(
            "ClientError: Received {side} error ({status}) from model. See the SageMaker Endpoint logs in your account for more \
             information."
        );
        Self::Failed { reason, response: Some(response) }
    }
}

impl Model {
    /// Runs the model on an input.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn run(
        &self,
        input: Vec<u8>,
        parameters: &Parameters,
        inference_id: &str,
        http: &reqwest::Client,
    ) -> Result<Response, Failure> {
        match self {
            Self::Echo(pause) => {
                tokio::time::sleep(*pause).await;
                let accept = parameters.accept.as_ref().filter(|accept| *accept != "*/*");
                let content_type = accept.or(parameters.content_type.as_ref());
                let content_type = content_type.map_or("application/octet-stream", String::as_str).to_owned();
                Ok(Response { body: input, content_type })
            }
            Self::Fail => {
                let body = br#"{"message":"the model fail always fails"}"#.to_vec();
                Err(Failure::answered(400, Response { body, content_type: "application/json".to_owned() }))
            }
            Self::Container(url) => ask_container(url, input, parameters, inference_id, http).await,
        }
    }
}

async fn ask_container(
    url: &str,
    input: Vec<u8>,
    parameters: &Parameters,
    inference_id: &str,
    http: &reqwest::Client,
) -> Result<Response, Failure> {
    let unreachable = |error: reqwest::Error| {
        Failure::without_response(format!("InternalServerError: the model's container gave no answer: {error}"))
    };
    let mut request = http.post(format!("{url}/invocations")).header("X-Amzn-SageMaker-Inference-Id", inference_id);
    for (name, value) in [
        ("Content-Type", &parameters.content_type),
        ("Accept", &parameters.accept),
        ("X-Amzn-SageMaker-Custom-Attributes", &parameters.custom_attributes),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let answer = request.body(input).send().await.map_err(unreachable)?;
    let status = answer.status();
    let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let body = answer.bytes().await.map_err(unreachable)?.to_vec();
    let response = Response { body, content_type };
    if status.is_success() { Ok(response) } else { Err(Failure::answered(status.as_u16(), response)) }
}
