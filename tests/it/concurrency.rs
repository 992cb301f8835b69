//! How many messages of a batch are in flight at once: counted by a server that holds each request for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sagemakerruntime::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::Builder;
use sagemaker_async_bridge::config::SubmitConfig;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::aws::Aws;
use crate::event;

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 19\r\n\r\n{\"InferenceId\":\"i\"}";

/// Requests in flight, and the most that there ever were.
#[derive(Default)]
struct InFlight {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Answers the requests of one connection. Each body here is the two bytes `{}`, with which a request ends.
async fn serve(mut connection: TcpStream, in_flight: Arc<InFlight>) {
    let mut request = Vec::new();
    while connection.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        if !request.ends_with(b"\r\n\r\n{}") {
            continue;
        }
        request.clear();
        let now = in_flight.now.fetch_add(1, Ordering::SeqCst) + 1;
        in_flight.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        in_flight.now.fetch_sub(1, Ordering::SeqCst);
        connection.write_all(ACCEPTED).await.unwrap();
    }
}

/// The most requests in flight at once for a batch of twelve.
async fn most_in_flight(max_concurrency: &str) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let in_flight = Arc::new(InFlight::default());
    let counted = Arc::clone(&in_flight);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, Arc::clone(&counted)));
        }
    });
    let sagemaker = aws_sdk_sagemakerruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::for_tests())
        .http_client(Builder::new().build_http())
        .build();
    let config = SubmitConfig::from_lookup(|name| match name {
        "BRIDGE_ENDPOINT_NAME" => Some("summarizer".to_owned()),
        "BRIDGE_INPUT_LOCATION" => Some("s3://models-bucket/input/".to_owned()),
        "BRIDGE_MAX_CONCURRENCY" => Some(max_concurrency.to_owned()),
        _ => None,
    });
    let aws = Aws::default();
    let sagemaker = aws_sdk_sagemakerruntime::Client::from_conf(sagemaker);
    let submit = Submit::with_clients(config.unwrap(), sagemaker, aws.s3(), aws.sqs());
    let records: Vec<Value> = (0..12).map(|n| json!({"messageId": format!("m{n}"), "body": "{}"})).collect();
    let answer = submit.handle(event(&json!({"Records": records}))).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}));
    in_flight.most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn messages_of_a_batch_go_out_concurrently_up_to_the_configured_number() {
    assert_eq!(most_in_flight("1").await, 1);
    let most = most_in_flight("4").await;
    assert!((2..=4).contains(&most), "{most}: at most four, and not one after the other");
}
