//! Endpoints whose models are commands: their instances are processes, and there are as many as answer.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::deployment::{Deployment, Scaling};
use super::{Core, Endpoint, EndpointStatus};
use crate::context::Context;
use crate::instances::container::Container;
use crate::instances::{InstanceCounts, InstancePlan, Instances};
use crate::model::Model;

impl Deployment {
    /// Gives each variant whose model is a command instances of its own, none of which has started yet.
    pub(super) fn add_instances(&mut self, endpoint: &str, scaling: Scaling, context: &Context) {
        let startup_timeout = self.startup_timeout;
        let add = |variant: &str, model: &mut Model, container: &Container| {
            if let Model::Exec { command, instances } = model {
                let plan = InstancePlan {
                    endpoint: endpoint.to_owned(),
                    variant: variant.to_owned(),
                    command: command.clone(),
                    container: container.clone(),
                    cold_start: scaling.cold_start,
                    startup_timeout,
                    region: context.account.region.clone(),
                    store: context.store.clone(),
                };
                *instances = Some(Arc::new(Instances::new(plan)));
            }
        };
        add(&self.variant, &mut self.model, &self.container);
        for other in &mut self.others {
            add(&other.name, &mut other.model, &other.container);
        }
    }

    /// The instances of the variants whose models are commands, each with how many the configuration wants.
    fn programs(&self) -> impl Iterator<Item = (&Arc<Instances>, u32)> {
        let first = std::iter::once((&self.model, self.instances));
        let others = self.others.iter().map(|other| (&other.model, other.instances));
        first.chain(others).filter_map(|(model, count)| Some((model.instances()?, count)))
    }

    /// Starts the processes and waits until all answer.
    ///
    /// # Errors
    /// Why one does not, in SageMaker's words.
    pub(super) async fn programs_answer(&self) -> Result<(), String> {
        for (instances, count) in self.programs() {
            instances.set_count(count);
        }
        for (instances, count) in self.programs() {
            let mut changes = instances.watch();
            let settled = changes.wait_for(|counts| counts.healthy >= count || counts.failure.is_some()).await;
            // The sender lives as long as the instances.
            let Ok(counts) = settled else { continue };
            if let Some(failure) = counts.failure.clone().filter(|_| counts.healthy < count) {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Ends the processes.
    pub(super) fn end_programs(&self) {
        for (instances, _) in self.programs() {
            instances.set_count(0);
        }
    }
}

impl Endpoint {
    /// Keeps the endpoint's number of instances at that of the first variant's processes which answer, if they are processes.
    pub(super) fn follow(self: &Arc<Self>, deployment: &Deployment) {
        if let Some(instances) = deployment.model.instances() {
            tokio::spawn(follow(Arc::downgrade(self), Arc::downgrade(instances), instances.watch()));
        }
    }
}

async fn follow(endpoint: Weak<Endpoint>, instances: Weak<Instances>, mut changes: watch::Receiver<InstanceCounts>) {
    while changes.changed().await.is_ok() {
        let counts = changes.borrow_and_update().clone();
        let (Some(endpoint), Some(instances)) = (endpoint.upgrade(), instances.upgrade()) else { return };
        endpoint.with(|core| core.take_stock(&instances, counts));
        endpoint.changed.notify_one();
    }
}

impl Core {
    /// Has as many processes run as there should be instances.
    pub(super) fn set_process_counts(&self) {
        if !matches!(self.status, EndpointStatus::InService | EndpointStatus::Updating) {
            return;
        }
        let counts = std::iter::once(self.desired).chain(self.others.iter().map(|other| other.instances));
        let models =
            std::iter::once(&self.deployment.model).chain(self.deployment.others.iter().map(|other| &other.model));
        for (model, count) in models.zip(counts) {
            if let Some(instances) = model.instances() {
                instances.set_count(count);
            }
        }
    }

    fn take_stock(&mut self, instances: &Instances, counts: InstanceCounts) {
        if self.deployment.model.instances().is_none_or(|own| **own != *instances) {
            return;
        }
        self.instances = counts.healthy.min(self.desired);
        self.trouble = counts.failure.or(counts.trouble);
        if self.is_resizing && self.instances >= self.desired {
            self.is_resizing = false;
            self.status = EndpointStatus::InService;
        }
    }
}
