//! The pointer that the SQS extended clients put into a message's body when the payload itself lies in S3.
//! <https://github.com/awslabs/amazon-sqs-java-extended-client-lib>

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::destinations::json_body;
use crate::fault::{Fault, json_problem};
use crate::location::S3Uri;

/// The attribute that marks a body as a pointer, and holds the payload's size.
pub(crate) const SIZE_ATTRIBUTE: &str = "ExtendedPayloadSize";
const OLDER_SIZE_ATTRIBUTE: &str = "SQSLargePayloadSize";
/// Either of the two.
pub(crate) const SIZE_ATTRIBUTES: [&str; 2] = [SIZE_ATTRIBUTE, OLDER_SIZE_ATTRIBUTE];

const CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";
const OLDER_CLASS: &str = "com.amazon.sqs.javamessaging.MessageS3Pointer";

#[derive(Deserialize, Serialize)]
struct Pointer<'a> {
    #[serde(rename = "s3BucketName")]
    bucket: Cow<'a, str>,
    #[serde(rename = "s3Key")]
    key: Cow<'a, str>,
}

/// The object that a message's body points to.
///
/// # Errors
/// A [`Fault`] when it is no pointer, or points to no S3 object.
pub(crate) fn read(body: &str) -> Result<S3Uri, Fault> {
    let (class, pointer): (String, Pointer) = serde_json::from_str(body).map_err(|error| {
        let names = SIZE_ATTRIBUTES.join(" or ");
        let problem = json_problem(&error);
        Fault::validation(format!(
            "the body is not an extended-client pointer, although the message has the attribute {names}: {problem}"
        ))
    })?;
    if class != CLASS && class != OLDER_CLASS {
        return Err(Fault::validation(format!(
            "the body's extended-client pointer must be a {CLASS} or {OLDER_CLASS}"
        )));
    }
    S3Uri::new(pointer.bucket, pointer.key)
        .map_err(|error| Fault::validation(format!("the body's extended-client pointer {error}")))
}

/// The body that points to an object.
///
/// # Errors
/// A [`Fault`] when it cannot be written as JSON, which does not happen.
pub(crate) fn write(location: &S3Uri) -> Result<String, Fault> {
    json_body(&(CLASS, Pointer { bucket: location.bucket().into(), key: location.key().into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let location: S3Uri = "s3://bucket/a b/\"100%\"\n\u{FFFF}".parse().unwrap();
        assert_eq!(read(&write(&location).unwrap()).unwrap(), location);
    }
}
