//! Metrics and their datapoints, one for each minute. Data alone.

use std::collections::BTreeMap;
use std::ops::Range;

/// CloudWatch keeps minutes for 15 days. A day here: 1,440 datapoints, CloudWatch's own bound of one `GetMetricStatistics`.
pub(crate) const KEPT_MINUTES: u64 = 1_440;
/// Of all metrics; `PutMetricData` adds no more.
const MAX_METRICS: usize = 10_000;

/// A metric: its name and dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

/// `Statistic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    pub(crate) const ALL: [Self; 5] = [Self::SampleCount, Self::Average, Self::Sum, Self::Minimum, Self::Maximum];
    pub(crate) const NAMES: [&'static str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SampleCount => "SampleCount",
            Self::Average => "Average",
            Self::Sum => "Sum",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statistic| statistic.name() == name)
    }
}

/// `StatisticSet`: what is known of several values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
}

impl Statistics {
    /// Of one value that was there `count` times.
    pub(crate) fn of(value: f64, count: f64) -> Self {
        Self { count, sum: value * count, minimum: value, maximum: value }
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
        }
    }

    pub(crate) fn get(&self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::SampleCount => self.count,
            Statistic::Average => self.sum / self.count,
            Statistic::Sum => self.sum,
            Statistic::Minimum => self.minimum,
            Statistic::Maximum => self.maximum,
        }
    }
}

/// The datapoints of a metric.
#[derive(Debug)]
struct Series {
    unit: String,
    minutes: BTreeMap<u64, Statistics>,
}

/// All metrics.
#[derive(Debug, Default)]
pub(crate) struct Metrics(BTreeMap<Metric, Series>);

/// There are as many metrics as there may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyMetrics;

impl Metrics {
    /// Adds values to a minute.
    pub(crate) fn add(
        &mut self,
        metric: Metric,
        unit: &str,
        minute: u64,
        values: Statistics,
    ) -> Result<(), TooManyMetrics> {
        if self.0.len() >= MAX_METRICS && !self.0.contains_key(&metric) {
            return Err(TooManyMetrics);
        }
        let series = self.0.entry(metric).or_insert_with(|| Series { unit: String::new(), minutes: BTreeMap::new() });
        unit.clone_into(&mut series.unit);
        series.minutes.entry(minute).and_modify(|kept| *kept = kept.with(values)).or_insert(values);
        Ok(())
    }

    /// Lets go of what is older than a day of minutes.
    pub(crate) fn forget(&mut self, now: u64) {
        let oldest = now.saturating_sub(KEPT_MINUTES);
        self.0.retain(|_, series| {
            series.minutes = series.minutes.split_off(&oldest);
            !series.minutes.is_empty()
        });
    }

    /// What is known of a metric in some minutes; `None` if nothing is.
    pub(crate) fn over(&self, metric: &Metric, minutes: Range<u64>) -> Option<Statistics> {
        let series = self.0.get(metric)?;
        series.minutes.range(minutes).map(|(_, values)| *values).reduce(Statistics::with)
    }

    /// The datapoints of periods of so many minutes, which begin at multiples of it since 1970, by the minute in which they begin.
    pub(crate) fn periods(&self, metric: &Metric, within: Range<u64>, length: u64) -> BTreeMap<u64, Statistics> {
        let mut periods: BTreeMap<u64, Statistics> = BTreeMap::new();
        let Some(series) = self.0.get(metric).filter(|_| within.start < within.end) else { return periods };
        for (minute, values) in series.minutes.range(within) {
            let start = minute - minute % length;
            periods.entry(start).and_modify(|kept| *kept = kept.with(*values)).or_insert(*values);
        }
        periods
    }

    pub(crate) fn unit(&self, metric: &Metric) -> Option<&str> {
        self.0.get(metric).map(|series| series.unit.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Metric> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> Metric {
        Metric { namespace: "N".to_owned(), name: name.to_owned(), dimensions: BTreeMap::new() }
    }

    #[test]
    fn values_of_one_minute_become_one_datapoint() {
        let mut metrics = Metrics::default();
        for (value, count) in [(4.0, 1.0), (1.0, 3.0)] {
            metrics.add(metric("a"), "Count", 7, Statistics::of(value, count)).unwrap();
        }
        let minute = metrics.over(&metric("a"), 7..8).unwrap();
        let values = Statistic::ALL.map(|statistic| minute.get(statistic));
        assert_eq!(values, [4.0, 1.75, 7.0, 1.0, 4.0]);
        assert_eq!((metrics.over(&metric("a"), 8..9), metrics.over(&metric("b"), 7..8)), (None, None));
    }

    #[test]
    fn periods_begin_at_their_multiples() {
        let mut metrics = Metrics::default();
        for minute in 13..=16 {
            metrics.add(metric("a"), "Count", minute, Statistics::of(1.0, 1.0)).unwrap();
        }
        let periods = metrics.periods(&metric("a"), 10..20, 5);
        let counts: Vec<_> = periods.iter().map(|(start, values)| (*start, values.count)).collect();
        assert_eq!(counts, [(10, 2.0), (15, 2.0)]);
        assert!(metrics.periods(&metric("a"), Range { start: 20, end: 10 }, 5).is_empty());
    }

    #[test]
    fn minutes_are_kept_for_a_day_and_metrics_as_long_as_they_have_one() {
        let mut metrics = Metrics::default();
        metrics.add(metric("old"), "Count", 1, Statistics::of(1.0, 1.0)).unwrap();
        metrics.add(metric("new"), "Count", KEPT_MINUTES, Statistics::of(1.0, 1.0)).unwrap();
        metrics.forget(KEPT_MINUTES + 1);
        assert!(metrics.over(&metric("old"), 0..2).is_some());
        metrics.forget(KEPT_MINUTES + 2);
        assert_eq!(metrics.iter().collect::<Vec<_>>(), [&metric("new")]);
    }

    #[test]
    fn there_are_no_more_than_ten_thousand_metrics() {
        let mut metrics = Metrics::default();
        for number in 0..MAX_METRICS {
            metrics.add(metric(&number.to_string()), "Count", 1, Statistics::of(1.0, 1.0)).unwrap();
        }
        assert_eq!(metrics.add(metric("one more"), "Count", 1, Statistics::of(1.0, 1.0)), Err(TooManyMetrics));
        assert_eq!(metrics.add(metric("0"), "Count", 2, Statistics::of(1.0, 1.0)), Ok(()));
    }
}
