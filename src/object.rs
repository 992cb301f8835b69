//! Objects in S3, read no further than they have to be.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;

use crate::fault::Fault;
use crate::location::S3Uri;

/// An object whose body has not been read. Dropping it closes its connection.
pub(crate) struct Object {
    /// Bytes.
    pub(crate) length: u64,
    inner: GetObjectOutput,
}

/// What S3 says of an object without giving it.
pub(crate) struct Head {
    /// Bytes.
    pub(crate) length: Option<u64>,
    pub(crate) content_type: Option<String>,
    /// When it was written, in seconds since 1970.
    pub(crate) last_modified: Option<u64>,
}

impl Head {
    /// Asks about an object; `None` if there is none. Without the right to list, S3 answers 403 instead, which is a fault.
    ///
    /// # Errors
    /// What S3 said.
    pub(crate) async fn of(s3: &Client, location: &S3Uri) -> Result<Option<Self>, Fault> {
        match s3.head_object().bucket(location.bucket()).key(location.key()).send().await {
            Ok(head) => Ok(Some(Self {
                length: head.content_length().and_then(|length| u64::try_from(length).ok()),
                last_modified: head.last_modified().and_then(|time| u64::try_from(time.secs()).ok()),
                content_type: head.content_type,
            })),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => Err(Fault::from_aws("HeadObject", error)),
        }
    }
}

impl Object {
    /// Asks for an object; `None` if there is none. Without the right to list, S3 answers 403 instead, which is a fault: a role
    /// that lacks a permission must not look like a model at work.
    ///
    /// # Errors
    /// What S3 said.
    pub(crate) async fn get(s3: &Client, location: &S3Uri) -> Result<Option<Self>, Fault> {
        match s3.get_object().bucket(location.bucket()).key(location.key()).send().await {
            Ok(inner) => {
                let length = inner.content_length().and_then(|length| u64::try_from(length).ok());
                let length =
                    length.ok_or_else(|| Fault::unavailable("GetObject did not return the object's length"))?;
                Ok(Some(Self { length, inner }))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(Fault::from_aws("GetObject", error)),
        }
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        self.inner.content_type()
    }

    pub(crate) fn content_encoding(&self) -> Option<&str> {
        self.inner.content_encoding()
    }

    pub(crate) fn etag(&self) -> Option<&str> {
        self.inner.e_tag()
    }

    /// When it was written, in seconds since 1970.
    pub(crate) fn last_modified(&self) -> Option<u64> {
        self.inner.last_modified().and_then(|time| u64::try_from(time.secs()).ok())
    }

    /// Reads the body.
    ///
    /// # Errors
    /// A [`Fault`] when the answer breaks off.
    pub(crate) async fn read(self) -> Result<Vec<u8>, Fault> {
        let body = self.inner.body.collect().await;
        // Not `to_vec`, which copies byte by byte.
        Ok(body.map_err(|error| Fault::unavailable(format!("GetObject was interrupted: {error}")))?.into_bytes().into())
    }
}
