//! The bridge beside what users would write instead, in Python, in Node.js and in Rust with the SDK's defaults: one table.

use std::fmt::Write as _;
use std::fs;

use crate::cases::{self, Case};
use crate::figures::{Figures, cpu_us, first_ms, init_ms, memory_mb, start_ms, warm_ms};
use crate::function::{Run, Subject};
use crate::report::number;
use crate::{Mode, Result};

/// Where AWS's own time hides nothing, with the handshakes that a function has in truth; and what is left of that where AWS takes its time.
pub(crate) const MODES: [Mode; 2] = [Mode::Tls, Mode::Latencies];

const ONE: &str = "SQS, 1 x 2 KB";
const TEN: &str = "SQS, 10 x 2 KB";
const THOUSAND: &str = "SQS, 1,000 x 2 KB";
const LARGE: &str = "SQS, 10 x 200 KB";
const RESULT: &str = "SNS, 2 KB output";

/// A figure: its name with its unit, and where it comes from.
type Row = (&'static str, Mode, &'static str, fn(&Run) -> f64);

const ROWS: [Row; 17] = [
    ("init of `submit`, ms", Mode::Tls, ONE, init_ms),
    ("init of `collect`, ms", Mode::Tls, RESULT, init_ms),
    ("first invocation, 1 message, ms", Mode::Tls, ONE, first_ms),
    ("first invocation, 1 result, ms", Mode::Tls, RESULT, first_ms),
    ("init and first invocation, 1 message, ms", Mode::Tls, ONE, start_ms),
    ("1 message, ms", Mode::Tls, ONE, warm_ms),
    ("1 message where AWS takes its time, ms", Mode::Latencies, ONE, warm_ms),
    ("10 messages where AWS takes its time, ms", Mode::Latencies, TEN, warm_ms),
    ("1,000 messages where AWS takes its time, ms", Mode::Latencies, THOUSAND, warm_ms),
    ("1 result, ms", Mode::Tls, RESULT, warm_ms),
    ("1 result where AWS takes its time, ms", Mode::Latencies, RESULT, warm_ms),
    ("messages/s, batches of 10", Mode::Tls, TEN, |run| 10.0 * 1e3 / warm_ms(run)),
    ("messages/s, batches of 1,000", Mode::Tls, THOUSAND, |run| 1_000.0 * 1e3 / warm_ms(run)),
    ("messages/s, batches of 10 of 200 KB", Mode::Tls, LARGE, |run| 10.0 * 1e3 / warm_ms(run)),
    ("CPU of a message in batches of 10, us", Mode::Tls, TEN, cpu_us),
    ("peak memory, 1 message, MB", Mode::Tls, ONE, memory_mb),
    ("peak memory, 1,000 messages, MB", Mode::Tls, THOUSAND, memory_mb),
];

/// The cases that the table needs, a start in each run.
pub(crate) fn cases() -> Vec<Case> {
    let is_needed = |case: &Case| ROWS.iter().any(|(_, _, name, _)| *name == case.name);
    cases::all().into_iter().filter(is_needed).map(|case| Case { starts: 1, ..case }).collect()
}

/// The table of what was measured of these cases.
pub(crate) fn table(figures: &Figures, cases: &[Case], runs: u32) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "\n| | {} |", Subject::COMPARED.map(Subject::name).join(" | "))?;
    writeln!(text, "|---{}|", "|---".repeat(Subject::COMPARED.len()))?;
    let is_measured = |row: &&Row| cases.iter().any(|case| case.name == row.2);
    for (what, mode, case, figure) in ROWS.iter().filter(is_measured) {
        let of = |subject| figures.cell(*mode, case, subject);
        let bridge = of(Subject::Bridge);
        let cells = Subject::COMPARED.map(|subject| {
            let cell = of(subject);
            with_ratio(subject, number(cell.median(figure)), cell.ratio(&bridge, figure))
        });
        writeln!(text, "| {what} | {} |", cells.join(" | "))?;
    }
    for function in ["submit", "collect"] {
        let size = |subject: Subject| Some(fs::metadata(subject.artefact(function)).ok()?.len() as f64 / 1e3);
        let bridge = size(Subject::Bridge).unwrap_or(f64::NAN);
        let cells = Subject::COMPARED
            .map(|subject| size(subject).map_or("?".to_owned(), |kb| with_ratio(subject, number(kb), kb / bridge)));
        writeln!(text, "| `{function}` as deployed, unpacked, kB | {} |", cells.join(" | "))?;
    }
    writeln!(
        text,
        "\nMedians of {runs} runs; in brackets how many times the bridge's figure, the median of the ratios run by run.\n"
    )?;
    Ok(text)
}

fn with_ratio(subject: Subject, figure: String, ratio: f64) -> String {
    if subject == Subject::Bridge { figure } else { format!("{figure} ({})", number(ratio)) }
}

#[cfg(test)]
mod tests {
    use super::{ROWS, cases};

    #[test]
    fn each_row_is_about_a_case_that_is_measured() {
        let cases = cases();
        assert!(ROWS.iter().all(|row| cases.iter().any(|case| case.name == row.2)));
    }
}
