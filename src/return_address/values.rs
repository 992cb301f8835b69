//! What a return address is made of, each within its service's bounds.

use std::fmt;
use std::str::FromStr;

/// The `ReplyTo` of those who want no result sent.
pub const NOBODY: &str = "none";

/// Why a text is not what it is taken for. It never repeats the text, which may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct InvalidPart(&'static str);

/// Defines a part's type: a text that passed its rule and never changes again. Of a secret one nothing is printed.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident, $rule:expr, $must_be:expr, $shown:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text as its service takes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidPart;

            fn from_str(text: &str) -> Result<Self, InvalidPart> {
                let rule: fn(&str) -> bool = $rule;
                if rule(text) { Ok(Self(text.to_owned())) } else { Err(InvalidPart($must_be)) }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let shown: fn(&str) -> &str = $shown;
                f.debug_tuple(stringify!($name)).field(&shown(&self.0)).finish()
            }
        }
    };
}

part!(
    /// The name of a route: of a queue, a topic or an event bus. Buses have the widest rule.
    /// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html>
    RouteName,
    |text| {
        (1..=256).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    },
    "1 to 256 letters, digits and characters of /._-",
    |text| text
);

part!(
    /// The token of a task of Step Functions.
    /// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>
    TaskToken,
    |text| (1..=2048).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "1 to 2048 printable ASCII characters without spaces",
    |_| "…"
);

part!(
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
    |_| "…"
);

part!(
    /// A message group of SQS.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
    GroupId,
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "1 to 128 letters, digits and punctuation",
    |text| text
);

part!(
    /// X-Ray's header: `Root=…;Parent=…;Sampled=…`.
    /// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
    TraceHeader,
    |text| (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()),
    "1 to 512 printable ASCII characters",
    |text| text
);

impl TraceHeader {
    /// The id of the trace, by which X-Ray and CloudWatch find it.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.split(';').find_map(|field| field.trim().strip_prefix("Root="))
    }
}
