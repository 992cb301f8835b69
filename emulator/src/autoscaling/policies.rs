//! `PutScalingPolicy`, `DescribeScalingPolicies`, `DeleteScalingPolicy`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::capacity::{Adjustment, Cooldown, DEFAULT_COOLDOWN_SECONDS, Step};
use super::error::ScalingError;
use super::resource::{Resource, dimension, namespace};
use super::tracking::Tracking;
use super::{DIMENSION, NAMESPACE, Targets, page};
use crate::Emulator;
use crate::cloudwatch::CloudWatch;
use crate::input::Input;

/// <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html>
const MAX_POLICIES: usize = 50;
const MAX_STEPS: usize = 20;
const STEP: &str = "StepScaling";
const TRACKING: &str = "TargetTrackingScaling";
const CONFIGURATIONS: [(&str, &str); 2] =
    [(STEP, "StepScalingPolicyConfiguration"), (TRACKING, "TargetTrackingScalingPolicyConfiguration")];

/// A policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) arn: String,
    created: f64,
    /// As it was put.
    configuration: Value,
    pub(super) rule: Rule,
    pub(super) cooldown: Option<Cooldown>,
}

/// When and how it scales.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Rule {
    Tracking(Tracking),
    Steps { steps: Vec<Step>, kind: Adjustment, at_least: u32, cooldown: u32 },
}

impl Policy {
    /// Alarms of its own go with it; those of step scaling are the user's.
    pub(super) fn remove_alarms(&self, cloudwatch: &CloudWatch) {
        if let Rule::Tracking(tracking) = &self.rule {
            tracking.alarm_names().for_each(|name| cloudwatch.remove_alarm(name));
        }
    }

    /// `Alarms`.
    fn alarms(&self, cloudwatch: &CloudWatch) -> Value {
        let names = match &self.rule {
            Rule::Tracking(tracking) => tracking.alarm_names().map(str::to_owned).collect(),
            Rule::Steps { .. } => cloudwatch.alarms_with(&self.arn),
        };
        let alarm = |name: &String| json!({"AlarmName": name, "AlarmARN": cloudwatch.alarm_arn(name)});
        names.iter().map(alarm).collect()
    }

    const fn kind(&self) -> (&'static str, &'static str) {
        let [steps, tracking] = CONFIGURATIONS;
        match self.rule {
            Rule::Steps { .. } => steps,
            Rule::Tracking(_) => tracking,
        }
    }

    fn description(&self, resource: &Resource, cloudwatch: &CloudWatch) -> Value {
        let (kind, configuration) = self.kind();
        json!({
            "PolicyARN": self.arn,
            "PolicyName": self.name,
            "ServiceNamespace": NAMESPACE,
            "ResourceId": resource.id,
            "ScalableDimension": DIMENSION,
            "PolicyType": kind,
            configuration: self.configuration,
            "Alarms": self.alarms(cloudwatch),
            "CreationTime": self.created,
        })
    }
}

pub(super) fn put(
    emulator: &Emulator,
    targets: &mut Targets,
    request: &Map<String, Value>,
) -> Result<Value, ScalingError> {
    let input = Input::new(request);
    let name = input.needed("PolicyName", &(1..=256))?;
    let resource = Resource::of(&input)?;
    let target = targets.get_mut(&resource.id).ok_or_else(|| resource.not_registered())?;
    let cloudwatch = emulator.cloudwatch();
    let before = target.policies.get(name);
    if before.is_none() && target.policies.len() >= MAX_POLICIES {
        return Err(ScalingError::limit(format!("A scalable target has at most {MAX_POLICIES} scaling policies.")));
    }
    let kind = input.one_of("PolicyType", &[STEP, TRACKING])?;
    let kind = kind.or(before.map(|before| before.kind().0)).unwrap_or(STEP);
    if before.is_some_and(|before| before.kind().0 != kind) {
        return Err(ScalingError::validation("The type of a scaling policy cannot be changed."));
    }
    let account = emulator.account();
    let arn = before.map_or_else(
        || {
            format!(
                "arn:aws:autoscaling:{}:{}:scalingPolicy:{}:resource/{NAMESPACE}/{}:policyName/{name}",
                account.region,
                account.id,
                Uuid::new_v4(),
                resource.id
            )
        },
        |before| before.arn.clone(),
    );
    let (configuration, rule) = if kind == STEP {
        let configuration = configuration(&input, STEP)?;
        (configuration, steps(&Input::of(configuration, "stepScalingPolicyConfiguration.")?)?)
    } else {
        let configuration = configuration(&input, TRACKING)?;
        let before = before.and_then(|before| match &before.rule {
            Rule::Tracking(tracking) => Some(tracking),
            Rule::Steps { .. } => None,
        });
        let tracking = Tracking::read(configuration, &resource, before)?;
        tracking.put_alarms(cloudwatch, &arn)?;
        (configuration, Rule::Tracking(tracking))
    };
    let policy = Policy {
        name: name.to_owned(),
        arn: arn.clone(),
        created: before.map_or_else(|| cloudwatch.clock.unix(), |before| before.created),
        configuration: configuration.clone(),
        rule,
        cooldown: None,
    };
    let alarms = policy.alarms(cloudwatch);
    target.policies.insert(name.to_owned(), policy);
    Ok(json!({"PolicyARN": arn, "Alarms": alarms}))
}

/// The one configuration that a policy of this type has.
fn configuration<'a>(input: &Input<'a>, kind: &str) -> Result<&'a Value, ScalingError> {
    let mut found = None;
    for (own, member) in CONFIGURATIONS {
        match (own == kind, input.get(member)) {
            (true, None) => {
                return Err(ScalingError::validation(format!("A policy of the type {kind} needs a {member}.")));
            }
            (true, there) => found = there,
            (false, Some(_)) => {
                return Err(ScalingError::validation(format!("A policy of the type {kind} has no {member}.")));
            }
            (false, None) => {}
        }
    }
    found.ok_or_else(|| ScalingError::validation("The emulator knows step scaling and target tracking."))
}

fn steps(input: &Input<'_>) -> Result<Rule, ScalingError> {
    let names = ["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"];
    let kind = match input.one_of("AdjustmentType", &names)? {
        None => return Err(ScalingError::validation("AdjustmentType is required.")),
        Some("ChangeInCapacity") => Adjustment::Change,
        Some("PercentChangeInCapacity") => Adjustment::Percent,
        Some(_) => Adjustment::Exact,
    };
    let list = input.list("StepAdjustments")?;
    if list.is_empty() || list.len() > MAX_STEPS {
        return Err(ScalingError::validation(format!("There must be 1 to {MAX_STEPS} StepAdjustments.")));
    }
    let steps = list.iter().map(step).collect::<Result<Vec<_>, _>>()?;
    input.one_of("MetricAggregationType", &["Average", "Minimum", "Maximum"])?;
    Ok(Rule::Steps {
        steps,
        kind,
        at_least: input.integer("MinAdjustmentMagnitude", &(0..=u32::MAX))?.unwrap_or(0),
        cooldown: input.integer("Cooldown", &(0..=u32::MAX))?.unwrap_or(DEFAULT_COOLDOWN_SECONDS),
    })
}

fn step(value: &Value) -> Result<Step, ScalingError> {
    let input = Input::of(value, "stepScalingPolicyConfiguration.stepAdjustments.1.member.")?;
    let (lower, upper) = (input.double("MetricIntervalLowerBound")?, input.double("MetricIntervalUpperBound")?);
    if let (Some(lower), Some(upper)) = (lower, upper)
        && lower >= upper
    {
        return Err(ScalingError::validation("MetricIntervalLowerBound must be less than MetricIntervalUpperBound."));
    }
    let adjustment = input.required("ScalingAdjustment")?.as_i64().and_then(|number| i32::try_from(number).ok());
    let adjustment = adjustment.ok_or_else(|| input.error("ScalingAdjustment", "be a whole number"))?;
    Ok(Step { lower, upper, adjustment })
}

pub(super) fn describe(
    emulator: &Emulator,
    targets: &Targets,
    request: &Map<String, Value>,
) -> Result<Value, ScalingError> {
    let input = Input::new(request);
    namespace(&input)?;
    dimension(&input)?;
    let (id, names) = (input.text("ResourceId")?, input.texts("PolicyNames")?);
    let of = targets.values().filter(|target| id.is_none_or(|id| id == target.resource.id));
    let policies = of.flat_map(|target| target.policies.values().map(|policy| (&target.resource, policy)));
    let wanted = policies
        .filter(|(_, policy)| names.is_empty() || names.iter().any(|name| *name == policy.name || *name == policy.arn));
    let described = wanted.map(|(resource, policy)| policy.description(resource, emulator.cloudwatch()));
    page(&input, "ScalingPolicies", described)
}

pub(super) fn delete(
    emulator: &Emulator,
    targets: &mut Targets,
    request: &Map<String, Value>,
) -> Result<Value, ScalingError> {
    let input = Input::new(request);
    let name = input.needed("PolicyName", &(1..=1600))?;
    let resource = Resource::of(&input)?;
    let removed = targets.get_mut(&resource.id).and_then(|target| target.policies.remove(name));
    let policy = removed.ok_or_else(|| {
        ScalingError::not_found(format!(
            "No scaling policy found for service namespace: {NAMESPACE}, resource ID: {}, scalable dimension: {DIMENSION}, \
             policy name: {name}",
            resource.id
        ))
    })?;
    policy.remove_alarms(emulator.cloudwatch());
    Ok(json!({}))
}
