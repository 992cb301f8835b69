//! Objects as files on this machine.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use sagemaker_async_bridge::location::S3Uri;
use tokio::fs::{File, create_dir_all};

use super::Store;
use crate::aws::{reason, words};

impl Store {
    /// Writes an object to a file, whose directories are made. No more of it than a part is in memory at once.
    ///
    /// # Errors
    /// What S3 or the file system said, as text.
    pub async fn download(&self, location: &S3Uri, path: &Path) -> Result<(), String> {
        let object = self.client().get_object().bucket(location.bucket()).key(location.key()).send().await;
        let body: ByteStream = object.map_err(|error| reason(&error))?.body;
        let local = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(directory) = path.parent() {
            create_dir_all(directory).await.map_err(local)?;
        }
        let mut file = File::create(path).await.map_err(local)?;
        tokio::io::copy(&mut body.into_async_read(), &mut file).await.map_err(|error| words(&error))?;
        file.sync_data().await.map_err(local)
    }

    /// The keys under a prefix.
    ///
    /// # Errors
    /// What S3 said, as text.
    pub async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, String> {
        let mut pages = self.client().list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| reason(&error))?;
            keys.extend(page.contents.into_iter().flatten().filter_map(|object| object.key));
        }
        Ok(keys)
    }
}
