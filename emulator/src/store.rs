//! Where inputs are read and outputs written.

mod files;

use aws_sdk_s3::primitives::ByteStream;
use axum::body::Bytes;
use sagemaker_async_bridge::location::S3Uri;

use crate::aws::{reason, words};

/// An S3.
#[derive(Clone, Debug)]
pub enum Store {
    /// AWS's, or what stands in for it.
    Aws(aws_sdk_s3::Client),
    /// The emulator's own.
    Own(aws_sdk_s3::Client),
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Its content type, `application/octet-stream` where S3 names none.
    pub content_type: String,
}

impl Store {
    const fn client(&self) -> &aws_sdk_s3::Client {
        match self {
            Self::Aws(client) | Self::Own(client) => client,
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn get(&self, location: &S3Uri) -> Result<Object, String> {
        let object = self.client().get_object().bucket(location.bucket()).key(location.key()).send().await;
        let object = object.map_err(|error| reason(&error))?;
        let content_type = object.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let body = object.body.collect().await.map_err(|error| words(&error))?.into_bytes();
        Ok(Object { body, content_type })
    }

    /// Writes an object.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn put(&self, location: &S3Uri, object: &Object) -> Result<(), String> {
        let put = self.client().put_object().bucket(location.bucket()).key(location.key());
        let put = put.content_type(&object.content_type).body(ByteStream::from(object.body.clone()));
        let put = match self {
            Self::Aws(_) => put.send().await,
            // Nothing happens to the bytes between here and here, and hashing them twice is most of the work.
            Self::Own(_) => put.customize().disable_payload_signing().send().await,
        };
        put.map(drop).map_err(|error| reason(&error))
    }
}
