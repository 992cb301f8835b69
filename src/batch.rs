//! What both functions share of SQS: reading a message of a batch, and the answer that names those that must come back.
//!
//! Each field of a message is read by itself, from its own JSON: what is odd in one message must not keep its neighbours from
//! being read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fault::Fault;

/// The attribute that tells how a body is encoded, on requests and on results: the bridge's one of its own.
pub(crate) const CONTENT_ENCODING: &str = "ContentEncoding";

/// The answer to a batch. What it does not name is deleted from the queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsBatchResponse {
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
pub(crate) fn message_id(field: Option<&RawValue>) -> Result<String, Fault> {
    let id = field.and_then(text).filter(|id| !id.is_empty());
    id.map(Cow::into_owned).ok_or_else(|| Fault::validation("a record has no messageId: it is none of SQS's"))
}

/// A JSON string's text, uncopied where it has no escapes; `None` for any other JSON.
pub(crate) fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(json.get()).ok().map(|Text(text)| text)
}
