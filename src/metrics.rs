//! Metrics as CloudWatch's embedded metric format: lines of the log that CloudWatch reads metrics from, so that no call is made for them.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! One line for each endpoint that an event was about, written before the event's answer.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::parameter::EndpointName;

const NAMESPACE: &str = "SageMakerAsyncBridge";
const DIMENSION: &str = "EndpointName";
/// Most values that a metric may have in a line.
const LIMIT_VALUES: usize = 100;

/// Defines the metrics: their names, their units, and whether a line has their sum or each value.
macro_rules! metrics {
    ($($(#[$doc:meta])* $metric:ident $unit:literal $aggregation:ident)*) => {
        /// What is counted and measured.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[$doc])* $metric,)*
        }

        impl Metric {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$metric),*];

            /// The name in CloudWatch.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$metric => stringify!($metric),)* }
            }

            /// The unit in CloudWatch.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$metric => $unit,)* }
            }

            const fn aggregation(self) -> Aggregation {
                match self { $(Self::$metric => Aggregation::$aggregation,)* }
            }
        }
    };
}

/// How a line has a metric.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregation {
    /// The number of times.
    Sum,
    /// Each value, so that CloudWatch can tell percentiles.
    Values,
}

metrics! {
    /// A request that SageMaker accepted.
    Accepted "Count" Sum
    /// One of them whose payload went through S3.
    AcceptedThroughS3 "Count" Sum
    /// A request that can never succeed.
    Rejected "Count" Sum
    /// A request that was not accepted, and may be when it comes again.
    Returned "Count" Sum
    /// One of them that SageMaker or S3 throttled.
    Throttled "Count" Sum
    /// The payload of an accepted request, unless it lay in S3 before.
    PayloadBytes "Bytes" Values
    /// From the request's being read to SageMaker's answer.
    SubmitLatency "Milliseconds" Values
    /// A result of an inference that ended well, sent.
    Completed "Count" Sum
    /// A result of an inference that failed, sent.
    Failed "Count" Sum
    /// A result of an inference of which SageMaker never told, sent.
    Unanswered "Count" Sum
    /// A result that was sent without its output.
    OutputTooLarge "Count" Sum
    /// The output of an inference, sent or not.
    OutputBytes "Bytes" Values
    /// From the notification's being read to its result's being sent.
    CollectLatency "Milliseconds" Values
    /// From the request's being sent, or else its being accepted, to its result's being sent.
    RequestToResult "Milliseconds" Values
    /// An event that was the first of its process.
    ColdStart "Count" Sum
}

/// The metrics of the event at hand.
#[derive(Debug)]
pub(crate) struct Metrics(Option<Mutex<EventMetrics>>);

#[derive(Debug)]
struct EventMetrics {
    /// The endpoints that the function serves; none for any.
    known: Vec<EndpointName>,
    by_endpoint: Vec<Record>,
    is_cold: bool,
}

/// What a line will say.
#[derive(Debug, Default)]
struct Record {
    endpoint_name: String,
    values: Vec<(Metric, Vec<u64>)>,
    inference_ids: Vec<String>,
}

/// What became of one request or result.
pub(crate) struct Outcome<'a> {
    /// As the request or notification has it.
    pub(crate) endpoint_name: Option<&'a str>,
    /// By which the line is found.
    pub(crate) inference_id: Option<&'a str>,
}

impl Metrics {
    /// Those of a function that serves the endpoints `known`, or any if there are none; no metrics unless they `are_wanted`.
    pub(crate) fn new<'a>(are_wanted: bool, known: impl IntoIterator<Item = &'a EndpointName>) -> Self {
        let records =
            || EventMetrics { known: known.into_iter().cloned().collect(), by_endpoint: Vec::new(), is_cold: true };
        Self(are_wanted.then(|| Mutex::new(records())))
    }

    /// Whether there are any.
    pub(crate) const fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Adds what there is to say of an outcome; counts are 1 each time that they happen.
    pub(crate) fn add(&self, outcome: &Outcome<'_>, values: impl IntoIterator<Item = (Metric, u64)>) {
        self.with(|records| {
            let full = records.add(outcome, values);
            full.into_iter().for_each(write_line);
        });
    }

    /// Writes what was added, and begins anew.
    pub(crate) fn write(&self) {
        self.with(|records| records.take_lines().into_iter().for_each(write_line));
    }

    fn with(&self, work: impl FnOnce(&mut EventMetrics)) {
        if let Some(records) = &self.0 {
            work(&mut records.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl EventMetrics {
    /// Gives back a line that has become full.
    fn add(&mut self, outcome: &Outcome<'_>, values: impl IntoIterator<Item = (Metric, u64)>) -> Option<String> {
        let name = self.dimension(outcome.endpoint_name);
        let position = self.by_endpoint.iter().position(|record| record.endpoint_name == name);
        let position = position.unwrap_or_else(|| {
            self.by_endpoint.push(Record { endpoint_name: name, ..Record::default() });
            self.by_endpoint.len() - 1
        });
        let record = self.by_endpoint.get_mut(position)?;
        record.inference_ids.extend(outcome.inference_id.map(str::to_owned));
        values.into_iter().for_each(|(metric, value)| record.add(metric, value));
        if !record.is_full() {
            return None;
        }
        let record = self.by_endpoint.swap_remove(position);
        Some(self.line(record))
    }

    /// The name that an outcome counts for. One that is not served has none of its own, since metrics are paid by the name, and names can be
    /// made up. What belongs to no endpoint counts for the first one, so that its alarms see it.
    fn dimension(&self, endpoint_name: Option<&str>) -> String {
        let is_served =
            |known: &&EndpointName| endpoint_name.is_some_and(|name| known.as_str().eq_ignore_ascii_case(name));
        let any = || endpoint_name.and_then(|name| name.parse().ok()).filter(|_| self.known.is_empty());
        let served = self.known.iter().find(is_served).cloned().or_else(any);
        served.or_else(|| self.known.first().cloned()).map_or_else(|| "unknown".to_owned(), String::from)
    }

    fn take_lines(&mut self) -> Vec<String> {
        let records = std::mem::take(&mut self.by_endpoint);
        records.into_iter().map(|record| self.line(record)).collect()
    }

    fn line(&mut self, mut record: Record) -> String {
        if std::mem::take(&mut self.is_cold) {
            record.add(Metric::ColdStart, 1);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        record.line(now.as_millis())
    }
}

impl Record {
    fn add(&mut self, metric: Metric, value: u64) {
        match self.values.iter_mut().find(|(other, _)| *other == metric) {
            None => self.values.push((metric, vec![value])),
            Some((_, values)) => match (metric.aggregation(), values.first_mut()) {
                (Aggregation::Sum, Some(sum)) => *sum += value,
                _ => values.push(value),
            },
        }
    }

    fn is_full(&self) -> bool {
        self.inference_ids.len() >= LIMIT_VALUES || self.values.iter().any(|(_, values)| values.len() >= LIMIT_VALUES)
    }

    /// Written by hand: all but the ids is known to need no escapes, and the metrics' names are the fields' too.
    fn line(&self, timestamp: u128) -> String {
        let mut line = format!(
            r#"{{"_aws":{{"Timestamp":{timestamp},"CloudWatchMetrics":[{{"Namespace":"{NAMESPACE}","Dimensions":[["{DIMENSION}"]],"Metrics":["#
        );
        for (index, (metric, _)) in self.values.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(line, r#"{comma}{{"Name":"{}","Unit":"{}"}}"#, metric.name(), metric.unit());
        }
        let _ = write!(line, r#"]}}]}},"{DIMENSION}":{}"#, json(&self.endpoint_name));
        for (metric, values) in &self.values {
            let _ = write!(line, r#","{}":"#, metric.name());
            match values.as_slice() {
                [value] => {
                    let _ = write!(line, "{value}");
                }
                values => line.push_str(&json(values)),
            }
        }
        if !self.inference_ids.is_empty() {
            let _ = write!(line, r#","inference.ids":{}"#, json(&self.inference_ids));
        }
        line.push_str("}\n");
        line
    }
}

/// Texts and numbers can always be written.
fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A log that cannot be written is no reason to fail.
fn write_line(line: String) {
    let _ = io::stdout().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const LATENCY: (Metric, u64) = (Metric::SubmitLatency, 7);

    fn records(metrics: &Metrics) -> Vec<Value> {
        let mut lines = Vec::new();
        metrics.with(|records| lines = records.take_lines());
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn metrics() -> Metrics {
        Metrics::new(true, &["default".parse().unwrap(), "a".parse().unwrap()])
    }

    fn outcome<'a>(endpoint_name: Option<&'a str>, inference_id: &'a str) -> Outcome<'a> {
        Outcome { endpoint_name, inference_id: Some(inference_id) }
    }

    #[test]
    fn counts_are_summed_and_values_are_kept_by_endpoint() {
        let metrics = metrics();
        metrics.add(&outcome(Some("a"), "1"), [(Metric::Accepted, 1), LATENCY]);
        metrics.add(&outcome(Some("made-up"), "2"), [(Metric::Rejected, 1)]);
        metrics.add(&outcome(Some("A"), "3\"\n"), [(Metric::Accepted, 1), (Metric::SubmitLatency, 9)]);
        let mut lines = records(&metrics);
        for line in &mut lines {
            assert!(line["_aws"]["Timestamp"].take().as_u64().unwrap() > 1_700_000_000_000);
        }
        let described = |metrics: Value| {
            json!({"Timestamp": null, "CloudWatchMetrics": [
                {"Namespace": "SageMakerAsyncBridge", "Dimensions": [["EndpointName"]], "Metrics": metrics}
            ]})
        };
        let a = described(json!([
            {"Name": "Accepted", "Unit": "Count"},
            {"Name": "SubmitLatency", "Unit": "Milliseconds"},
            {"Name": "ColdStart", "Unit": "Count"},
        ]));
        let default = described(json!([{"Name": "Rejected", "Unit": "Count"}]));
        assert_eq!(
            lines,
            [
                json!({"_aws": a, "EndpointName": "a", "Accepted": 2, "SubmitLatency": [7, 9], "ColdStart": 1,
                       "inference.ids": ["1", "3\"\n"]}),
                json!({"_aws": default, "EndpointName": "default", "Rejected": 1, "inference.ids": ["2"]}),
            ]
        );
        assert!(records(&metrics).is_empty());
    }

    #[test]
    fn a_line_has_at_most_a_hundred_values_of_a_metric() {
        let mut records = EventMetrics { known: Vec::new(), by_endpoint: Vec::new(), is_cold: false };
        let mut lines: Vec<String> = (0..250).filter_map(|_| records.add(&outcome(None, "i"), [LATENCY])).collect();
        lines.extend(records.take_lines());
        let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let values: Vec<usize> = lines.map(|line| line["SubmitLatency"].as_array().unwrap().len()).collect();
        assert_eq!(values, [100, 100, 50]);
    }

    #[test]
    fn a_function_that_serves_any_endpoint_counts_for_each() {
        let metrics = Metrics::new(true, &[]);
        for name in [Some("b"), None, Some("no name")] {
            metrics.add(&outcome(name, "i"), [LATENCY]);
        }
        let names: Vec<Value> = records(&metrics).iter().map(|line| line["EndpointName"].clone()).collect();
        assert_eq!(names, ["b", "unknown"]);
    }

    #[test]
    fn what_is_not_wanted_is_not_kept() {
        let metrics = Metrics::new(false, &[]);
        metrics.add(&outcome(None, "i"), [LATENCY]);
        assert!(records(&metrics).is_empty() && !metrics.are_wanted());
    }

    #[test]
    fn the_first_line_of_a_process_tells_of_its_start() {
        let metrics = metrics();
        let starts = || {
            metrics.add(&outcome(None, "i"), [LATENCY]);
            records(&metrics)[0].get("ColdStart").cloned()
        };
        assert_eq!([starts(), starts()], [Some(json!(1)), None]);
    }
}
