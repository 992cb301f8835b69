//! The share of a processor that Lambda gives to a function after its init: as many 1,769ths of one as it has MB of memory.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Microseconds in which a share is used up and given anew: time enough to see a burst, too short to hide it.
const PERIOD_US: u32 = 20_000;
const MB_OF_A_PROCESSOR: u32 = 1_769;

/// What a process gets of a processor. Control groups take root.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    memory_mb: u32,
}

/// A control group with one process in it, to be dropped when that has ended. One for each process, since what one has used up
/// in advance the next would have to make up for.
pub(crate) struct Group(PathBuf);

impl Share {
    /// The share that goes with so much memory.
    pub(crate) const fn of_memory(memory_mb: u32) -> Self {
        Self { memory_mb }
    }

    /// Gives a process no more than this share.
    pub(crate) fn hold(&self, process: u32) -> Result<Group> {
        let quota = (PERIOD_US * self.memory_mb / MB_OF_A_PROCESSOR).to_string();
        let root = Path::new("/sys/fs/cgroup");
        // Version 1 has a hierarchy for each resource, version 2 one for all.
        let (parent, settings) = if root.join("cgroup.controllers").exists() {
            (root.to_owned(), vec![("cpu.max", format!("{quota} {PERIOD_US}"))])
        } else {
            (root.join("cpu"), vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota)])
        };
        let group = Group(parent.join(format!("bench-{process}")));
        let problem =
            |error| format!("{}: {error}; a share of a processor takes root and control groups", group.0.display());
        fs::create_dir_all(&group.0).map_err(problem)?;
        for (name, value) in settings {
            fs::write(group.0.join(name), value).map_err(problem)?;
        }
        fs::write(group.0.join("cgroup.procs"), process.to_string()).map_err(problem)?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
