//! s3s-fs behind S3's keys: each operation is its own, for the path that [`Keys`] gives a key.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyObjectInput, CopyObjectOutput, CopySource, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, Object, PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;

use super::keys::Keys;
use super::listing::{ListingRequest, page};

const MAX_PAGE: i32 = 1000;

/// The operations that the emulator's S3 has.
pub(super) struct Objects {
    pub(super) files: FileSystem,
    pub(super) keys: Arc<Keys>,
}

impl Objects {
    fn find(&self, bucket: &str, key: &mut String) {
        *key = self.keys.path_to_read(bucket, key).into_owned();
    }

    fn place(&self, bucket: &str, key: &mut String) -> S3Result<()> {
        *key = self.keys.path_to_write(bucket, key).map_err(S3Error::internal_error)?.into_owned();
        Ok(())
    }

    fn find_source(&self, source: &mut CopySource) {
        if let CopySource::Bucket { bucket, key, .. } = source {
            *key = self.keys.path_to_read(bucket, key).into();
        }
    }

    /// All objects of a bucket, in the order of their keys.
    async fn all<T>(&self, request: S3Request<T>, bucket: String) -> S3Result<Vec<Object>> {
        let wanted = ListObjectsV2Input { bucket, max_keys: Some(i32::MAX), ..ListObjectsV2Input::default() };
        let found = self.files.list_objects_v2(request.map_input(|_| wanted)).await?.output.contents;
        let named = |mut object: Object| {
            object.key = Some(self.keys.key(object.key.take()?)?);
            Some(object)
        };
        let mut objects: Vec<Object> = found.unwrap_or_default().into_iter().filter_map(named).collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(request).await
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.files.delete_bucket(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(request).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.files.get_bucket_location(request).await
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.place(&request.input.bucket, &mut request.input.key)?;
        self.files.put_object(request).await
    }

    async fn get_object(&self, mut request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.find(&request.input.bucket, &mut request.input.key);
        self.files.get_object(request).await
    }

    async fn head_object(&self, mut request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.find(&request.input.bucket, &mut request.input.key);
        self.files.head_object(request).await
    }

    async fn delete_object(
        &self,
        mut request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.find(&request.input.bucket, &mut request.input.key);
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        mut request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = request.input.bucket.clone();
        let mut keys = Vec::new();
        for object in &mut request.input.delete.objects {
            keys.push(object.key.clone());
            self.find(&bucket, &mut object.key);
        }
        let mut response = self.files.delete_objects(request).await?;
        for (deleted, key) in response.output.deleted.iter_mut().flatten().zip(keys) {
            deleted.key = Some(key);
        }
        Ok(response)
    }

    async fn copy_object(&self, mut request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.find_source(&mut request.input.copy_source);
        self.place(&request.input.bucket, &mut request.input.key)?;
        self.files.copy_object(request).await
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let marker = request.input.marker.clone();
        let response = self.list_objects_v2(request.map_input(Into::into)).await?;
        Ok(response.map_output(|listed| ListObjectsOutput {
            contents: listed.contents,
            common_prefixes: listed.common_prefixes,
            delimiter: listed.delimiter,
            is_truncated: listed.is_truncated,
            marker: marker.or(Some(String::new())),
            max_keys: listed.max_keys,
            name: listed.name,
            next_marker: listed.next_continuation_token,
            prefix: listed.prefix,
            ..ListObjectsOutput::default()
        }))
    }

    /// Keys are not encoded, whatever is asked for, and so the answer does not say that they were.
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input.clone();
        let max_keys = input.max_keys.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE);
        let objects = self.all(request, input.bucket.clone()).await?;
        let page = page(
            objects,
            &ListingRequest {
                prefix: input.prefix.as_deref().unwrap_or_default(),
                delimiter: input.delimiter.as_deref(),
                after: input.continuation_token.as_deref().max(input.start_after.as_deref()),
                max_keys: usize::try_from(max_keys).unwrap_or_default(),
            },
        );
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            contents: Some(page.contents),
            common_prefixes: Some(page.common_prefixes),
            continuation_token: input.continuation_token,
            delimiter: input.delimiter,
            max_keys: Some(max_keys),
            name: Some(input.bucket),
            prefix: input.prefix.or(Some(String::new())),
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        mut request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let key = request.input.key.clone();
        self.place(&request.input.bucket, &mut request.input.key)?;
        let mut response = self.files.create_multipart_upload(request).await?;
        response.output.key = Some(key);
        Ok(response)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(request).await
    }

    async fn upload_part_copy(
        &self,
        mut request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.find_source(&mut request.input.copy_source);
        self.files.upload_part_copy(request).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.files.list_parts(request).await
    }

    async fn complete_multipart_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let key = request.input.key.clone();
        // Where the upload was created, even if that key has come to be in the way of another one since.
        self.find(&request.input.bucket, &mut request.input.key);
        let mut response = self.files.complete_multipart_upload(request).await?;
        if let Some(completed) = response.output.future.take() {
            response.output.future = Some(Box::pin(async move {
                let mut completed = completed.await?;
                completed.key = Some(key);
                Ok(completed)
            }));
        }
        Ok(response)
    }

    async fn abort_multipart_upload(
        &self,
        mut request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.find(&request.input.bucket, &mut request.input.key);
        self.files.abort_multipart_upload(request).await
    }
}
