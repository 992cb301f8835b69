//! What SageMaker publishes of each endpoint every minute.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html>

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::metrics::{Metric, Metrics, Statistics};
use crate::admin::metrics::{COUNTERS, GAUGES, SUMMARIES, Sample};
use crate::endpoint::Endpoint;
use crate::endpoint::totals::Totals;

pub(crate) const NAMESPACE: &str = "AWS/SageMaker";

/// What the counters of each endpoint were a minute ago.
#[derive(Debug, Default)]
pub(super) struct Collector(BTreeMap<String, PreviousTotals>);

#[derive(Debug)]
struct PreviousTotals {
    /// Another endpoint of the same name has counters of its own.
    created: SystemTime,
    totals: Totals,
}

impl Collector {
    /// Publishes a minute that has ended.
    pub(super) fn publish(&mut self, endpoints: &[impl AsRef<Endpoint>], minute: u64, metrics: &mut Metrics) {
        let mut seen = BTreeMap::new();
        for endpoint in endpoints {
            let endpoint = endpoint.as_ref();
            let (sample, created) = endpoint.with(|core| {
                let sample = Sample::of(endpoint.name.clone(), core);
                core.ledger.totals.begin_minute();
                (sample, core.created)
            });
            let before = self.0.remove(&endpoint.name).filter(|seen| seen.created == created);
            publish(&sample, &before.map(|seen| seen.totals).unwrap_or_default(), minute, metrics);
            seen.insert(sample.endpoint, PreviousTotals { created, totals: sample.totals });
        }
        self.0 = seen;
        metrics.forget(minute);
    }
}

fn publish(sample: &Sample, before: &Totals, minute: u64, metrics: &mut Metrics) {
    let mut add = |name: &str, has_variant, unit, values| {
        // More metrics than there may be: the oldest go on.
        let _ = metrics.add(metric(name, sample, has_variant), unit, minute, values);
    };
    for (name, _, value) in GAUGES {
        let unit = if name == "ApproximateAgeOfOldestRequest" { "Seconds" } else { "Count" };
        if let Some(value) = value(sample) {
            add(name, false, unit, Statistics::of(value, 1.0));
        }
    }
    let ended = sample.totals.processed - before.processed;
    for (name, _, count) in COUNTERS {
        let more = count(&sample.totals) - count(before);
        // Each invocation counts 0 or 1; where none has ended nothing is published.
        if ended > 0 || more > 0 {
            add(name, true, "Count", counted(more, ended.max(more)));
        }
    }
    for (name, _, unit, per_second, times) in SUMMARIES {
        let (now, then) = (times(&sample.totals), times(before));
        let count = now.count - then.count;
        if let Some((shortest, longest)) = now.extremes.filter(|_| count > 0) {
            let values = Statistics {
                count: number(count),
                sum: (now.sum - then.sum).as_secs_f64() * per_second,
                minimum: shortest.as_secs_f64() * per_second,
                maximum: longest.as_secs_f64() * per_second,
            };
            add(name, true, unit, values);
        }
    }
}

/// So many ones among so many numbers that are 0 or 1.
fn counted(ones: u64, all: u64) -> Statistics {
    Statistics {
        count: number(all),
        sum: number(ones),
        minimum: if ones == all { 1.0 } else { 0.0 },
        maximum: if ones == 0 { 0.0 } else { 1.0 },
    }
}

fn metric(name: &str, sample: &Sample, has_variant: bool) -> Metric {
    let variant = has_variant.then(|| ("VariantName".to_owned(), sample.variant.clone()));
    let dimensions = std::iter::once(("EndpointName".to_owned(), sample.endpoint.clone())).chain(variant).collect();
    Metric { namespace: NAMESPACE.to_owned(), name: name.to_owned(), dimensions }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52 in a minute")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::metrics::Statistic;
    use super::*;

    fn sample(totals: Totals) -> Sample {
        Sample {
            endpoint: "demo".to_owned(),
            variant: "AllTraffic".to_owned(),
            waiting: 6,
            backlog: 8,
            instances: 4,
            age: Duration::from_secs(30),
            totals,
        }
    }

    fn value(metrics: &Metrics, name: &str, has_variant: bool, statistic: Statistic) -> Option<f64> {
        let metric = metric(name, &sample(Totals::default()), has_variant);
        metrics.over(&metric, 1..2).map(|values| values.get(statistic))
    }

    #[test]
    fn a_minute_has_the_gauges_and_what_was_added_to_the_counters() {
        let before = Totals { processed: 10, failures: 1, ..Totals::default() };
        let mut totals = Totals { processed: 14, failures: 2, ..Totals::default() };
        for milliseconds in [10, 30] {
            totals.time_in_backlog.add(Duration::from_millis(milliseconds));
        }
        let mut metrics = Metrics::default();
        publish(&sample(totals), &before, 1, &mut metrics);
        for (name, has_variant, statistic, expected) in [
            ("ApproximateBacklogSize", false, Statistic::Average, Some(8.0)),
            ("ApproximateBacklogSizePerInstance", false, Statistic::Average, Some(2.0)),
            ("HasBacklogWithoutCapacity", false, Statistic::Maximum, Some(0.0)),
            ("ApproximateAgeOfOldestRequest", false, Statistic::Maximum, Some(30.0)),
            ("InvocationsProcessed", true, Statistic::Sum, Some(4.0)),
            ("InvocationFailures", true, Statistic::Sum, Some(1.0)),
            ("InvocationFailures", true, Statistic::Average, Some(0.25)),
            ("TimeInBacklog", true, Statistic::Average, Some(20.0)),
            ("TimeInBacklog", true, Statistic::Minimum, Some(10.0)),
            ("TimeInBacklog", true, Statistic::Maximum, Some(30.0)),
            ("ModelLatency", true, Statistic::Maximum, None),
            ("InvocationsProcessed", false, Statistic::Sum, None),
        ] {
            let found = value(&metrics, name, has_variant, statistic);
            assert_eq!(found.map(|found| (found * 1e6).round() / 1e6), expected, "{name}");
        }
    }

    #[test]
    fn counters_are_silent_while_nothing_ends() {
        let totals = Totals { processed: 10, ..Totals::default() };
        let mut metrics = Metrics::default();
        publish(&sample(totals.clone()), &totals, 1, &mut metrics);
        assert_eq!(value(&metrics, "InvocationsProcessed", true, Statistic::Sum), None);
        assert_eq!(value(&metrics, "ApproximateBacklogSize", false, Statistic::Sum), Some(8.0));
    }
}
