//! What CloudWatch would count for an endpoint.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html>

use std::time::{Duration, SystemTime};

use super::ledger::{Record, Status};

/// A sum of times, with their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Their sum.
    pub sum: Duration,
    /// How many.
    pub count: u64,
    /// The shortest and the longest of this minute.
    pub extremes: Option<(Duration, Duration)>,
}

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.sum += time;
        self.count += 1;
        let (shortest, longest) = self.extremes.unwrap_or((time, time));
        self.extremes = Some((shortest.min(time), longest.max(time)));
    }
}

/// Counters since the endpoint's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Ended, however.
    pub processed: u64,
    /// Ended with an output.
    pub completed: u64,
    /// Ended otherwise, expired ones included.
    pub failures: u64,
    /// Waited too long.
    pub expired_requests: u64,
    /// The model answered with a status from 400 to 499.
    pub model_client_errors: u64,
    /// The model answered with a status from 500.
    pub model_server_errors: u64,
    /// The input could not be read.
    pub download_failures: u64,
    /// The output could not be written.
    pub upload_failures: u64,
    /// A notification could not be sent.
    pub notification_failures: u64,
    /// In the queue, until the model got it.
    pub time_in_backlog: Times,
    /// From the request to its end.
    pub total_time: Times,
    /// In the model.
    pub model_latency: Times,
}

impl Totals {
    /// From here on the extremes are those of another minute.
    pub fn begin_minute(&mut self) {
        for times in [&mut self.time_in_backlog, &mut self.total_time, &mut self.model_latency] {
            times.extremes = None;
        }
    }

    pub(super) fn started(&mut self, record: &Record) {
        self.time_in_backlog.add(since(record.invocation.received, record.started));
    }

    pub(super) fn ended(&mut self, record: &Record) {
        self.processed += 1;
        match record.status {
            Status::Completed => self.completed += 1,
            _ => self.failures += 1,
        }
        self.total_time.add(since(record.invocation.received, record.ended));
    }
}

fn since(earlier: SystemTime, later: Option<SystemTime>) -> Duration {
    later.and_then(|later| later.duration_since(earlier).ok()).unwrap_or_default()
}
