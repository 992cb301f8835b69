//! A model's container, spoken to as SageMaker does.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>

use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;

use super::{Failure, ModelRequest, not_kept};
use crate::body::Body;
use crate::store::Object;

/// Containers have to answer `/ping` within two seconds.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const PING_INTERVAL: Duration = Duration::from_millis(200);
/// SageMaker fails a container whose response headers are longer.
/// <https://github.com/aws/deep-learning-containers/issues/4668>
const MAX_HEADER_BYTES: usize = 4_096;

/// Waits until the container answers `GET /ping` with 200; whether it did in time.
pub async fn is_ready(url: &str, timeout: Duration, http: &Client) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        if is_healthy(url, http).await {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(PING_INTERVAL).await;
    }
}

/// Whether the container answers `GET /ping` with 200.
pub(crate) async fn is_healthy(url: &str, http: &Client) -> bool {
    let answer = http.get(format!("{url}/ping")).timeout(PING_TIMEOUT).send().await;
    answer.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
}

/// Why a container has not answered as it should.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// There was no connection, or it broke.
    Lost(reqwest::Error),
    /// It has failed.
    Failed(Failure),
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Lost(error) => {
                Self::without_response(format!("InternalServerError: the model's container gave no answer: {error}"))
            }
            Unanswered::Failed(failure) => failure,
        }
    }
}

/// Has a container run its model.
pub(crate) async fn invoke(
    url: &str,
    input: Body,
    asked: ModelRequest<'_>,
    http: &Client,
) -> Result<Object, Unanswered> {
    let parameters = asked.parameters;
    let mut request =
        http.post(format!("{url}/invocations")).header("X-Amzn-SageMaker-Inference-Id", asked.inference_id);
    for (name, value) in [
        ("Content-Type", &parameters.content_type),
        ("Accept", &parameters.accept),
        ("X-Amzn-SageMaker-Custom-Attributes", &parameters.custom_attributes),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    // Memory is given as such: it can be sent again where a kept connection turns out to be closed.
    let body = match input.in_memory() {
        Some(bytes) => reqwest::Body::from(bytes.clone()),
        None => reqwest::Body::wrap(input.http().await.map_err(without_response)?),
    };
    let mut answer = request.body(body).send().await.map_err(Unanswered::Lost)?;
    let status = answer.status();
    let checked = check(answer.headers(), asked.needs_length);
    checked.map_err(without_response)?;
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let mut intake = asked.spool.intake();
    while let Some(bytes) = answer.chunk().await.map_err(Unanswered::Lost)? {
        intake.take(&bytes).await.map_err(|error| Unanswered::Failed(not_kept(error)))?;
    }
    let body = intake.finish().await.map_err(|error| Unanswered::Failed(not_kept(error)))?;
    let response = Object { body, content_type };
    if status.is_success() {
        Ok(response)
    } else {
        Err(Unanswered::Failed(Failure::answered(status.as_u16(), response)))
    }
}

fn without_response(problem: impl Into<String>) -> Unanswered {
    Unanswered::Failed(Failure::without_response(problem))
}

/// What SageMaker refuses in a response, in the words of its endpoint logs.
fn check(headers: &HeaderMap, needs_length: bool) -> Result<(), &'static str> {
    // Chunked answers, which real-time endpoints take, have none: <https://github.com/deepjavalibrary/djl-serving/issues/2567>
    if needs_length && !headers.contains_key(CONTENT_LENGTH) {
        return Err("The response from container primary did not specify the required Content-Length header");
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADER_BYTES {
        return Err(
            "Response received from the primary container has headers with length greater than 4096 bytes. Reduce the \
                    length of your container's response headers and update your endpoint.",
        );
    }
    Ok(())
}
