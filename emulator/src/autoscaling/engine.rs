//! From alarms to instances: what each policy asks for, and what becomes of it.

use std::sync::Arc;

use super::activities::UnderWay;
use super::capacity::{Cooldown, WantedCapacity, chosen, cooled, stepped, tracked};
use super::policies::{Policy, Rule};
use super::targets::Target;
use crate::Emulator;
use crate::cloudwatch::AlarmAction;
use crate::endpoint::{Endpoint, EndpointStatus};

impl Target {
    /// Looks at what is under way, and scales by the alarms that have fired.
    pub(super) fn scale(&mut self, emulator: &Emulator, fired: &[AlarmAction]) {
        let Some(endpoint) = emulator.endpoint(&self.resource.endpoint) else {
            self.settle(emulator, None);
            return;
        };
        endpoint.hand_over_scaling(true);
        self.settle(emulator, Some(&endpoint));
        let (status, current) = endpoint.with(|core| (core.status, core.desired));
        if self.activities.under_way.is_some() || status != EndpointStatus::InService {
            return;
        }
        if std::mem::take(&mut self.has_new_bounds) && !(self.min..=self.max).contains(&current) {
            let (bound, name) = if current < self.min { (self.min, "minimum") } else { (self.max, "maximum") };
            let under_way = UnderWay { policy: None, base: current, wanted: bound };
            return self.begin(emulator, &endpoint, under_way, format!("{name} capacity was set to {bound}"));
        }
        let now = emulator.cloudwatch().clock.now();
        let wishes: Vec<(WantedCapacity, &Policy, &AlarmAction)> = fired
            .iter()
            .filter_map(|fired| {
                let policy = self.policies.values().find(|policy| policy.arn == fired.action)?;
                let wish = policy.wanted_capacity(fired, current, now)?;
                self.allows(wish.wanted, current).then_some((wish, policy, fired))
            })
            .collect();
        let may_track_in = self.may_track_in(fired);
        let only: Vec<WantedCapacity> = wishes.iter().map(|(wish, ..)| *wish).collect();
        let Some(wanted) = chosen(current, self.min, self.max, &only, may_track_in) else { return };
        // The one that asked for most is the cause.
        let Some((_, policy, fired)) = wishes.iter().max_by_key(|(wish, ..)| wish.wanted) else { return };
        let cause = format!("monitor alarm {} in state {} triggered policy {}", fired.alarm, fired.state, policy.name);
        let under_way = UnderWay { policy: Some(policy.name.clone()), base: current, wanted };
        self.begin(emulator, &endpoint, under_way, cause);
    }

    fn allows(&self, wanted: u32, current: u32) -> bool {
        if wanted > current { !self.suspended.scaling_out } else { !self.suspended.scaling_in }
    }

    /// Whether every target tracking policy that may scale in is ready to.
    fn may_track_in(&self, fired: &[AlarmAction]) -> bool {
        let lows = self.policies.values().filter_map(|policy| match &policy.rule {
            Rule::Tracking(tracking) => tracking.low.as_ref(),
            Rule::Steps { .. } => None,
        });
        lows.into_iter().all(|low| fired.iter().any(|fired| fired.alarm == *low))
    }

    fn begin(&mut self, emulator: &Emulator, endpoint: &Arc<Endpoint>, under_way: UnderWay, cause: String) {
        let now = emulator.cloudwatch().clock.unix();
        let wanted = under_way.wanted;
        match emulator.may_resize(endpoint, wanted) {
            // Every minute the same: once is enough to be read.
            Err(failure) if self.activities.has_failed_so(wanted, &failure) => {}
            Err(failure) => {
                tracing::warn!(endpoint.name = endpoint.name, instances = wanted, failure, "not scaled");
                self.activities.begin(under_way, cause, now);
                self.activities.end(Some(failure), now);
            }
            Ok(()) => {
                tracing::info!(endpoint.name = endpoint.name, instances = wanted, cause, "scaled");
                self.activities.begin(under_way, cause, now);
                endpoint.resize(wanted);
                self.settle(emulator, Some(endpoint));
            }
        }
    }

    /// Ends what is under way once the endpoint has its instances; a policy's cooldown begins then.
    pub(super) fn settle(&mut self, emulator: &Emulator, endpoint: Option<&Arc<Endpoint>>) {
        if self.activities.under_way.is_none() {
            return;
        }
        let clock = &emulator.cloudwatch().clock;
        let status = endpoint.map(|endpoint| endpoint.with(|core| core.status));
        match status {
            Some(EndpointStatus::InService) => {
                let Some(done) = self.activities.end(None, clock.unix()) else { return };
                self.cool_down(&done, clock.now());
            }
            Some(EndpointStatus::Updating | EndpointStatus::Creating) => {}
            Some(EndpointStatus::Failed | EndpointStatus::Deleting) | None => {
                self.activities.end(Some("the endpoint is gone or has failed.".to_owned()), clock.unix());
            }
        }
    }

    fn cool_down(&mut self, done: &UnderWay, now: f64) {
        let is_out = done.wanted > done.base;
        if is_out {
            // A scale out ends the cooldown of a scale in.
            for policy in self.policies.values_mut() {
                policy.cooldown = policy.cooldown.filter(|cooldown| cooldown.is_out);
            }
        }
        let policy = done.policy.as_ref().and_then(|name| self.policies.get_mut(name));
        if let Some(policy) = policy {
            let seconds = match &policy.rule {
                Rule::Tracking(tracking) if is_out => tracking.out_cooldown,
                Rule::Tracking(tracking) => tracking.in_cooldown,
                Rule::Steps { cooldown, .. } => *cooldown,
            };
            policy.cooldown = Some(Cooldown { until: now + f64::from(seconds), is_out, base: done.base });
        }
    }
}

impl Policy {
    /// What it asks for on an alarm; `None` for nothing else than what there is.
    fn wanted_capacity(&self, fired: &AlarmAction, current: u32, now: f64) -> Option<WantedCapacity> {
        let value = fired.value?;
        match &self.rule {
            Rule::Tracking(tracking) => {
                let wanted = cooled(current, self.cooldown, now, |base| Some(tracked(base, value, tracking.target)))?;
                // Its alarms have each its own direction.
                let is_right = if fired.alarm == tracking.high { wanted > current } else { wanted < current };
                is_right.then_some(WantedCapacity { wanted, is_tracking: true })
            }
            Rule::Steps { steps, kind, at_least, .. } => {
                let distance = value - fired.threshold;
                let of = |base| stepped(base, distance, steps, *kind, *at_least);
                cooled(current, self.cooldown, now, of).map(|wanted| WantedCapacity { wanted, is_tracking: false })
            }
        }
    }
}
