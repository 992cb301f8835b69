//! A result on its way out, before its destination gives it the form that its service takes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fault::Fault;
use crate::return_address::ReturnAddress;

/// Longest attribute value that the bridge sends, in bytes. Ids and locations are shorter; a failure reason is cut.
const ATTRIBUTE_LIMIT_BYTES: usize = 4_096;

/// Names of the attributes that results have, in words of SageMaker's API.
pub(crate) mod attribute {
    pub(crate) const INFERENCE_ID: &str = "InferenceId";
    pub(crate) const INVOCATION_STATUS: &str = "InvocationStatus";
    pub(crate) const ENDPOINT_NAME: &str = "EndpointName";
    pub(crate) const CONTENT_TYPE: &str = "ContentType";
    pub(crate) const OUTPUT_LOCATION: &str = "OutputLocation";
    pub(crate) const FAILURE_REASON: &str = "FailureReason";
}

/// Whether SQS takes this character in a body or an attribute: the characters of XML 1.0.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
#[must_use]
pub(crate) const fn is_sqs_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// A result: a body, and what is said of it besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResultMessage {
    pub(super) body: String,
    /// Name to (type, value).
    pub(super) attributes: BTreeMap<&'static str, (&'static str, String)>,
    /// Empty where nobody tells it.
    pub(super) inference_id: String,
    /// What makes this result the same as another one: a hash of what it is made from.
    pub(super) identity: String,
    /// Where it goes, and what its message has of its request's.
    pub(crate) return_address: ReturnAddress,
    /// The name of what went wrong, for destinations that have a place for it; `None` for an output.
    pub(super) error: Option<&'static str>,
    /// For the metrics.
    pub(crate) measures: Measures,
}

/// What metrics tell of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    /// Length of the output; `None` where there is none.
    pub(crate) output_bytes: Option<u64>,
    /// Whether the result has to do without its output.
    pub(crate) is_output_left_out: bool,
    /// When the request was sent, or else received by SageMaker, in milliseconds since 1970.
    pub(crate) requested_at: Option<u64>,
}

impl ResultMessage {
    /// A result of the inference `inference_id`. `identity` is a hash of what it is made from ([`sha256_hex`](crate::hash::sha256_hex)).
    #[must_use]
    pub(crate) fn new(body: String, inference_id: &str, identity: String) -> Self {
        let inference_id = inference_id.to_owned();
        let return_address = ReturnAddress::default();
        let measures = Measures::default();
        Self { body, attributes: BTreeMap::new(), inference_id, identity, return_address, error: None, measures }
    }

    /// The same with what metrics tell of it.
    #[must_use]
    pub(crate) fn measured(self, measures: Measures) -> Self {
        Self { measures, ..self }
    }

    /// The same for this return address.
    #[must_use]
    pub(crate) fn to(self, return_address: ReturnAddress) -> Self {
        Self { return_address, ..self }
    }

    /// The same for an inference that did not end well, by the name of what went wrong.
    #[must_use]
    pub(crate) fn failed(self, error: Option<&'static str>) -> Self {
        Self { error, ..self }
    }

    /// Adds a String attribute. Characters that SQS does not take are replaced, an overlong value is cut, and an empty one,
    /// which SQS does not take at all, is left out.
    #[must_use]
    pub(crate) fn with(self, name: &'static str, value: Option<&str>) -> Self {
        self.with_typed(name, "String", value.unwrap_or_default())
    }

    /// Adds a Number attribute.
    #[must_use]
    pub(crate) fn with_number(self, name: &'static str, value: u64) -> Self {
        self.with_typed(name, "Number", &value.to_string())
    }

    fn with_typed(mut self, name: &'static str, data_type: &'static str, value: &str) -> Self {
        let value = attribute_text(value);
        if !value.is_empty() {
            self.attributes.insert(name, (data_type, value));
        }
        self
    }

    /// Its size as SQS and SNS count it, in bytes: the body, and of each attribute name, type and value.
    pub(super) fn bytes_with_attributes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, (kind, value))| name.len() + kind.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }

    /// The value of an attribute.
    #[must_use]
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|(_, value)| value.as_str())
    }
}

/// A text as the value of an attribute: without the characters that SQS does not take, and not overlong.
#[must_use]
pub(crate) fn attribute_text(value: &str) -> String {
    let mut value = value.replace(|character| !is_sqs_char(character), "\u{FFFD}");
    value.truncate(value.floor_char_boundary(ATTRIBUTE_LIMIT_BYTES));
    value
}

/// A value as JSON that SQS takes: JSON itself leaves some characters unescaped that SQS refuses.
///
/// # Errors
/// A [`Fault`] when the value cannot be written as JSON.
pub(crate) fn json_body(value: &impl Serialize) -> Result<String, Fault> {
    let mut json = serde_json::to_string(value).map_err(|error| Fault::internal(error.to_string()))?;
    // These stand inside strings only: everything outside of them is ASCII.
    for (character, escaped) in [('\u{FFFE}', "\\ufffe"), ('\u{FFFF}', "\\uffff")] {
        if json.contains(character) {
            json = json.replace(character, escaped);
        }
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256_hex;

    fn message(bytes: usize) -> ResultMessage {
        ResultMessage::new("x".repeat(bytes), "i", sha256_hex("x"))
    }

    #[test]
    fn attribute_values_are_brought_to_what_sqs_takes() {
        let message = message(1)
            .with("InferenceId", Some("a\u{1}b\u{FFFF}"))
            .with("ContentType", Some(""))
            .with("EndpointName", None)
            .with("FailureReason", Some(&"ü".repeat(4_000)));
        assert_eq!(message.attribute("InferenceId"), Some("a\u{FFFD}b\u{FFFD}"));
        assert_eq!((message.attribute("ContentType"), message.attribute("EndpointName")), (None, None));
        assert_eq!(message.attribute("FailureReason").unwrap().len(), 4_096);
    }

    #[test]
    fn json_holds_only_characters_that_sqs_takes() {
        let json = json_body(&"a\u{0}\u{1F}\u{7F}\u{FFFE}\u{FFFF}ü").unwrap();
        assert!(json.chars().all(is_sqs_char), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{0}\u{1F}\u{7F}\u{FFFE}\u{FFFF}ü");
    }
}
