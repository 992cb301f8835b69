//! What a ledger has in it, and how much of it at most.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use tokio::time::Instant;

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
    pub(super) deadline: Instant,
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
