//! The key of a request that waits for its answer.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::hash::hex;

const SECONDS_PER_MINUTE: u64 = 60;
/// Of `20261126T0912Z`.
const MINUTE_CHARS: usize = 14;
/// Nobody who does not know a key can guess it, and no two requests have the same one.
const RANDOM_BYTES: usize = 16;

/// `20261126T0912Z-` and 32 random hexadecimals: the minute (UTC) from which on the answer is overdue, and the request. Keys sort by that minute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PendingKey(String);

/// Why a text is no key. It never repeats the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a minute such as 20261126T0912Z, a hyphen and 32 hexadecimal digits")]
pub struct InvalidKey;

impl PendingKey {
    /// A new key of a request whose answer is overdue after `last_moment`, in seconds since 1970: the first minute that has not begun
    /// by then.
    ///
    /// # Errors
    /// A [`Fault`] when the operating system returned no random numbers.
    pub(crate) fn new(last_moment: u64) -> Result<Self, Fault> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::getrandom(&mut random)
            .map_err(|error| Fault::internal(format!("the operating system returned no random numbers: {error}")))?;
        let minute = minute_of(last_moment.saturating_add(SECONDS_PER_MINUTE - 1));
        Ok(Self(format!("{minute}-{}", hex(&random))))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the answer is overdue at this time, in seconds since 1970.
    pub(crate) fn is_overdue(&self, now: u64) -> bool {
        comes_no_later(&self.0, now)
    }

    /// The minute from which on the answer is overdue, as SageMaker's notifications give a time.
    pub(crate) fn overdue_since(&self) -> String {
        let part = |from, to| self.0.get(from..to).unwrap_or_default();
        format!("{}-{}-{}T{}:{}:00.000Z", part(0, 4), part(4, 6), part(6, 8), part(9, 11), part(11, 13))
    }
}

/// Whether a name comes, in S3's order, before those of all minutes after the one of `now`, in seconds since 1970.
pub(crate) fn comes_no_later(name: &str, now: u64) -> bool {
    let minute = minute_of(now);
    name.as_bytes().get(..MINUTE_CHARS).unwrap_or(name.as_bytes()) <= minute.as_bytes()
}

/// `20261126T0912Z`.
fn minute_of(seconds: u64) -> String {
    let time = DateTime::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)).fmt(Format::DateTime);
    let digits: String = time.unwrap_or_default().chars().filter(|character| !"-:".contains(*character)).collect();
    // `20261126T091200Z`.
    format!("{}Z", digits.get(..MINUTE_CHARS - 1).unwrap_or(&digits))
}

impl FromStr for PendingKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let fits = text.bytes().enumerate().all(|(index, byte)| match index {
            8 => byte == b'T',
            13 => byte == b'Z',
            MINUTE_CHARS => byte == b'-',
            0..MINUTE_CHARS => is_digit(byte),
            _ => is_hex(byte),
        });
        let whole = MINUTE_CHARS + 1 + 2 * RANDOM_BYTES;
        if fits && text.len() == whole { Ok(Self(text.to_owned())) } else { Err(InvalidKey) }
    }
}

impl TryFrom<String> for PendingKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        text.parse()
    }
}

impl From<PendingKey> for String {
    fn from(key: PendingKey) -> Self {
        key.0
    }
}

impl fmt::Display for PendingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A time as SageMaker's notifications give it: `2025-08-03T12:41:00.586Z`.
pub(crate) fn timestamp(milliseconds: u64) -> String {
    let seconds = i64::try_from(milliseconds / 1_000).unwrap_or(i64::MAX);
    let text = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}Z", text.trim_end_matches('Z'), milliseconds % 1_000)
}
