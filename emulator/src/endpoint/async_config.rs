//! `AsyncInferenceConfig`: where outputs and notifications go, and how many invocations an instance runs at once.

use sagemaker_async_bridge::location::S3Prefix;

/// AWS's names for the topics of `IncludeInferenceResponseIn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
pub enum IncludeIn {
    /// Successes.
    #[value(name = "SUCCESS_NOTIFICATION_TOPIC")]
    #[serde(rename = "SUCCESS_NOTIFICATION_TOPIC")]
    Success,
    /// Failures.
    #[value(name = "ERROR_NOTIFICATION_TOPIC")]
    #[serde(rename = "ERROR_NOTIFICATION_TOPIC")]
    Error,
}

impl IncludeIn {
    /// AWS's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS_NOTIFICATION_TOPIC",
            Self::Error => "ERROR_NOTIFICATION_TOPIC",
        }
    }
}

/// `AsyncInferenceConfig`.
#[derive(Clone, Debug)]
pub struct AsyncConfig {
    /// `S3OutputPath`. Without it outputs are stored nowhere; a notification may carry them.
    pub output: Option<S3Prefix>,
    /// `S3FailurePath`. Without it a failure leaves no object.
    pub failure: Option<S3Prefix>,
    /// `SuccessTopic`.
    pub success_topic: Option<String>,
    /// `ErrorTopic`.
    pub error_topic: Option<String>,
    /// `IncludeInferenceResponseIn`.
    pub include: Vec<IncludeIn>,
    /// `MaxConcurrentInvocationsPerInstance`.
    pub concurrency: u32,
}

impl AsyncConfig {
    /// The topics, each once.
    #[must_use]
    pub fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = self.success_topic.iter().chain(&self.error_topic).map(String::as_str).collect();
        topics.dedup();
        topics
    }
}
