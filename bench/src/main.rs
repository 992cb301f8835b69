//! Measures the release binaries beside the Python functions that one would write instead, and beside a bare floor: the same
//! HTTP calls without SDK or signing. All three handle the same events, in turn, under one stand-in of Lambda's runtime API.
//!
//! `make bench` runs it from the project's directory; `bench --runs 3` is quicker, `bench --only "1,000" --against DIRECTORY`
//! compares two builds of the bridge, by their instruction counts too, `bench --against target/release --with BRIDGE_METRICS=true` the bridge
//! with a variable and without it, `bench --memory-mb 512` gives invocations the share of a processor that Lambda gives to
//! functions of so much memory. Only ratios mean anything beyond the machine.

mod backend;
mod cases;
mod figures;
mod function;
mod instructions;
mod plot;
mod report;
mod runtime_api;
mod server;
mod share;
mod targets;
mod tls;

use std::error::Error;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend::{Backend, Latencies};
use figures::Figures;
use function::{Subject, Surroundings, run};
use share::Share;
use tls::Tls;
use tokio::runtime::Handle;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Runs of everything, when the command line does not say; a multiple of the orders of those who are compared.
const RUNS: u32 = 18;

/// A way to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Plain HTTP, answered at once.
    NoLatency,
    /// Plain HTTP, answered as slowly as AWS does.
    Latencies,
    /// TLS, answered at once.
    Tls,
}

impl Mode {
    const ALL: [Self; 3] = [Self::NoLatency, Self::Latencies, Self::Tls];

    const fn name(self) -> &'static str {
        match self {
            Self::NoLatency => "plain HTTP, no latency",
            Self::Latencies => "plain HTTP, 15 ms SageMaker, 25 PUT, 15 GET, 8 SQS",
            Self::Tls => "TLS, no latency",
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    runs: Option<u32>,
    /// Part of the names of the cases to run.
    only: Option<String>,
    /// Directory of another build of the bridge.
    against: Option<PathBuf>,
    /// Variables that only the bridge gets.
    with: Vec<(String, String)>,
    /// The memory whose share of a processor invocations get.
    memory_mb: Option<u32>,
}

fn main() -> Result<()> {
    let options = options(std::env::args().skip(1))?;
    let runs = options.runs.unwrap_or(RUNS);
    let runtime = server::runtime()?;
    let tls = Tls::new(Path::new("target"))?;
    let around = Mode::ALL.map(|mode| surroundings(mode, &tls, &options, &runtime));
    let mut cases = cases::all();
    cases.retain(|case| options.only.as_ref().is_none_or(|part| case.name.contains(part)));
    let mut figures = Figures::default();
    for number in 1..=runs {
        for (mode, around) in Mode::ALL.into_iter().zip(&around) {
            let around = around.as_ref().map_err(ToString::to_string)?;
            let _ = writeln!(stderr(), "run {number} of {runs}: {}", mode.name());
            for case in &cases {
                for subject in (number * case.starts..(number + 1) * case.starts).flat_map(order) {
                    let measured = run(subject, case, around, &runtime)
                        .map_err(|error| format!("{subject:?}, {}, {}: {error}", mode.name(), case.name))?;
                    figures.add(mode, case, subject, measured);
                }
            }
        }
    }
    let is_part = options.only.is_some() || options.memory_mb.is_some();
    if is_part && options.against.is_none() {
        return report::print(&figures, &cases, None);
    }
    let _ = writeln!(stderr(), "counting instructions");
    let [plain, ..] = &around;
    let counts = report::instructions(&cases, plain.as_ref().map_err(ToString::to_string)?, &runtime)?;
    if options.against.is_some() {
        return report::print(&figures, &cases, Some(&counts));
    }
    report::write(&figures, &cases, &counts, runs)
}

/// Those who are compared, in each order as often as in any other: who comes after a large program finds the processor's caches full
/// of it.
fn order(number: u32) -> [Subject; 3] {
    let mut subjects = Subject::ALL;
    subjects.rotate_left(number as usize / 2 % Subject::ALL.len());
    if number.is_multiple_of(2) {
        subjects.reverse();
    }
    subjects
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        match (name.as_str(), arguments.next()) {
            ("--runs", Some(runs)) => options.runs = Some(runs.parse()?),
            ("--only", Some(part)) => options.only = Some(part),
            ("--against", Some(directory)) => options.against = Some(directory.into()),
            ("--with", Some(variable)) => {
                let (name, value) = variable.split_once('=').ok_or("--with takes NAME=VALUE")?;
                options.with.push((name.to_owned(), value.to_owned()));
            }
            ("--memory-mb", Some(mb)) => options.memory_mb = Some(mb.parse()?),
            _ => {
                let usage = "usage: bench [--runs N] [--only PART-OF-A-CASE] [--against DIRECTORY-OF-ANOTHER-BUILD] \
                             [--with NAME=VALUE] [--memory-mb N]";
                return Err(usage.into());
            }
        }
    }
    Ok(options)
}

fn surroundings(mode: Mode, tls: &Tls, options: &Options, runtime: &Handle) -> Result<Surroundings> {
    let latencies = if mode == Mode::Latencies { Latencies::REALISTIC } else { Latencies::default() };
    let backend = Arc::new(Backend::new(latencies));
    let (against, with) = (options.against.clone(), options.with.clone());
    let share = options.memory_mb.map(Share::of_memory);
    Ok(if mode == Mode::Tls {
        let address = server::serve(runtime, backend, Some(tls.acceptor.clone()))?;
        Surroundings { backend: format!("https://{address}"), bundle: Some(tls.bundle.clone()), against, with, share }
    } else {
        let address = server::serve(runtime, backend, None)?;
        Surroundings { backend: format!("http://{address}"), bundle: None, against, with, share }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::order;

    #[test]
    fn six_orders_follow_each_other() {
        let orders: BTreeSet<_> = (4..10).map(|number| order(number).map(|subject| subject as u8)).collect();
        assert_eq!(orders.len(), 6);
    }
}
