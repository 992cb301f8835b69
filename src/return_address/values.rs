//! What a return address is made of, each within its service's bounds.

use crate::checked_text::checked_text;

/// The `ReplyTo` of those who want no result sent.
pub const NOBODY: &str = "none";

checked_text!(
    /// The name of a route: of a queue, a topic or an event bus. Buses have the widest rule.
    /// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html>
    RouteName,
    |text| {
        (1..=256).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    },
    "1 to 256 letters, digits and characters of /._-"
);

checked_text!(
    /// The token of a task of Step Functions.
    /// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>
    TaskToken,
    |text| (1..=2048).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "1 to 2048 printable ASCII characters without spaces",
    secret
);

checked_text!(
    /// The id of a callback of a Lambda durable function.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html>
    CallbackId,
    |text| {
        let letters = text.trim_end_matches('=');
        (1..=1024).contains(&text.len())
            && !letters.is_empty()
            && text.len() - letters.len() <= 2
            && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
    },
    "1 to 1024 characters of base64",
    secret
);

checked_text!(
    /// A message group of SQS.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
    GroupId,
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "1 to 128 letters, digits and punctuation"
);

checked_text!(
    /// X-Ray's header: `Root=…;Parent=…;Sampled=…`.
    /// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
    TraceHeader,
    |text| (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()),
    "1 to 512 printable ASCII characters"
);

impl TraceHeader {
    /// The id of the trace, by which X-Ray and CloudWatch find it.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.split(';').find_map(|field| field.trim().strip_prefix("Root="))
    }
}
