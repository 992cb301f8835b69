//! The keys that the embedded S3 takes: all that S3 does.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use aws_sdk_sagemakerruntime::primitives::Blob;

use crate::embedded::{s3, start};
use crate::running::{found, runtime_client};

/// Keys that are no paths of a file system, and one whose attributes' file would have too long a name.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> =
        ["a", "a/b", "a/b/c", "a//b", "folder/", "/a", "a/../b", ".hashed/x"].map(str::to_owned).to_vec();
    keys.extend([
        format!("long/{}", "k".repeat(141)),
        "ü".repeat(512),
        format!("{}/{}", "d".repeat(300), "k".repeat(723)),
    ]);
    keys
}

async fn put(s3: &Client, key: &str, body: &str) {
    let body = ByteStream::from(body.as_bytes().to_vec());
    s3.put_object().bucket("bucket").key(key).content_type("text/x").body(body).send().await.unwrap();
}

async fn get(s3: &Client, key: &str) -> String {
    let object = s3.get_object().bucket("bucket").key(key).send().await.unwrap();
    assert_eq!(object.content_type(), Some("text/x"));
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

async fn list(s3: &Client) -> Vec<String> {
    let mut pages = s3.list_objects_v2().bucket("bucket").max_keys(2).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    keys
}

#[tokio::test]
async fn every_key_that_s3_takes_is_written_read_listed_copied_and_deleted() {
    let s3 = s3(&[]).await;
    let mut keys = odd_keys();
    for key in &keys {
        put(&s3, key, key).await;
    }
    keys.sort();
    assert_eq!(list(&s3).await, keys);
    for key in &keys {
        assert_eq!(get(&s3, key).await, *key);
        assert_eq!(
            s3.head_object().bucket("bucket").key(key).send().await.unwrap().content_length(),
            i64::try_from(key.len()).ok()
        );
    }
    let long = &keys.iter().find(|key| key.starts_with("long/")).unwrap().clone();
    let target = "t".repeat(1024);
    s3.copy_object().bucket("bucket").key(&target).copy_source(format!("bucket/{long}")).send().await.unwrap();
    assert_eq!(get(&s3, &target).await, *long);
    let (last, others) = keys.split_last().unwrap();
    s3.delete_object().bucket("bucket").key(last).send().await.unwrap();
    let mut delete = Delete::builder();
    for key in others.iter().chain([&target]) {
        delete = delete.objects(ObjectIdentifier::builder().key(key).build().unwrap());
    }
    let deleted = s3.delete_objects().bucket("bucket").delete(delete.build().unwrap()).send().await.unwrap();
    assert_eq!(deleted.deleted()[0].key(), Some(others[0].as_str()));
    assert_eq!(list(&s3).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_long_key_is_written_in_parts() {
    let s3 = s3(&[]).await;
    let key = "k".repeat(1000);
    let upload = s3.create_multipart_upload().bucket("bucket").key(&key).content_type("text/x").send().await.unwrap();
    assert_eq!(upload.key(), Some(key.as_str()));
    let id = upload.upload_id().unwrap();
    let part = s3.upload_part().bucket("bucket").key(&key).upload_id(id).part_number(1);
    let part = part.body(ByteStream::from_static(b"in parts")).send().await.unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag().unwrap()).build();
    let complete = s3.complete_multipart_upload().bucket("bucket").key(&key).upload_id(id);
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    assert_eq!(complete.multipart_upload(parts).send().await.unwrap().key(), Some(key.as_str()));
    assert_eq!(get(&s3, &key).await, "in parts");
}

#[tokio::test]
async fn a_key_of_more_than_1024_bytes_is_too_long_and_says_so() {
    let s3 = s3(&[]).await;
    let error = s3.put_object().bucket("bucket").key("k".repeat(1025)).send().await.unwrap_err();
    assert_eq!((error.raw_response().unwrap().status().as_u16(), error.code()), (400, Some("KeyTooLongError")));
    assert_eq!(error.message(), Some("Your key is too long"));
}

#[tokio::test]
async fn keys_are_gathered_by_a_delimiter_and_listed_the_old_way_too() {
    let s3 = s3(&[]).await;
    for key in ["logs/2026/a", "logs/b", "top", &format!("logs/{}/c", "x".repeat(200))] {
        put(&s3, key, "").await;
    }
    let listed = s3.list_objects().bucket("bucket").prefix("logs/").delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = listed.common_prefixes().iter().filter_map(|common| common.prefix()).collect();
    assert_eq!(prefixes, ["logs/2026/", &format!("logs/{}/", "x".repeat(200))]);
    assert_eq!(listed.contents()[0].key(), Some("logs/b"));
    let listed = s3.list_objects().bucket("bucket").marker("logs/b").max_keys(1).send().await.unwrap();
    assert_eq!((listed.contents()[0].key().unwrap().len(), listed.is_truncated()), (207, Some(true)));
}

#[tokio::test]
async fn what_is_not_there_is_named_in_s3s_words() {
    let s3 = s3(&[]).await;
    let missing = s3.get_object().bucket("bucket").key("none").send().await.unwrap_err();
    assert_eq!((missing.code(), missing.message()), (Some("NoSuchKey"), Some("The specified key does not exist.")));
    let missing = s3.get_object().bucket("none").key("none").send().await.unwrap_err();
    assert_eq!(
        (missing.code(), missing.message()),
        (Some("NoSuchBucket"), Some("The specified bucket does not exist"))
    );
    let missing = s3.put_object().bucket("none").key("x").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchBucket"));
    s3.delete_bucket().bucket("bucket").send().await.unwrap();
    let missing = s3.put_object().bucket("bucket").key("x").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchBucket"));
}

/// An extension of `..` is no way out of the bucket.
#[tokio::test]
async fn outputs_of_long_and_odd_names_are_stored_in_their_bucket() {
    let url = start(&["--output-location=s3://bucket/output/"]).await;
    let s3 = sagemaker_async_emulator::aws::embedded_s3(&url);
    for extension in [format!("2026/{}", "p".repeat(400)), "../../../../sagemaker".to_owned()] {
        let call = runtime_client(&url).invoke_endpoint_async().endpoint_name("demo").body(Blob::new("x"));
        let accepted = call.s3_output_path_extension(extension).send().await.unwrap();
        let key = accepted.output_location().unwrap().strip_prefix("s3://bucket/").unwrap().to_owned();
        let look = async || s3.head_object().bucket("bucket").key(&key).send().await.ok();
        found(&format!("output {key}"), look).await;
    }
}

#[tokio::test]
async fn a_failure_names_s3s_error_in_its_words() {
    let url = start(&["--output-location=s3://bucket/output/"]).await;
    let client = runtime_client(&url);
    let call = client.invoke_endpoint_async().endpoint_name("demo").input_location("s3://none/x");
    call.send().await.unwrap();
    let look = async || {
        let answer = reqwest::get(format!("{url}/_emulator/endpoints/demo/invocations/1")).await.unwrap();
        let invocation: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        invocation["failureReason"].as_str().map(str::to_owned)
    };
    let reason = found("a reason", look).await;
    let expected =
        "ClientError: Unable to read the input from s3://none/x: NoSuchBucket: The specified bucket does not exist";
    assert_eq!(reason, expected);
}
