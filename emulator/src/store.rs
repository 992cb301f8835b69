//! Where inputs are read and outputs written.

mod files;

use axum::body::Bytes;
use sagemaker_async_bridge::location::S3Uri;

use crate::aws::{reason, words};
use crate::body::{Body, Spool};

/// An S3.
#[derive(Clone, Debug)]
pub enum Store {
    /// AWS's, or what stands in for it.
    Aws(aws_sdk_s3::Client),
    /// The emulator's own.
    Own(aws_sdk_s3::Client),
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub body: Body,
    /// Its content type, `application/octet-stream` where S3 names none.
    pub content_type: String,
}

impl Store {
    const fn client(&self) -> &aws_sdk_s3::Client {
        match self {
            Self::Aws(client) | Self::Own(client) => client,
        }
    }

    /// Reads an object; a large one comes to lie in the spool.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn get(&self, location: &S3Uri, spool: &Spool) -> Result<Object, String> {
        let object = self.client().get_object().bucket(location.bucket()).key(location.key()).send().await;
        let mut object = object.map_err(|error| reason(&error))?;
        let content_type = object.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let mut intake = spool.intake();
        while let Some(bytes) = object.body.next().await {
            let bytes = bytes.map_err(|error| words(&error))?;
            intake.take(&bytes).await.map_err(|error| error.to_string())?;
        }
        let body = intake.finish().await.map_err(|error| error.to_string())?;
        Ok(Object { body, content_type })
    }

    /// Reads the first bytes of an object, at most so many.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn first(&self, location: &S3Uri, limit: usize) -> Result<Bytes, String> {
        let object = self.client().get_object().bucket(location.bucket()).key(location.key()).send().await;
        let mut body = object.map_err(|error| reason(&error))?.body;
        let mut first = Vec::new();
        while first.len() < limit
            && let Some(bytes) = body.next().await
        {
            first.extend_from_slice(&bytes.map_err(|error| words(&error))?);
        }
        first.truncate(limit);
        Ok(first.into())
    }

    /// Writes an object.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn put(&self, location: &S3Uri, object: &Object) -> Result<(), String> {
        let put = self.client().put_object().bucket(location.bucket()).key(location.key());
        let put = put.content_type(&object.content_type).body(object.body.stream().await?);
        let put = match self {
            Self::Aws(_) => put.send().await,
            // Nothing happens to the bytes between here and here, and hashing them twice is most of the work.
            Self::Own(_) => put.customize().disable_payload_signing().send().await,
        };
        put.map(drop).map_err(|error| reason(&error))
    }
}
