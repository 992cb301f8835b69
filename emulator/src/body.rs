//! The bytes of an input or an output: small ones in memory, large ones in a file, so that memory stays small whatever their size.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use axum::body::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::aws::words;
use crate::scratch::Scratch;

/// "Large payload sizes (up to 1 GB)". <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html>
pub const MAX_BYTES: usize = 1 << 30;
/// Up to this size in memory.
const MEMORY_BYTES: usize = 4 << 20;
/// Files are read in parts of this size.
const PART_BYTES: usize = 128 * 1024;

/// Bytes.
#[derive(Clone, Debug)]
pub enum Body {
    /// In memory.
    Memory(Bytes),
    /// In a file, which goes with its last user.
    File(Arc<Spooled>),
}

/// A file of a [`Spool`].
#[derive(Debug)]
pub struct Spooled {
    path: PathBuf,
    /// Keeps the directory.
    _scratch: Arc<Scratch>,
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), %error, "not removed");
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Memory(bytes.into())
    }
}

impl Body {
    /// The bytes, if they are in memory: all that are as short as a notification's are.
    #[must_use]
    pub const fn in_memory(&self) -> Option<&Bytes> {
        match self {
            Self::Memory(bytes) => Some(bytes),
            Self::File(_) => None,
        }
    }

    /// For the AWS SDK, which may read it more than once, to try again.
    ///
    /// # Errors
    /// When the file cannot be read, as text.
    pub async fn stream(&self) -> Result<ByteStream, String> {
        match self {
            Self::Memory(bytes) => Ok(ByteStream::from(bytes.clone())),
            Self::File(file) => {
                let stream = ByteStream::read_from().path(&file.path).buffer_size(PART_BYTES).build().await;
                stream.map_err(|error| words(&error))
            }
        }
    }

    /// For HTTP, with its length.
    ///
    /// # Errors
    /// When the file cannot be read, as text.
    pub async fn http(&self) -> Result<SdkBody, String> {
        self.stream().await.map(ByteStream::into_inner)
    }

    /// The first bytes of it, at most so many.
    ///
    /// # Errors
    /// When the file cannot be read, as text.
    pub async fn first(&self, limit: usize) -> Result<Bytes, String> {
        match self {
            Self::Memory(bytes) => Ok(bytes.slice(..bytes.len().min(limit))),
            Self::File(file) => {
                let mut bytes = Vec::new();
                let read = async { File::open(&file.path).await?.take(limit as u64).read_to_end(&mut bytes).await };
                read.await.map_err(|error| error.to_string())?;
                Ok(bytes.into())
            }
        }
    }
}

/// Where large bodies lie while they are worked on: a directory of this process in the machine's for temporary files.
#[derive(Debug, Default)]
pub struct Spool(Mutex<Option<Arc<Scratch>>>);

impl Spool {
    /// Takes bytes as they come.
    #[must_use]
    pub const fn intake(&self) -> Intake<'_> {
        Intake { spool: self, memory: Vec::new(), file: None, bytes: 0, limit: MAX_BYTES }
    }

    async fn create(&self) -> io::Result<(File, Spooled)> {
        let scratch = {
            let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*place {
                Some(scratch) => Arc::clone(scratch),
                None => Arc::clone(place.insert(Arc::new(Scratch::new(&std::env::temp_dir())?))),
            }
        };
        let path = scratch.path().join(Uuid::new_v4().to_string());
        let file = File::create_new(&path).await?;
        Ok((file, Spooled { path, _scratch: scratch }))
    }
}

/// A body that is still coming.
#[derive(Debug)]
pub struct Intake<'a> {
    spool: &'a Spool,
    memory: Vec<u8>,
    file: Option<(File, Spooled)>,
    bytes: usize,
    limit: usize,
}

impl Intake<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are more than a body may have, or there is no room for them.
    pub async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > self.limit {
            let problem = format!("more than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        if self.file.is_none() && self.bytes > MEMORY_BYTES {
            let (mut file, spooled) = self.spool.create().await?;
            file.write_all(&std::mem::take(&mut self.memory)).await?;
            self.file = Some((file, spooled));
        }
        match &mut self.file {
            Some((file, _)) => file.write_all(bytes).await,
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The whole.
    ///
    /// # Errors
    /// When there is no room for it.
    pub async fn finish(self) -> io::Result<Body> {
        match self.file {
            None => Ok(Body::from(self.memory)),
            Some((mut file, spooled)) => {
                file.flush().await?;
                Ok(Body::File(Arc::new(spooled)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(spool: &Spool, parts: usize, part: &[u8]) -> Body {
        let mut intake = spool.intake();
        for _ in 0..parts {
            intake.take(part).await.unwrap();
        }
        intake.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_large_body_lies_in_a_file_as_long_as_somebody_has_it() {
        let spool = Spool::default();
        let part = b"0123456789abcdef".repeat(65_536);
        let body = taken(&spool, 5, &part).await;
        let Body::File(file) = &body else { panic!("{body:?}") };
        let path = file.path.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 5 << 20);
        let (first, second) = (body.stream().await.unwrap(), body.stream().await.unwrap());
        for stream in [first, second] {
            assert_eq!(stream.collect().await.unwrap().into_bytes(), part.repeat(5));
        }
        assert_eq!(body.first(20).await.unwrap(), b"0123456789abcdef0123"[..]);
        let other = body.clone();
        drop(body);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
        let directory = path.parent().unwrap().to_owned();
        drop(spool);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_small_body_is_in_memory() {
        let body = taken(&Spool::default(), 3, b"abc").await;
        assert_eq!(body.in_memory().unwrap(), "abcabcabc");
        assert_eq!(body.first(4).await.unwrap(), "abca");
        assert_eq!(body.first(40).await.unwrap(), "abcabcabc");
    }

    #[tokio::test]
    async fn more_than_the_limit_is_refused() {
        let spool = Spool::default();
        let mut intake = Intake { limit: 5, ..spool.intake() };
        intake.take(b"01234").await.unwrap();
        assert_eq!(intake.take(b"5").await.unwrap_err().to_string(), "more than 5 bytes");
    }
}
