//! The share of a processor that Lambda gives to a function after its init: as many 1,769ths of one as it has MB of memory.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Microseconds in which a share is used up and given anew: time enough to see a burst, too short to hide it.
const PERIOD_US: u32 = 20_000;
const MB_OF_A_PROCESSOR: u32 = 1_769;

/// A control group that gives its processes no more than a share. Dropping it removes it.
pub(crate) struct Share(PathBuf);

impl Share {
    /// The share that goes with so much memory. Control groups take root.
    pub(crate) fn of_memory(mb: u32) -> Result<Self> {
        let quota = (PERIOD_US * mb / MB_OF_A_PROCESSOR).to_string();
        let root = Path::new("/sys/fs/cgroup");
        // Version 1 has a hierarchy for each resource, version 2 one for all.
        let (parent, settings) = if root.join("cgroup.controllers").exists() {
            (root.to_owned(), vec![("cpu.max", format!("{quota} {PERIOD_US}"))])
        } else {
            (root.join("cpu"), vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota)])
        };
        let group = Self(parent.join(format!("bench-{}", std::process::id())));
        let problem =
            |error| format!("{}: {error}; a share of a processor takes root and control groups", group.0.display());
        fs::create_dir(&group.0).map_err(problem)?;
        for (name, value) in settings {
            fs::write(group.0.join(name), value).map_err(problem)?;
        }
        Ok(group)
    }

    /// Puts a process into it.
    pub(crate) fn hold(&self, process: u32) -> Result<()> {
        Ok(fs::write(self.0.join("cgroup.procs"), process.to_string())?)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
