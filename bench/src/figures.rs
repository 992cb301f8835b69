//! What was measured, and what it comes to: medians over runs, and medians of ratios run by run, since a noisy machine is noisy
//! for everybody.

use std::time::Duration;

use crate::Mode;
use crate::cases::Case;
use crate::function::{Run, Subject};

/// All runs, in their order.
#[derive(Default)]
pub(crate) struct Figures {
    runs: Vec<(Mode, &'static str, Subject, Run)>,
}

/// The runs of one subject with one case.
pub(crate) struct Cell<'a>(Vec<&'a Run>);

impl Figures {
    /// Adds a run.
    pub(crate) fn add(&mut self, mode: Mode, case: &Case, subject: Subject, run: Run) {
        self.runs.push((mode, case.name, subject, run));
    }

    /// The runs of `subject` with the case of this name.
    pub(crate) fn cell(&self, mode: Mode, case: &str, subject: Subject) -> Cell<'_> {
        let is_meant = |run: &&(Mode, &str, Subject, Run)| (run.0, run.1, run.2) == (mode, case, subject);
        Cell(self.runs.iter().filter(is_meant).map(|(.., run)| run).collect())
    }
}

impl Cell<'_> {
    /// The median of a figure.
    pub(crate) fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        percentile(self.0.iter().map(|run| figure(run)).collect(), 50)
    }

    /// The median, run by run, of how many times this one's figure is the other's.
    pub(crate) fn ratio(&self, other: &Self, figure: impl Fn(&Run) -> f64) -> f64 {
        percentile(self.0.iter().zip(&other.0).map(|(mine, theirs)| figure(mine) / figure(theirs)).collect(), 50)
    }

    /// A percentile of the warm invocations of all runs, in ms.
    pub(crate) fn warm_ms(&self, percent: usize) -> f64 {
        percentile(self.0.iter().flat_map(|run| &run.warm).copied().map(ms).collect(), percent)
    }
}

/// Figures of a run, in the units of tables.
pub(crate) fn init_ms(run: &Run) -> f64 {
    ms(run.init)
}

pub(crate) fn init_cpu_ms(run: &Run) -> f64 {
    ms(run.init_cpu)
}

pub(crate) fn first_ms(run: &Run) -> f64 {
    ms(run.first)
}

pub(crate) fn start_ms(run: &Run) -> f64 {
    init_ms(run) + first_ms(run)
}

pub(crate) fn warm_ms(run: &Run) -> f64 {
    percentile(run.warm.iter().copied().map(ms).collect(), 50)
}

pub(crate) fn cpu_us(run: &Run) -> f64 {
    run.cpu.as_secs_f64() * 1e6
}

pub(crate) fn memory_mb(run: &Run) -> f64 {
    run.memory_bytes / 1e6
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = values.len().saturating_sub(1) * percent / 100;
    values.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        assert_eq!(percentile(vec![3.0, 1.0, 2.0], 50), 2.0);
        assert_eq!(percentile((0..=100).map(f64::from).collect(), 99), 99.0);
        assert!(percentile(vec![], 50).is_nan());
    }
}
