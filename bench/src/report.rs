//! Writes what was measured into docs/performance.md, between two marks, and to the terminal.

use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stdout};

use tokio::runtime::Handle;

use crate::cases::Case;
use crate::figures::{Cell, Figures, cpu_us, first_ms, init_cpu_ms, init_ms, memory_mb, warm_ms};
use crate::function::{Environment, Subject};
use crate::instructions::{Instructions, can_count, count};
use crate::{Mode, Result, plot, targets};

const DOCUMENT: &str = "docs/performance.md";
const PLOT: &str = "docs/performance.svg";
const START: &str = "<!-- written by make bench -->\n";
const END: &str = "<!-- end of what make bench writes -->\n";
const COMPARISON: [&str; 2] = ["<!-- comparison, written by make bench -->\n", "<!-- end of the comparison -->\n"];
/// The paths that matter.
const COUNTED: [&str; 5] = ["SQS, 1 x 2 KB", "SQS, 10 x 2 KB", "HTTP, 2 KB", "direct, 2 KB", "SNS, 2 KB output"];

/// Instruction counts of a case: the bridge's, and those of what it is compared with.
pub(crate) type Counts<'a> = Vec<(&'a Case, [Instructions; 2])>;

/// Instruction counts of the paths that matter, for the bridge and for the floor or another build; none without valgrind.
pub(crate) fn instructions<'a>(cases: &'a [Case], around: &Environment, runtime: &Handle) -> Result<Counts<'a>> {
    if !can_count() {
        return Ok(Vec::new());
    }
    // The other build stands in Python's place everywhere.
    let other = if around.against.is_some() { Subject::Python } else { Subject::Floor };
    let counted = cases.iter().filter(|case| COUNTED.contains(&case.name));
    let both = |case: &'a Case| {
        let of = |subject| count(subject, case, around, runtime);
        Ok((case, [of(Subject::Bridge)?, of(other)?]))
    };
    counted.map(both).collect()
}

/// Writes document and plot, prints the document's part.
pub(crate) fn write(figures: &Figures, cases: &[Case], counts: &Counts<'_>, runs: u32) -> Result<()> {
    let mut text = targets_table(figures);
    start_table(&mut text, figures)?;
    for mode in Mode::ALL {
        mode_table(&mut text, figures, cases, mode)?;
    }
    instructions_table(&mut text, counts, "floor")?;
    sizes(&mut text)?;
    writeln!(text, "Medians of {runs} runs{}; ratios are medians of the ratios run by run.\n", more_often(cases))?;
    stdout().write_all(text.as_bytes())?;
    replace([START, END], &text)?;
    Ok(fs::write(PLOT, plot::svg(figures, cases))?)
}

/// Writes the comparison's table into the document, and prints it.
pub(crate) fn write_comparison(table: &str) -> Result<()> {
    stdout().write_all(table.as_bytes())?;
    replace(COMPARISON, table)
}

fn replace([start, end]: [&str; 2], text: &str) -> Result<()> {
    let document = fs::read_to_string(DOCUMENT)?;
    let (before, rest) = document.split_once(start).ok_or("no mark in the document")?;
    let (_, after) = rest.split_once(end).ok_or("no end mark in the document")?;
    Ok(fs::write(DOCUMENT, format!("{before}{start}{text}{end}{after}"))?)
}

/// Prints the tables of a part of the cases, or of two builds; of these the instruction counts too, which noise does not touch.
pub(crate) fn print(figures: &Figures, cases: &[Case], counts: Option<&Counts<'_>>) -> Result<()> {
    let mut text = String::new();
    start_table(&mut text, figures)?;
    for mode in Mode::ALL {
        mode_table(&mut text, figures, cases, mode)?;
    }
    if let Some(counts) = counts {
        instructions_table(&mut text, counts, "the other build")?;
    }
    Ok(stdout().write_all(text.as_bytes())?)
}

fn targets_table(figures: &Figures) -> String {
    let mut text = "\n| asked | target | figure | |\n|---|---|---|---|\n".to_owned();
    for target in targets::all(figures) {
        text += &format!("| {} | {} | {} | {} |\n", target.what, target.asked, number(target.figure), target.verdict);
    }
    text
}

fn start_table(text: &mut String, figures: &Figures) -> Result<()> {
    writeln!(text, "\nStart: bridge / floor / Python\n\n| function | init ms | init CPU ms |\n|---|---|---|")?;
    for (name, case) in [("submit", "SQS, 1 x 2 KB"), ("collect", "SNS, 2 KB output")] {
        for mode in [Mode::NoLatency, Mode::Tls] {
            let [init, cpu] =
                [init_ms, init_cpu_ms].map(|figure| three(figures, mode, case, |cell| cell.median(figure)));
            writeln!(text, "| {name}, {} | {init} | {cpu} |", mode.name())?;
        }
    }
    Ok(())
}

fn mode_table(text: &mut String, figures: &Figures, cases: &[Case], mode: Mode) -> Result<()> {
    writeln!(text, "\nOver {}: bridge / floor / Python\n", mode.name())?;
    let columns =
        ["event", "first ms", "p50 ms", "p99 ms", "messages/s", "CPU us/message", "peak MB", "Python : bridge"];
    writeln!(text, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()))?;
    for case in cases {
        let figure = |of: &dyn Fn(&Cell) -> f64| three(figures, mode, case.name, of);
        let per_second = |cell: &Cell| f64::from(case.messages) * 1e3 / cell.median(warm_ms);
        let cells = [
            figure(&|cell| cell.median(first_ms)),
            figure(&|cell| cell.warm_ms(50)),
            figure(&|cell| cell.warm_ms(99)),
            figure(&per_second),
            figure(&|cell| cell.median(cpu_us)),
            figure(&|cell| cell.median(memory_mb)),
        ];
        let [bridge, python] = [Subject::Bridge, Subject::Python].map(|subject| figures.cell(mode, case.name, subject));
        let ratio = number(python.ratio(&bridge, warm_ms));
        writeln!(text, "| {} | {} | {ratio} |", case.name, cells.join(" | "))?;
    }
    Ok(())
}

fn instructions_table(text: &mut String, counts: &Counts<'_>, other: &str) -> Result<()> {
    if counts.is_empty() {
        return Ok(writeln!(text, "\nNo instruction counts: valgrind is not installed.")?);
    }
    writeln!(text, "\nThousands of instructions (callgrind): bridge / {other}\n")?;
    writeln!(text, "| event | init | first invocation, after init | a message, warm |\n|---|---|---|---|")?;
    for (case, [bridge, compared]) in counts {
        let both = |of: fn(&Instructions) -> u64| format!("{} / {}", of(bridge), of(compared));
        let cells = [both(|of| of.init), both(|of| of.first), both(|of| of.message)];
        writeln!(text, "| {} | {} |", case.name, cells.join(" | "))?;
    }
    Ok(())
}

fn sizes(text: &mut String) -> Result<()> {
    let size = |name| targets::binary_mb("target/release/", name).map_or_else(|| "?".to_owned(), number);
    let machine = std::env::consts::ARCH;
    let (submit, collect, floor) = (size("submit"), size("collect"), size("floor"));
    Ok(writeln!(
        text,
        "\nBinaries on this machine ({machine}): submit {submit} MB, collect {collect} MB, floor {floor} MB."
    )?)
}

/// Which cases have more than one start in a run, for the end of a sentence.
fn more_often(cases: &[Case]) -> String {
    let more = cases.iter().filter(|case| case.starts > 1);
    more.map(|case| format!(", with {} starts of `{}` in each", case.starts, case.name)).collect()
}

fn three(figures: &Figures, mode: Mode, case: &str, figure: impl Fn(&Cell) -> f64) -> String {
    Subject::MAIN.map(|subject| number(figure(&figures.cell(mode, case, subject)))).join(" / ")
}

/// Three digits, or all of a whole number.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        small if small < 9.995 => format!("{value:.2}"),
        medium if medium < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
