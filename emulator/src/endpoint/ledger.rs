//! The book of an endpoint's invocations: which wait, which run, how the last ones ended. Data alone, without clock or tasks;
//! its size is bounded, whatever is asked of the endpoint.

mod record;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use tokio::time::Instant;

use super::totals::Totals;
use crate::faults::Fault;
use crate::invocation::Invocation;
pub use record::{Ending, Limits, Record, Status};

/// The book.
#[derive(Debug, Default)]
pub struct Ledger {
    limits: Limits,
    records: BTreeMap<u64, Record>,
    waiting: BTreeSet<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    waiting_bytes: usize,
    running: usize,
    not_notified: usize,
    ended: VecDeque<u64>,
    /// Those of `ended` that still have their payload.
    kept: VecDeque<u64>,
    kept_bytes: usize,
    last: u64,
    /// Counters for the metrics.
    pub totals: Totals,
}

impl Ledger {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Puts an invocation into the queue; gives its number, or the invocation back when the queue is full.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn enqueue(&mut self, mut invocation: Invocation, now: Instant) -> Result<u64, QueueFull> {
        let payload = invocation.body.take();
        let bytes = payload.as_ref().map(Bytes::len);
        let is_full = self.waiting.len() >= self.limits.waiting
            || self.waiting_bytes.saturating_add(bytes.unwrap_or(0)) > self.limits.waiting_bytes;
        if is_full {
            return Err(QueueFull);
        }
        self.last += 1;
        let deadline = now + invocation.parameters.ttl();
        self.insert(self.last, invocation, payload, deadline);
        Ok(self.last)
    }

    /// Puts an invocation of an earlier run into the queue again, whatever the limits; the time that it has waited counts.
    pub fn restore(&mut self, number: u64, mut invocation: Invocation, now: Instant) {
        let payload = invocation.body.take();
        let waited = invocation.received.elapsed().unwrap_or_default();
        let deadline = now + invocation.parameters.ttl().saturating_sub(waited);
        self.last = self.last.max(number);
        self.insert(number, invocation, payload, deadline);
    }

    fn insert(&mut self, number: u64, invocation: Invocation, payload: Option<Bytes>, deadline: Instant) {
        let bytes = payload.as_ref().map(Bytes::len);
        self.waiting_bytes += bytes.unwrap_or(0);
        self.waiting.insert(number);
        self.deadlines.insert((deadline, number));
        let record = Record {
            number,
            invocation: Arc::new(invocation),
            payload,
            payload_bytes: bytes,
            status: Status::Queued,
            started: None,
            ended: None,
            reason: None,
            has_output: false,
            faults: Vec::new(),
            deadline,
        };
        self.records.insert(number, record);
    }

    /// Takes one that waits out again, as if it had never come.
    pub fn withdraw(&mut self, number: u64) {
        self.leave_queue(number);
        self.records.remove(&number);
    }

    /// Takes the invocation that has waited longest; it runs from now on.
    pub fn start(&mut self) -> Option<Record> {
        let number = *self.waiting.first()?;
        self.leave_queue(number);
        self.running += 1;
        let record = self.records.get_mut(&number)?;
        record.status = Status::InProgress;
        record.started = Some(SystemTime::now());
        self.totals.started(record);
        Some(record.clone())
    }

    /// Ends one invocation whose time in the queue is over, and gives it.
    pub fn expire(&mut self, now: Instant) -> Option<Record> {
        let (_, number) = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.leave_queue(number);
        self.totals.expired_requests += 1;
        let reason = Some("The request waited longer than its RequestTTLSeconds.".to_owned());
        self.close(number, Ending { status: Status::Expired, reason, has_output: false });
        self.records.get(&number).cloned()
    }

    /// When the next invocation expires.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Ends an invocation that was started.
    pub fn end(&mut self, number: u64, ending: Ending) {
        self.running = self.running.saturating_sub(1);
        self.close(number, ending);
    }

    /// The notification of one that has ended is sent.
    pub fn notified(&mut self) {
        self.not_notified = self.not_notified.saturating_sub(1);
    }

    /// Those that have ended while their notification is not sent yet.
    #[must_use]
    pub const fn not_notified(&self) -> usize {
        self.not_notified
    }

    fn close(&mut self, number: u64, ending: Ending) {
        self.not_notified += 1;
        let Some(record) = self.records.get_mut(&number) else { return };
        record.status = ending.status;
        record.reason = ending.reason;
        record.has_output = ending.has_output;
        record.ended = Some(SystemTime::now());
        self.totals.ended(record);
        self.ended.push_back(number);
        if let Some(payload) = &record.payload {
            self.kept_bytes += payload.len();
            self.kept.push_back(number);
        }
        self.forget();
    }

    /// Notes a fault that an invocation met.
    pub fn note(&mut self, number: u64, fault: Fault) {
        if let Some(record) = self.records.get_mut(&number) {
            record.faults.push(fault);
        }
    }

    /// Everything that waits is taken out and forgotten; the number of those.
    pub fn clear_queue(&mut self) -> usize {
        let waiting = std::mem::take(&mut self.waiting);
        self.deadlines.clear();
        self.waiting_bytes = 0;
        self.records.retain(|number, _| !waiting.contains(number));
        waiting.len()
    }

    /// Invocations in the queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Invocations with the model.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.running
    }

    /// When the invocation that has waited longest came.
    #[must_use]
    pub fn oldest(&self) -> Option<SystemTime> {
        self.records.get(self.waiting.first()?).map(|record| record.invocation.received)
    }

    /// The record of an invocation, if it is not forgotten.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Record> {
        self.records.get(&number)
    }

    /// The records, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Record> {
        self.records.values().rev()
    }

    fn leave_queue(&mut self, number: u64) {
        self.waiting.remove(&number);
        if let Some(record) = self.records.get(&number) {
            self.deadlines.remove(&(record.deadline, number));
            self.waiting_bytes = self.waiting_bytes.saturating_sub(record.payload_bytes.unwrap_or(0));
        }
    }

    /// Lets go of what exceeds the limits: payloads first, then whole records, the oldest first.
    fn forget(&mut self) {
        while self.kept_bytes > self.limits.ended_bytes {
            let Some(number) = self.kept.pop_front() else { break };
            self.drop_payload(number);
        }
        while self.ended.len() > self.limits.ended {
            let Some(number) = self.ended.pop_front() else { break };
            self.drop_payload(number);
            // Both are in the order in which the invocations ended.
            if self.kept.front() == Some(&number) {
                self.kept.pop_front();
            }
            self.records.remove(&number);
        }
    }

    fn drop_payload(&mut self, number: u64) {
        if let Some(payload) = self.records.get_mut(&number).and_then(|record| record.payload.take()) {
            self.kept_bytes = self.kept_bytes.saturating_sub(payload.len());
        }
    }
}

/// The queue takes no more.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueFull;

#[cfg(test)]
mod tests;
