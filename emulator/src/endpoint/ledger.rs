//! The book of an endpoint's invocations: which wait, which run, how the last ones ended. Data alone, without clock or tasks;
//! its size is bounded, whatever is asked of the endpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use tokio::time::Instant;

use super::totals::Totals;
use crate::faults::Fault;
use crate::invocation::Invocation;

/// What a ledger holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Invocations that wait.
    pub waiting: usize,
    /// Bytes of inline payloads that wait.
    pub waiting_bytes: usize,
    /// Invocations that have ended.
    pub ended: usize,
    /// Bytes of inline payloads of those that have ended, kept for a retry.
    pub ended_bytes: usize,
}

impl Default for Limits {
    /// SageMaker publishes no bound of its queue. Ten thousand payloads of 128,000 bytes would be 1.3 GB: the bytes are bounded too.
    fn default() -> Self {
        Self { waiting: 10_000, waiting_bytes: 512 << 20, ended: 1_000, ended_bytes: 16 << 20 }
    }
}

/// Where an invocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In the queue.
    Queued,
    /// With the model.
    InProgress,
    /// It has an output.
    Completed,
    /// It has failed.
    Failed,
    /// It waited longer than its RequestTTLSeconds, or ran longer than its InvocationTimeoutSeconds.
    Expired,
}

impl Status {
    /// As notifications and the page name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Expired => "Expired",
        }
    }
}

/// An invocation and what has become of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number at this endpoint, from 1.
    pub number: u64,
    /// The request; its body is in `payload`.
    pub invocation: Arc<Invocation>,
    /// The inline payload, until the space is needed.
    pub payload: Option<Bytes>,
    /// The inline payload's size.
    pub payload_bytes: Option<usize>,
    /// Where it is.
    pub status: Status,
    /// When the model got it.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub ended: Option<SystemTime>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Whether there is an output, or a failure output.
    pub has_output: bool,
    /// The faults that it met.
    pub faults: Vec<Fault>,
    deadline: Instant,
}

impl Record {
    /// Whether it can be invoked again: its input is still there.
    #[must_use]
    pub const fn can_retry(&self) -> bool {
        self.payload.is_some() || self.payload_bytes.is_none()
    }
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Ending {
    /// `Completed`, `Failed` or `Expired`.
    pub status: Status,
    /// Why, unless it completed.
    pub reason: Option<String>,
    /// Whether an output, or a failure output, was stored.
    pub has_output: bool,
}

/// The book.
#[derive(Debug, Default)]
pub struct Ledger {
    limits: Limits,
    records: BTreeMap<u64, Record>,
    waiting: BTreeSet<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    waiting_bytes: usize,
    running: usize,
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
    /// [`Full`].
    pub fn enqueue(&mut self, mut invocation: Invocation, now: Instant) -> Result<u64, Full> {
        let payload = invocation.body.take();
        let bytes = payload.as_ref().map(Bytes::len);
        let is_full = self.waiting.len() >= self.limits.waiting
            || self.waiting_bytes.saturating_add(bytes.unwrap_or(0)) > self.limits.waiting_bytes;
        if is_full {
            return Err(Full);
        }
        self.last += 1;
        let deadline = now + invocation.parameters.ttl();
        self.waiting_bytes += bytes.unwrap_or(0);
        self.waiting.insert(self.last);
        self.deadlines.insert((deadline, self.last));
        let record = Record {
            number: self.last,
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
        self.records.insert(self.last, record);
        Ok(self.last)
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

    fn close(&mut self, number: u64, ending: Ending) {
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
pub struct Full;

#[cfg(test)]
mod tests;
