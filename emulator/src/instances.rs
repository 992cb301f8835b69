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

/// How long after a broken connection its process may take to end, for the one to be the other's cause. A moment is enough, but for a
/// machine that is so busy that neither of the two gets a turn.
const EXIT_DELAY: Duration = Duration::from_secs(3);

/// What an instance runs, and for whom.
#[derive(Clone, Debug)]
pub struct InstancePlan {
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
pub struct InstanceCounts {
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
    group: Arc<InstanceGroup>,
}

/// What the instances share.
#[derive(Debug)]
struct InstanceGroup {
    plan: InstancePlan,
    http: reqwest::Client,
    instances: Mutex<InstanceList>,
    counts: watch::Sender<InstanceCounts>,
}

#[derive(Debug, Default)]
struct InstanceList {
    /// The instances that there should be, each with what ends it when it is dropped.
    taken: Vec<(Arc<InstanceHandle>, oneshot::Sender<()>)>,
    last: u32,
}

/// An instance, as those who use it see it.
#[derive(Debug)]
struct InstanceHandle {
    number: u32,
    /// Its base URL while it is healthy.
    url: watch::Sender<Option<String>>,
    /// Invocations that it runs.
    running: watch::Sender<usize>,
}

/// An invocation that an instance runs.
struct RunningInvocation(Arc<InstanceHandle>);

impl Drop for RunningInvocation {
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
    pub fn new(plan: InstancePlan) -> Self {
        // A new connection for each invocation: a program that closes idle ones must not cost an invocation. No proxy is between
        // here and here.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap_or_default();
        let (counts, _) = watch::channel(InstanceCounts::default());
        Self { group: Arc::new(InstanceGroup { plan, http, instances: Mutex::default(), counts }) }
    }

    /// From now on there should be so many: others start, or the idlest of them end.
    pub fn set_count(&self, count: u32) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let is_changed = self.group.with_instances(|instances| {
            if instances.taken.len() == count {
                return false;
            }
            while instances.taken.len() < count {
                instances.last += 1;
                let instance = InstanceHandle {
                    number: instances.last,
                    url: watch::Sender::new(None),
                    running: watch::Sender::new(0),
                };
                let (instance, (end, ended)) = (Arc::new(instance), oneshot::channel());
                tokio::spawn(instance::live(Arc::clone(&self.group), Arc::clone(&instance), ended));
                instances.taken.push((instance, end));
            }
            // Those that serve and have most to do stay, of equals the oldest.
            let rank = |instance: &InstanceHandle| {
                (instance.url.borrow().is_none(), std::cmp::Reverse(*instance.running.borrow()), instance.number)
            };
            instances.taken.sort_by_key(|(instance, _)| rank(instance));
            instances.taken.truncate(count);
            true
        });
        if is_changed {
            self.group.count();
        }
    }

    /// Tells of each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<InstanceCounts> {
        self.group.counts.subscribe()
    }

    /// Instances that answer.
    #[must_use]
    pub fn healthy(&self) -> u32 {
        self.group.counts.borrow().healthy
    }

    /// Has the instance that runs least run the model; waits for one where there is none.
    pub(crate) async fn run(&self, input: Body, asked: ModelRequest<'_>) -> Result<Object, Failure> {
        let (running, url) = self.begin_invocation().await;
        let answer = invoke(&url, input, asked, &self.group.http).await;
        match answer {
            Err(Unanswered::Lost(_)) if running.0.has_gone(&url).await => {
                // Seen of SageMaker, for serverless endpoints.
                Err(Failure::without_response("An error occurred while handling request as the model process exited."))
            }
            answer => answer.map_err(Failure::from),
        }
    }

    async fn begin_invocation(&self) -> (RunningInvocation, String) {
        let mut changes = self.watch();
        loop {
            changes.mark_unchanged();
            if let Some(running) = self.group.with_instances(|instances| instances.begin_on_idlest()) {
                return running;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.set_count(0);
    }
}

impl InstanceGroup {
    fn with_instances<T>(&self, act: impl FnOnce(&mut InstanceList) -> T) -> T {
        act(&mut self.instances.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts the instances that answer, and tells of it.
    fn count(&self) {
        // Counted and told under one lock, so that the last count told is the last.
        self.with_instances(|instances| {
            let healthy = instances.taken.iter().filter(|(instance, _)| instance.url.borrow().is_some()).count();
            let healthy = u32::try_from(healthy).unwrap_or(u32::MAX);
            self.counts.send_if_modified(|counts| {
                let was = std::mem::replace(&mut counts.healthy, healthy);
                if healthy > was {
                    (counts.failure, counts.trouble) = (None, None);
                }
                healthy != was
            });
        });
    }

    /// Says that a try to start an instance has failed; there are more.
    fn report_trouble(&self, what: &str) {
        self.counts.send_modify(|counts| counts.trouble = Some(what.to_owned()));
    }

    /// Says why an instance does not start.
    fn fail(&self, reason: String) {
        tracing::warn!(endpoint.name = self.plan.endpoint, "{reason}");
        self.counts.send_modify(|counts| counts.failure = Some(reason));
    }
}

impl InstanceList {
    /// Has the instance that runs least begin an invocation, with its URL.
    fn begin_on_idlest(&self) -> Option<(RunningInvocation, String)> {
        let instances =
            self.taken.iter().map(|(instance, _)| instance).filter(|instance| instance.url.borrow().is_some());
        let instance = instances.min_by_key(|instance| (*instance.running.borrow(), instance.number))?;
        let url = instance.url.borrow().clone()?;
        instance.running.send_modify(|running| *running += 1);
        Some((RunningInvocation(Arc::clone(instance)), url))
    }
}

impl InstanceHandle {
    /// Whether the process behind a URL has ended, or does so in a moment.
    async fn has_gone(&self, url: &str) -> bool {
        let mut now = self.url.subscribe();
        let gone = now.wait_for(|now| now.as_deref() != Some(url));
        tokio::time::timeout(EXIT_DELAY, gone).await.is_ok()
    }

    /// Returns when it runs no invocation.
    async fn is_idle(&self) {
        // The sender is this instance's own, so there is no error.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}
