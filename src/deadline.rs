//! The function's deadline: when nothing new is started any more, and when nothing is waited for.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::fault::Fault;

/// Time that whatever is started has to come to its end. A request abandoned half-way may have been accepted, and would then
/// be invoked, and paid for, twice.
const START_MARGIN: Duration = Duration::from_secs(3);
/// Time kept free before the deadline for what follows the work of a batch: sending its results.
const SEND_MARGIN: Duration = Duration::from_millis(1_500);
/// Time kept free before the deadline for the function's own answer.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);
/// The longest timeout of a function: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LONGEST_TIMEOUT: Duration = Duration::from_secs(900);

/// When to stop. Short function timeouts shrink the margins: to a quarter, a sixth and an eighth of the time left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    start_by: Instant,
    work_by: Instant,
    finish_by: Instant,
    end: Instant,
}

impl Deadline {
    /// A deadline `left` from now.
    #[must_use]
    pub(crate) fn after(left: Duration) -> Self {
        let now = Instant::now();
        let finish_by = now + left.saturating_sub(ANSWER_MARGIN.min(left / 8));
        let work_by = now + left.saturating_sub(SEND_MARGIN.min(left / 6));
        let start_by = work_by.checked_sub(START_MARGIN.min(left / 4)).unwrap_or(now);
        Self { start_by, work_by, finish_by, end: now + left }
    }

    /// The deadline at a point in time, as the Lambda runtime API tells it; or a time left, which `cargo lambda watch` puts in
    /// its place: always 600,000 ms, read by the runtime as ten minutes past midnight on 1 January 1970
    /// (<https://github.com/cargo-lambda/cargo-lambda/blob/v1.9.2/crates/cargo-lambda-watch/src/runtime/functions_router.rs>).
    #[must_use]
    pub(crate) fn at(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if since_1970 <= LONGEST_TIMEOUT {
            return Self::after(since_1970);
        }
        Self::after(time.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// This deadline, or one `left` from now if that is sooner.
    #[must_use]
    pub(crate) fn at_most(self, left: Duration) -> Self {
        if self.time_left() <= left { self } else { Self::after(left) }
    }

    /// Time until the function is stopped.
    #[must_use]
    pub(crate) fn time_left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Until when there is anything to wait for.
    #[must_use]
    pub(crate) const fn work_by(&self) -> Instant {
        self.work_by
    }

    /// Time until then.
    #[must_use]
    pub(crate) fn time_to_work(&self) -> Duration {
        self.work_by.saturating_duration_since(Instant::now())
    }

    /// Runs `work` if there is time left to start it, and waits for it only so long that its batch's results can still be sent:
    /// one message that takes too long fails alone.
    ///
    /// # Errors
    /// The work's own fault, or [`Fault::deadline`].
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.check_start()?;
        self.go_on(work).await
    }

    /// Whether there is time left to start anything, for work that takes its time before its last call.
    ///
    /// # Errors
    /// [`Fault::deadline`] if there is none.
    pub(crate) fn check_start(&self) -> Result<(), Fault> {
        if Instant::now() < self.start_by { Ok(()) } else { Err(Fault::deadline()) }
    }

    /// Goes on with what was started, also when nothing new would be, so long that its batch's results can still be sent.
    ///
    /// # Errors
    /// The work's own fault, or [`Fault::deadline`].
    pub(crate) async fn go_on<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        if Instant::now() >= self.work_by {
            return Err(Fault::deadline());
        }
        tokio::time::timeout_at(self.work_by, work).await.unwrap_or_else(|_| Err(Fault::deadline()))
    }

    /// Whether nothing is waited for any more, so that a call begun now would be one whose answer nobody reads.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.finish_by
    }

    /// Waits for work that ends what was started, also when nothing new would be.
    ///
    /// # Errors
    /// The work's own fault, or [`Fault::deadline`].
    pub(crate) async fn finish<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        tokio::time::timeout_at(self.finish_by, work).await.unwrap_or_else(|_| Err(Fault::deadline()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn takes(seconds: u64) -> Result<u64, Fault> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_ends_in_time_is_waited_for() {
        let deadline = Deadline::after(Duration::from_secs(30));
        assert_eq!(deadline.run(takes(28)).await.unwrap(), 28);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_started_at_the_last_moment_has_the_whole_margin() {
        let milliseconds = Duration::from_millis;
        for left in [12, 30, 60, 900].map(Duration::from_secs) {
            let deadline = Deadline::after(left);
            tokio::time::advance(left - milliseconds(4_501)).await;
            let slow = async {
                tokio::time::sleep(START_MARGIN).await;
                Ok(())
            };
            assert!(deadline.run(slow).await.is_ok(), "{left:?}");

            let deadline = Deadline::after(left);
            tokio::time::advance(left - milliseconds(4_500)).await;
            assert!(deadline.run(takes(0)).await.is_err(), "{left:?}: it would have less than the margin");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_would_pass_the_deadline_is_given_back() {
        let deadline = Deadline::after(Duration::from_secs(30));
        let begin = Instant::now();
        assert!(deadline.run(takes(31)).await.unwrap_err().kind().is_retryable());
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_never_ends_leaves_time_to_send_the_results_of_its_batch() {
        let deadline = Deadline::after(Duration::from_secs(30));
        assert!(deadline.run(takes(3600)).await.is_err());
        let sent = async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            Ok(())
        };
        assert!(deadline.finish(sent).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_started_in_the_last_seconds() {
        let deadline = Deadline::after(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(26)).await;
        let mut started = false;
        let work = async {
            started = true;
            Ok(())
        };
        assert!(deadline.run(work).await.is_err());
        assert!(!started);
        assert!(deadline.finish(takes(1)).await.is_ok(), "what was started may still end");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_started_goes_on_until_only_results_can_be_sent() {
        let deadline = Deadline::after(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(27)).await;
        assert!(deadline.go_on(takes(1)).await.is_ok());
        assert!(deadline.go_on(takes(1)).await.is_err());
        let mut begun = false;
        let work = async {
            begun = true;
            Ok(())
        };
        assert!(deadline.go_on(work).await.is_err());
        assert!(!begun, "no call is begun that nobody waits for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_function_timeout_leaves_most_of_its_time_for_work() {
        let deadline = Deadline::after(Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(deadline.run(takes(1)).await.is_ok(), "a quarter of the time is margin enough");
        let deadline = Deadline::after(Duration::from_secs(4));
        tokio::time::advance(Duration::from_millis(2_400)).await;
        assert!(deadline.run(takes(0)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_in_the_past_starts_nothing() {
        for past in [SystemTime::UNIX_EPOCH, SystemTime::now() - Duration::from_secs(1)] {
            assert!(Deadline::at(past).run(takes(0)).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_in_the_future_is_so_far_away_as_the_clock_says() {
        let (far, begin) = (Duration::from_secs(3_600), std::time::Instant::now());
        let left = Deadline::at(SystemTime::now() + far).time_left();
        // What passes on the clock meanwhile is gone.
        assert!(left <= far && left + begin.elapsed() + Duration::from_secs(1) >= far, "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_ten_minutes_of_cargo_lambda_watch_are_time_left() {
        let deadline = Deadline::at(SystemTime::UNIX_EPOCH + Duration::from_millis(600_000));
        assert_eq!(deadline.run(takes(598)).await.unwrap(), 598);
        assert!(deadline.run(takes(0)).await.is_err());
    }
}
