//! Responses in the form that payload formats 1.0 and 2.0 share.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::fault::{Fault, FaultKind};
use crate::parameter::is_printable_ascii;

/// Largest response that Lambda hands to a gateway, in bytes of its JSON.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const RESPONSE_LIMIT_BYTES: usize = 6_291_456;
/// What of that is kept for status and headers: the longest are a `Location` with two S3 keys in it and a content type.
const ENVELOPE_BYTES: usize = 16 * 1024;
/// Largest body that can be carried, in bytes as it stands in the response's JSON. No object of more bytes can fit; one of three
/// quarters of it always does.
pub(super) const BODY_LIMIT_BYTES: usize = RESPONSE_LIMIT_BYTES - ENVELOPE_BYTES;

/// When to come back after throttling or an outage, in seconds.
const RETRY_AFTER_SECONDS: u64 = 5;

/// A response to a gateway.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::submit) struct Response {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

/// The body of an error.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    message: &'a str,
}

impl Response {
    fn new(status_code: u16, body: String) -> Self {
        Self { status_code, headers: BTreeMap::new(), body, is_base64_encoded: false }
    }

    pub(super) fn json(status_code: u16, body: &impl Serialize) -> Self {
        // Structs of strings always can be written; an empty body would still carry the status.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self::new(status_code, body).with("content-type", Some("application/json"))
    }

    /// A body of any bytes. Text goes as it is, since a REST API undoes base64 only for the media types that it was told of;
    /// everything else, and text that only JSON's escapes make too long, in base64. `None` when no response can carry it.
    pub(super) fn bytes(status_code: u16, bytes: Vec<u8>) -> Option<Self> {
        let response = match String::from_utf8(bytes) {
            Ok(text) if escaped_length(&text) <= BODY_LIMIT_BYTES => Self::new(status_code, text),
            Ok(text) => Self::base64(status_code, text.as_bytes()),
            Err(error) => Self::base64(status_code, error.as_bytes()),
        };
        let fits = !response.is_base64_encoded || response.body.len() <= BODY_LIMIT_BYTES;
        fits.then(|| response.with("x-content-type-options", Some("nosniff")))
    }

    fn base64(status_code: u16, bytes: &[u8]) -> Self {
        Self { is_base64_encoded: true, ..Self::new(status_code, BASE64_STANDARD.encode(bytes)) }
    }

    pub(super) fn no_content() -> Self {
        Self::new(204, String::new())
    }

    pub(super) fn redirect(location: &str) -> Self {
        Self::new(303, String::new()).with("location", Some(location))
    }

    pub(super) fn error(status_code: u16, error_type: &str, message: &str) -> Self {
        Self::json(status_code, &ErrorBody { message }).with("x-amzn-errortype", Some(error_type))
    }

    pub(super) fn fault(fault: &Fault) -> Self {
        let kind = fault.kind();
        let by_kind = matches!(kind, FaultKind::Throttling | FaultKind::ServiceUnavailable);
        let seconds = fault.retry_after_seconds().or(by_kind.then_some(RETRY_AFTER_SECONDS));
        Self::error(kind.status(), kind.error_type(), fault.message())
            .with("retry-after", seconds.map(|seconds| seconds.to_string()).as_deref())
    }

    /// Adds a header, if it has a value that a header can carry: one from S3 or SageMaker may have none such.
    pub(super) fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        let value = value.filter(|value| is_printable_ascii(value));
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    /// The answer to HEAD: that to GET without its body.
    pub(super) fn without_body(mut self) -> Self {
        self.body = String::new();
        self.is_base64_encoded = false;
        self
    }

    /// The HTTP status.
    #[must_use]
    pub(super) const fn status_code(&self) -> u16 {
        self.status_code
    }

    /// The value of a header, by its lower-case name.
    #[cfg(test)]
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body, in base64 where the gateway is told so.
    #[cfg(test)]
    pub(super) fn body(&self) -> &str {
        &self.body
    }
}

/// Bytes that a text takes in JSON as serde writes it, quotes left out.
fn escaped_length(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escaped_length_is_that_of_serde() {
        let every: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        assert_eq!(escaped_length(&every), serde_json::to_string(&every).unwrap().len() - 2);
    }

    #[test]
    fn text_stays_text_whatever_it_is_and_everything_else_is_base64() {
        let text = Response::bytes(200, "käse \"x\"".into()).unwrap();
        assert_eq!((text.body(), text.is_base64_encoded), ("käse \"x\"", false));
        let binary = Response::bytes(200, vec![0xff, 0x00]).unwrap();
        assert_eq!((binary.body(), binary.is_base64_encoded), ("/wA=", true));
        let escaped = Response::bytes(200, b"{\"a\":\"b\"}".to_vec()).unwrap();
        assert_eq!((escaped.body(), escaped.is_base64_encoded), ("{\"a\":\"b\"}", false));
    }

    #[test]
    fn a_body_fits_up_to_the_limit_of_lambda() {
        for (byte, fits, is_base64) in [
            (b'x', BODY_LIMIT_BYTES, false),
            (b'"', BODY_LIMIT_BYTES / 4 * 3, true),
            (0xff, BODY_LIMIT_BYTES / 4 * 3, true),
        ] {
            let response = Response::bytes(200, vec![byte; fits]).unwrap();
            assert_eq!(response.is_base64_encoded, is_base64);
            assert!(serde_json::to_string(&response).unwrap().len() <= RESPONSE_LIMIT_BYTES);
            assert!(Response::bytes(200, vec![byte; fits + 1]).is_none(), "{byte}");
        }
    }

    #[test]
    fn a_header_that_could_end_its_line_is_left_out() {
        let response = Response::json(200, &()).with("x", Some("a\r\nset-cookie: b")).with("y", Some("käse"));
        assert_eq!((response.header("x"), response.header("y")), (None, None));
    }
}
