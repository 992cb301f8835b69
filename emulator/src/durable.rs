//! What `--embedded DIR` keeps beside the objects, so that an accepted invocation is answered even if the emulator is killed: the
//! queues, and everything that was created by a request. In the directory `.emulator/`, which is no bucket's name.
//!
//! Files are written before a request is answered and not synced to the disk: they outlive the process, not the machine's power.

pub(crate) mod queue;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use queue::Queue;

/// Below the root, where no bucket can be.
const DIRECTORY: &str = ".emulator";
const STATE: &str = "state.json";

/// A directory that is this process's alone.
#[derive(Debug)]
pub struct Durable {
    /// Of `--embedded`.
    pub(crate) root: PathBuf,
    /// Accepted invocations.
    pub(crate) queue: Queue,
    file: PathBuf,
    /// As it was last written, by this run or an earlier one.
    written: Mutex<Vec<u8>>,
    /// Of the directory.
    _lock: File,
}

impl Durable {
    /// Opens what is kept below a root, or makes a place for it.
    ///
    /// # Errors
    /// When another emulator uses it, or it cannot be read.
    pub fn open(root: &Path) -> io::Result<Self> {
        let directory = root.join(DIRECTORY);
        std::fs::create_dir_all(&directory)?;
        let lock = File::open(&directory)?;
        match lock.try_lock() {
            // Where the file system knows no locks, nobody is kept out.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another emulator uses it")),
        }
        let file = directory.join(STATE);
        let written = match std::fs::read(&file) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            root: root.to_owned(),
            queue: Queue::new(directory.join("queue")),
            file,
            written: Mutex::new(written),
            _lock: lock,
        })
    }

    /// The state that an earlier run has written, if there is one.
    ///
    /// # Errors
    /// When it is of another form.
    pub(crate) fn state<S: DeserializeOwned>(&self) -> io::Result<Option<S>> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_empty() {
            return Ok(None);
        }
        let problem = |error| io::Error::other(format!("{} is not what it must be: {error}", self.file.display()));
        serde_json::from_slice(&written).map(Some).map_err(problem)
    }

    /// Writes a state, if it has changed. It is asked for when no other is being written: the newest one stays.
    pub(crate) fn save<S: Serialize>(&self, state: impl FnOnce() -> S) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let state = serde_json::to_vec(&state())?;
        if *written == state {
            return Ok(());
        }
        let unfinished = self.file.with_extension("unfinished");
        std::fs::write(&unfinished, &state)?;
        std::fs::rename(unfinished, &self.file)?;
        *written = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_directory_has_one_user_and_is_not_taken_for_empty_when_it_cannot_be_read() {
        let root = std::env::temp_dir().join(format!("durable-{}", uuid::Uuid::new_v4()));
        let first = Durable::open(&root).unwrap();
        assert_eq!(Durable::open(&root).unwrap_err().to_string(), "another emulator uses it");
        assert_eq!(first.state::<Value>().unwrap(), None);
        first.save(|| "state").unwrap();
        drop(first);
        assert_eq!(Durable::open(&root).unwrap().state().unwrap(), Some("state".to_owned()));
        std::fs::write(root.join(DIRECTORY).join(STATE), "{").unwrap();
        let error = Durable::open(&root).unwrap().state::<Value>().unwrap_err().to_string();
        assert!(error.contains("state.json is not what it must be"), "{error}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
