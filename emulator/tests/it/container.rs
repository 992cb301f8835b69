//! Containers: what they are asked, and what they may not answer.

use aws_sdk_sagemakerruntime::primitives::Blob;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::running::Running;

#[tokio::test]
async fn a_container_gets_sagemakers_headers_and_its_errors_are_failures() {
    let ping = axum::routing::get(|| async {});
    let container = axum::Router::new().route("/ping", ping).route(
        "/invocations",
        axum::routing::post(|headers: axum::http::HeaderMap, body: String| async move {
            let header =
                |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
            if body == "bad" {
                return (axum::http::StatusCode::INTERNAL_SERVER_ERROR, "no memory".to_owned());
            }
            let names =
                ["content-type", "accept", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-inference-id"];
            (axum::http::StatusCode::OK, names.map(header).join("|"))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("--endpoint=real=http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, container).await });
    let include = "--include-inference-response-in=SUCCESS_NOTIFICATION_TOPIC,ERROR_NOTIFICATION_TOPIC";
    let running = Running::start(&[&endpoint, include]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("x"));
    let call = call.content_type("text/csv").accept("text/plain").custom_attributes("a=b").inference_id("i");
    call.send().await.unwrap();
    running.notification(1).await;
    assert_eq!(running.stored.lock().unwrap()[0].2, b"text/csv|text/plain|a=b|i");
    running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("bad")).send().await.unwrap();
    let (_, notification) = running.notification(2).await;
    assert!(notification["failureReason"].as_str().unwrap().contains("server error (500)"));
    assert_eq!(
        (&notification["responseBody"]["content"], notification["responseBody"].get("encoding")),
        (&"no memory".into(), None)
    );
}

/// A container that answers every `/invocations` with these bytes; gives its URL.
async fn raw_container(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                let is_ping = request[..read].starts_with(b"GET /ping ");
                let ping = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(if is_ping { ping } else { &answer }.as_bytes()).await.unwrap();
                // Closed with some of the request unread, it would be reset, and the answer lost.
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    url
}

#[tokio::test]
async fn a_response_without_content_length_or_with_long_headers_fails_as_sagemaker_fails_it() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned();
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Long: {}\r\n\r\nx", "x".repeat(4096));
    for (answer, expected) in [(chunked, "the required Content-Length header"), (long, "greater than 4096 bytes")] {
        let running = Running::start(&[&format!("--endpoint=real={}", raw_container(answer).await)]).await;
        running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("x")).send().await.unwrap();
        let (_, notification) = running.notification(1).await;
        assert!(notification["failureReason"].as_str().unwrap().contains(expected), "{notification}");
        assert!(running.stored.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn no_work_goes_to_a_container_before_it_answers_ping() {
    // Bound, and so nobody else's; but it does not listen yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let running = Running::start(&[&format!("--endpoint=real=http://{address}")]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("real").body(Blob::new("x"));
    call.send().await.unwrap();
    assert!(running.published.lock().unwrap().is_empty());
    let container = axum::Router::new()
        .route("/ping", axum::routing::get(|| async {}))
        .route("/invocations", axum::routing::post(|body: String| async move { body }));
    let listener = socket.listen(16).unwrap();
    tokio::spawn(async move { axum::serve(listener, container).await });
    assert_eq!(running.notification(1).await.1["invocationStatus"], "Completed");
}
