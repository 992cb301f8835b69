//! An endpoint: its state, and the loop that gives its instances work.

pub mod async_config;
pub mod deployment;
pub mod history;
pub mod ledger;
mod lifecycle;
pub mod origin;
pub mod processing;
mod programs;
pub mod totals;
pub mod variants;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::body::Bytes;
use sagemaker_async_bridge::location::InvalidLocation;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::Context;
use crate::faults::{Draw, Fault};
use crate::invocation::{Invocation, Parameters};
use deployment::{Deployment, Scaling};
use history::History;
use ledger::{Ledger, Record};
use variants::Share;

/// `EndpointStatus`, as far as an emulator knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EndpointStatus {
    /// It is not ready yet.
    Creating,
    /// A new configuration is not ready yet; the former serves.
    Updating,
    /// It takes and serves invocations.
    InService,
    /// Its container or process never became ready.
    Failed,
    /// It is gone.
    Deleting,
}

impl EndpointStatus {
    /// As AWS names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::InService => "InService",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
        }
    }
}

/// An endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    context: Arc<Context>,
    core: Mutex<Core>,
    /// Something happened that the loop has to look at.
    changed: Notify,
    /// A notification was sent: those that are held back may follow.
    overtaken: Notify,
}

/// An endpoint's state.
#[derive(Debug)]
pub struct Core {
    /// Its status.
    pub status: EndpointStatus,
    /// Why it failed, or why an update was taken back.
    pub failure_reason: Option<String>,
    /// When it was created.
    pub created: SystemTime,
    /// When it was last changed.
    pub modified: SystemTime,
    /// What it runs.
    pub deployment: Arc<Deployment>,
    /// What it is to run once that is ready.
    pub next: Option<Arc<Deployment>>,
    /// How its capacity comes and goes.
    pub scaling: Scaling,
    /// Instances that serve.
    pub instances: u32,
    /// Instances that should.
    pub desired: u32,
    /// Weight of the variant that these are instances of, the first.
    pub weight: f64,
    /// The other variants, in their order.
    pub others: Vec<Share>,
    /// Its invocations.
    pub ledger: Ledger,
    /// How it went.
    pub history: History,
    /// Calls that are answered with ThrottlingException before any other.
    still_throttled: usize,
    /// Why a process of its model does not start, while that is so.
    pub trouble: Option<String>,
    /// It is `Updating` until so many of its model's processes answer.
    is_resizing: bool,
    /// Instances are starting; a later start, an update or an end makes an earlier start void.
    starting: Option<u64>,
    starts: u64,
    idle_since: Option<Instant>,
    /// A scalable target is registered, which decides instead of `to_zero_after`.
    is_scaled: bool,
}

/// Why an invocation is not accepted.
#[derive(Debug)]
pub enum Refusal {
    /// The endpoint is not there (yet).
    NotInService,
    /// It is a real-time endpoint.
    NotAsynchronous,
    /// The output's location is none.
    Location(InvalidLocation),
    /// The queue is full.
    Full,
    /// It cannot be written down.
    NotKept,
    /// There is no such invocation any more, or its payload was let go.
    Forgotten,
}

/// What the loop has to do.
struct Step {
    expired: Vec<Record>,
    started: Vec<Record>,
    deployment: Arc<Deployment>,
    /// Start instances: this is their number among all starts.
    start: Option<u64>,
    wake_at: Option<Instant>,
    is_over: bool,
}

impl Endpoint {
    /// Its state, for a look or a change.
    pub fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether this call is one of the first, which are to be throttled; it counts as one.
    pub fn is_throttled(&self) -> bool {
        self.with(|core| {
            let is_throttled = core.still_throttled > 0;
            core.still_throttled = core.still_throttled.saturating_sub(1);
            is_throttled
        })
    }

    /// Puts a request into the queue; gives its number and what its caller is told.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn accept(
        &self,
        parameters: Parameters,
        body: Option<Bytes>,
        draw: Draw,
    ) -> Result<(u64, Invocation), Refusal> {
        let accepted = self.with(|core| {
            if !matches!(core.status, EndpointStatus::InService | EndpointStatus::Updating) {
                return Err(Refusal::NotInService);
            }
            let config = core.deployment.asynchronous.as_ref().ok_or(Refusal::NotAsynchronous)?;
            let region = &self.context.account.region;
            let invocation = Invocation::new(region, &self.name, config, parameters, body, draw);
            let invocation = invocation.map_err(Refusal::Location)?;
            let number = core.ledger.enqueue(invocation.clone(), Instant::now()).map_err(|_| Refusal::Full)?;
            // Before anybody can start it, and so before it can be let go of.
            self.keep(number, &invocation).inspect_err(|_| core.ledger.withdraw(number))?;
            Ok((number, invocation))
        })?;
        let (number, invocation) = &accepted;
        // The number ties this line to that of its end: an inference id may come more than once.
        tracing::info!(
            endpoint.name = self.name,
            inference.id = invocation.inference_id,
            invocation.number = number,
            "invocation accepted"
        );
        self.changed.notify_one();
        Ok(accepted)
    }

    fn keep(&self, number: u64, invocation: &Invocation) -> Result<(), Refusal> {
        let Some(durable) = &self.context.durable else { return Ok(()) };
        durable.queue.keep(number, invocation).map_err(|error| {
            tracing::error!(endpoint.name = self.name, %error, "not accepted: it cannot be written down");
            Refusal::NotKept
        })
    }

    /// Invokes again what was invoked before, with the same inference id and an output location of its own.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn retry(&self, number: u64) -> Result<u64, Refusal> {
        let record = self.with(|core| core.ledger.get(number).filter(|record| record.can_retry()).cloned());
        let record = record.ok_or(Refusal::Forgotten)?;
        let draw = self.context.faults.draw(&self.name, Some(&record.invocation.inference_id));
        let parameters = Parameters {
            inference_id: Some(record.invocation.inference_id.clone()),
            ..record.invocation.parameters.clone()
        };
        self.accept(parameters, record.payload, draw).map(|(number, _)| number)
    }

    /// Counts a fault that an invocation has met.
    pub fn note(&self, number: u64, fault: Fault) {
        self.context.faults.count(fault);
        self.with(|core| core.ledger.note(number, fault));
    }

    /// Gives the instances work until the endpoint is deleted.
    async fn dispatch(self: Arc<Self>) {
        loop {
            let step = self.with(|core| core.step(Instant::now()));
            for record in step.expired {
                tokio::spawn(Arc::clone(&self).notify_of_expiry(record, Arc::clone(&step.deployment)));
            }
            for record in step.started {
                tokio::spawn(Arc::clone(&self).serve(record, Arc::clone(&step.deployment)));
            }
            if let Some(start) = step.start {
                tokio::spawn(Arc::clone(&self).start_instances(start, Arc::clone(&step.deployment)));
            }
            if step.is_over {
                return;
            }
            let wake = async {
                match step.wake_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = wake => {}
            }
        }
    }
}

impl Core {
    /// Invocations that may run at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        let concurrency = self.deployment.asynchronous.as_ref().map_or(1, |config| config.concurrency);
        usize::try_from(self.instances.saturating_mul(concurrency)).unwrap_or(usize::MAX)
    }

    fn step(&mut self, now: Instant) -> Step {
        let expired = std::iter::from_fn(|| self.ledger.expire(now)).collect();
        let mut started = Vec::new();
        while self.ledger.running() < self.capacity() {
            match self.ledger.start() {
                Some(record) => started.push(record),
                None => break,
            }
        }
        let idle_until = self.scale(now);
        self.set_process_counts();
        Step {
            expired,
            started,
            deployment: Arc::clone(&self.deployment),
            start: self.next_start(),
            wake_at: self.ledger.next_deadline().into_iter().chain(idle_until).min(),
            is_over: self.status == EndpointStatus::Deleting,
        }
    }

    /// Sets how many instances there should be: none after idle times, some again when work waits for them. Gives the time until
    /// which an idle endpoint keeps its instances.
    fn scale(&mut self, now: Instant) -> Option<Instant> {
        let after = self.scaling.to_zero_after.filter(|_| !self.is_scaled)?;
        if self.ledger.waiting() > 0 || self.ledger.running() > 0 {
            self.idle_since = None;
            if self.desired == 0 {
                self.desired = self.deployment.instances.max(1);
            }
            return None;
        }
        let until = *self.idle_since.get_or_insert(now) + after;
        if until > now {
            return (self.desired > 0).then_some(until);
        }
        if self.starting.is_none() {
            self.desired = 0;
            self.instances = 0;
        }
        None
    }

    /// Whether instances have to be started now: the number of that start.
    fn next_start(&mut self) -> Option<u64> {
        let is_served = matches!(self.status, EndpointStatus::InService | EndpointStatus::Updating);
        // Processes start by themselves.
        let is_process = self.deployment.model.instances().is_some();
        if !is_served || is_process || self.starting.is_some() || self.instances >= self.desired {
            return None;
        }
        self.starts += 1;
        self.starting = Some(self.starts);
        self.starting
    }
}

#[cfg(test)]
mod tests;
