//! What an endpoint runs: a built-in model, a container, or a command.

pub mod container;
mod request;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::body::{Body, MAX_BYTES};
use crate::instances::Instances;
use crate::store::Object;
use request::not_kept;
pub use request::{Failure, ModelRequest};

/// What `size:BYTES` answers with, again and again.
static FILLING: [u8; 65_536] = [b'x'; 65_536];

/// A model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// Answers with its input after a while.
    Echo(Duration),
    /// Answers with this error status.
    Fail(u16),
    /// Answers with so many bytes.
    Size(usize),
    /// The base URL of a container.
    Container(String),
    /// A command that serves like a container.
    Exec {
        /// As `/bin/sh` reads it.
        command: String,
        /// Its processes, once an endpoint runs it.
        instances: Option<Arc<Instances>>,
    },
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
        let bytes = |text: &str| text.parse().ok().filter(|bytes| *bytes <= MAX_BYTES);
        let model = match text.split_once(':') {
            None if text == "echo" => Some(Self::Echo(Duration::ZERO)),
            None if text == "fail" => Some(Self::Fail(400)),
            Some(("fail", status)) => status.parse().ok().filter(|status| (400..600).contains(status)).map(Self::Fail),
            Some(("sleep", time)) => seconds(time).map(Self::Echo),
            Some(("size", size)) => bytes(size).map(Self::Size),
            Some(("http", _)) => Some(Self::Container(text.trim_end_matches('/').to_owned())),
            Some(("exec", command)) if !command.trim().is_empty() => {
                Some(Self::Exec { command: command.to_owned(), instances: None })
            }
            _ => None,
        };
        model.ok_or_else(|| {
            format!(
                "the model must be echo, fail, fail:STATUS, sleep:SECONDS, size:BYTES, http://host:port or exec:COMMAND, not `{text}`"
            )
        })
    }
}

impl Model {
    /// The processes of a command.
    #[must_use]
    pub const fn instances(&self) -> Option<&Arc<Instances>> {
        match self {
            Self::Exec { instances, .. } => instances.as_ref(),
            _ => None,
        }
    }

    /// Runs the model on an input.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn run(&self, input: Body, asked: ModelRequest<'_>, http: &reqwest::Client) -> Result<Object, Failure> {
        let parameters = asked.parameters;
        match self {
            Self::Echo(pause) => {
                // No timer for none: it would be a millisecond.
                if !pause.is_zero() {
                    tokio::time::sleep(*pause).await;
                }
                let accept = parameters.accept.as_ref().filter(|accept| *accept != "*/*");
                let content_type = accept.or(parameters.content_type.as_ref());
                let content_type = content_type.map_or("application/octet-stream", String::as_str).to_owned();
                Ok(Object { body: input, content_type })
            }
            Self::Fail(status) => {
                let body = Body::from(r#"{"message":"the model fail always fails"}"#);
                Err(Failure::answered(*status, Object { body, content_type: "application/json".to_owned() }))
            }
            Self::Size(bytes) => {
                let mut intake = asked.spool.intake();
                let mut left = *bytes;
                while left > 0 {
                    let part = FILLING.get(..left).unwrap_or(&FILLING);
                    intake.take(part).await.map_err(not_kept)?;
                    left -= part.len();
                }
                let body = intake.finish().await.map_err(not_kept)?;
                Ok(Object { body, content_type: "application/octet-stream".to_owned() })
            }
            Self::Container(url) => container::invoke(url, input, asked, http).await.map_err(Failure::from),
            Self::Exec { instances: Some(instances), .. } => instances.run(input, asked).await,
            Self::Exec { instances: None, .. } => Err(Failure::without_response("no endpoint runs this command")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_read() {
        for (text, model) in [
            ("echo", Model::Echo(Duration::ZERO)),
            ("fail", Model::Fail(400)),
            ("fail:503", Model::Fail(503)),
            ("sleep:0.5", Model::Echo(Duration::from_millis(500))),
            ("size:1000000", Model::Size(1_000_000)),
            ("http://127.0.0.1:9000/", Model::Container("http://127.0.0.1:9000".to_owned())),
            (
                "exec:python 'my server.py' --port=$SAGEMAKER_BIND_TO_PORT",
                Model::Exec {
                    command: "python 'my server.py' --port=$SAGEMAKER_BIND_TO_PORT".to_owned(),
                    instances: None,
                },
            ),
        ] {
            assert_eq!(text.parse(), Ok(model), "{text}");
        }
        for text in
            ["", "gpt", "fail:200", "sleep", "sleep:-1", "size:2000000000", "size:x", "exec: ", "https://example.com"]
        {
            assert!(text.parse::<Model>().unwrap_err().contains("echo, fail, fail:STATUS"), "{text}");
        }
    }
}
