//! Where inputs are read and outputs written.

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::error::display::DisplayErrorContext;
use axum::body::Bytes;
use sagemaker_async_bridge::location::S3Uri;

/// An S3: AWS's, what stands in for it, or the emulator's own.
#[derive(Clone, Debug)]
pub struct Store(pub aws_sdk_s3::Client);

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Its content type, `application/octet-stream` where S3 names none.
    pub content_type: String,
}

impl Store {
    /// Reads an object.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn get(&self, location: &S3Uri) -> Result<Object, String> {
        let object = self.0.get_object().bucket(location.bucket()).key(location.key()).send().await;
        let object = object.map_err(|error| DisplayErrorContext(error).to_string())?;
        let content_type = object.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let body = object.body.collect().await.map_err(|error| error.to_string())?.into_bytes();
        Ok(Object { body, content_type })
    }

    /// Writes an object.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn put(&self, location: &S3Uri, object: &Object) -> Result<(), String> {
        let put = self.0.put_object().bucket(location.bucket()).key(location.key());
        let put = put.content_type(&object.content_type).body(ByteStream::from(object.body.clone()));
        put.send().await.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
    }
}
