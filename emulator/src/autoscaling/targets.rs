//! `RegisterScalableTarget`, `DescribeScalableTargets`, `DeregisterScalableTarget`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::activities::Activities;
use super::error::ScalingError;
use super::policies::Policy;
use super::resource::{Resource, dimension, namespace};
use super::{DIMENSION, NAMESPACE, Targets, page};
use crate::Emulator;
use crate::input::Input;

const MAX_CAPACITY: u32 = u32::MAX;

/// A variant whose instances come and go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(super) resource: Resource,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) suspended: Suspended,
    role: String,
    arn: String,
    /// Seconds since 1970.
    created: f64,
    pub(super) policies: BTreeMap<String, Policy>,
    #[serde(skip)]
    pub(super) activities: Activities,
    /// Its bounds are new: a capacity outside of them is brought within.
    pub(super) has_new_bounds: bool,
}

/// `SuspendedState`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Suspended {
    pub(super) scaling_in: bool,
    pub(super) scaling_out: bool,
    scheduled: bool,
}

pub(super) fn register(
    emulator: &Emulator,
    targets: &mut Targets,
    request: &Map<String, Value>,
) -> Result<Value, ScalingError> {
    let input = Input::new(request);
    let resource = Resource::of(&input)?;
    let account = emulator.account();
    let endpoint = emulator.endpoint(&resource.endpoint).ok_or_else(|| {
        let arn = account.arn("endpoint", &resource.endpoint);
        ScalingError::validation(format!("Could not find endpoint \"{arn}\"."))
    })?;
    if endpoint.with(|core| core.deployment.variant != resource.variant) {
        let message = format!("The endpoint {} has no variant {}.", resource.endpoint, resource.variant);
        return Err(ScalingError::validation(message));
    }
    let before = targets.get(&resource.id);
    let bound = |member, before: Option<u32>| {
        let given = input.integer(member, &(0..=MAX_CAPACITY))?;
        given
            .or(before)
            .ok_or_else(|| ScalingError::validation(format!("{member} is required to register a new scalable target.")))
    };
    let min = bound("MinCapacity", before.map(|target| target.min))?;
    let max = bound("MaxCapacity", before.map(|target| target.max))?;
    if min > max {
        return Err(ScalingError::validation("Maximum capacity cannot be less than minimum capacity"));
    }
    let suspended = suspended(&input, before.map(|target| target.suspended).unwrap_or_default())?;
    let role = input.sized("RoleARN", &(1..=1600))?.map(str::to_owned);
    let (region, id) = (&account.region, &account.id);
    let target = targets.entry(resource.id.clone()).or_insert_with(|| Target {
        resource,
        min,
        max,
        suspended,
        // The role that Application Auto Scaling makes for itself.
        role: format!(
            "arn:aws:iam::{id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/\
             AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        ),
        arn: format!("arn:aws:application-autoscaling:{region}:{id}:scalable-target/{}", Uuid::new_v4().simple()),
        created: emulator.cloudwatch().clock.unix(),
        policies: BTreeMap::new(),
        activities: Activities::default(),
        has_new_bounds: true,
    });
    (target.min, target.max, target.suspended, target.has_new_bounds) = (min, max, suspended, true);
    target.role = role.unwrap_or_else(|| target.role.clone());
    Ok(json!({"ScalableTargetARN": target.arn}))
}

fn suspended(input: &Input<'_>, before: Suspended) -> Result<Suspended, ScalingError> {
    let Some(state) = input.get("SuspendedState") else { return Ok(before) };
    let state = Input::of(state, "suspendedState.")?;
    let flag = |member, before| Ok::<bool, ScalingError>(state.flag(member)?.unwrap_or(before));
    Ok(Suspended {
        scaling_in: flag("DynamicScalingInSuspended", before.scaling_in)?,
        scaling_out: flag("DynamicScalingOutSuspended", before.scaling_out)?,
        scheduled: flag("ScheduledScalingSuspended", before.scheduled)?,
    })
}

pub(super) fn describe(targets: &Targets, request: &Map<String, Value>) -> Result<Value, ScalingError> {
    let input = Input::new(request);
    namespace(&input)?;
    dimension(&input)?;
    let ids = input.texts("ResourceIds")?;
    let wanted = targets.values().filter(|target| ids.is_empty() || ids.contains(&target.resource.id));
    page(&input, "ScalableTargets", wanted.map(Target::description))
}

pub(super) fn deregister(
    emulator: &Emulator,
    targets: &mut Targets,
    request: &Map<String, Value>,
) -> Result<Value, ScalingError> {
    let resource = Resource::of(&Input::new(request))?;
    let target = targets.remove(&resource.id).ok_or_else(|| resource.not_registered())?;
    for policy in target.policies.values() {
        policy.remove_alarms(emulator.cloudwatch());
    }
    if let Some(endpoint) = emulator.endpoint(&resource.endpoint) {
        endpoint.hand_over_scaling(false);
    }
    Ok(json!({}))
}

impl Target {
    fn description(&self) -> Value {
        json!({
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.resource.id,
            "ScalableDimension": DIMENSION,
            "MinCapacity": self.min,
            "MaxCapacity": self.max,
            "RoleARN": self.role,
            "CreationTime": self.created,
            "SuspendedState": {
                "DynamicScalingInSuspended": self.suspended.scaling_in,
                "DynamicScalingOutSuspended": self.suspended.scaling_out,
                "ScheduledScalingSuspended": self.suspended.scheduled,
            },
            "ScalableTargetARN": self.arn,
        })
    }
}
