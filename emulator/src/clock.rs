//! Time as CloudWatch and Application Auto Scaling see it here: `--time-scale` times as fast as the clock on the wall.
//!
//! Scaled seconds are seconds since 1970, multiplied by the scale. What clients send and get are times of the clock on the wall.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::time::Instant;

/// CloudWatch keeps one datapoint a minute.
pub(crate) const MINUTE_SECONDS: f64 = 60.0;
/// A minute of 60 ms; the next one begins before the alarms of this one are judged if it were much shorter.
const MAX_SCALE: f64 = 1000.0;

/// How many times as fast CloudWatch's and Application Auto Scaling's time passes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct TimeScale(f64);

impl Default for TimeScale {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for TimeScale {
    type Error = &'static str;

    fn try_from(scale: f64) -> Result<Self, Self::Error> {
        if (1.0..=MAX_SCALE).contains(&scale) { Ok(Self(scale)) } else { Err("must be a number from 1 to 1000") }
    }
}

impl FromStr for TimeScale {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<f64>().unwrap_or(f64::NAN).try_into()
    }
}

/// A clock that runs fast. It follows tokio's, so that tests can stop and wind it, and never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    scale: f64,
    began: Instant,
    began_unix: f64,
}

impl Clock {
    pub(crate) fn new(scale: TimeScale) -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { scale: scale.0, began: Instant::now(), began_unix: unix.as_secs_f64() }
    }

    /// Seconds since 1970, as the clock on the wall has them.
    pub(crate) fn unix(&self) -> f64 {
        self.began_unix + self.began.elapsed().as_secs_f64()
    }

    /// Scaled seconds.
    pub(crate) fn now(&self) -> f64 {
        self.scaled(self.unix())
    }

    /// From the clock on the wall.
    pub(crate) fn scaled(&self, unix: f64) -> f64 {
        unix * self.scale
    }

    /// When a minute begins, on the clock on the wall.
    pub(crate) fn start_of(&self, minute: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "minutes since 1970 need 31 bits, scaled 41")]
        let seconds = minute as f64 * MINUTE_SECONDS;
        seconds / self.scale
    }

    /// The minute that has begun last, since 1970.
    pub(crate) fn minute(&self) -> u64 {
        minute_of(self.now())
    }

    /// How long it takes until a minute begins.
    pub(crate) fn until(&self, minute: u64) -> Duration {
        Duration::try_from_secs_f64(self.start_of(minute) - self.unix()).unwrap_or_default()
    }
}

/// The minute in which a scaled time lies.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and minutes need 41 bits")]
pub(crate) fn minute_of(scaled: f64) -> u64 {
    // Half a microsecond's grace: the start of a minute, divided by the scale and multiplied again, is still its start.
    (scaled / MINUTE_SECONDS + 1e-6).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_number_from_1_to_1000() {
        assert_eq!("60".parse(), Ok(TimeScale(60.0)));
        for text in ["0", "0.5", "1001", "NaN", "fast"] {
            assert_eq!(text.parse::<TimeScale>(), Err("must be a number from 1 to 1000"), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_takes_a_second_at_scale_60() {
        let clock = Clock::new(TimeScale(60.0));
        let next = clock.minute() + 1;
        let before = Instant::now();
        tokio::time::sleep(clock.until(next)).await;
        assert!(before.elapsed() <= Duration::from_millis(1002), "{:?}", before.elapsed());
        assert_eq!(clock.minute(), next);
        tokio::time::sleep(clock.until(next + 5)).await;
        assert_eq!(clock.minute(), next + 5);
    }

    #[test]
    fn the_start_of_a_minute_lies_in_that_minute() {
        for scale in [1.0, 3.0, 7.0, 60.0, 600.0, 997.0] {
            let clock = Clock { scale, began: Instant::now(), began_unix: 0.0 };
            for minute in [29_000_000, 29_000_001, 29_123_457] {
                assert_eq!(minute_of(clock.scaled(clock.start_of(minute))), minute, "{scale}");
            }
        }
    }
}
