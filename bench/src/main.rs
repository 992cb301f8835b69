//! Measures the release binaries beside the Python functions that one would write instead, and beside a bare floor: the same
//! HTTP calls without SDK or signing. All three handle the same events, in turn, under one stand-in of Lambda's runtime API.
//! Some of these events then go to functions in Node.js and in Rust with the SDK's defaults too, for one table of all.
//!
//! `make bench` runs it from the project's directory; `bench --runs 3` is quicker, `bench --compare` measures the one table alone, `bench --only "1,000" --against DIRECTORY`
//! compares two builds of the bridge, by their instruction counts too, `bench --against target/release --with BRIDGE_METRICS=true` the bridge
//! with a variable and without it, `bench --memory-mb 512` gives invocations the share of a processor that Lambda gives to
//! functions of so much memory. Only ratios mean anything beyond the machine.
//!
//! `bench --against DIRECTORY --calls DIRECTORY` measures nothing: it writes down which functions of that build each case calls.

mod backend;
mod cases;
mod comparison;
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
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend::{Backend, Latencies};
use cases::Case;
use figures::Figures;
use function::{Environment, Subject, run};
use share::Share;
use tls::Tls;
use tokio::runtime::Handle;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Runs of everything, when the command line does not say; a multiple of the orders of those who are compared.
const RUNS: u32 = 18;
/// The same, of the comparison.
const COMPARED_RUNS: u32 = 10;

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
    /// Whether the comparison is all that is asked for.
    compare: bool,
    /// Directory of another build of the bridge.
    against: Option<PathBuf>,
    /// Variables that only the bridge gets.
    with: Vec<(String, String)>,
    /// The memory whose share of a processor invocations get.
    memory_mb: Option<u32>,
    /// Directory for callgrind's files of the other build.
    calls: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = options(std::env::args().skip(1))?;
    let runtime = server::runtime()?;
    let tls = Tls::new(Path::new("target"))?;
    let bench = Bench {
        around: Mode::ALL
            .into_iter()
            .map(|mode| Ok((mode, environment(mode, &tls, &options, &runtime)?)))
            .collect::<Result<_>>()?,
        runtime,
    };
    if options.compare {
        return bench.compare(&options);
    }
    let runs = options.runs.unwrap_or(RUNS);
    let cases = options.part_of(cases::all());
    if let Some(directory) = &options.calls {
        if options.against.is_none() {
            return Err("--calls needs --against: it records the functions of that build".into());
        }
        return bench.record_calls(&cases, directory);
    }
    let figures = bench.measure(&Mode::ALL, &cases, &Subject::MAIN, runs)?;
    if options.is_part() && options.against.is_none() {
        return report::print(&figures, &cases, None);
    }
    let _ = writeln!(stderr(), "counting instructions");
    let (_, plain) = bench.around.first().ok_or("no way to the backend")?;
    let counts = report::instructions(&cases, plain, &bench.runtime)?;
    if options.against.is_some() {
        return report::print(&figures, &cases, Some(&counts));
    }
    report::write(&figures, &cases, &counts, runs)?;
    bench.compare(&options)
}

/// What all measuring needs.
struct Bench {
    around: Vec<(Mode, Environment)>,
    runtime: Handle,
}

impl Bench {
    /// Has each subject handle each case in each mode, `runs` times.
    fn measure(&self, modes: &[Mode], cases: &[Case], subjects: &[Subject], runs: u32) -> Result<Figures> {
        let mut figures = Figures::default();
        for number in 1..=runs {
            for (mode, around) in self.around.iter().filter(|(mode, _)| modes.contains(mode)) {
                let _ = writeln!(stderr(), "run {number} of {runs}: {}", mode.name());
                for case in cases {
                    for subject in
                        (number * case.starts..(number + 1) * case.starts).flat_map(|start| order(subjects, start))
                    {
                        let measured = run(subject, case, around, &self.runtime)
                            .map_err(|error| format!("{}, {}, {}: {error}", subject.name(), mode.name(), case.name))?;
                        figures.add(*mode, case, subject, measured);
                    }
                }
            }
        }
        Ok(figures)
    }

    /// Has callgrind write down the calls of the other build, a file for each case over plain HTTP and TLS.
    fn record_calls(&self, cases: &[Case], directory: &Path) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        for (mode, around) in self.around.iter().filter(|(mode, _)| *mode != Mode::Latencies) {
            for (number, case) in cases.iter().enumerate() {
                let _ = writeln!(stderr(), "{}: {}", case.name, mode.name());
                let file = directory.join(format!("{}-{number}-{mode:?}.callgrind", case.function));
                instructions::record_calls(case, around, &self.runtime, &file)?;
            }
        }
        Ok(())
    }

    /// The table of all that users might write instead: into the document, or printed where only a part was asked for.
    fn compare(&self, options: &Options) -> Result<()> {
        let runs = options.runs.unwrap_or(COMPARED_RUNS);
        let cases = options.part_of(comparison::cases());
        let figures = self.measure(&comparison::MODES, &cases, &Subject::COMPARED, runs)?;
        let table = comparison::table(&figures, &cases, runs)?;
        if options.is_part() { Ok(stdout().write_all(table.as_bytes())?) } else { report::write_comparison(&table) }
    }
}

/// Those who are compared, in each order as often as in any other: who comes after a large program finds the processor's caches full
/// of it.
fn order(subjects: &[Subject], number: u32) -> Vec<Subject> {
    let mut subjects = subjects.to_vec();
    let first = number as usize / 2 % subjects.len();
    subjects.rotate_left(first);
    if number.is_multiple_of(2) {
        subjects.reverse();
    }
    subjects
}

impl Options {
    /// Whether less is measured than the document has.
    const fn is_part(&self) -> bool {
        self.only.is_some() || self.memory_mb.is_some()
    }

    fn part_of(&self, mut cases: Vec<Case>) -> Vec<Case> {
        cases.retain(|case| self.only.as_ref().is_none_or(|part| case.name.contains(part)));
        cases
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        if name == "--compare" {
            options.compare = true;
            continue;
        }
        match (name.as_str(), arguments.next()) {
            ("--runs", Some(runs)) => options.runs = Some(runs.parse()?),
            ("--only", Some(part)) => options.only = Some(part),
            ("--against", Some(directory)) => options.against = Some(directory.into()),
            ("--with", Some(variable)) => {
                let (name, value) = variable.split_once('=').ok_or("--with takes NAME=VALUE")?;
                options.with.push((name.to_owned(), value.to_owned()));
            }
            ("--memory-mb", Some(mb)) => options.memory_mb = Some(mb.parse()?),
            ("--calls", Some(directory)) => options.calls = Some(directory.into()),
            _ => {
                let usage = "usage: bench [--compare] [--runs N] [--only PART-OF-A-CASE] [--against DIRECTORY-OF-ANOTHER-BUILD] \
                             [--with NAME=VALUE] [--memory-mb N] [--calls DIRECTORY]";
                return Err(usage.into());
            }
        }
    }
    Ok(options)
}

fn environment(mode: Mode, tls: &Tls, options: &Options, runtime: &Handle) -> Result<Environment> {
    let latencies = if mode == Mode::Latencies { Latencies::REALISTIC } else { Latencies::default() };
    let services = Arc::new(Backend::new(latencies));
    let (against, with) = (options.against.clone(), options.with.clone());
    let share = options.memory_mb.map(Share::of_memory);
    let is_tls = mode == Mode::Tls;
    let address = server::serve(runtime, Arc::clone(&services), is_tls.then(|| tls.acceptor.clone()))?;
    let backend = format!("{}://{address}", if is_tls { "https" } else { "http" });
    let trust = is_tls.then(|| tls.trust.clone());
    Ok(Environment { services, backend, trust, against, with, share })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Subject, order};

    #[test]
    fn each_subject_comes_at_each_place() {
        for subjects in [&Subject::MAIN[..], &Subject::COMPARED] {
            let orders: BTreeSet<_> = (4..4 + 2 * subjects.len() as u32)
                .map(|number| order(subjects, number).into_iter().map(|subject| subject as u8).collect::<Vec<_>>())
                .collect();
            assert_eq!(orders.len(), 2 * subjects.len());
        }
    }
}
