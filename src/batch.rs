//! What both functions share of SQS: reading a message of a batch, and the answer that names those that must come back.
//!
//! Each message is read by itself, from its own JSON: what is odd in one must not keep its neighbours from being read.

mod record;

use std::borrow::Cow;

use aws_lambda_events::sqs::SqsBatchResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use self::record::Record;
use crate::fault::Fault;

/// The attribute that tells how a body is encoded, on requests and on results: the bridge's one of its own.
pub(crate) const CONTENT_ENCODING: &str = "ContentEncoding";

/// The answer to a batch, from the ids of the messages that must come back. What it does not name is deleted from the queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub(crate) fn response(returned: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    returned.into_iter().for_each(|id| response.add_failure(id));
    response
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
