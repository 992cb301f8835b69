//! `PutMetricData`: metrics of one's own.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::CloudWatch;
use super::answer::Answer;
use super::error::CloudWatchError;
use super::input::metric_of;
use super::metrics::{KEPT_MINUTES, Metric, Statistics};
use crate::clock::minute_of;
use crate::control::error::ControlError;
use crate::input::Input;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
const MAX_DATA: usize = 1_000;
const MAX_VALUES: usize = 150;
/// CloudWatch takes what is up to two hours ahead.
pub(super) const MAX_AHEAD_MINUTES: u64 = 120;

struct Datum {
    metric: Metric,
    unit: String,
    minute: u64,
    values: Statistics,
}

pub(super) fn put(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    let namespace = input.needed("Namespace", &(1..=255))?;
    if namespace.starts_with("AWS/") {
        return Err(CloudWatchError::value("The value AWS/ for parameter Namespace is invalid."));
    }
    if input.get("EntityMetricData").is_some() {
        return Err(CloudWatchError::value("The emulator takes MetricData, no EntityMetricData."));
    }
    let list = input.list("MetricData")?;
    if list.is_empty() {
        return Err(CloudWatchError::missing("The parameter MetricData is required."));
    }
    if list.len() > MAX_DATA {
        let message = format!("The collection MetricData must not have a size greater than {MAX_DATA}.");
        return Err(CloudWatchError::value(message));
    }
    // All or nothing.
    let data: Vec<Datum> = list.iter().map(|value| read(cloudwatch, namespace, value)).collect::<Result<_, _>>()?;
    cloudwatch
        .with_metrics(|metrics| {
            let mut added = data.into_iter();
            added.try_for_each(|datum| metrics.add(datum.metric, &datum.unit, datum.minute, datum.values))
        })
        .map_err(|_| CloudWatchError::limit("The emulator keeps no more metrics."))?;
    Ok(Answer::of([]))
}

fn read(cloudwatch: &CloudWatch, namespace: &str, value: &Value) -> Result<Datum, CloudWatchError> {
    let input = Input::of(value, "metricData.1.member.")?;
    let metric = metric_of(namespace.to_owned(), &input)?;
    let values = values(&input)?;
    let clock = &cloudwatch.clock;
    let now = clock.minute();
    let minute = input.double("Timestamp")?.map_or(now, |unix| minute_of(clock.scaled(unix)));
    let allowed: RangeInclusive<u64> = now.saturating_sub(KEPT_MINUTES)..=now + MAX_AHEAD_MINUTES;
    if !allowed.contains(&minute) {
        let problem = "The Timestamp of a metric is more than 1,440 minutes in the past or 120 in the future, as the emulator counts them.";
        return Err(CloudWatchError::value(problem));
    }
    let unit = input.text("Unit")?.unwrap_or("None").to_owned();
    Ok(Datum { metric, unit, minute, values })
}

/// One of `Value`, `StatisticValues` and `Values`.
fn values(input: &Input<'_>) -> Result<Statistics, CloudWatchError> {
    let (value, set, list) = (input.double("Value")?, input.get("StatisticValues"), numbers(input, "Values")?);
    match (value, set, list.as_slice()) {
        (Some(value), None, []) => Ok(Statistics::of(value, 1.0)),
        (None, Some(set), []) => {
            let set = Input::of(set, "metricData.1.member.statisticValues.")?;
            let number = |member| set.double(member)?.ok_or_else(|| set.error(member, "not be null"));
            let (count, sum) = (number("SampleCount")?, number("Sum")?);
            if count <= 0.0 {
                return Err(CloudWatchError::value("SampleCount must be greater than 0."));
            }
            Ok(Statistics { count, sum, minimum: number("Minimum")?, maximum: number("Maximum")? })
        }
        (None, None, [_, ..]) => {
            let mut counts = numbers(input, "Counts")?;
            if counts.is_empty() {
                counts = vec![1.0; list.len()];
            }
            if counts.len() != list.len() || list.len() > MAX_VALUES || counts.iter().any(|count| *count <= 0.0) {
                let problem = "Values has at most 150 members, and Counts none or as many, each greater than 0.";
                return Err(CloudWatchError::value(problem));
            }
            let values = list.iter().zip(&counts).map(|(value, count)| Statistics::of(*value, *count));
            values.reduce(Statistics::with).ok_or_else(|| CloudWatchError::missing("Values is empty."))
        }
        (None, None, []) => {
            Err(CloudWatchError::missing("One of the parameters Value, Values and StatisticValues must be specified."))
        }
        _ => Err(CloudWatchError::combination(
            "Only one of the parameters Value, Values and StatisticValues can be specified.",
        )),
    }
}

fn numbers(input: &Input<'_>, member: &str) -> Result<Vec<f64>, ControlError> {
    let numbers: Option<Vec<f64>> = input.list(member)?.iter().map(Value::as_f64).collect();
    numbers.ok_or_else(|| input.error(member, "be a list of numbers"))
}
