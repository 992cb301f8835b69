//! Where notifications go: SNS topics, or what takes their place.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::aws::reason;
use crate::notification::time;

/// Webhooks get as many tries, with a pause that doubles.
const WEBHOOK_TRIES: u32 = 4;
const WEBHOOK_PAUSE: Duration = Duration::from_millis(100);

/// A place to send notifications to, as `--notify` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The topics themselves.
    Sns,
    /// The URL of an SQS queue, as if it had a subscription to every topic.
    Sqs(String),
    /// A URL that is posted to, as if it had a subscription to every topic.
    Webhook(String),
    /// A file that gets one line for each notification.
    File(PathBuf),
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            None if text == "sns" => Ok(Self::Sns),
            Some(("sqs", url)) => Ok(Self::Sqs(url.to_owned())),
            Some(("webhook", url)) if url.starts_with("http://") => Ok(Self::Webhook(url.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err("must be sns, sqs=QUEUE_URL, webhook=http://… or file=PATH"),
        }
    }
}

/// Takes notifications to all their places.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    /// Each gets every notification.
    pub sinks: Vec<Sink>,
}

/// One of the places.
#[derive(Clone, Debug)]
pub enum Sink {
    /// SNS.
    Sns(aws_sdk_sns::Client),
    /// A queue and its URL.
    Sqs(aws_sdk_sqs::Client, String),
    /// Posted to.
    Webhook(reqwest::Client, String),
    /// Written to, one line at a time.
    File(Arc<Mutex<File>>),
}

impl Sink {
    /// A file that is appended to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn file(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path).await?;
        Ok(Self::File(Arc::new(Mutex::new(file))))
    }
}

impl Notifier {
    /// Publishes a message to a topic, that is to every sink.
    ///
    /// # Errors
    /// What the other side said, as text.
    pub async fn publish(&self, topic_arn: &str, message: &str) -> Result<(), String> {
        let mut problems = Vec::new();
        for sink in &self.sinks {
            if let Err(problem) = sink.send(topic_arn, message).await {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

impl Sink {
    async fn send(&self, topic_arn: &str, message: &str) -> Result<(), String> {
        match self {
            // The SDKs retry what can be.
            Self::Sns(sns) => {
                let published = sns.publish().topic_arn(topic_arn).message(message).send().await;
                published.map(drop).map_err(|error| reason(&error))
            }
            Self::Sqs(sqs, url) => {
                let sent = sqs.send_message().queue_url(url).message_body(envelope(topic_arn, message)).send().await;
                sent.map(drop).map_err(|error| reason(&error))
            }
            Self::Webhook(http, url) => post(http, url, topic_arn, envelope(topic_arn, message)).await,
            Self::File(file) => {
                let line = envelope(topic_arn, message) + "\n";
                let mut file = file.lock().await;
                let written = async {
                    file.write_all(line.as_bytes()).await?;
                    file.flush().await
                };
                written.await.map_err(|error| error.to_string())
            }
        }
    }
}

/// What SNS delivers to a subscription, except its signature.
/// <https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html>
fn envelope(topic_arn: &str, message: &str) -> String {
    json!({
        "Type": "Notification",
        "MessageId": Uuid::new_v4().to_string(),
        "TopicArn": topic_arn,
        "Message": message,
        "Timestamp": time(SystemTime::now()),
    })
    .to_string()
}

async fn post(http: &reqwest::Client, url: &str, topic_arn: &str, envelope: String) -> Result<(), String> {
    let mut pause = WEBHOOK_PAUSE;
    let mut tries = 1;
    loop {
        let request = http
            .post(url)
            .header("content-type", "text/plain; charset=UTF-8")
            .header("x-amz-sns-message-type", "Notification")
            .header("x-amz-sns-topic-arn", topic_arn);
        let answer = request.body(envelope.clone()).send().await.and_then(reqwest::Response::error_for_status);
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if tries == WEBHOOK_TRIES => return Err(error.to_string()),
            Err(_) => tokio::time::sleep(pause).await,
        }
        tries += 1;
        pause *= 2;
    }
}
