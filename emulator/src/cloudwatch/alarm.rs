//! A metric alarm: what it watches, and the state that it is in.

use serde_json::{Map, Value};

use super::error::CloudWatchError;
use super::evaluation::{MORE_PERIODS, Missing, State, evaluate_range};
use super::input::{metric, period};
use super::metrics::Metrics;
use super::sources::{Source, queries, statistic};
use crate::input::Input;

/// A name and whether a value breaches a threshold.
type Comparison = (&'static str, fn(f64, f64) -> bool);
/// `ComparisonOperator`; those of anomaly detection are not known here.
const COMPARISONS: [Comparison; 4] = [
    ("GreaterThanOrEqualToThreshold", |value, threshold| value >= threshold),
    ("GreaterThanThreshold", |value, threshold| value > threshold),
    ("LessThanThreshold", |value, threshold| value < threshold),
    ("LessThanOrEqualToThreshold", |value, threshold| value <= threshold),
];
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
const MAX_ACTIONS: usize = 5;
/// Period times number of periods.
const MAX_MINUTES: u64 = 7 * 1_440;
const MAX_PERIODS: u32 = 1_440;

/// An alarm.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    pub(super) name: String,
    /// As `PutMetricAlarm` had it.
    pub(super) request: Map<String, Value>,
    rule: Rule,
    pub(super) state: State,
    pub(super) reason: String,
    /// Seconds since 1970: when it was configured, and when it was found in another state.
    pub(super) configured: f64,
    pub(super) transitioned: f64,
    pub(super) are_actions_enabled: bool,
}

/// What it watches.
#[derive(Clone, Debug)]
struct Rule {
    source: Source,
    comparison: &'static str,
    breaches: fn(f64, f64) -> bool,
    threshold: f64,
    periods: usize,
    needed: usize,
    missing: Missing,
}

/// An action that an alarm asks for, every minute as long as it is in the state that has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlarmAction {
    pub(crate) alarm: String,
    pub(crate) state: &'static str,
    /// An ARN.
    pub(crate) action: String,
    /// The newest datapoint that is not missing.
    pub(crate) value: Option<f64>,
    pub(crate) threshold: f64,
}

impl Alarm {
    pub(super) fn read(request: Map<String, Value>, now: f64) -> Result<Self, CloudWatchError> {
        let input = Input::new(&request);
        let name = input.needed("AlarmName", &(1..=255))?.to_owned();
        input.sized("AlarmDescription", &(0..=1024))?;
        for member in ["AlarmActions", "OKActions", "InsufficientDataActions"] {
            if input.texts(member)?.len() > MAX_ACTIONS {
                return Err(CloudWatchError::limit(format!("{member} must have at most {MAX_ACTIONS} members.")));
            }
        }
        let are_actions_enabled = input.flag("ActionsEnabled")?.unwrap_or(true);
        let rule = Rule::read(&input)?;
        let reason = "Unchecked: Initial alarm creation".to_owned();
        let state = State::InsufficientData;
        Ok(Self { name, rule, state, reason, configured: now, transitioned: now, are_actions_enabled, request })
    }

    /// Finds its state from the datapoints of the periods that ended before a minute, and gives the actions of that state.
    pub(super) fn evaluate(&mut self, metrics: &Metrics, minute: u64, now: f64) -> Vec<AlarmAction> {
        let values = self.rule.values(metrics, minute);
        let range: Vec<Option<bool>> =
            values.iter().map(|value| value.map(|value| (self.rule.breaches)(value, self.rule.threshold))).collect();
        let state =
            evaluate_range(&range, self.rule.periods, self.rule.needed, self.rule.missing).unwrap_or(self.state);
        if state != self.state {
            self.enter(state, self.rule.reason(&values, state), now);
        }
        self.fired(values.iter().flatten().next().copied())
    }

    pub(super) fn enter(&mut self, state: State, reason: String, now: f64) {
        tracing::info!(alarm.name = self.name, from = self.state.name(), to = state.name(), "alarm changed its state");
        self.transitioned = if state == self.state { self.transitioned } else { now };
        (self.state, self.reason) = (state, reason);
    }

    /// The actions of its state, on the newest datapoint there is.
    pub(super) fn fire(&self, metrics: &Metrics, minute: u64) -> Vec<AlarmAction> {
        self.fired(self.rule.values(metrics, minute).into_iter().flatten().next())
    }

    fn fired(&self, value: Option<f64>) -> Vec<AlarmAction> {
        let member = match self.state {
            State::Ok => "OKActions",
            State::Alarm => "AlarmActions",
            State::InsufficientData => "InsufficientDataActions",
        };
        if !self.are_actions_enabled {
            return vec![];
        }
        let fired = |action| AlarmAction {
            alarm: self.name.clone(),
            state: self.state.name(),
            action,
            value,
            threshold: self.rule.threshold,
        };
        self.actions(member).into_iter().map(fired).collect()
    }

    pub(super) fn actions(&self, member: &str) -> Vec<String> {
        let list = self.request.get(member).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|action| Some(action.as_str()?.to_owned())).collect()
    }

    pub(super) const fn source(&self) -> &Source {
        &self.rule.source
    }

    pub(super) const fn threshold(&self) -> f64 {
        self.rule.threshold
    }
}

impl Rule {
    fn read(input: &Input<'_>) -> Result<Self, CloudWatchError> {
        input.required("ComparisonOperator")?;
        let names = COMPARISONS.map(|(name, _)| name);
        let comparison = input.one_of("ComparisonOperator", &names)?.unwrap_or_default();
        let (_, breaches) = COMPARISONS.into_iter().find(|(name, _)| *name == comparison).unwrap_or(COMPARISONS[0]);
        let threshold = input.double("Threshold")?.ok_or_else(|| input.error("Threshold", "not be null"))?;
        let periods = input.integer("EvaluationPeriods", &(1..=MAX_PERIODS))?;
        let periods = periods.ok_or_else(|| input.error("EvaluationPeriods", "not be null"))?;
        let needed = input.integer("DatapointsToAlarm", &(1..=MAX_PERIODS))?.unwrap_or(periods);
        if needed > periods {
            return Err(CloudWatchError::validation("DatapointsToAlarm must be at most EvaluationPeriods."));
        }
        let missing = input.one_of("TreatMissingData", &Missing::NAMES)?.map_or(Missing::Unknown, Missing::named);
        let source = source(input)?;
        if source.minutes() * u64::from(periods) > MAX_MINUTES {
            return Err(CloudWatchError::validation(
                "Period multiplied by EvaluationPeriods must be at most seven days.",
            ));
        }
        let (periods, needed) = (periods as usize, needed as usize);
        Ok(Self { source, comparison, breaches, threshold, periods, needed, missing })
    }

    /// The newest first. Periods end with the last minute: CloudWatch looks every minute, whatever the period.
    fn values(&self, metrics: &Metrics, minute: u64) -> Vec<Option<f64>> {
        let length = self.source.minutes();
        let starts = (1..).map(|number| minute.saturating_sub(number * length));
        starts.take(self.periods + MORE_PERIODS).map(|start| self.source.value(metrics, start)).collect()
    }

    fn reason(&self, values: &[Option<f64>], state: State) -> String {
        let known: Vec<String> = values.iter().take(self.periods).flatten().map(f64::to_string).collect();
        let (count, comparison, threshold) = (known.len(), self.comparison, self.threshold);
        if state == State::InsufficientData {
            return format!("Insufficient Data: {count} datapoints were unknown.");
        }
        let known = known.join(", ");
        format!(
            "Threshold Crossed: of the last {} datapoints [{known}] are known ({comparison} {threshold}).",
            self.periods
        )
    }
}

/// A statistic of one metric, or the one of `Metrics` that is returned.
fn source(input: &Input<'_>) -> Result<Source, CloudWatchError> {
    if input.get("ThresholdMetricId").is_some() || input.get("ExtendedStatistic").is_some() {
        return Err(CloudWatchError::value("The emulator knows neither anomaly detection nor percentiles."));
    }
    match (input.get("MetricName"), input.list("Metrics")?) {
        (Some(_), []) => {
            let name = input.one_of("Statistic", &super::metrics::Statistic::NAMES)?;
            let name = name.ok_or_else(|| CloudWatchError::missing("The parameter Statistic is required."))?;
            let minutes =
                period(input)?.ok_or_else(|| CloudWatchError::missing("The parameter Period is required."))?;
            Ok(Source::Statistic { metric: metric(input)?, statistic: statistic(name)?, minutes })
        }
        (None, list @ [_, ..]) => {
            let mut returned = queries(list)?.into_iter().filter(|query| query.is_returned);
            match (returned.next(), returned.next()) {
                (Some(query), None) => Ok(query.source),
                _ => Err(CloudWatchError::validation("Exactly one element of the metrics list should return data.")),
            }
        }
        (None, []) => Err(CloudWatchError::missing("One of the parameters MetricName and Metrics must be specified.")),
        (Some(_), _) => Err(CloudWatchError::combination("Only one of MetricName and Metrics can be specified.")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::metrics::{Metric, Statistics};
    use super::*;

    fn alarm(more: &Value) -> Result<Alarm, CloudWatchError> {
        let mut request = json!({
            "AlarmName": "a", "Namespace": "N", "MetricName": "m", "Statistic": "Average", "Period": 60, "Threshold": 1,
            "EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": ["arn:up"],
        });
        let Value::Object(members) = &mut request else { panic!() };
        members.extend(more.as_object().unwrap().clone());
        Alarm::read(members.clone(), 0.0)
    }

    fn metrics(values: &[f64]) -> Metrics {
        let mut metrics = Metrics::default();
        let metric = Metric { namespace: "N".into(), name: "m".into(), dimensions: [].into() };
        for (minute, value) in (100..).zip(values) {
            metrics.add(metric.clone(), "None", minute, Statistics::of(*value, 1.0)).unwrap();
        }
        metrics
    }

    #[test]
    fn an_alarm_fires_every_minute_while_it_is_in_alarm() {
        let mut alarm = alarm(&json!({})).unwrap();
        let metrics = metrics(&[0.0, 1.0, 2.0, 3.0, 0.0]);
        let mut seen = vec![];
        for minute in 101..=105 {
            let fired = alarm.evaluate(&metrics, minute, 0.0);
            seen.push((alarm.state.name(), fired.first().and_then(|fired| fired.value)));
        }
        let expected = [("OK", None), ("OK", None), ("ALARM", Some(2.0)), ("ALARM", Some(3.0)), ("OK", None)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_disabled_alarm_changes_its_state_and_fires_nothing() {
        let mut alarm = alarm(&json!({"ActionsEnabled": false})).unwrap();
        assert!(alarm.evaluate(&metrics(&[1.0, 1.0]), 102, 7.0).is_empty());
        assert_eq!((alarm.state, alarm.transitioned), (State::Alarm, 7.0));
    }

    #[test]
    fn periods_of_five_minutes_slide_by_a_minute() {
        let mut alarm = alarm(&json!({"Period": 300, "EvaluationPeriods": 1, "Threshold": 2})).unwrap();
        let metrics = metrics(&[0.0, 0.0, 0.0, 5.0, 5.0, 5.0]);
        alarm.evaluate(&metrics, 105, 0.0);
        assert_eq!(alarm.state, State::Alarm);
        alarm.evaluate(&metrics, 104, 0.0);
        assert_eq!(alarm.state, State::Ok);
    }

    #[test]
    fn what_is_no_alarm_is_told_why() {
        for (more, expected) in [
            (json!({"DatapointsToAlarm": 3}), "DatapointsToAlarm must be at most EvaluationPeriods"),
            (json!({"ComparisonOperator": "GreaterThanUpperThreshold"}), "satisfy enum value set"),
            (json!({"TreatMissingData": "none"}), "breaching, notBreaching, ignore, missing"),
            (json!({"Statistic": null}), "Statistic is required"),
            (json!({"MetricName": null}), "MetricName and Metrics must be specified"),
            (json!({"Period": 90}), "multiple of 60"),
            (json!({"EvaluationPeriods": 1440, "Period": 3600}), "seven days"),
            (json!({"AlarmActions": ["a", "b", "c", "d", "e", "f"]}), "at most 5"),
            (
                json!({"MetricName": null, "Metrics": [{"Id": "a", "Expression": "1"}, {"Id": "b", "Expression": "1"}]}),
                "Exactly one",
            ),
        ] {
            let message = alarm(&more).unwrap_err().message;
            assert!(message.contains(expected), "{message}");
        }
    }
}
