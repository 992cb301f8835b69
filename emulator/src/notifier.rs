//! Where notifications go: SNS topics, or what takes their place.

use aws_smithy_types::error::display::DisplayErrorContext;

/// Takes notifications.
#[derive(Clone, Debug)]
pub enum Notifier {
    /// The topics themselves.
    Sns(aws_sdk_sns::Client),
}

impl Notifier {
    /// Publishes a message to a topic; the SDK retries what can be.
    ///
    /// # Errors
    /// What the other side said, as text.
    pub async fn publish(&self, topic_arn: &str, message: &str) -> Result<(), String> {
        match self {
            Self::Sns(sns) => {
                let published = sns.publish().topic_arn(topic_arn).message(message).send().await;
                published.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
            }
        }
    }
}
