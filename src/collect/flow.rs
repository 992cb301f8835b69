//! Fetching outputs and sending results to one destination side by side: a fetch, copy or call that hangs costs its own notifications
//! alone.

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FusedStream;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::Instant;

use super::Collect;
use super::calls::{Call, Calls};
use super::delivery::Delivery;
use super::forget::RecordDeletions;
use super::memory::{Memory, MemoryReservation};
use super::outcome::Outcome;
use crate::deadline::Deadline;
use crate::destinations::{self, Destination, ResultMessage, take_call};
use crate::fault::{Fault, FaultKind};
use crate::pending::PendingKey;

/// How long a result waits for others to share its call. Services are paid by the call.
const LINGER: Duration = Duration::from_millis(20);
/// Nothing more is begun while so many results wait for a call, or so many requests to be forgotten.
const READY_LIMIT: usize = 100;

/// A try to pass on a notification.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) delivery: Arc<Delivery>,
    /// Largest output that the result may carry.
    pub(super) limit_bytes: usize,
}

/// What a try is followed by whose result the destination did not take.
enum FollowUp {
    /// Another one, without the output: that was too large.
    Smaller,
    /// One to the results queue: nobody waits at this destination.
    ResultsQueue,
    /// None: the notification comes back.
    Nothing,
}

impl Attempt {
    fn follow_up(&self, fault: &Fault) -> FollowUp {
        match fault.kind() {
            FaultKind::PayloadTooLarge if self.limit_bytes > 0 => FollowUp::Smaller,
            FaultKind::NotWaiting => FollowUp::ResultsQueue,
            _ => FollowUp::Nothing,
        }
    }

    fn failed(&self, fault: Fault) -> (String, Fault) {
        (self.delivery.id().to_owned(), fault)
    }
}

/// A result that waits to be sent, and the room in memory that its output takes.
struct ReadyResult<'a> {
    attempt: Attempt,
    message: ResultMessage,
    /// Given back when it is handed to a call.
    _room: MemoryReservation<'a>,
    since: Instant,
}

/// What goes to one destination.
pub(super) struct Flow<'a> {
    collect: &'a Collect,
    destination: &'a dyn Destination,
    memory: Memory,
    /// How many there are of one event. They share its memory, and what may be done at once.
    flows: usize,
    deadline: Deadline,
    start: Instant,
}

impl<'a> Flow<'a> {
    pub(super) fn new(
        collect: &'a Collect,
        destination: &'a dyn Destination,
        flows: usize,
        deadline: Deadline,
    ) -> Self {
        let (memory, start) = (Memory::shared_by(flows), Instant::now());
        Self { collect, destination, memory, flows, deadline, start }
    }

    /// Passes on notifications as they come; gives back those that could not be, by their message ids.
    pub(super) async fn run<F>(&self, incoming: impl Stream<Item = Attempt>) -> F
    where
        F: Default + Extend<(String, Fault)>,
    {
        let at_once = (self.collect.config.max_concurrency.get() / self.flows).max(1);
        let (mut incoming, mut waiting) = (pin!(incoming.fuse()), VecDeque::new());
        let (mut ready, mut failed) = (Vec::new(), F::default());
        let (mut fetches, mut sends, mut detours) =
            (FuturesUnordered::new(), FuturesUnordered::new(), FuturesUnordered::new());
        let mut deletions = RecordDeletions::new(self.collect, at_once, self.deadline);
        let (mut calls, mut has_waited) = (Calls::shared_by(self.flows), false);
        loop {
            let has_room = ready.len() < READY_LIMIT && deletions.len() < READY_LIMIT;
            while fetches.len() < at_once
                && let Some(attempt) = waiting.pop_front().or_else(|| next_if(has_room, incoming.as_mut()))
            {
                fetches.push(self.fetch(attempt));
            }
            let no_more = fetches.is_empty() && incoming.is_terminated();
            while calls.may_begin(at_once)
                && let Some(call) = self.next_call(&mut ready, no_more || mem::take(&mut has_waited))
            {
                sends.push(self.send(calls.begin(self.bytes_of(&call)), call));
            }
            let may_send = calls.may_begin(at_once);
            let due = ready.first().map_or(self.start, |oldest: &ReadyResult<'_>| oldest.since + LINGER);
            tokio::select! {
                // What has been fetched by now shares the call that starts because another result has waited long enough.
                biased;
                Some((attempt, fetched)) = fetches.next() => match fetched {
                    Ok(result) => ready.extend(result),
                    Err(fault) => failed.extend([attempt.failed(fault)]),
                },
                Some((call, refused, sent)) = sends.next() => {
                    calls.end(call);
                    deletions.extend(sent);
                    for (attempt, fault) in refused {
                        match attempt.follow_up(&fault) {
                            FollowUp::Smaller => waiting.push_front(Attempt { limit_bytes: 0, ..attempt }),
                            FollowUp::ResultsQueue => detours.push(self.send_to_results_queue(attempt)),
                            FollowUp::Nothing => failed.extend([attempt.failed(fault)]),
                        }
                    }
                },
                Some(refused) = detours.next() => failed.extend(refused),
                () = deletions.next(), if deletions.len() > 0 => {}
                Some(attempt) = incoming.next(), if has_room && fetches.len() < at_once => waiting.push_back(attempt),
                () = tokio::time::sleep_until(due), if may_send && !ready.is_empty() => has_waited = true,
                // There may be room for another call now.
                () = calls.passed_over(), if !may_send && !ready.is_empty() => {}
                else => return failed,
            }
        }
    }

    /// Makes the result of a notification. There is none for what tells of no inference of this bridge.
    async fn fetch(&self, attempt: Attempt) -> (Attempt, Result<Option<ReadyResult<'_>>, Fault>) {
        let result = Box::pin(self.collect.result_of(&attempt, self.destination, &self.memory));
        let made = self.deadline.run(result).await.inspect_err(|fault| {
            tracing::error!(message_id = attempt.delivery.id(), error = fault.details(), "notification not passed on");
        });
        let since = Instant::now();
        let ready = |(message, room)| ReadyResult { attempt: attempt.clone(), message, _room: room, since };
        let made = made.map(|made| made.map(ready));
        (attempt, made)
    }

    /// Passes on one notification to the results queue instead.
    fn send_to_results_queue(&self, attempt: Attempt) -> BoxFuture<'_, Vec<(String, Fault)>> {
        let flow = Flow::new(self.collect, &self.collect.results, self.flows, self.deadline);
        let attempt = self.collect.attempt(attempt.delivery);
        async move { flow.run(stream::iter([attempt])).await }.boxed()
    }

    /// Sends results in one call; gives back the call, those that were not taken, and the keys of those that were.
    async fn send(&self, call: Call, results: Vec<ReadyResult<'_>>) -> (Call, Vec<(Attempt, Fault)>, Vec<PendingKey>) {
        let outcome = |message: &ResultMessage| {
            (Outcome::of(message, self.destination, &self.collect.metrics), message.return_address.pending.clone())
        };
        let parts =
            results.into_iter().map(|ReadyResult { attempt, message, .. }| ((attempt, outcome(&message)), message));
        let (attempts, messages): (Vec<_>, Vec<_>) = parts.unzip();
        let at_once = self.collect.config.max_concurrency;
        let answers = destinations::send(self.destination, messages, at_once, self.deadline).await;
        let mut answered = Vec::new();
        let refused = attempts.into_iter().zip(answers).filter_map(|((attempt, (outcome, key)), answer)| {
            let message_id = attempt.delivery.id();
            match answer.as_ref().map_err(|fault| (fault, attempt.follow_up(fault))) {
                Ok(()) => {
                    outcome.sent(message_id, self.start);
                    answered.extend(key);
                }
                Err((fault, FollowUp::Smaller)) => outcome.too_large(message_id, fault),
                Err((fault, FollowUp::ResultsQueue)) => outcome.not_waited_for(message_id, fault),
                Err((fault, FollowUp::Nothing)) => outcome.not_sent(message_id, fault, self.start),
            }
            Some((attempt, answer.err()?))
        });
        let refused = refused.collect();
        (call, refused, answered)
    }

    fn bytes_of(&self, results: &[ReadyResult<'_>]) -> usize {
        results.iter().map(|result| self.destination.bytes(&result.message)).sum()
    }

    /// The results of the next call: as many as fill it, or, if they are not to wait for others, all there are.
    fn next_call<'d>(&self, ready: &mut Vec<ReadyResult<'d>>, must_go: bool) -> Option<Vec<ReadyResult<'d>>> {
        let limits = self.destination.limits();
        let is_full = ready.len() >= limits.call_messages || self.bytes_of(ready) > limits.call_bytes;
        let bytes = |result: &ReadyResult<'_>| self.destination.bytes(&result.message);
        (is_full || must_go && !ready.is_empty()).then(|| take_call(ready, limits, bytes))
    }
}

/// What comes next, if there is room for it and it is there already.
fn next_if(has_room: bool, mut incoming: impl Stream<Item = Attempt> + Unpin) -> Option<Attempt> {
    has_room.then(|| incoming.next().now_or_never().flatten()).flatten()
}
