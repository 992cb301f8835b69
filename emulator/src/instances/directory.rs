//! The directory of an instance.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// An instance's directory: its `/opt/ml`.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn make() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("sagemaker-async-emulator-instance-{}", Uuid::new_v4()));
        DirBuilder::new().mode(0o700).create(&path)?;
        let directory = Self(path);
        std::fs::create_dir(directory.model())?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn model(&self) -> PathBuf {
        self.0.join("model")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The process's own watcher may have been first.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
