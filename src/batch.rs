//! What both functions share of SQS: reading a message of a batch, and the answer that names those that must come back.
//!
//! Each field of a message is read by itself, from its own JSON: what is odd in one message must not keep its neighbours from
//! being read.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fault::Fault;

/// The attribute that tells how a body is encoded, on requests and on results: the bridge's one of its own.
pub(crate) const CONTENT_ENCODING: &str = "ContentEncoding";

/// The answer to a batch. What it does not name is deleted from the queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SqsBatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// From the ids of the messages that must come back.
impl FromIterator<String> for SqsBatchResponse {
    fn from_iter<I: IntoIterator<Item = String>>(ids: I) -> Self {
        let failure = |item_identifier| BatchItemFailure { item_identifier };
        Self { batch_item_failures: ids.into_iter().map(failure).collect() }
    }
}

/// The id by which a message is given back.
///
/// # Errors
/// A [`Fault`] when it is none. Lambda answers an unknown or empty id by returning the whole batch, and so does this.
pub(crate) fn checked_id(id: Option<String>) -> Result<String, Fault> {
    id.filter(|id| !id.is_empty()).ok_or_else(no_id)
}

/// What is wrong with a record that has no id.
pub(crate) fn no_id() -> Fault {
    Fault::validation("a record has no messageId: it is none of SQS's")
}

/// A JSON string's text, uncopied where it has no escapes; `None` for any other JSON.
pub(crate) fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(json.get()).ok().map(|Text(text)| text)
}

/// Decodes a body in base64, in which tools like to break lines.
///
/// # Errors
/// A validation [`Fault`] when it is none.
pub(crate) fn decode_base64(body: &str) -> Result<Vec<u8>, Fault> {
    let is_broken = body.contains(|character: char| character.is_ascii_whitespace());
    let decoded = if is_broken {
        BASE64_STANDARD.decode(body.split_ascii_whitespace().collect::<String>())
    } else {
        BASE64_STANDARD.decode(body)
    };
    decoded.map_err(|error| {
        Fault::validation(format!(
            "the body must be base64 (standard alphabet, padded), as ContentEncoding says: {error}"
        ))
    })
}
