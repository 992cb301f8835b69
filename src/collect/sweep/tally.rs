//! What a sweep found, for its line in the log.

use tokio::time::Instant;

use crate::fault::Fault;
use crate::pending::{PendingKey, UNANSWERED};
use crate::telemetry;

/// Requests by what was found of them.
#[derive(Default)]
pub(super) struct Tally {
    completed: usize,
    failed: usize,
    unanswered: usize,
    /// Answered between listing and look.
    pub(super) answered: usize,
    /// Whose result nobody wants.
    pub(super) unwanted: usize,
    /// For whose destination there was no room.
    pub(super) left: usize,
    /// Of which nothing could be found out.
    unreadable: usize,
    /// Objects that are no requests.
    pub(super) others: usize,
    /// Found, and not sent.
    pub(super) not_sent: usize,
}

/// Counts failures, of which there may be too many to keep.
#[derive(Default)]
pub(super) struct Failures(pub(super) usize);

impl Extend<(String, Fault)> for Failures {
    fn extend<I: IntoIterator<Item = (String, Fault)>>(&mut self, failures: I) {
        self.0 += failures.into_iter().count();
    }
}

impl Tally {
    /// Counts a request whose result goes its way.
    pub(super) fn found(&mut self, status: &str) {
        match status {
            "Completed" => self.completed += 1,
            UNANSWERED => self.unanswered += 1,
            _ => self.failed += 1,
        }
    }

    /// Counts and logs a request of which nothing could be found out, or a listing that failed.
    pub(super) fn failed(&mut self, key: Option<&PendingKey>, fault: &Fault) {
        self.unreadable += 1;
        tracing::error!(
            pending.key = key.map(PendingKey::as_str),
            error = fault.details(),
            "sweep stopped early: the next one goes on"
        );
    }

    /// The one line.
    pub(super) fn log(&self, start: Instant) {
        tracing::info!(
            overdue.completed = self.completed,
            overdue.failed = self.failed,
            overdue.unanswered = self.unanswered,
            overdue.answered = self.answered,
            overdue.unwanted = self.unwanted,
            overdue.left = self.left,
            overdue.unreadable = self.unreadable,
            overdue.others = self.others,
            overdue.not_sent = self.not_sent,
            duration_ms = telemetry::milliseconds_since(start),
            "sweep for unanswered requests done"
        );
    }
}
