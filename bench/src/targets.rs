//! What was asked of the bridge, and what it came to.

use std::fs;

use crate::Mode;
use crate::figures::{Figures, cpu_us, first_ms, init_ms, memory_mb, start_ms, warm_ms};
use crate::function::{Run, Subject};

const ONE: &str = "SQS, 1 x 2 KB";
const TEN: &str = "SQS, 10 x 2 KB";
const THOUSAND: &str = "SQS, 1,000 x 2 KB";
const SMALL_OUTPUT: &str = "SNS, 2 KB output";
const LARGE_OUTPUT: &str = "SNS, 5 MB output";

/// Up to here the document says, by function, where the processor time of 1,000 messages goes; more is news.
const ACCOUNTED_FOR: f64 = 6.0;

const MISSED: &str = "**missed**";

/// One promise and its figure.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) asked: &'static str,
    pub(crate) figure: f64,
    pub(crate) verdict: &'static str,
}

impl Target {
    fn at_least(what: &'static str, asked: &'static str, least: f64, figure: f64) -> Self {
        Self { what, asked, figure, verdict: met_or_missed(figure >= least) }
    }

    fn at_most(what: &'static str, asked: &'static str, most: f64, figure: f64) -> Self {
        Self { what, asked, figure, verdict: met_or_missed(figure <= most) }
    }

    /// For what the document may give an account of instead: up to `most`.
    fn or_accounted_for(self, most: f64) -> Self {
        let is_accounted_for = self.verdict == MISSED && self.figure <= most;
        Self { verdict: if is_accounted_for { "accounted for below" } else { self.verdict }, ..self }
    }
}

const fn met_or_missed(is_met: bool) -> &'static str {
    if is_met { "met" } else { MISSED }
}

/// Every target.
pub(crate) fn all(figures: &Figures) -> Vec<Target> {
    let python = |mode, case, figure: fn(&Run) -> f64| {
        figures.cell(mode, case, Subject::Python).ratio(&figures.cell(mode, case, Subject::Bridge), figure)
    };
    let floor = |mode, case, figure: fn(&Run) -> f64| {
        figures.cell(mode, case, Subject::Bridge).ratio(&figures.cell(mode, case, Subject::Floor), figure)
    };
    let memory = |case| figures.cell(Mode::NoLatency, case, Subject::Bridge).median(memory_mb);
    let plain = Mode::NoLatency;
    let mut targets = vec![
        Target::at_least("init of submit, against Python", ">= 40 x", 40.0, python(plain, ONE, init_ms)),
        Target::at_least("init of collect, against Python", ">= 40 x", 40.0, python(plain, SMALL_OUTPUT, init_ms)),
        Target::at_least(
            "init + first invocation, TLS, against Python",
            ">= 20 x",
            20.0,
            python(Mode::Tls, ONE, start_ms),
        ),
        Target::at_most("first invocation, TLS, against the floor", "<= 1.3 x", 1.3, floor(Mode::Tls, ONE, first_ms)),
        Target::at_least("messages/s, batches of 10, against Python", ">= 12 x", 12.0, python(plain, TEN, warm_ms)),
        Target::at_least(
            "messages/s, batches of 1,000, against Python",
            ">= 12 x",
            12.0,
            python(plain, THOUSAND, warm_ms),
        ),
        Target::at_least(
            "CPU per message, batches of 1,000, against Python",
            ">= 14 x",
            14.0,
            python(plain, THOUSAND, cpu_us),
        ),
        Target::at_least("peak memory, 1 message, against Python", ">= 6 x", 6.0, python(plain, ONE, memory_mb)),
        Target::at_least(
            "peak memory, 1 result, against Python",
            ">= 6 x",
            6.0,
            python(plain, SMALL_OUTPUT, memory_mb),
        ),
        Target::at_most(
            "1,000 messages with latencies, against the floor",
            "<= 1.15 x",
            1.15,
            floor(Mode::Latencies, THOUSAND, warm_ms),
        ),
        Target::at_most(
            "CPU of 1,000 messages, against the floor",
            "<= 3 x, or an account",
            3.0,
            floor(plain, THOUSAND, cpu_us),
        )
        .or_accounted_for(ACCOUNTED_FOR),
        Target::at_most(
            "MB more for a 5 MB output than for a 2 KB one",
            "<= 1 MB",
            1.0,
            memory(LARGE_OUTPUT) - memory(SMALL_OUTPUT),
        ),
        Target::at_most("memory of 1,000 messages, against that of 10", "<= 3 x", 3.0, memory(THOUSAND) / memory(TEN)),
    ];
    let arm64 = "target/aarch64-unknown-linux-gnu/release/";
    for (what, name) in
        [("MB of submit for arm64 (make build)", "submit"), ("MB of collect for arm64 (make build)", "collect")]
    {
        targets.extend(binary_mb(arm64, name).map(|size| Target::at_most(what, "< 6 MB", 6.0, size)));
    }
    targets
}

/// The size of a binary, if there is one.
pub(crate) fn binary_mb(directory: &str, name: &str) -> Option<f64> {
    let bytes = u32::try_from(fs::metadata(format!("{directory}{name}")).ok()?.len()).ok()?;
    Some(f64::from(bytes) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn an_account_stands_for_a_target_within_its_bound_only() {
        let verdict = |figure| Target::at_most("", "", 3.0, figure).or_accounted_for(6.0).verdict;
        assert_eq!([2.9, 5.0, 6.1].map(verdict), ["met", "accounted for below", "**missed**"]);
    }
}
