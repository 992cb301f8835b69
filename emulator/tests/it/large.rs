//! Inputs and outputs that are too large for memory.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sagemakerruntime::primitives::Blob;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use futures_util::StreamExt;
use sagemaker_async_emulator::aws;
use tokio::net::TcpListener;

use crate::embedded::start;
use crate::running::{Running, found, runtime_client};

/// More than is kept in memory.
fn input() -> Vec<u8> {
    (0..9_000_000_u32).map(|number| (number % 251) as u8).collect()
}

/// A container that answers with its input; gives its URL and the content lengths that it was told.
async fn echo() -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let told = Arc::<Mutex<Vec<Option<String>>>>::default();
    let seen = Arc::clone(&told);
    let answer = move |headers: HeaderMap, body: Bytes| {
        let length = headers.get("content-length").map(|value| value.to_str().unwrap().to_owned());
        seen.lock().unwrap().push(length);
        async move { body }
    };
    let container = axum::Router::new()
        .route("/ping", get(|| async {}))
        .route("/invocations", post(answer).layer(DefaultBodyLimit::disable()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, container).await });
    (url, told)
}

#[tokio::test]
async fn a_container_gets_a_large_input_with_its_length_and_its_output_is_stored() {
    let (container, told) = echo().await;
    let url = start(&[&format!("--endpoint=real={container}")]).await;
    let s3 = aws::embedded_s3(&url);
    s3.put_object().bucket("sagemaker").key("in").body(ByteStream::from(input())).send().await.unwrap();
    let call = runtime_client(&url).invoke_endpoint_async().endpoint_name("real").input_location("s3://sagemaker/in");
    let location = call.send().await.unwrap().output_location.unwrap();
    let key = location.strip_prefix("s3://sagemaker/").unwrap();
    let look = async || s3.get_object().bucket("sagemaker").key(key).send().await.ok();
    let output = found("the output", look).await;
    assert!(output.body.collect().await.unwrap().into_bytes() == input(), "the output is not the input");
    assert_eq!(*told.lock().unwrap(), [Some("9000000".to_owned())]);
}

#[tokio::test]
async fn a_container_that_hangs_or_breaks_off_in_a_large_response_fails_the_invocation() {
    // Says that it has more than it sends: one breaks off, the other one says nothing any more.
    for (hangs, timeout_seconds, expected) in [(false, 3_600, "Failed"), (true, 1, "Expired")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let container = format!("--endpoint=real=http://{}", listener.local_addr().unwrap());
        let answer = move || async move {
            let part = futures_util::stream::iter([Ok(Bytes::from(input()))]);
            let rest = futures_util::stream::once(async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Err(std::io::Error::other("broken off"))
            });
            let body = axum::body::Body::from_stream(part.chain(rest));
            ([("content-length", "10000000")], body)
        };
        let router = axum::Router::new().route("/ping", get(|| async {})).route("/invocations", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let running = Running::start(&[&container]).await;
        let call = running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("x"));
        call.invocation_timeout_seconds(timeout_seconds).send().await.unwrap();
        let (_, notification) = running.notification(1).await;
        assert_eq!(notification["invocationStatus"], expected, "{notification}");
        assert!(running.stored.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_page_shows_the_beginning_of_a_large_output() {
    let url = start(&["--endpoint=large=size:5000000"]).await;
    runtime_client(&url).invoke_endpoint_async().endpoint_name("large").body(Blob::new("x")).send().await.unwrap();
    let output = format!("{url}/_emulator/endpoints/large/invocations/1/output");
    let look = async || Some(reqwest::get(&output).await.unwrap()).filter(|answer| answer.status().is_success());
    let shown = found("the output", look).await.bytes().await.unwrap();
    assert!(shown == vec![b'x'; 1 << 20], "{} bytes are shown", shown.len());
}

#[tokio::test]
async fn an_input_that_breaks_off_is_a_failed_download() {
    // An S3 that promises more than it sends.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = || async {
        let part = futures_util::stream::iter([Ok(Bytes::from(input())), Err(std::io::Error::other("broken off"))]);
        ([("content-length", "10000000")], axum::body::Body::from_stream(part))
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(get(answer))).await });
    let store = sagemaker_async_emulator::store::Store::Own(aws::embedded_s3(&url));
    let spool = sagemaker_async_emulator::body::Spool::default();
    let broken = store.get(&"s3://bucket/in".parse().unwrap(), &spool).await;
    assert!(!broken.unwrap_err().is_empty());
}
