//! Takes results from the results queue and writes their outputs into a directory.
//!
//! Replace [`Directory`] with what is to be done with a result; docs/consumers.md says what else to decide.

mod consumer;
mod results;
mod store;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clap::Parser;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::results::{InferenceResult, Object, Outcome};
use crate::store::Store;

/// What a handler or a call of AWS fails with.
type BoxError = Box<dyn Error + Send + Sync>;

/// What file names keep as it is.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Takes results from the results queue.
#[derive(Parser)]
struct Options {
    /// The stack's output ResultsQueueUrl.
    queue_url: String,
    /// s3://bucket/prefix/ that remembers what is handled.
    #[arg(long)]
    store: String,
    /// Where outputs are written.
    #[arg(long)]
    directory: PathBuf,
    /// How long a result may take.
    #[arg(long, default_value_t = 120)]
    visibility_seconds: u16,
}

/// Writes what the model said into a file and prints a line for each result. Doing so twice changes nothing.
struct Directory(PathBuf);

impl Directory {
    async fn handle(&self, result: InferenceResult) -> Result<(), BoxError> {
        let (id, endpoint) = (&result.inference_id, &result.endpoint_name);
        let mut line = json!({"inferenceId": id, "endpointName": endpoint});
        let more = match result.outcome {
            Outcome::Completed { output } => {
                json!({"result": "Completed", "file": self.write(&format!("{id}.out"), &output).await?})
            }
            Outcome::Failed { status, reason, failure_output: None } => {
                json!({"result": "Failed", "status": status, "reason": reason})
            }
            Outcome::Failed { status, reason, failure_output: Some(output) } => {
                let file = self.write(&format!("{id}.failure"), &output).await?;
                json!({"result": "Failed", "status": status, "reason": reason, "file": file})
            }
            Outcome::Rejected { reason } => json!({"result": "Rejected", "reason": reason}),
            Outcome::Unanswered { reason } => json!({"result": "Unanswered", "reason": reason}),
        };
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        writeln!(std::io::stdout(), "{line}")?;
        Ok(())
    }

    async fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, BoxError> {
        // An inference id may have any character, `/` too.
        let path = self.0.join(utf8_percent_encode(name, FILE_NAME).to_string());
        tokio::fs::write(&path, content).await?;
        Ok(path)
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let options = Options::parse();
    // With the SDK's default features: aws_config::load_defaults(BehaviorVersion::latest()).
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let s3 = aws_sdk_s3::Client::new(&config);
    let lease = Duration::from_secs(options.visibility_seconds.into());
    let directory = Arc::new(Directory(options.directory));
    let consumer = Consumer {
        sqs: aws_sdk_sqs::Client::new(&config),
        store: Store::new(s3.clone(), Object::parse(&options.store)?, lease),
        s3,
        queue_url: options.queue_url,
        visibility_seconds: options.visibility_seconds.into(),
        handle: move |result| {
            let directory = Arc::clone(&directory);
            async move { directory.handle(result).await }
        },
    };
    consumer.run(stop_at_signals()?).await
}

/// Is cancelled by SIGTERM or SIGINT.
fn stop_at_signals() -> Result<CancellationToken, BoxError> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
