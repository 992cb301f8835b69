//! `GetMetricStatistics`, `GetMetricData`, `ListMetrics`.

use std::ops::Range;

use serde_json::{Map, Value};

use super::CloudWatch;
use super::answer::Answer;
use super::error::CloudWatchError;
use super::input::{metric, period};
use super::metrics::{KEPT_MINUTES, Metric, Statistic};
use super::sources::{self, Source};
use super::write::MAX_AHEAD_MINUTES;
use crate::clock::minute_of;
use crate::input::Input;

/// Metrics on a page of `ListMetrics`.
const PAGE: usize = 500;

pub(super) fn statistics(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    let metric = metric(&input)?;
    let within = times(cloudwatch, &input)?;
    let length = period(&input)?.ok_or_else(|| input.error("Period", "not be null"))?;
    if !input.list("ExtendedStatistics")?.is_empty() {
        return Err(CloudWatchError::value("The emulator keeps no percentiles: ask for Statistics."));
    }
    let names = input.texts("Statistics")?;
    if names.is_empty() {
        return Err(CloudWatchError::combination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
        ));
    }
    let statistics: Vec<Statistic> = names.iter().map(|name| sources::statistic(name)).collect::<Result<_, _>>()?;
    let datapoints = cloudwatch.with_metrics(|metrics| {
        let unit = metrics.unit(&metric).unwrap_or("None").to_owned();
        let datapoint = |(start, values): (u64, super::metrics::Statistics)| {
            let time = ("Timestamp".into(), Answer::Time(cloudwatch.clock.start_of(start)));
            let numbers = statistics.iter().map(|one| (one.name().into(), Answer::Double(values.get(*one))));
            let unit = ("Unit".into(), Answer::text(unit.clone()));
            Answer::Structure(std::iter::once(time).chain(numbers).chain([unit]).collect())
        };
        metrics.periods(&metric, within, length).into_iter().map(datapoint).collect()
    });
    Ok(Answer::of([("Label", Some(Answer::Text(metric.name))), ("Datapoints", Some(Answer::List(datapoints)))]))
}

pub(super) fn data(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    input.required("MetricDataQueries")?;
    let within = times(cloudwatch, &input)?;
    let order = input.one_of("ScanBy", &["TimestampDescending", "TimestampAscending"])?;
    let queries = sources::queries(input.list("MetricDataQueries")?)?;
    let results = cloudwatch.with_metrics(|metrics| {
        let result = |query: &sources::Query| {
            let mut points = query.source.points(metrics, within.clone());
            if order != Some("TimestampAscending") {
                points.reverse();
            }
            let times = points.iter().map(|(start, _)| Answer::Time(cloudwatch.clock.start_of(*start))).collect();
            let values = points.iter().map(|(_, value)| Answer::Double(*value)).collect();
            Answer::of([
                ("Id", Some(Answer::text(query.id.clone()))),
                ("Label", Some(Answer::text(query.label.clone()))),
                ("Timestamps", Some(Answer::List(times))),
                ("Values", Some(Answer::List(values))),
                ("StatusCode", Some(Answer::text("Complete"))),
            ])
        };
        queries.iter().filter(|query| query.is_returned).map(result).collect()
    });
    Ok(Answer::of([("MetricDataResults", Some(Answer::List(results))), ("Messages", Some(Answer::List(vec![])))]))
}

pub(super) fn list(cloudwatch: &CloudWatch, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
    let input = Input::new(request);
    let namespace = input.sized("Namespace", &(1..=255))?;
    let name = input.sized("MetricName", &(1..=255))?;
    let filters = filters(&input)?;
    let token = input.text("NextToken")?;
    let first: usize = token.map_or(Ok(0), |token| token.parse().map_err(|_| CloudWatchError::token()))?;
    let is_wanted = |metric: &&Metric| {
        namespace.is_none_or(|namespace| namespace == metric.namespace)
            && name.is_none_or(|name| name == metric.name)
            && filters.iter().all(|(name, value)| {
                metric.dimensions.get(*name).is_some_and(|own| value.is_none_or(|value| value == own))
            })
    };
    let (page, token) = cloudwatch.with_metrics(|metrics| {
        let mut wanted = metrics.iter().filter(is_wanted).skip(first);
        let page: Vec<Answer> = wanted.by_ref().take(PAGE).map(describe).collect();
        (page, wanted.next().map(|_| Answer::text((first + PAGE).to_string())))
    });
    Ok(Answer::of([("Metrics", Some(Answer::List(page))), ("NextToken", token)]))
}

/// A metric as answers have it.
pub(super) fn describe(metric: &Metric) -> Answer {
    Answer::of([
        ("Namespace", Some(Answer::text(metric.namespace.clone()))),
        ("MetricName", Some(Answer::text(metric.name.clone()))),
        ("Dimensions", Some(dimensions(metric))),
    ])
}

pub(super) fn dimensions(metric: &Metric) -> Answer {
    let dimension = |(name, value): (&String, &String)| {
        Answer::of([("Name", Some(Answer::text(name.clone()))), ("Value", Some(Answer::text(value.clone())))])
    };
    Answer::List(metric.dimensions.iter().map(dimension).collect())
}

/// `DimensionFilter`s: a name, and a value where one is given.
fn filters<'a>(input: &Input<'a>) -> Result<Vec<(&'a str, Option<&'a str>)>, CloudWatchError> {
    let mut filters = Vec::new();
    for value in input.list("Dimensions")? {
        let filter = Input::of(value, "dimensions.1.member.")?;
        filters.push((filter.needed("Name", &(1..=255))?, filter.sized("Value", &(1..=1024))?));
    }
    Ok(filters)
}

/// The minutes from `StartTime` to before `EndTime`, as far as there may be datapoints.
fn times(cloudwatch: &CloudWatch, input: &Input<'_>) -> Result<Range<u64>, CloudWatchError> {
    let time = |member| {
        input.required(member)?;
        input.double(member)?.ok_or_else(|| input.error(member, "be a timestamp"))
    };
    let (start, end) = (time("StartTime")?, time("EndTime")?);
    if start >= end {
        return Err(CloudWatchError::combination("The parameter StartTime must be less than the parameter EndTime."));
    }
    let clock = &cloudwatch.clock;
    let now = clock.minute();
    let kept = now.saturating_sub(KEPT_MINUTES)..=now + MAX_AHEAD_MINUTES;
    // A minute that has begun before EndTime counts.
    let last = minute_of(clock.scaled(end) - 1e-3);
    Ok(minute_of(clock.scaled(start)).max(*kept.start())..last.min(*kept.end()) + 1)
}

impl Source {
    /// Its values in periods that begin at multiples of their length.
    fn points(&self, metrics: &super::metrics::Metrics, within: Range<u64>) -> Vec<(u64, f64)> {
        let length = self.minutes();
        let first = within.start - within.start % length;
        let mut starts: Vec<u64> = (first..within.end).step_by(usize::try_from(length).unwrap_or(usize::MAX)).collect();
        starts.retain(|start| *start + length > within.start);
        starts.into_iter().filter_map(|start| Some((start, self.value(metrics, start)?))).collect()
    }
}
