//! The words of S3's errors, which s3s mostly leaves out.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};

/// An error is one small document.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// S3's words for the errors that the emulator's S3 answers with.
const WORDS: [(&str, &str); 18] = [
    ("AccessDenied", "Access Denied"),
    (
        "BucketAlreadyExists",
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a \
         different name and try again.",
    ),
    ("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size."),
    ("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    ("InternalError", "We encountered an internal error. Please try again."),
    ("InvalidArgument", "Invalid Argument"),
    ("InvalidBucketName", "The specified bucket is not valid."),
    (
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity \
         tag may not match the part's entity tag.",
    ),
    ("InvalidRange", "The requested range is not satisfiable"),
    ("InvalidRequest", "Invalid Request"),
    ("KeyTooLongError", "Your key is too long"),
    ("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema."),
    ("MethodNotAllowed", "The specified method is not allowed against this resource."),
    ("NoSuchBucket", "The specified bucket does not exist"),
    ("NoSuchKey", "The specified key does not exist."),
    ("NotImplemented", "A header you provided implies functionality that is not implemented."),
    ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method. The \
         emulator's secret access key is its own AWS_SECRET_ACCESS_KEY, and that of any other access key the access key itself.",
    ),
];

/// An answer; an error without a message gets one.
pub(super) async fn with_words(response: Response) -> Response {
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_ERROR_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let text = String::from_utf8_lossy(&bytes);
    let Some(with_message) = with_message(&text) else { return Response::from_parts(parts, Body::from(bytes)) };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(with_message))
}

/// The error with its message; none where it needs none.
fn with_message(text: &str) -> Option<String> {
    if text.contains("<Message>") {
        return None;
    }
    let (before, after) = text.split_once("</Code>")?;
    let (_, code) = before.split_once("<Code>")?;
    let (_, words) = WORDS.iter().find(|(name, _)| *name == code)?;
    Some(format!("{before}</Code><Message>{words}</Message>{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_message_gets_one() {
        let bare = "<Error><Code>NoSuchKey</Code></Error>";
        let expected = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        assert_eq!(with_message(bare).as_deref(), Some(expected));
        for other in [expected, "<Error><Code>Odd</Code></Error>", "", "<Code>"] {
            assert_eq!(with_message(other), None, "{other}");
        }
    }
}
