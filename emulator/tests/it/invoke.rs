//! InvokeEndpointAsync, from the request to the notification.

use aws_sdk_sagemakerruntime::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sagemakerruntime::primitives::Blob;
use serde_json::Value;

use crate::running::Running;

#[tokio::test]
async fn an_inline_request_is_answered_stored_and_notified() {
    let running = Running::start(&["--failure-location=s3://bucket/failure/"]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("demo").inference_id("order 4711");
    let accepted = call.content_type("application/json").body(Blob::new("{}")).send().await.unwrap();
    assert_eq!(accepted.inference_id(), Some("order 4711"));
    let output_location = accepted.output_location().unwrap();
    assert!(output_location.starts_with("s3://bucket/output/") && !output_location.contains("order"));
    assert!(accepted.failure_location().unwrap().starts_with("s3://bucket/failure/"));
    let (topic, notification) = running.notification(1).await;
    assert_eq!((topic.as_str(), &notification["invocationStatus"]), ("arn:success", &"Completed".into()));
    assert_eq!(notification["responseParameters"]["outputLocation"], output_location);
    assert_eq!((notification.get("responseBody"), &notification["inferenceId"]), (None, &"order 4711".into()));
    let stored = running.stored.lock().unwrap().clone();
    assert_eq!(stored, [(output_location.to_owned(), "application/json".to_owned(), b"{}".to_vec())]);
}

#[tokio::test]
async fn an_input_is_read_from_s3_by_its_raw_key() {
    let running = Running::start(&["--include-inference-response-in=SUCCESS_NOTIFICATION_TOPIC"]).await;
    let location = "s3://bucket/in put/100%25.json";
    let accepted = running.client().invoke_endpoint_async().endpoint_name("demo").input_location(location).send().await;
    assert_eq!(accepted.unwrap().failure_location(), None);
    let (_, notification) = running.notification(1).await;
    assert_eq!(notification["requestParameters"]["inputLocation"], location);
    assert_eq!(notification["responseBody"]["content"], "ZnJvbSBTMw==");
    assert_eq!(running.stored.lock().unwrap()[0].2, b"from S3");
}

#[tokio::test]
async fn path_extension_and_filename_name_the_output() {
    let running = Running::start(&[]).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("demo").body(Blob::new("x"));
    let accepted = call.s3_output_path_extension("2026/06/").filename("a.out").send().await.unwrap();
    assert_eq!(accepted.output_location(), Some("s3://bucket/output/2026/06/a.out"));
}

#[tokio::test]
async fn a_failure_is_notified_with_and_without_a_failure_path() {
    for (more, has_location) in [(&["--failure-location=s3://bucket/failure/"][..], true), (&[], false)] {
        let running = Running::start(more).await;
        running.client().invoke_endpoint_async().endpoint_name("broken").body(Blob::new("x")).send().await.unwrap();
        let (topic, notification) = running.notification(1).await;
        assert_eq!((topic.as_str(), &notification["invocationStatus"]), ("arn:error", &"Failed".into()));
        assert!(
            notification["failureReason"].as_str().unwrap().starts_with("ClientError: Received client error (400)")
        );
        let stored = running.stored.lock().unwrap();
        let location = stored.first().map(|(location, ..)| Value::from(location.as_str()));
        assert_eq!(
            (location.is_some(), notification["responseParameters"].get("failureLocation")),
            (has_location, location.as_ref())
        );
    }
}

#[tokio::test]
async fn an_input_that_is_not_there_fails_and_a_model_that_takes_too_long_expires() {
    let running = Running::start(&["--endpoint=stuck=sleep:3600"]).await;
    let client = running.client();
    client.invoke_endpoint_async().endpoint_name("demo").input_location("s3://bucket/none").send().await.unwrap();
    let (_, notification) = running.notification(1).await;
    let reason = "ClientError: Unable to read the input from s3://bucket/none: NoSuchKey: no such key";
    assert_eq!(notification["failureReason"], reason);
    let call = client.invoke_endpoint_async().endpoint_name("stuck").invocation_timeout_seconds(1);
    call.body(Blob::new("x")).send().await.unwrap();
    assert_eq!(running.notification(2).await.1["invocationStatus"], "Expired");
}

#[tokio::test]
async fn the_first_invocations_of_a_throttled_endpoint_are_refused() {
    let running = Running::start(&["--throttle=demo=2"]).await;
    let call = || running.client().invoke_endpoint_async().endpoint_name("demo").body(Blob::new("x")).send();
    for _ in 0..2 {
        assert_eq!(call().await.unwrap_err().code(), Some("ThrottlingException"));
    }
    assert!(call().await.is_ok());
}

#[tokio::test]
async fn what_breaks_a_bound_is_a_validation_error_that_names_the_member() {
    let running = Running::start(&[]).await;
    let client = running.client();
    let call = || client.invoke_endpoint_async().endpoint_name("demo");
    let long = "x".repeat(1025);
    let body = Blob::new("x");
    let cases = [
        (call(), "One of Body and InputLocation"),
        (call().body(body.clone()).input_location("s3://bucket/x"), "Only one of Body and InputLocation"),
        (call().endpoint_name("other").body(body.clone()), "Endpoint other of account"),
        (call().body(Blob::new(vec![0; 128_001])), "'body'"),
        (call().body(Blob::new(vec![0; 1_000_000])), "'body'"),
        (call().body(body.clone()).content_type(&long), "'contentType'"),
        (call().body(body.clone()).accept(&long), "'accept'"),
        (call().body(body.clone()).custom_attributes(&long), "'customAttributes'"),
        (call().body(body.clone()).inference_id("i".repeat(65)), "'inferenceId'"),
        (call().input_location("ftp://bucket/x"), "'inputLocation'"),
        (call().input_location("s3:///x"), "^(https|s3)://([^/]+)/?(.*)$"),
        (call().input_location(format!("s3://bucket/{}", "k".repeat(1020))), "'inputLocation'"),
        (call().body(body.clone()).s3_output_path_extension("s3://x"), "'s3OutputPathExtension'"),
        (call().body(body.clone()).filename("a.b.c"), "'filename'"),
        (call().body(body.clone()).request_ttl_seconds(59), "'requestTTLSeconds'"),
        (call().body(body).invocation_timeout_seconds(3601), "'invocationTimeoutSeconds'"),
    ];
    for (call, expected) in cases {
        let error = call.send().await.expect_err(expected);
        assert!(
            error.as_service_error().is_some_and(|error| error.is_validation_error()),
            "{}",
            DisplayErrorContext(&error)
        );
        assert!(error.message().unwrap().contains(expected), "{:?} / {expected}", error.message());
    }
    assert!(call().body(Blob::new(vec![0; 128_000])).send().await.is_ok());
}

#[tokio::test]
async fn an_asynchronous_endpoint_does_not_answer_invoke_endpoint() {
    let running = Running::start(&[]).await;
    let client = running.client();
    for (name, expected) in [("demo", "does not support this inference type"), ("other", "Endpoint other of account")] {
        let error = client.invoke_endpoint().endpoint_name(name).body(Blob::new("x")).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationError"));
        assert!(error.message().unwrap().contains(expected), "{:?}", error.message());
    }
}

#[tokio::test]
async fn a_model_can_answer_with_any_size() {
    let running = Running::start(&["--endpoint=large=size:3000000"]).await;
    running.client().invoke_endpoint_async().endpoint_name("large").body(Blob::new("x")).send().await.unwrap();
    running.notification(1).await;
    assert_eq!(running.stored.lock().unwrap()[0].2.len(), 3_000_000);
}

#[tokio::test]
async fn a_full_queue_is_service_unavailable() {
    let running = Running::start(&["--queue-limit=2", "--cold-start=3600", "--endpoint=cold=echo"]).await;
    let call = || running.client().invoke_endpoint_async().endpoint_name("cold").body(Blob::new("x")).send();
    for _ in 0..2 {
        assert!(call().await.is_ok());
    }
    assert_eq!(call().await.unwrap_err().code(), Some("ServiceUnavailable"));
}

#[tokio::test]
async fn a_location_that_the_api_takes_and_that_is_no_object_fails_when_it_is_read() {
    let running = Running::start(&[]).await;
    for (n, location) in ["s3://bucket", "https://example.com/x", "https://bucket.s3.us-east-1.amazonaws.com/none"]
        .into_iter()
        .enumerate()
    {
        let call = running.client().invoke_endpoint_async().endpoint_name("demo").input_location(location);
        call.send().await.unwrap();
        let (_, notification) = running.notification(n + 1).await;
        assert_eq!(notification["invocationStatus"], "Failed");
        let expected = format!("ClientError: Unable to read the input from {location}: ");
        assert!(notification["failureReason"].as_str().unwrap().starts_with(&expected), "{notification}");
    }
}
