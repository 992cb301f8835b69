//! How endpoints come, change and go.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::deployment::{Deployment, Scaling};
use super::history::History;
use super::ledger::Ledger;
use super::origin::{FormerEndpoint, Origin};
use super::variants::Share;
use super::{Core, Endpoint, EndpointStatus};
use crate::context::Context;
use crate::instances::unhealthy;
use crate::model::{Model, container};
use crate::notification::TEST_NOTIFICATION;

impl Endpoint {
    /// Starts an endpoint.
    #[must_use]
    pub fn launch(
        name: &str,
        mut deployment: Deployment,
        scaling: Scaling,
        origin: Origin,
        context: &Arc<Context>,
    ) -> Arc<Self> {
        let now = SystemTime::now();
        deployment.add_instances(name, scaling, context);
        let deployment = Arc::new(deployment);
        let (status, still_throttled) = match &origin {
            Origin::Created => (EndpointStatus::Creating, 0),
            Origin::Configured { throttled } => (EndpointStatus::InService, *throttled),
            Origin::Restored(former) => (former.taken_up(), 0),
        };
        let core = Core {
            status,
            failure_reason: None,
            created: now,
            modified: now,
            instances: 0,
            desired: deployment.instances,
            weight: deployment.weight,
            others: deployment.other_shares(),
            deployment: Arc::clone(&deployment),
            next: None,
            scaling,
            ledger: ledger(name, &deployment, context),
            history: History::default(),
            still_throttled,
            trouble: None,
            is_resizing: false,
            starting: None,
            starts: 0,
            idle_since: None,
            is_scaled: false,
        };
        let endpoint = Arc::new(Self {
            name: name.to_owned(),
            context: Arc::clone(context),
            core: Mutex::new(core),
            changed: Notify::new(),
            overtaken: Notify::new(),
        });
        endpoint.follow(&deployment);
        if status != EndpointStatus::Failed && needs_no_wait(&deployment, scaling) {
            endpoint.with(|core| core.deploy(Arc::clone(&deployment)));
        } else if status == EndpointStatus::Creating {
            let (waiting, otherwise) = (EndpointStatus::Creating, EndpointStatus::Failed);
            tokio::spawn(Arc::clone(&endpoint).replace(Arc::clone(&deployment), waiting, otherwise));
        }
        match &origin {
            Origin::Created => drop(tokio::spawn(Arc::clone(&endpoint).test_topics(deployment))),
            Origin::Configured { .. } => {}
            Origin::Restored(former) => endpoint.with(|core| core.resume(former)),
        }
        tokio::spawn(Arc::clone(&endpoint).dispatch());
        endpoint
    }

    /// `UpdateEndpoint`: what it ran before serves until the new is ready.
    pub fn update(self: &Arc<Self>, mut deployment: Deployment) {
        deployment.add_instances(&self.name, self.with(|core| core.scaling), &self.context);
        let deployment = Arc::new(deployment);
        self.follow(&deployment);
        let scaling = self.with(|core| {
            core.status = EndpointStatus::Updating;
            core.modified = SystemTime::now();
            core.next = Some(Arc::clone(&deployment));
            core.scaling
        });
        tokio::spawn(Arc::clone(self).test_topics(Arc::clone(&deployment)));
        if needs_no_wait(&deployment, scaling) {
            self.with(|core| core.deploy(deployment));
            self.changed.notify_one();
        } else {
            let (waiting, otherwise) = (EndpointStatus::Updating, EndpointStatus::InService);
            tokio::spawn(Arc::clone(self).replace(deployment, waiting, otherwise));
        }
    }

    /// `UpdateEndpointWeightsAndCapacities`, a share for each variant in their order.
    pub fn share_out(self: &Arc<Self>, mut shares: Vec<Share>) {
        if shares.is_empty() {
            return;
        }
        let first = shares.remove(0);
        self.with(|core| {
            core.weight = first.weight;
            core.others = shares;
        });
        self.resize(first.instances);
    }

    /// Sets the instances of the first variant: those above the new number go at once, others have to start.
    pub fn resize(self: &Arc<Self>, instances: u32) {
        let deployment = self.with(|core| {
            core.desired = instances;
            core.instances = core.instances.min(instances);
            core.starting = None;
            core.modified = SystemTime::now();
            let is_short = core.instances < instances;
            core.is_resizing = is_short && core.deployment.model.instances().is_some();
            core.status = if is_short { EndpointStatus::Updating } else { EndpointStatus::InService };
            // At once: which processes end is told by what each runs when this is asked for.
            core.set_process_counts();
            Arc::clone(&core.deployment)
        });
        self.changed.notify_one();
        tokio::spawn(Arc::clone(self).test_topics(deployment));
    }

    /// Whether a scalable target decides how many instances there are, and not `--scale-to-zero-after`.
    pub fn hand_over_scaling(&self, is_scaled: bool) {
        let was_scaled = self.with(|core| {
            core.idle_since = if core.is_scaled == is_scaled { core.idle_since } else { None };
            std::mem::replace(&mut core.is_scaled, is_scaled)
        });
        if was_scaled != is_scaled {
            self.changed.notify_one();
        }
    }

    /// `DeleteEndpoint`: what waits is gone, what runs comes to its end.
    pub fn delete(&self) {
        let lost = self.with(|core| {
            core.status = EndpointStatus::Deleting;
            core.starting = None;
            core.ledger.clear_queue()
        });
        if let Some(durable) = &self.context.durable {
            durable.queue.clear(&self.name);
        }
        if lost > 0 {
            tracing::warn!(endpoint.name = self.name, invocations = lost, "deleted with invocations in its queue");
        }
        self.changed.notify_one();
    }

    /// Waits for the instances of a deployment, as long as the endpoint is `waiting` for them; without them it is `otherwise`: a
    /// new endpoint has failed, an updated one keeps the former instances.
    async fn replace(self: Arc<Self>, deployment: Arc<Deployment>, waiting: EndpointStatus, otherwise: EndpointStatus) {
        let is_ready = self.is_ready(&deployment).await;
        self.with(|core| match is_ready {
            _ if core.status != waiting => deployment.end_programs(),
            Ok(()) => core.deploy(deployment),
            Err(reason) => {
                core.status = otherwise;
                core.next = None;
                core.failure_reason = Some(reason);
                deployment.end_programs();
            }
        });
        self.changed.notify_one();
    }

    /// Starts instances of what is deployed already, however long its container takes.
    pub(super) async fn start_instances(self: Arc<Self>, start: u64, deployment: Arc<Deployment>) {
        while let Err(reason) = self.is_ready(&deployment).await {
            tracing::warn!(endpoint.name = self.name, "{reason}");
            if self.with(|core| core.starting != Some(start)) {
                return;
            }
        }
        self.with(|core| {
            if core.starting == Some(start) {
                core.starting = None;
                core.idle_since = None;
                core.instances = core.desired;
                if core.status == EndpointStatus::Updating {
                    core.status = EndpointStatus::InService;
                }
            }
        });
        self.changed.notify_one();
    }

    /// Waits until a deployment's instances are there.
    async fn is_ready(&self, deployment: &Deployment) -> Result<(), String> {
        if has_programs(deployment) {
            return deployment.programs_answer().await;
        }
        tokio::time::sleep(self.with(|core| core.scaling.cold_start)).await;
        match &deployment.model {
            Model::Container(url) => {
                let is_ready = container::is_ready(url, deployment.startup_timeout, &self.context.http).await;
                is_ready.then_some(()).ok_or_else(|| unhealthy(&deployment.variant))
            }
            _ => Ok(()),
        }
    }

    async fn test_topics(self: Arc<Self>, deployment: Arc<Deployment>) {
        for topic in deployment.asynchronous.iter().flat_map(|config| config.topics()) {
            if let Err(error) = self.context.notifier.publish(topic, TEST_NOTIFICATION).await {
                tracing::error!(endpoint.name = self.name, topic, error, "test notification not sent");
                self.with(|core| core.ledger.totals.notification_failures += 1);
            }
        }
    }
}

impl Core {
    /// A deployment's instances are there and serve.
    fn deploy(&mut self, deployment: Arc<Deployment>) {
        self.status = EndpointStatus::InService;
        self.failure_reason = None;
        self.modified = SystemTime::now();
        self.starting = None;
        self.idle_since = None;
        self.is_resizing = false;
        self.trouble = None;
        self.desired = deployment.instances;
        let healthy = deployment.model.instances().map_or(deployment.instances, |instances| instances.healthy());
        self.instances = healthy.min(deployment.instances);
        self.weight = deployment.weight;
        self.others = deployment.other_shares();
        self.deployment = deployment;
        self.next = None;
    }

    /// It is what it was in an earlier run, but that its instances have to start.
    fn resume(&mut self, former: &FormerEndpoint) {
        (self.created, self.modified) = (former.created, former.modified);
        self.failure_reason.clone_from(&former.failure_reason);
        if let Some((first, others)) = former.shares.split_first() {
            self.desired = first.instances;
            self.instances = self.instances.min(first.instances);
            self.weight = first.weight;
            self.others = others.to_vec();
        }
    }
}

/// The book of an endpoint, with what an earlier run has not answered.
fn ledger(name: &str, deployment: &Deployment, context: &Context) -> Ledger {
    let mut ledger = Ledger::new(context.limits);
    let Some(durable) = context.durable.as_ref().filter(|_| deployment.asynchronous.is_some()) else { return ledger };
    let now = Instant::now();
    for (number, invocation) in durable.queue.of(name) {
        ledger.restore(number, invocation, now);
    }
    if ledger.waiting() > 0 {
        let invocations = ledger.waiting();
        tracing::info!(
            endpoint.name = name,
            invocations,
            "an earlier run has not answered them: they are in the queue"
        );
    }
    ledger
}

fn needs_no_wait(deployment: &Deployment, scaling: Scaling) -> bool {
    scaling.cold_start.is_zero() && !matches!(deployment.model, Model::Container(_)) && !has_programs(deployment)
}

/// Whether the model of a variant is a command.
fn has_programs(deployment: &Deployment) -> bool {
    deployment.model.instances().is_some() || deployment.others.iter().any(|other| other.model.instances().is_some())
}
