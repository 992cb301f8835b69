//! What is remembered of a request, and what it tells a repetition.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::pending::PendingKey;
use crate::submit::accepted::Accepted;

const MS_PER_SECOND: u64 = 1_000;

/// One request, as its object in S3 remembers it. Times are milliseconds since 1970.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestRecord {
    pub(super) request: String,
    pub(super) claimed_at: u64,
    /// Until when whoever claimed it may still be at work.
    pub(super) claimed_until: u64,
    /// Lambda's id of the invocation that claimed it.
    pub(super) claimed_by: String,
    /// Whoever claimed it has ended without knowing whether SageMaker accepted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_unknown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Accepted>,
    /// The key under which the accepted request is remembered: part of the token, as `accepted_at` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<PendingKey>,
}

impl RequestRecord {
    /// When the request was accepted, or a little before, in seconds since 1970: the same for the first answer and for every
    /// repetition, because it is part of the token.
    pub(super) const fn accepted_at(&self) -> u64 {
        self.claimed_at / MS_PER_SECOND
    }

    /// The answer, as a repetition of the request gets it.
    pub(super) fn answered(self) -> Option<Accepted> {
        let accepted_at = self.accepted_at();
        let pending = self.pending;
        self.answer.map(|answer| Accepted { accepted_at, is_repeated: true, pending, ..answer })
    }

    /// Whole seconds until the key is free, 1 at least.
    pub(super) fn seconds_left(&self, now: u64) -> u64 {
        self.claimed_until.saturating_sub(now).div_ceil(MS_PER_SECOND).max(1)
    }

    /// What a repetition is told while the request is claimed.
    pub(super) fn conflict(&self, now: u64) -> Fault {
        let seconds_left = self.seconds_left(now);
        if self.is_unknown {
            return Fault::unknown_outcome(seconds_left);
        }
        // Most first requests take a fraction of a second. One that has taken longer may have died, or be waiting for an answer.
        let seconds_gone = now.saturating_sub(self.claimed_at) / MS_PER_SECOND;
        Fault::under_way(seconds_gone.clamp(1, seconds_left))
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
