//! A process that never outlives the emulator, whichever way that ends, nor leaves processes of its own behind.
//!
//! The process leads a group of its own. In the group lives a small shell, which reads a pipe that only the emulator can write to: the pipe
//! ends when the emulator does, even by SIGKILL, and then the shell ends the group. `PR_SET_PDEATHSIG` would reach the process alone, not
//! what it has started, and follows the thread that started it, not the emulator.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// `$1`: the command. `$2`: the instance's directory, which goes with it. The last line makes the command the leader of the group, whose
/// parent is the emulator; the shell that watches is nobody's child, so that a command which waits for all of its own does not wait for it.
/// At the pipe's end the command may still tidy up, for two seconds.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
( {
    while read -r word <&3; do
        case $word in
            terminate) kill -s TERM $$ ;;
            *) kill -s KILL 0 ;;
        esac
    done
    kill -s TERM $$ && for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -s 0 $$ || break
        sleep 0.1
    done
    rm -rf -- "$2"
    kill -s KILL 0
} >/dev/null 2>&1 & )
exec 3<&-
exec /bin/sh -c "$1"
"#;
/// A longer line of a log is cut in parts.
const LINE_BYTES: u64 = 16 * 1024;

/// A command that runs.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Ends the group when it is closed.
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts a command. Its lines come into the log, `label` in front.
    pub(super) fn start(
        command: &str,
        variables: BTreeMap<String, String>,
        directory: &Path,
        label: &str,
    ) -> std::io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "sh", command])
            .arg(directory)
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        if let Some(lines) = child.stdout.take() {
            tokio::spawn(log(lines, label.to_owned()));
        }
        if let Some(lines) = child.stderr.take() {
            tokio::spawn(log(lines, label.to_owned()));
        }
        let lifeline = child.stdin.take();
        Ok(Self { child, lifeline })
    }

    /// Returns when it has ended by itself: how.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Ends it and what it has started at once; its directory stays.
    pub(super) async fn kill(mut self) {
        self.tell("kill").await;
        self.ended().await;
    }

    /// Asks it to end, and ends it after a while, with what it has started; its directory goes.
    pub(super) async fn stop(mut self, grace: Duration) {
        self.tell("terminate").await;
        let _ = tokio::time::timeout(grace, self.ended()).await;
        self.lifeline = None;
        self.ended().await;
    }

    async fn tell(&mut self, word: &str) {
        let told = match &mut self.lifeline {
            Some(lifeline) => lifeline.write_all(format!("{word}\n").as_bytes()).await.is_ok(),
            None => false,
        };
        // Somebody has ended the shell that watches: the command alone is within reach.
        if !told && let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "already ended");
        }
    }
}

/// Brings lines to the log.
async fn log(lines: impl AsyncRead + Unpin, label: String) {
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut lines).take(LINE_BYTES).read_until(b'\n', &mut line).await {
        tracing::info!("{label}: {}", String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
