//! URLs and ARNs that are configured.

use std::fmt;
use std::str::FromStr;

/// The URL of an SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl(String);

impl QueueUrl {
    /// The URL as SQS takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of the queue that an ARN names.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
    pub(super) fn of(partition: &str, region: &str, account: &str, name: &str) -> Self {
        let end = if partition == "aws-cn" { ".cn" } else { "" };
        Self(format!("https://sqs.{region}.amazonaws.com{end}/{account}/{name}"))
    }

    /// Whether this is the queue of that ARN, as far as account and name tell.
    #[must_use]
    pub fn is_of_arn(&self, arn: &str) -> bool {
        let mut parts = arn.rsplit(':');
        let (Some(name), Some(account)) = (parts.next(), parts.next()) else { return false };
        self.0.ends_with(&format!("/{account}/{name}"))
    }

    /// Whether this is a FIFO queue: SQS demands that the names of those end in `.fifo`.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(".fifo")
    }
}

impl FromStr for QueueUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match rest.and_then(|rest| rest.rsplit_once('/')) {
            Some((host, name)) if !host.is_empty() && !name.is_empty() => Ok(Self(text.to_owned())),
            _ => Err("must be the URL of an SQS queue, as in https://sqs.eu-west-1.amazonaws.com/123456789012/results"),
        }
    }
}

/// The ARN of an SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueArn(String);

impl QueueArn {
    /// The ARN as events name their source.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for QueueArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", partition, "sqs", region, account, name] if ![partition, region, account, name].contains(&"") => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("must be the ARN of an SQS queue, as in arn:aws:sqs:eu-west-1:123456789012:objects"),
        }
    }
}

/// The base of an HTTP API's URLs, without a final slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(String);

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\".contains(&byte));
        match rest {
            Some(rest) if !rest.is_empty() && !rest.starts_with('/') && is_plain(rest) => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err("must be a URL without query, as in https://api.example.com/models"),
        }
    }
}
