//! One accepted request, and what it was asked.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use sagemaker_async_bridge::location::{InvalidLocation, S3Prefix, S3Uri};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::endpoint::async_config::AsyncConfig;
use crate::faults::Draw;

/// SageMaker's default of RequestTTLSeconds.
const DEFAULT_TTL: Duration = Duration::from_secs(21_600);
/// SageMaker's default of InvocationTimeoutSeconds.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);

/// A request that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invocation {
    /// The region, as its notification tells it.
    pub region: String,
    /// The endpoint.
    pub endpoint_name: String,
    /// The caller's id, or a new one.
    pub inference_id: String,
    /// What the request's headers say.
    pub parameters: Parameters,
    /// The inline payload; otherwise there is an input location.
    #[serde(skip)]
    pub body: Option<Bytes>,
    /// When it came.
    pub received: SystemTime,
    /// Where the output goes.
    #[serde(deserialize_with = "location")]
    pub output_location: Option<S3Uri>,
    /// Where the failure output goes.
    #[serde(deserialize_with = "location")]
    pub failure_location: Option<S3Uri>,
    /// Which faults it meets.
    #[serde(serialize_with = "as_draw", deserialize_with = "draw")]
    pub draw: Arc<Draw>,
}

/// What a request's headers say; `None` where they say nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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

impl Parameters {
    /// How long the request may wait.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.request_ttl.unwrap_or(DEFAULT_TTL)
    }

    /// How long the model may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.invocation_timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// The path of the output under the output location: the extension, then the file's name. SageMaker's own names are no
    /// inference ids.
    fn output_name(&self, uuid: Uuid) -> String {
        let filename = self.filename.clone().unwrap_or_else(|| format!("{uuid}.out"));
        let extension = self.s3_output_path_extension.as_deref().map(|path| path.trim_matches('/'));
        match extension.filter(|path| !path.is_empty()) {
            Some(path) => format!("{path}/{filename}"),
            None => filename,
        }
    }
}

impl Invocation {
    /// A request that has just come.
    ///
    /// # Errors
    /// [`InvalidLocation`] when the output's key would be no key.
    pub fn new(
        region: &str,
        endpoint_name: &str,
        config: &AsyncConfig,
        parameters: Parameters,
        body: Option<Bytes>,
        draw: Draw,
    ) -> Result<Self, InvalidLocation> {
        let uuid = Uuid::new_v4();
        Ok(Self {
            region: region.to_owned(),
            endpoint_name: endpoint_name.to_owned(),
            inference_id: parameters.inference_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
            output_location: located(config.output.as_ref(), || parameters.output_name(uuid))?,
            failure_location: located(config.failure.as_ref(), || format!("{uuid}-error.out"))?,
            parameters,
            body,
            received: SystemTime::now(),
            draw: Arc::new(draw),
        })
    }
}

fn location<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<S3Uri>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

fn as_draw<S: Serializer>(draw: &Draw, serializer: S) -> Result<S::Ok, S::Error> {
    draw.serialize(serializer)
}

fn draw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Draw>, D::Error> {
    Draw::deserialize(deserializer).map(Arc::new)
}

/// A name under a prefix, where there is a prefix.
fn located(prefix: Option<&S3Prefix>, name: impl Fn() -> String) -> Result<Option<S3Uri>, InvalidLocation> {
    prefix.map(|prefix| prefix.join(&name())).transpose()
}
