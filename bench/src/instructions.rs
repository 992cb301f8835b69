//! Instruction counts by valgrind's callgrind: the figure to compare between commits, since they hardly vary.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::Result;
use crate::cases::Case;
use crate::function::{Environment, Function, Subject};

/// Warm invocations between the two counts whose difference is taken.
const WARM: u32 = 10;

/// Thousands of instructions.
pub(crate) struct Instructions {
    pub(crate) init: u64,
    pub(crate) first: u64,
    pub(crate) message: u64,
}

/// Whether there is a valgrind to count with.
pub(crate) fn can_count() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Counts what a start, a first invocation, and a message of a warm one take.
pub(crate) fn count(subject: Subject, case: &Case, around: &Environment, runtime: &Handle) -> Result<Instructions> {
    let until = |invocations| total(subject, case, around, runtime, invocations, Path::new("/dev/null"));
    let (init, first, warm) = (until(0)?, until(1)?, until(1 + WARM)?);
    let message = warm.saturating_sub(first) / u64::from(WARM * case.messages);
    Ok(Instructions { init: init / 1000, first: first.saturating_sub(init) / 1000, message: message / 1000 })
}

/// Writes callgrind's file of another build of the bridge: its init and two invocations.
pub(crate) fn record_calls(case: &Case, around: &Environment, runtime: &Handle, file: &Path) -> Result<()> {
    total(Subject::Python, case, around, runtime, 2, file).map(|_| ())
}

fn total(
    subject: Subject,
    case: &Case,
    around: &Environment,
    runtime: &Handle,
    invocations: u32,
    file: &Path,
) -> Result<u64> {
    let function = subject.command(case.function, around.against.as_deref());
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--demangle=no"]).arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(function.get_program());
    command.stderr(Stdio::piped());
    let mut started = Function::start(command, subject, around, runtime)?;
    started.api.ready()?;
    for _ in 0..invocations {
        started.api.invoke(Bytes::from(case.event.clone()))?;
    }
    // Callgrind tells its count when the process is told to end, not when it is killed.
    Command::new("kill").arg(started.process.id().to_string()).status()?;
    let mut said = String::new();
    started.process.stderr.take().ok_or("no standard error")?.read_to_string(&mut said)?;
    let count = said.lines().find_map(|line| line.split_once("Collected : ").map(|(_, count)| count.trim().parse()));
    Ok(count.ok_or("callgrind told no count")??)
}
