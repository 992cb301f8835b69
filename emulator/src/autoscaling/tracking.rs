//! Target tracking: a metric, a target, and the pair of alarms that the policy makes for itself.
//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html>

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::capacity::DEFAULT_COOLDOWN_SECONDS;
use super::error::ScalingError;
use super::resource::Resource;
use crate::cloudwatch::{CloudWatch, metrics::Statistic};
use crate::input::Input;

/// Minutes above the target before it scales out, and below nine tenths of it before it scales in. AWS does not document them; they
/// are those of the alarms that its policies make.
const HIGH_PERIODS: u32 = 3;
const LOW_PERIODS: u32 = 15;
const LOW_SHARE: f64 = 0.9;
/// The one predefined metric of variants that SageMaker publishes for real-time endpoints; of asynchronous ones it publishes none, so
/// that a policy on it never scales: <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html>
const PREDEFINED: &str = "SageMakerVariantInvocationsPerInstance";
/// AWS's range.
const MAX_TARGET: f64 = 1.174_271e108;

/// A configuration, and the names of the alarms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tracking {
    pub(super) target: f64,
    pub(super) out_cooldown: u32,
    pub(super) in_cooldown: u32,
    pub(super) high: String,
    /// `None` with `DisableScaleIn`.
    pub(super) low: Option<String>,
    /// The members of an alarm that say which metric it watches.
    metric: Map<String, Value>,
}

impl Tracking {
    /// Reads a configuration; a policy that is changed keeps its alarms' names.
    pub(super) fn read(value: &Value, resource: &Resource, before: Option<&Self>) -> Result<Self, ScalingError> {
        let input = Input::of(value, "targetTrackingScalingPolicyConfiguration.")?;
        let target = input.double("TargetValue")?.ok_or_else(|| input.error("TargetValue", "not be null"))?;
        if !(target > 0.0 && target <= MAX_TARGET) {
            return Err(input.error("TargetValue", "be greater than 0 and at most 2^360").into());
        }
        let metric = match (input.get("PredefinedMetricSpecification"), input.get("CustomizedMetricSpecification")) {
            (Some(predefined), None) => self::predefined(predefined, resource)?,
            (None, Some(customized)) => self::customized(customized)?,
            _ => {
                return Err(ScalingError::validation(
                    "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.",
                ));
            }
        };
        let cooldown =
            |member| Ok::<_, ScalingError>(input.integer(member, &(0..=u32::MAX))?.unwrap_or(DEFAULT_COOLDOWN_SECONDS));
        let name = |kind| format!("TargetTracking-{}-Alarm{kind}-{}", resource.id, Uuid::new_v4());
        let (high, low) = match before {
            Some(before) => (Some(before.high.clone()), before.low.clone()),
            None => (None, None),
        };
        let scales_in = !input.flag("DisableScaleIn")?.unwrap_or(false);
        Ok(Self {
            target,
            out_cooldown: cooldown("ScaleOutCooldown")?,
            in_cooldown: cooldown("ScaleInCooldown")?,
            high: high.unwrap_or_else(|| name("High")),
            low: scales_in.then(|| low.unwrap_or_else(|| name("Low"))),
            metric,
        })
    }

    pub(super) fn alarm_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.high.as_str()).chain(self.low.as_deref())
    }

    pub(super) fn put_alarms(&self, cloudwatch: &CloudWatch, policy_arn: &str) -> Result<(), ScalingError> {
        let high = (&self.high, "GreaterThanThreshold", self.target, HIGH_PERIODS);
        let low = self.low.as_ref().map(|low| (low, "LessThanThreshold", self.target * LOW_SHARE, LOW_PERIODS));
        for (name, comparison, threshold, periods) in std::iter::once(high).chain(low) {
            let mut alarm = self.metric.clone();
            alarm.extend([
                ("AlarmName".to_owned(), json!(name)),
                (
                    "AlarmDescription".to_owned(),
                    format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.").into(),
                ),
                ("AlarmActions".to_owned(), json!([policy_arn])),
                ("ComparisonOperator".to_owned(), comparison.into()),
                ("Threshold".to_owned(), threshold.into()),
                ("EvaluationPeriods".to_owned(), periods.into()),
            ]);
            cloudwatch.put_alarm(alarm).map_err(ScalingError::validation)?;
        }
        Ok(())
    }
}

fn predefined(value: &Value, resource: &Resource) -> Result<Map<String, Value>, ScalingError> {
    let input = Input::of(value, "targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification.")?;
    match input.needed("PredefinedMetricType", &(1..=255))? {
        PREDEFINED => Ok(members(json!({
            "Namespace": "AWS/SageMaker",
            "MetricName": "InvocationsPerInstance",
            "Dimensions": [
                {"Name": "EndpointName", "Value": resource.endpoint},
                {"Name": "VariantName", "Value": resource.variant},
            ],
            "Statistic": "Sum",
            "Period": 60,
        }))),
        other => Err(ScalingError::validation(format!(
            "The emulator knows the predefined metric {PREDEFINED} alone, not {other}."
        ))),
    }
}

fn customized(value: &Value) -> Result<Map<String, Value>, ScalingError> {
    let input = Input::of(value, "targetTrackingScalingPolicyConfiguration.customizedMetricSpecification.")?;
    let queries = input.list("Metrics")?;
    if !queries.is_empty() {
        return Ok(members(json!({"Metrics": queries.iter().map(with_period).collect::<Vec<_>>()})));
    }
    let statistic = input.one_of("Statistic", &Statistic::NAMES)?;
    let statistic = statistic.ok_or_else(|| input.error("Statistic", "not be null"))?;
    let (name, namespace) = (input.needed("MetricName", &(1..=255))?, input.needed("Namespace", &(1..=255))?);
    let mut metric = members(json!({
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": input.list("Dimensions")?,
        "Statistic": statistic,
        "Period": 60,
    }));
    if let Some(unit) = input.text("Unit")? {
        metric.insert("Unit".to_owned(), unit.into());
    }
    Ok(metric)
}

/// The metrics of a policy are looked at by the minute.
fn with_period(query: &Value) -> Value {
    let mut query = query.clone();
    if let Some(stat) = query.get_mut("MetricStat").and_then(Value::as_object_mut) {
        stat.insert("Period".to_owned(), 60.into());
    }
    query
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
