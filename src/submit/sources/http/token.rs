//! The token of `GET /invocations/{token}`: where to look for an invocation's output. It is opaque to callers and no secret:
//! it opens nothing but what lies under the configured output locations.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::location::{S3Prefix, S3Uri};
use crate::parameter::InferenceId;
use crate::pending::PendingKey;
use crate::submit::accepted::Accepted;

/// Tells a mangled token from a whole one without asking S3.
const CHECKSUM_BYTES: usize = 6;
/// Two keys and an id of their largest sizes, escaped and encoded, stay below.
const MAX_TOKEN_CHARS: usize = 8_192;

/// Where the output of an invocation is, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) output: S3Uri,
    /// Where a failure shows; not every endpoint has one.
    pub(super) failure: Option<S3Uri>,
    pub(super) inference_id: Option<InferenceId>,
    /// When it was accepted, in seconds since 1970: what is older is of another invocation.
    pub(super) accepted_at: u64,
    /// The key under which the request is remembered until it is answered.
    pub(super) pending: Option<PendingKey>,
}

/// A token's fields as a list: older tokens have no key.
#[derive(Deserialize)]
struct Fields(String, Option<String>, Option<String>, u64, #[serde(default)] Option<String>);

impl Token {
    /// The token of an accepted invocation; `None` if its output lies where this bridge does not read.
    pub(super) fn of(accepted: &Accepted, readable: &[S3Prefix]) -> Option<Self> {
        let locate = |location: &Option<String>| -> Option<S3Uri> {
            location.as_deref()?.parse().ok().filter(|location| is_readable(location, readable))
        };
        Some(Self {
            output: locate(&accepted.output_location)?,
            failure: locate(&accepted.failure_location),
            inference_id: accepted.inference_id.as_deref().and_then(|id| id.parse().ok()),
            accepted_at: accepted.accepted_at,
            pending: accepted.pending.clone(),
        })
    }

    /// Reads a token; `None` if it is not a whole one or names anything that this bridge does not read.
    pub(super) fn parse(text: &str, readable: &[S3Prefix]) -> Option<Self> {
        if text.len() > MAX_TOKEN_CHARS {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (checksum, json) = bytes.split_at_checked(CHECKSUM_BYTES)?;
        if checksum != checksum_of(json) {
            return None;
        }
        let Fields(output, failure, id, accepted_at, pending) = serde_json::from_slice(json).ok()?;
        let token = Self {
            output: output.parse().ok()?,
            failure: failure.map(|location| location.parse()).transpose().ok()?,
            inference_id: id.map(|id| id.parse()).transpose().ok()?,
            accepted_at,
            pending: pending.map(|key| key.parse()).transpose().ok()?,
        };
        let is_readable = is_readable(&token.output, readable)
            && token.failure.as_ref().is_none_or(|failure| is_readable(failure, readable));
        is_readable.then_some(token)
    }

    /// The text for the URL: letters, digits, `-` and `_`.
    pub(super) fn encode(&self) -> String {
        let id = self.inference_id.as_ref().map(InferenceId::as_str);
        // A tuple of strings always can be written.
        let json = match &self.pending {
            Some(key) => serde_json::to_vec(&(&self.output, &self.failure, id, self.accepted_at, key)),
            None => serde_json::to_vec(&(&self.output, &self.failure, id, self.accepted_at)),
        };
        let json = json.unwrap_or_default();
        let mut bytes = checksum_of(&json).to_vec();
        bytes.extend(json);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn is_readable(location: &S3Uri, readable: &[S3Prefix]) -> bool {
    readable.iter().any(|prefix| prefix.contains(location))
}

fn checksum_of(json: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.iter_mut().zip(Sha256::digest(json)).for_each(|(byte, of_digest)| *byte = of_digest);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable() -> Vec<S3Prefix> {
        vec!["s3://models/output/".parse().unwrap(), "s3://models/failure/".parse().unwrap()]
    }

    fn token() -> Token {
        let accepted = Accepted {
            inference_id: Some("order 4711".to_owned()),
            output_location: Some("s3://models/output/käse \"1\".out".to_owned()),
            failure_location: Some("https://models.s3.eu-west-1.amazonaws.com/failure/1-error.out".to_owned()),
            accepted_at: 1_782_036_000,
            pending: Some(format!("20261126T0912Z-{}", "0".repeat(32)).parse().unwrap()),
            ..Accepted::default()
        };
        Token::of(&accepted, &readable()).unwrap()
    }

    /// A token that says this, made as a forger who knows this code would.
    fn forged(json: &str) -> String {
        let mut bytes = checksum_of(json.as_bytes()).to_vec();
        bytes.extend(json.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn a_token_comes_back_as_it_was() {
        let encoded = token().encode();
        assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{encoded}");
        assert_eq!(Token::parse(&encoded, &readable()), Some(token()));
        let bare = Token { failure: None, inference_id: None, ..token() };
        assert_eq!(Token::parse(&bare.encode(), &readable()), Some(bare));
    }

    #[test]
    fn a_token_of_the_largest_parts_is_taken() {
        let key = format!("output/{}", "\"".repeat(1024 - "output/".len()));
        let largest = Token {
            output: S3Uri::new("models", key.clone()).unwrap(),
            failure: Some(S3Uri::new("models", key).unwrap()),
            inference_id: Some("\"".repeat(64).parse().unwrap()),
            accepted_at: u64::MAX,
            pending: Some(format!("20261126T0912Z-{}", "f".repeat(32)).parse().unwrap()),
        };
        assert_eq!(Token::parse(&largest.encode(), &readable()), Some(largest));
    }

    #[test]
    fn an_altered_or_truncated_token_is_none() {
        let encoded = token().encode();
        for end in 0..encoded.len() {
            assert_eq!(Token::parse(&encoded[..end], &readable()), None, "{end}");
        }
        for (position, character) in encoded.char_indices() {
            let other = if character == 'A' { "B" } else { "A" };
            let altered = format!("{}{other}{}", &encoded[..position], &encoded[position + 1..]);
            assert_eq!(Token::parse(&altered, &readable()), None, "{position}");
        }
        for text in ["", "x", "a/b", "%2e%2e", &format!("{encoded}="), &"A".repeat(10_000)] {
            assert_eq!(Token::parse(text, &readable()), None, "{text}");
        }
    }

    #[test]
    fn a_forged_token_reaches_nothing_but_the_readable_locations() {
        assert!(Token::parse(&forged(r#"["s3://models/output/x", null, null, 0]"#), &readable()).is_some());
        for json in [
            r#"["s3://models/input/x", null, null, 0]"#,
            r#"["s3://other/output/x", null, null, 0]"#,
            r#"["s3://models/output-2/x", null, null, 0]"#,
            r#"["s3://models/output/../input/x", null, null, 0]"#,
            r#"["s3://models/output/./x", null, null, 0]"#,
            r#"["s3://models/output/", null, null, 0]"#,
            r#"["s3://models/output/x", "s3://other/failure/x", null, 0]"#,
            r#"["s3://models/output/x", "s3://models/failure/../input/x", null, 0]"#,
            r#"["s3://models/output/x", null, "a\r\nset-cookie: b", 0]"#,
            r#"["http://127.0.0.1/latest/meta-data/", null, null, 0]"#,
            r#"{"output": "s3://models/output/x"}"#,
            r#"["s3://models/output/x"]"#,
            r#"["s3://models/output/x", null, null, -1]"#,
        ] {
            assert_eq!(Token::parse(&forged(json), &readable()), None, "{json}");
        }
        assert_eq!(Token::parse(&token().encode(), &[]), None);
    }

    #[test]
    fn an_output_that_is_not_read_here_has_no_token() {
        let accepted = Accepted { output_location: Some("s3://elsewhere/x.out".to_owned()), ..Accepted::default() };
        assert_eq!(Token::of(&accepted, &readable()), None);
        assert_eq!(Token::of(&Accepted::default(), &readable()), None);
    }
}
