//! Instances of a model that is a command: processes that are started, watched and ended as SageMaker does it with containers.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>
//!
//! ```text
//! Instances ─▶ instance.rs, one task each: artifacts.rs (model data) ─▶ process.rs (the command) ─▶ health.rs (/ping)
//! ```

mod artifacts;
pub mod container;
mod directory;
mod health;
mod instance;
mod process;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::body::Body;
use tokio::sync::{oneshot, watch};

use crate::model::container::{Unanswered, invoke};
use crate::model::{Failure, ModelRequest};
use crate::store::{Object, Store};
use container::Container;
pub(crate) use instance::unhealthy;

/// How long after a broken connection its process may take to end, for the one to be the other's cause.
const EXIT_DELAY: Duration = Duration::from_secs(1);

/// What an instance runs, and for whom.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the endpoint.
    pub endpoint: String,
    /// Name of the production variant.
    pub variant: String,
    /// A command line of `/bin/sh`.
    pub command: String,
    /// What the model says of its container.
    pub container: Container,
    /// How long an instance takes to start, before its command does.
    pub cold_start: Duration,
    /// `ContainerStartupHealthCheckTimeoutInSeconds`.
    pub startup_timeout: Duration,
    /// For `AWS_REGION`.
    pub region: String,
    /// Where model data lies.
    pub store: Store,
}

/// How many instances serve, and why one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Instances that answer.
    pub healthy: u32,
    /// Why an instance has failed to start, until the next one has started.
    pub failure: Option<String>,
    /// What was the matter with the latest try of a start that may still succeed.
    pub trouble: Option<String>,
}

/// The instances of a production variant. Dropped, they end once what they run has come to its end.
#[derive(Debug)]
pub struct Instances {
    group: Arc<Group>,
}

/// What the instances share.
#[derive(Debug)]
struct Group {
    plan: Plan,
    http: reqwest::Client,
    seats: Mutex<Seats>,
    tally: watch::Sender<Tally>,
}

#[derive(Debug, Default)]
struct Seats {
    /// The instances that there should be, each with what ends it when it is dropped.
    taken: Vec<(Arc<Seat>, oneshot::Sender<()>)>,
    last: u32,
}

/// An instance, as those who use it see it.
#[derive(Debug)]
struct Seat {
    number: u32,
    /// Its base URL while it is healthy.
    url: watch::Sender<Option<String>>,
    /// Invocations that it runs.
    running: watch::Sender<usize>,
}

/// An invocation that an instance runs.
struct Turn(Arc<Seat>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl PartialEq for Instances {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.group, &other.group)
    }
}

impl Eq for Instances {}

impl Instances {
    /// None yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        // A new connection for each invocation: a program that closes idle ones must not cost an invocation. No proxy is between
        // here and here.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap_or_default();
        let (tally, _) = watch::channel(Tally::default());
        Self { group: Arc::new(Group { plan, http, seats: Mutex::default(), tally }) }
    }

    /// From now on there should be so many: others start, or the idlest of them end.
    pub fn want(&self, count: u32) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let is_changed = self.group.with_seats(|seats| {
            if seats.taken.len() == count {
                return false;
            }
            while seats.taken.len() < count {
                seats.last += 1;
                let seat = Seat { number: seats.last, url: watch::Sender::new(None), running: watch::Sender::new(0) };
                let (seat, (end, ended)) = (Arc::new(seat), oneshot::channel());
                tokio::spawn(instance::live(Arc::clone(&self.group), Arc::clone(&seat), ended));
                seats.taken.push((seat, end));
            }
            // Those that serve and have most to do stay, of equals the oldest.
            let rank =
                |seat: &Seat| (seat.url.borrow().is_none(), std::cmp::Reverse(*seat.running.borrow()), seat.number);
            seats.taken.sort_by_key(|(seat, _)| rank(seat));
            seats.taken.truncate(count);
            true
        });
        if is_changed {
            self.group.count();
        }
    }

    /// Tells of each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Tally> {
        self.group.tally.subscribe()
    }

    /// Instances that answer.
    #[must_use]
    pub fn healthy(&self) -> u32 {
        self.group.tally.borrow().healthy
    }

    /// Has the instance that runs least run the model; waits for one where there is none.
    pub(crate) async fn run(&self, input: Body, asked: ModelRequest<'_>) -> Result<Object, Failure> {
        let (turn, url) = self.turn().await;
        let answer = invoke(&url, input, asked, &self.group.http).await;
        match answer {
            Err(Unanswered::Lost(_)) if turn.0.has_gone(&url).await => {
                // Seen of SageMaker, for serverless endpoints.
                Err(Failure::without_response("An error occurred while handling request as the model process exited."))
            }
            answer => answer.map_err(Failure::from),
        }
    }

    async fn turn(&self) -> (Turn, String) {
        let mut changes = self.watch();
        loop {
            changes.mark_unchanged();
            if let Some(turn) = self.group.with_seats(|seats| seats.idlest()) {
                return turn;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.want(0);
    }
}

impl Group {
    fn with_seats<T>(&self, act: impl FnOnce(&mut Seats) -> T) -> T {
        act(&mut self.seats.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts the instances that answer, and tells of it.
    fn count(&self) {
        // Counted and told under one lock, so that the last count told is the last.
        self.with_seats(|seats| {
            let healthy = seats.taken.iter().filter(|(seat, _)| seat.url.borrow().is_some()).count();
            let healthy = u32::try_from(healthy).unwrap_or(u32::MAX);
            self.tally.send_if_modified(|tally| {
                let was = std::mem::replace(&mut tally.healthy, healthy);
                if healthy > was {
                    (tally.failure, tally.trouble) = (None, None);
                }
                healthy != was
            });
        });
    }

    /// Says that a try to start an instance has failed; there are more.
    fn trouble(&self, what: &str) {
        self.tally.send_modify(|tally| tally.trouble = Some(what.to_owned()));
    }

    /// Says why an instance does not start.
    fn fail(&self, reason: String) {
        tracing::warn!(endpoint.name = self.plan.endpoint, "{reason}");
        self.tally.send_modify(|tally| tally.failure = Some(reason));
    }
}

impl Seats {
    /// A turn at the instance that runs least, with its URL.
    fn idlest(&self) -> Option<(Turn, String)> {
        let seats = self.taken.iter().map(|(seat, _)| seat).filter(|seat| seat.url.borrow().is_some());
        let seat = seats.min_by_key(|seat| (*seat.running.borrow(), seat.number))?;
        let url = seat.url.borrow().clone()?;
        seat.running.send_modify(|running| *running += 1);
        Some((Turn(Arc::clone(seat)), url))
    }
}

impl Seat {
    /// Whether the process behind a URL has ended, or does so in a moment.
    async fn has_gone(&self, url: &str) -> bool {
        let mut now = self.url.subscribe();
        let gone = now.wait_for(|now| now.as_deref() != Some(url));
        tokio::time::timeout(EXIT_DELAY, gone).await.is_ok()
    }

    /// Returns when it runs no invocation.
    async fn is_idle(&self) {
        // The sender is this seat's own, so there is no error.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}
