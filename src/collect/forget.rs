//! Forgets requests that are answered: deletes their records, which holds up nobody and loses nothing. A record that stays is found by
//! the sweep, and its result is sent once more.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::Collect;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::pending::{self, PendingKey};

/// How long an answered request may take to be forgotten, from when its result was sent.
const PATIENCE: Duration = Duration::from_secs(2);

/// The requests that are being forgotten.
pub(super) struct RecordDeletions<'a> {
    collect: &'a Collect,
    waiting: VecDeque<(PendingKey, Instant)>,
    under_way: FuturesUnordered<BoxFuture<'a, ()>>,
    at_once: usize,
    deadline: Deadline,
}

impl<'a> RecordDeletions<'a> {
    /// None yet.
    pub(super) fn new(collect: &'a Collect, at_once: usize, deadline: Deadline) -> Self {
        Self { collect, waiting: VecDeque::new(), under_way: FuturesUnordered::new(), at_once, deadline }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way.len()
    }

    /// Adds answered requests. Where nothing is remembered, there is nothing to forget.
    pub(super) fn extend(&mut self, keys: impl IntoIterator<Item = PendingKey>) {
        if self.collect.config.pending_location.is_some() {
            let until = Instant::now() + PATIENCE;
            self.waiting.extend(keys.into_iter().map(|key| (key, until)));
        }
    }

    /// Comes when another one is forgotten, or given up; at once if there is none.
    pub(super) async fn next(&mut self) {
        while self.under_way.len() < self.at_once
            && let Some((key, until)) = self.waiting.pop_front()
        {
            let (collect, deadline) = (self.collect, self.deadline);
            self.under_way.push(Box::pin(async move { collect.forget(&key, until, deadline).await }));
        }
        self.under_way.next().await;
    }
}

impl Collect {
    /// Forgets these requests.
    pub(super) async fn forget_all(&self, keys: Vec<PendingKey>, deadline: Deadline) {
        let mut deletions = RecordDeletions::new(self, self.config.max_concurrency.get(), deadline);
        deletions.extend(keys);
        while deletions.len() > 0 {
            deletions.next().await;
        }
    }

    pub(super) async fn forget(&self, key: &PendingKey, until: Instant, deadline: Deadline) {
        let delete = deadline.finish(Box::pin(self.delete_record(key)));
        let deleted = tokio::time::timeout_at(until, delete).await.unwrap_or_else(|_| Err(Fault::deadline()));
        if let Err(fault) = deleted {
            tracing::warn!(
                pending.key = key.as_str(),
                error = fault.details(),
                "could not delete the record of an answered request: its result is sent again when the record is overdue"
            );
        }
    }

    async fn delete_record(&self, key: &PendingKey) -> Result<(), Fault> {
        let Some(location) = &self.config.pending_location else { return Ok(()) };
        let record = pending::record_at(location, key)?;
        let call = self.s3.delete_object().bucket(record.bucket()).key(record.key());
        call.send().await.map(drop).map_err(|error| Fault::from_aws("DeleteObject", error))
    }
}
