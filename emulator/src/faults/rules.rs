//! How often faults happen: one set of names for flags, TOML and the runtime API.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Fault;

/// The delay of a delayed notification where none is given.
const DEFAULT_DELAY_SECONDS: f64 = 5.0;
/// A day: longer times are mistakes.
const MAX_SECONDS: f64 = 86_400.0;

/// Rates and times. What is not named does not happen.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rules {
    /// Of calls, answered with ThrottlingException.
    pub throttling: Rate,
    /// Of calls, answered with 500 InternalFailure or 503 ServiceUnavailable, half and half.
    pub server_error: Rate,
    /// Of calls.
    pub dropped_before_acceptance: Rate,
    /// Of calls.
    pub dropped_after_acceptance: Rate,
    /// Half of all calls are answered within this time,
    pub latency_p50_seconds: Seconds,
    /// 99 of a hundred within this,
    pub latency_p99_seconds: Seconds,
    /// and all within this.
    pub latency_max_seconds: Seconds,
    /// Of completed invocations.
    pub missing_output: Rate,
    /// Of notifications.
    pub duplicate_notification: Rate,
    /// Of notifications.
    pub delayed_notification: Rate,
    /// How late these are; 0 means five seconds.
    pub delay_seconds: Seconds,
    /// Of notifications.
    pub reordered_notification: Rate,
    /// Of notifications.
    pub lost_notification: Rate,
}

/// A part of all, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

/// Seconds, with fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(f64);

impl TryFrom<f64> for Rate {
    type Error = &'static str;

    fn try_from(rate: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&rate) { Ok(Self(rate)) } else { Err("a rate is a number from 0 to 1") }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        if (0.0..=MAX_SECONDS).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err("seconds are a number from 0 to 86400")
        }
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl Rules {
    pub(super) const fn rate(&self, fault: Fault) -> f64 {
        let rate = match fault {
            Fault::Throttling => self.throttling,
            Fault::ServerError => self.server_error,
            Fault::DroppedBeforeAcceptance => self.dropped_before_acceptance,
            Fault::DroppedAfterAcceptance => self.dropped_after_acceptance,
            Fault::Latency => Rate(0.0),
            Fault::MissingOutput => self.missing_output,
            Fault::DuplicateNotification => self.duplicate_notification,
            Fault::DelayedNotification => self.delayed_notification,
            Fault::ReorderedNotification => self.reordered_notification,
            Fault::LostNotification => self.lost_notification,
        };
        rate.0
    }

    /// The latency at a point of the distribution: straight lines through its three quantiles.
    pub(super) fn latency(&self, at: f64) -> Duration {
        let p50 = self.latency_p50_seconds.0;
        let p99 = self.latency_p99_seconds.0.max(p50);
        let most = self.latency_max_seconds.0.max(p99);
        let seconds = if at < 0.5 {
            p50 * at / 0.5
        } else if at < 0.99 {
            p50 + (p99 - p50) * (at - 0.5) / 0.49
        } else {
            p99 + (most - p99) * (at - 0.99) / 0.01
        };
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    pub(super) fn delay(&self) -> Duration {
        let seconds = if self.delay_seconds.0 == 0.0 { DEFAULT_DELAY_SECONDS } else { self.delay_seconds.0 };
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}
