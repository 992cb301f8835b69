//! An S3 of its own, so that one binary is a complete endpoint: the crate `s3s` with its file system, which takes keys for paths;
//! `keys.rs` makes paths of all keys that S3 takes.
//!
//! It listens where the emulator does. A request is S3's when it is signed for S3, or for nothing and its path is none of the emulator's.

mod errors;
mod keys;
mod listing;
mod objects;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::header::{AUTHORIZATION, IF_MATCH, IF_NONE_MATCH};
use axum::http::{Method, Request};
use axum::response::Response;
use hyper::body::Incoming;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::Mutex;

use crate::control::call::Scope;
use crate::scratch::{self, Scratch};
use keys::Keys;
use objects::Objects;

/// In the credential scope of every request that is signed for S3: `…/REGION/s3/aws4_request`.
const SCOPES: [&str; 2] = ["/s3/aws4_request", "%2Fs3%2Faws4_request"];
/// Paths of the emulator itself; a bucket of such a name is reached by signed requests alone.
const OWN_PATHS: [&str; 3] = ["/endpoints/", "/_emulator/", "/service/GraniteServiceVersion20100801/"];
const OWN_PAGES: [&str; 2] = ["/", "/metrics"];

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectStorage {
    /// In a directory of its own, in memory where the machine has a file system there, for as long as the emulator runs.
    Memory,
    /// In this directory.
    Directory(PathBuf),
}

impl FromStr for ObjectStorage {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "memory" { Self::Memory } else { Self::Directory(text.into()) })
    }
}

/// An S3.
#[derive(Clone, Debug)]
pub struct Embedded {
    service: S3Service,
    root: PathBuf,
    /// Held by a conditional write.
    conditional: Arc<Mutex<()>>,
    /// Removes the directory with the last of its clones.
    _scratch: Option<Arc<Scratch>>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The directory cannot be had.
    #[error("the directory {0} of --embedded: {1}")]
    Directory(PathBuf, std::io::Error),
    /// s3s cannot use it.
    #[error("the directory {0} of --embedded: {1}")]
    FileSystem(PathBuf, String),
}

impl Embedded {
    /// Opens the place, which need not be there yet.
    ///
    /// # Errors
    /// An [`EmbeddedError`].
    pub fn open(place: &ObjectStorage) -> Result<Self, EmbeddedError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |error| EmbeddedError::Directory(path, error)
        };
        let (root, scratch) = match place {
            ObjectStorage::Directory(path) => {
                std::fs::create_dir_all(path).map_err(failed(path))?;
                (path.clone(), None)
            }
            ObjectStorage::Memory => {
                let memory = scratch::memory();
                let scratch = Scratch::new(&memory).map_err(failed(&memory))?;
                (scratch.path().to_owned(), Some(Arc::new(scratch)))
            }
        };
        let files =
            FileSystem::new(&root).map_err(|error| EmbeddedError::FileSystem(root.clone(), format!("{error:?}")))?;
        let keys = Keys::open(&root).map_err(failed(&root))?;
        let mut builder = S3ServiceBuilder::new(Objects { files, keys: Arc::new(keys) });
        builder.set_auth(Secrets);
        builder.set_access(AllowAll { root: root.clone(), seen: RwLock::default() });
        Ok(Self { service: builder.build(), root, conditional: Arc::default(), _scratch: scratch })
    }

    /// Makes sure that a bucket is there.
    ///
    /// # Errors
    /// An [`EmbeddedError`].
    pub fn create_bucket(&self, name: &str) -> Result<(), EmbeddedError> {
        let path = self.root.join(name);
        std::fs::create_dir_all(&path).map_err(|error| EmbeddedError::Directory(path, error))
    }

    /// Whether a request is one for S3.
    #[must_use]
    pub fn is_meant<B>(request: &Request<B>) -> bool {
        let signature = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let query = request.uri().query().unwrap_or_default();
        if SCOPES.iter().any(|scope| signature.contains(scope) || query.contains(scope)) {
            return true;
        }
        if Scope::of(request.headers()).is_some() {
            return false;
        }
        let path = request.uri().path();
        !OWN_PAGES.contains(&path) && !OWN_PATHS.iter().any(|own| path.starts_with(own))
    }

    /// Answers a request.
    ///
    /// # Errors
    /// When there is no answer to give.
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Response, HttpError> {
        let headers = request.headers();
        let is_conditional = headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MATCH);
        // s3s-fs looks first and writes then: two such writes must not overlap.
        let _alone =
            if is_conditional && request.method() == Method::PUT { Some(self.conditional.lock().await) } else { None };
        let response = self.service.call(request.map(Body::from)).await?.map(axum::body::Body::new);
        Ok(errors::with_words(response).await)
    }
}

/// Signatures are checked, so that a URL that was tampered with fails here as on AWS. The secret key is that of
/// AWS_SECRET_ACCESS_KEY for AWS_ACCESS_KEY_ID; of any other access key it is the access key itself.
struct Secrets;

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let own = std::env::var("AWS_ACCESS_KEY_ID").is_ok_and(|own| own == access_key);
        let secret = own.then(|| std::env::var("AWS_SECRET_ACCESS_KEY").ok()).flatten();
        Ok(SecretKey::from(secret.unwrap_or_else(|| access_key.to_owned())))
    }
}

/// Everybody may do everything in a bucket that is there, unsigned too.
struct AllowAll {
    root: PathBuf,
    /// Buckets that were seen: the file system is not asked for each request.
    seen: RwLock<HashSet<String>>,
}

impl AllowAll {
    fn has(&self, bucket: &str) -> bool {
        if self.seen.read().unwrap_or_else(PoisonError::into_inner).contains(bucket) {
            return true;
        }
        let is_there = self.root.join(bucket).is_dir();
        if is_there {
            self.seen.write().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned());
        }
        is_there
    }
}

#[async_trait::async_trait]
impl S3Access for AllowAll {
    /// Of a bucket that is not there, s3s-fs would say that it has no such key.
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(bucket) = context.s3_path().get_bucket_name() else { return Ok(()) };
        match context.s3_op().name() {
            "CreateBucket" => {}
            _ if !self.has(bucket) => return Err(s3_error!(NoSuchBucket)),
            "DeleteBucket" => drop(self.seen.write().unwrap_or_else(PoisonError::into_inner).remove(bucket)),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_s3_are_told_from_others() {
        let signed =
            |service: &str| format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
        for (path, service, expected) in [
            ("/bucket/key", "", true),
            ("/", "s3", true),
            ("/", "sagemaker", false),
            ("/", "", false),
            ("/endpoints/demo/async-invocations", "sagemaker", false),
            ("/endpoints/key", "s3", true),
            ("/service/GraniteServiceVersion20100801/operation/ListMetrics", "monitoring", false),
            ("/service/key", "", true),
            ("/2015-03-31/functions", "lambda", false),
            ("/metrics", "", false),
            ("/metrics-bucket/key", "", true),
            ("/_emulator/x?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", "", true),
        ] {
            let request = Request::builder().uri(path).header("authorization", signed(service)).body(()).unwrap();
            assert_eq!(Embedded::is_meant(&request), expected, "{path} {service}");
        }
    }

    #[test]
    fn a_place_in_memory_goes_with_its_last_user() {
        let embedded = Embedded::open(&ObjectStorage::Memory).unwrap();
        embedded.create_bucket("bucket").unwrap();
        let (root, clone) = (embedded.root.clone(), embedded.clone());
        drop(embedded);
        assert!(root.join("bucket").is_dir());
        drop(clone);
        assert!(!root.exists());
    }
}
