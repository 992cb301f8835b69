//! The emulator as a complete endpoint, with an S3 of its own and notifications without SNS.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sagemakerruntime::primitives::Blob;
use axum::http::HeaderMap;
use clap::Parser;
use futures_util::StreamExt;
use sagemaker_async_emulator::account::Account;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::settings::Settings;
use sagemaker_async_emulator::{aws, start};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::running::{Running, found, runtime_client};

/// The URL of an emulator with an S3 in memory.
pub(crate) async fn start(more: &[&str]) -> String {
    let base = ["sagemaker-async-emulator", "--embedded=memory", "--endpoint=demo=echo", "--endpoint=broken=fail"];
    let options = Options::parse_from(base.iter().chain(more));
    let settings = Settings::read(&options, Account::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(start::start(&options, settings, listener).await.unwrap());
    url
}

pub(crate) async fn s3(more: &[&str]) -> Client {
    let client = aws::embedded_s3(&start(more).await);
    client.create_bucket().bucket("bucket").send().await.unwrap();
    client
}

/// The lines of a file, once there are so many, each whole.
async fn lines(path: &PathBuf, count: usize) -> Vec<Value> {
    let look = async || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        (text.matches('\n').count() >= count).then_some(text)
    };
    let text = found(&format!("line {count}"), look).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn one_binary_is_a_complete_endpoint() {
    let path = std::env::temp_dir().join(format!("notifications-{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let url = start(&[&format!("--notify=file={}", path.display())]).await;
    let s3 = aws::embedded_s3(&url);
    s3.create_bucket().bucket("inputs").send().await.unwrap();
    let body = ByteStream::from_static(b"from S3");
    s3.put_object().bucket("inputs").key("in put/100%25+ä.json").body(body).send().await.unwrap();
    let client = runtime_client(&url);
    let call = client.invoke_endpoint_async().endpoint_name("demo").content_type("text/csv");
    call.input_location("s3://inputs/in put/100%25+ä.json").send().await.unwrap();
    let lines = lines(&path, 1).await;
    assert_eq!(
        (&lines[0]["Type"], &lines[0]["TopicArn"]),
        (&"Notification".into(), &"arn:aws:sns:us-east-1:000000000000:sagemaker-success".into())
    );
    let message: Value = serde_json::from_str(lines[0]["Message"].as_str().unwrap()).unwrap();
    let location = message["responseParameters"]["outputLocation"].as_str().unwrap();
    let key = location.strip_prefix("s3://sagemaker/").unwrap();
    let output = s3.get_object().bucket("sagemaker").key(key).send().await.unwrap();
    assert_eq!(output.content_type(), Some("text/csv"));
    assert_eq!(output.body.collect().await.unwrap().into_bytes(), "from S3");
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_webhook_gets_what_sns_would_post_and_is_tried_again() {
    let seen = Arc::<Mutex<Vec<(String, Value)>>>::default();
    let posted = Arc::clone(&seen);
    let hook =
        axum::Router::new().route(
            "/hook",
            axum::routing::post(move |headers: HeaderMap, body: String| {
                let message_type = headers["x-amz-sns-message-type"].to_str().unwrap().to_owned();
                let mut posted = posted.lock().unwrap();
                let is_first = posted.is_empty();
                posted.push((message_type, serde_json::from_str(&body).unwrap()));
                async move {
                    if is_first { axum::http::StatusCode::SERVICE_UNAVAILABLE } else { axum::http::StatusCode::OK }
                }
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("--notify=webhook=http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, hook).await });
    let url = start(&[&target]).await;
    runtime_client(&url).invoke_endpoint_async().endpoint_name("broken").body(Blob::new("x")).send().await.unwrap();
    found("a second try", async || (seen.lock().unwrap().len() == 2).then_some(())).await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!((seen.len(), &seen[0], seen[0].0.as_str()), (2, &seen[1], "Notification"));
    let message: Value = serde_json::from_str(seen[0].1["Message"].as_str().unwrap()).unwrap();
    assert!(message["responseParameters"]["failureLocation"].as_str().unwrap().starts_with("s3://sagemaker/failure/"));
}

#[tokio::test]
async fn objects_are_stored_listed_read_in_parts_and_deleted() {
    let s3 = s3(&[]).await;
    for key in ["a/1", "a/2", "b/1"] {
        s3.put_object().bucket("bucket").key(key).body(ByteStream::from_static(b"0123456789")).send().await.unwrap();
    }
    let listed = s3.list_objects_v2().bucket("bucket").prefix("a/").send().await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["a/1", "a/2"]);
    let part = s3.get_object().bucket("bucket").key("a/1").range("bytes=2-4").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().into_bytes(), "234");
    assert_eq!(s3.head_object().bucket("bucket").key("b/1").send().await.unwrap().content_length(), Some(10));
    s3.delete_object().bucket("bucket").key("b/1").send().await.unwrap();
    let missing = s3.get_object().bucket("bucket").key("b/1").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn a_conditional_write_does_not_replace_an_object() {
    let s3 = s3(&[]).await;
    let put = |text: &'static str| {
        let put = s3.put_object().bucket("bucket").key("claim").if_none_match("*");
        put.body(ByteStream::from_static(text.as_bytes())).send()
    };
    put("first").await.unwrap();
    assert_eq!(put("second").await.unwrap_err().code(), Some("PreconditionFailed"));
    let object = s3.get_object().bucket("bucket").key("claim").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().into_bytes(), "first");
}

#[tokio::test]
async fn of_many_conditional_writes_at_once_one_succeeds() {
    let s3 = s3(&[]).await;
    let put = |n: u32| {
        let body = ByteStream::from(n.to_string().into_bytes());
        s3.put_object().bucket("bucket").key("claim").if_none_match("*").body(body).send()
    };
    let written = futures_util::future::join_all((0..50).map(put)).await;
    assert_eq!(written.iter().filter(|written| written.is_ok()).count(), 1);
}

#[tokio::test]
async fn presigned_urls_work_until_they_are_tampered_with() {
    let s3 = s3(&[]).await;
    let expiry = PresigningConfig::expires_in(Duration::from_secs(3_600)).unwrap();
    let put = s3.put_object().bucket("bucket").key("uploaded").presigned(expiry.clone()).await.unwrap();
    let http = reqwest::Client::new();
    let mut upload = http.put(put.uri()).body("payload");
    for (name, value) in put.headers() {
        upload = upload.header(name, value);
    }
    assert_eq!(upload.send().await.unwrap().status(), 200);
    let get = s3.get_object().bucket("bucket").key("uploaded").presigned(expiry).await.unwrap();
    assert_eq!(http.get(get.uri()).send().await.unwrap().text().await.unwrap(), "payload");
    let tampered = get.uri().replace("/uploaded", "/other");
    assert_eq!(http.get(tampered).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn an_unsigned_request_is_answered_too() {
    let url = start(&[]).await;
    let http = reqwest::Client::new();
    assert_eq!(http.put(format!("{url}/sagemaker/input/x")).body("x").send().await.unwrap().status(), 200);
    let answer = http.get(format!("{url}/sagemaker/input/x")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "x");
}

#[tokio::test]
async fn without_an_embedded_s3_other_paths_are_404() {
    let running = Running::start(&[]).await;
    assert_eq!(reqwest::get(format!("{}/bucket/key", running.url)).await.unwrap().status(), 404);
}

/// Ten thousand in flight at once would only measure the machine; what matters is that every one ends, once.
#[tokio::test]
async fn of_a_thousand_invocations_none_is_lost() {
    let url = start(&["--max-concurrent-invocations-per-instance=16"]).await;
    let client = runtime_client(&url);
    let calls = (0..1000).map(|n| {
        let call = client.invoke_endpoint_async().endpoint_name("demo").inference_id(format!("i{n}"));
        let body = Blob::new(format!("payload {n}"));
        async move { call.body(body).send().await.unwrap().output_location().unwrap().to_owned() }
    });
    let mut calls = futures_util::stream::iter(calls).buffer_unordered(32);
    let mut locations = Vec::new();
    while let Some(location) = calls.next().await {
        locations.push(location);
    }
    locations.sort();
    locations.dedup();
    assert_eq!(locations.len(), 1000);
    let look = async || {
        let text = reqwest::get(format!("{url}/_emulator/endpoints")).await.unwrap().text().await.unwrap();
        let endpoints: Value = serde_json::from_str(&text).unwrap();
        let demo = endpoints["endpoints"].as_array().unwrap().iter().find(|demo| demo["endpointName"] == "demo");
        Some(demo.unwrap().clone()).filter(|demo| demo["queued"] == 0 && demo["inProgress"] == 0)
    };
    let demo = found("the end of every invocation", look).await;
    assert_eq!((&demo["completed"], &demo["failed"], &demo["expired"]), (&1000.into(), &0.into(), &0.into()));
    let s3 = aws::embedded_s3(&url);
    let mut keys = Vec::new();
    let mut pages = s3.list_objects_v2().bucket("sagemaker").prefix("output/").into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        keys.extend(
            page.contents().iter().filter_map(|object| object.key()).map(|key| format!("s3://sagemaker/{key}")),
        );
    }
    keys.sort();
    assert_eq!(keys, locations);
}
