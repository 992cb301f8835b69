//! The calls to a destination under way: how much they hold, and whether there is room for another.

use std::future;
use std::time::Duration;

use tokio::time::Instant;

/// No further call starts while those under way hold this much: each keeps its results several times over, as messages, as JSON and in
/// the connection's buffers.
const CALLS_LIMIT_BYTES: usize = 4 * 1_048_576;
/// How long a call counts for that: one that hangs must not hold up the others.
const PATIENCE: Duration = Duration::from_secs(2);
/// No further call starts while those under way hold this much, however long they have been.
const HANGING_LIMIT_BYTES: usize = 12 * 1_048_576;

/// A call: when it began, and what it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    since: Instant,
    bytes: usize,
}

/// All that are under way to one destination.
pub(super) struct Calls {
    /// The oldest first.
    under_way: Vec<Call>,
    flows: usize,
}

impl Calls {
    /// None yet, in one of `flows` flows, all of one event, which share the limits. In each, one call at a time always may begin.
    pub(super) fn shared_by(flows: usize) -> Self {
        Self { under_way: Vec::new(), flows: flows.max(1) }
    }

    /// Counts a call of results of this size.
    pub(super) fn begin(&mut self, bytes: usize) -> Call {
        let call = Call { since: Instant::now(), bytes };
        self.under_way.push(call);
        call
    }

    /// Counts it no more.
    pub(super) fn end(&mut self, call: Call) {
        // Two that are equal are as good as each other.
        if let Some(index) = self.under_way.iter().position(|other| *other == call) {
            self.under_way.remove(index);
        }
    }

    /// Whether there is room for another, of which `at_once` may be under way.
    pub(super) fn may_begin(&self, at_once: usize) -> bool {
        let bytes = |calls: &[Call]| calls.iter().map(|call| call.bytes).sum::<usize>();
        self.under_way.len() < at_once
            && bytes(&self.under_way) < HANGING_LIMIT_BYTES / self.flows
            && bytes(self.recent().unwrap_or_default()) < CALLS_LIMIT_BYTES / self.flows
    }

    /// Comes when the next call has been under way for so long that it is passed over; never if there is none.
    pub(super) async fn passed_over(&self) {
        match self.recent().and_then(<[Call]>::first) {
            Some(call) => tokio::time::sleep_until(call.since + PATIENCE).await,
            None => future::pending().await,
        }
    }

    /// Those that are not passed over.
    fn recent(&self) -> Option<&[Call]> {
        self.under_way.get(self.under_way.partition_point(|call| call.since.elapsed() >= PATIENCE)..)
    }
}
