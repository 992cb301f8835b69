//! Directories that go with the process that made them: when it ends or, if it was killed, when the next one starts.
//!
//! Whether their process lives is told by a lock on the directory, which the system lets go of however a process ends. A process id
//! would tell less: it may be another process's by now, or come from another container that shares the file system.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

const PREFIX: &str = "sagemaker-async-emulator.";

/// A directory of this process.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Of the directory.
    _lock: File,
}

impl Scratch {
    /// Makes one in a directory that all processes share.
    ///
    /// # Errors
    /// When none can be made there.
    pub fn new(parent: &Path) -> io::Result<Self> {
        loop {
            let path = parent.join(format!("{PREFIX}{}", Uuid::new_v4()));
            DirBuilder::new().mode(0o700).create(&path)?;
            // Another process may have taken it for a dead one's before it was locked.
            let lock = match File::open(&path) {
                Ok(lock) => lock,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                // Where the file system knows no locks, nobody finds it unlocked either.
                Ok(()) | Err(TryLockError::Error(_)) if path.is_dir() => return Ok(Self { path, _lock: lock }),
                _ => {}
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// In memory, where the machine has a file system there.
#[must_use]
pub fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Removes what processes that are gone have left.
pub fn sweep() {
    for parent in [memory(), std::env::temp_dir()] {
        sweep_in(&parent);
    }
}

fn sweep_in(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_one
            && let Ok(lock) = File::open(entry.path())
            && lock.try_lock().is_ok()
        {
            tracing::info!(directory = %entry.path().display(), "removed: an emulator that was killed has left it");
            remove(&entry.path());
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!(directory = %path.display(), %error, "not removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_what_a_dead_process_left_goes() {
        let parent = std::env::temp_dir().join(format!("scratch-{}", Uuid::new_v4()));
        let (dead, other) = (parent.join(format!("{PREFIX}dead")), parent.join("other"));
        std::fs::create_dir_all(dead.join("bucket")).unwrap();
        std::fs::write(dead.join("bucket/object"), "x").unwrap();
        std::fs::create_dir_all(&other).unwrap();
        let own = Scratch::new(&parent).unwrap();
        std::fs::write(own.path().join("file"), "x").unwrap();
        sweep_in(&parent);
        assert!(own.path().join("file").exists() && other.exists());
        assert!(!dead.exists());
        let path = own.path().to_owned();
        drop(own);
        assert!(!path.exists());
        std::fs::remove_dir_all(parent).unwrap();
    }
}
