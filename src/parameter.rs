//! The parameters of `InvokeEndpointAsync`: their names, their headers and what SageMaker allows in each.
//!
//! Bounds: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::checked_text::checked_text;
use crate::fault::Fault;

/// Largest payload in `Body`, in bytes. Not 128 KiB.
pub const INLINE_LIMIT_BYTES: usize = 128_000;
/// What `RequestTTLSeconds` may be.
pub const REQUEST_TTL_SECONDS: RangeInclusive<i32> = 60..=21_600;
/// What `InvocationTimeoutSeconds` may be.
pub const INVOCATION_TIMEOUT_SECONDS: RangeInclusive<i32> = 1..=3_600;

const MAX_ENDPOINT_NAME_CHARS: usize = 63;
const MAX_INFERENCE_ID_CHARS: usize = 64;
const MAX_HEADER_CHARS: usize = 1024;
const MAX_PATH_EXTENSION_CHARS: usize = 512;
const MAX_FILENAME_CHARS: usize = 32;

checked_text!(
    /// The name of an endpoint.
    EndpointName,
    |text| {
        text.len() <= MAX_ENDPOINT_NAME_CHARS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    },
    "1 to 63 letters, digits and hyphens, with a letter or digit first and last"
);

checked_text!(
    /// The identifier of one inference, which comes back in its notification.
    InferenceId,
    |text| {
        (1..=MAX_INFERENCE_ID_CHARS).contains(&text.len()) && is_printable_ascii(text) && !text.starts_with(' ')
    },
    "1 to 64 printable ASCII characters, not starting with a space"
);

checked_text!(
    /// A text that travels in a header: content type, accept, custom attributes. AWS allows any ASCII, HTTP only what prints.
    HeaderText,
    |text| { text.len() <= MAX_HEADER_CHARS && is_printable_ascii(text) },
    "at most 1024 printable ASCII characters"
);

checked_text!(
    /// The path that SageMaker appends to the endpoint's output path.
    S3OutputPathExtension,
    |text| {
        (1..=MAX_PATH_EXTENSION_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!_.*'()/-".contains(&byte))
    },
    "1 to 512 letters, digits and characters of !_.*'()/-"
);

checked_text!(
    /// The name of the output file.
    Filename,
    |text| {
        text.len() <= MAX_FILENAME_CHARS
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && text.bytes().filter(|byte| *byte == b'.').count() <= 1
    },
    "1 to 32 letters, digits, `-`, `_` and at most one `.`, with a letter or digit first"
);

impl HeaderText {
    /// The bridge's default content type.
    #[must_use]
    pub fn application_json() -> Self {
        Self("application/json".to_owned())
    }
}

/// Whether a header can carry it: letters, digits, punctuation and spaces.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// A parameter of `InvokeEndpointAsync`: its name in the API, which is also that of the SQS message attribute, and its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name in AWS's API model.
    pub name: &'static str,
    /// The HTTP header in lower case; empty for the one that travels in the path.
    pub header: &'static str,
}

macro_rules! parameters {
    ($($constant:ident $name:literal $header:literal)*) => {
        $(pub(crate) const $constant: Parameter = Parameter { name: $name, header: $header };)*
        /// All of them.
        pub const PARAMETERS: &[Parameter] = &[$($constant),*];
    };
}

parameters! {
    ENDPOINT_NAME "EndpointName" ""
    CONTENT_TYPE "ContentType" "x-amzn-sagemaker-content-type"
    ACCEPT "Accept" "x-amzn-sagemaker-accept"
    CUSTOM_ATTRIBUTES "CustomAttributes" "x-amzn-sagemaker-custom-attributes"
    INFERENCE_ID "InferenceId" "x-amzn-sagemaker-inference-id"
    INPUT_LOCATION "InputLocation" "x-amzn-sagemaker-inputlocation"
    S3_OUTPUT_PATH_EXTENSION "S3OutputPathExtension" "x-amzn-sagemaker-s3outputpathextension"
    FILENAME "Filename" "x-amzn-sagemaker-filename"
    REQUEST_TTL "RequestTTLSeconds" "x-amzn-sagemaker-requestttlseconds"
    INVOCATION_TIMEOUT "InvocationTimeoutSeconds" "x-amzn-sagemaker-invocationtimeoutseconds"
}

/// Where a request's parameters come from: message attributes or headers.
pub trait ParameterSource {
    /// The value of a parameter, `None` when the request does not give it.
    ///
    /// # Errors
    /// A [`Fault`] when the value is there but is no text.
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault>;

    /// The message group of a request from a standard queue of SQS, which keeps tenants from waiting for each other.
    fn group_id(&self) -> Option<&str> {
        None
    }

    /// X-Ray's header on a message of SQS, or that of an invocation that is traced.
    fn trace_header(&self) -> Option<&str> {
        None
    }

    /// When the request was sent to SQS, in milliseconds since 1970.
    fn sent_timestamp(&self) -> Option<&str> {
        None
    }
}
