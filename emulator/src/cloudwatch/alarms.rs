//! `PutMetricAlarm`, `DescribeAlarms`, `DescribeAlarmsForMetric`, `DeleteAlarms`, `SetAlarmState`, `EnableAlarmActions`,
//! `DisableAlarmActions`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::CloudWatch;
use super::alarm::{Alarm, AlarmAction};
use super::answer::Answer;
use super::error::CloudWatchError;
use super::evaluation::State;
use super::input::metric;
use super::read::dimensions;
use super::sources::Source;
use crate::input::Input;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
const DEFAULT_PAGE: u32 = 50;
const MAX_ALARMS: usize = 5_000;

/// All alarms.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    pub(super) by_name: BTreeMap<String, Alarm>,
    /// Actions that `SetAlarmState` asks for.
    pub(super) set: Vec<AlarmAction>,
}

impl Alarms {
    /// Finds the state of every alarm, and gives the actions of those states.
    pub(super) fn evaluate(&mut self, metrics: &super::Metrics, minute: u64, now: f64) -> Vec<AlarmAction> {
        self.by_name.values_mut().flat_map(|alarm| alarm.evaluate(metrics, minute, now)).collect()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// The names of the alarms with this action.
    pub(super) fn with_action(&self, arn: &str) -> Vec<String> {
        let has_action = |alarm: &&Alarm| {
            ["AlarmActions", "OKActions", "InsufficientDataActions"]
                .iter()
                .any(|member| alarm.actions(member).iter().any(|action| action == arn))
        };
        self.by_name.values().filter(has_action).map(|alarm| alarm.name.clone()).collect()
    }
}

pub(super) fn put(cloudwatch: &CloudWatch, request: Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let mut alarm = Alarm::read(request, cloudwatch.clock.unix())?;
    cloudwatch.with_alarms(|alarms| {
        if let Some(before) = alarms.by_name.get(&alarm.name) {
            // As on AWS, a changed alarm keeps its state until it is evaluated.
            (alarm.state, alarm.transitioned) = (before.state, before.transitioned);
            alarm.reason.clone_from(&before.reason);
        } else if alarms.by_name.len() >= MAX_ALARMS {
            return Err(CloudWatchError::limit(format!("There are {MAX_ALARMS} alarms at most.")));
        }
        alarms.by_name.insert(alarm.name.clone(), alarm);
        Ok(Answer::of([]))
    })
}

pub(super) fn describe(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    let names = input.texts("AlarmNames")?;
    let prefix = input.sized("AlarmNamePrefix", &(1..=255))?;
    if !names.is_empty() && prefix.is_some() {
        return Err(CloudWatchError::combination("AlarmNamePrefix and AlarmNames are mutually exclusive."));
    }
    let state = input.one_of("StateValue", &State::NAMES)?;
    let action = input.text("ActionPrefix")?;
    let types = input.texts("AlarmTypes")?;
    let size = input.integer("MaxRecords", &(1..=100))?.unwrap_or(DEFAULT_PAGE) as usize;
    let after = input.text("NextToken")?.map(str::to_owned);
    let is_wanted = |alarm: &&Alarm| {
        (names.is_empty() || names.contains(&alarm.name))
            && prefix.is_none_or(|prefix| alarm.name.starts_with(prefix))
            && state.is_none_or(|state| state == alarm.state.name())
            && action.is_none_or(|action| alarm.actions("AlarmActions").iter().any(|own| own.starts_with(action)))
            && (types.is_empty() || types.iter().any(|kind| kind == "MetricAlarm"))
            && after.as_ref().is_none_or(|after| alarm.name > *after)
    };
    let (page, token) = cloudwatch.with_alarms(|alarms| {
        let mut wanted = alarms.by_name.values().filter(is_wanted);
        let page: Vec<&Alarm> = wanted.by_ref().take(size).collect();
        let token = page.last().filter(|_| wanted.next().is_some()).map(|last| Answer::text(last.name.clone()));
        (page.into_iter().map(|alarm| description(cloudwatch, alarm)).collect(), token)
    });
    Ok(Answer::of([
        ("CompositeAlarms", Some(Answer::List(vec![]))),
        ("MetricAlarms", Some(Answer::List(page))),
        ("NextToken", token),
    ]))
}

pub(super) fn of_metric(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let wanted = metric(&Input::new(request))?;
    let is_of = |alarm: &&Alarm| matches!(alarm.source(), Source::Statistic { metric, .. } if *metric == wanted);
    let found = cloudwatch.with_alarms(|alarms| {
        alarms.by_name.values().filter(is_of).map(|alarm| description(cloudwatch, alarm)).collect()
    });
    Ok(Answer::of([("MetricAlarms", Some(Answer::List(found)))]))
}

pub(super) fn delete(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    input.required("AlarmNames")?;
    let names = input.texts("AlarmNames")?;
    cloudwatch.with_alarms(|alarms| {
        // All or none, as on AWS.
        let unknown: Vec<&String> = names.iter().filter(|name| !alarms.by_name.contains_key(*name)).collect();
        if let [first, ..] = unknown[..] {
            return Err(CloudWatchError::no_alarm(first));
        }
        names.iter().for_each(|name| alarms.remove(name));
        Ok(Answer::of([]))
    })
}

pub(super) fn set_state(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    let name = input.needed("AlarmName", &(1..=255))?;
    input.required("StateValue")?;
    let state = input.one_of("StateValue", &State::NAMES)?.map_or(State::InsufficientData, State::named);
    let reason = input.needed("StateReason", &(0..=1023))?.to_owned();
    let (now, minute) = (cloudwatch.clock.unix(), cloudwatch.clock.minute());
    cloudwatch.with_alarms(|alarms| {
        let alarm = alarms.by_name.get_mut(name).ok_or_else(|| CloudWatchError::no_alarm(name))?;
        alarm.enter(state, reason, now);
        let fired = cloudwatch.with_metrics(|metrics| alarm.fire(metrics, minute));
        alarms.set.extend(fired);
        Ok(Answer::of([]))
    })
}

pub(super) fn enable(
    cloudwatch: &CloudWatch,
    request: &Map<String, Value>,
    are_enabled: bool,
) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    input.required("AlarmNames")?;
    let names = input.texts("AlarmNames")?;
    cloudwatch.with_alarms(|alarms| {
        for (_, alarm) in alarms.by_name.iter_mut().filter(|(name, _)| names.contains(name)) {
            alarm.are_actions_enabled = are_enabled;
        }
    });
    Ok(Answer::of([]))
}

/// `MetricAlarm`: what it was put with, and its state.
fn description(cloudwatch: &CloudWatch, alarm: &Alarm) -> Answer {
    let echoed = [
        "AlarmDescription",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "MetricName",
        "Namespace",
        "Statistic",
        "Period",
        "Unit",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "ComparisonOperator",
        "TreatMissingData",
        "Metrics",
    ];
    let echo = |name: &'static str| match alarm.request.get(name) {
        Some(Value::Null) | None if name.ends_with("Actions") => Some((name, Some(Answer::List(vec![])))),
        Some(Value::Null) | None => None,
        Some(value) => Some((name, Some(Answer::from(value)))),
    };
    let own_dimensions = match alarm.source() {
        Source::Statistic { metric, .. } => Some(dimensions(metric)),
        Source::Expression { .. } => None,
    };
    let state = [
        ("AlarmName", Some(Answer::text(alarm.name.clone()))),
        ("AlarmArn", Some(Answer::text(cloudwatch.alarm_arn(&alarm.name)))),
        ("AlarmConfigurationUpdatedTimestamp", Some(Answer::Time(alarm.configured))),
        ("ActionsEnabled", Some(Answer::Flag(alarm.are_actions_enabled))),
        ("StateValue", Some(Answer::text(alarm.state.name()))),
        ("StateReason", Some(Answer::text(alarm.reason.clone()))),
        ("StateUpdatedTimestamp", Some(Answer::Time(alarm.transitioned))),
        ("StateTransitionedTimestamp", Some(Answer::Time(alarm.transitioned))),
        ("Dimensions", own_dimensions),
        ("Threshold", Some(Answer::Double(alarm.threshold()))),
    ];
    Answer::of(state.into_iter().chain(echoed.into_iter().filter_map(echo)))
}
