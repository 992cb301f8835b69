//! Real-time endpoints, which answer at once.

use aws_sdk_sagemakerruntime::error::ProvideErrorMetadata;
use aws_sdk_sagemakerruntime::operation::invoke_endpoint::InvokeEndpointError;
use aws_sdk_sagemakerruntime::primitives::Blob;
use aws_sdk_sagemakerruntime::types::ResponseStream;
use serde_json::{Value, json};

use crate::control::model;
use crate::running::Running;

/// A real-time endpoint whose variants run these images, with these weights.
async fn real_time(variants: &[(&str, f64)]) -> Running {
    let running = Running::start(&[]).await;
    let mut production = Vec::new();
    for (n, (image, weight)) in variants.iter().enumerate() {
        let name = format!("variant-{n}");
        running.done("CreateModel", &model(&name, image)).await;
        production.push(json!({
            "VariantName": name, "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
            "InitialVariantWeight": weight,
        }));
    }
    let config = json!({"EndpointConfigName": "now", "ProductionVariants": production});
    running.done("CreateEndpointConfig", &config).await;
    running.done("CreateEndpoint", &json!({"EndpointName": "now", "EndpointConfigName": "now"})).await;
    running
}

#[tokio::test]
async fn a_real_time_endpoint_answers_with_what_its_model_says() {
    let running = real_time(&[("echo", 1.0)]).await;
    let call = running.client().invoke_endpoint().endpoint_name("now").content_type("text/csv");
    let answer = call.custom_attributes("trace=1").body(Blob::new("1,2")).send().await.unwrap();
    assert_eq!(answer.body().unwrap().as_ref(), b"1,2");
    assert_eq!((answer.content_type(), answer.invoked_production_variant()), (Some("text/csv"), Some("variant-0")));
    assert_eq!(answer.custom_attributes(), Some("trace=1"));
    let call = running.client().invoke_endpoint().endpoint_name("now").body(Blob::new(vec![0; 6_291_456]));
    assert_eq!(call.send().await.unwrap().body().unwrap().as_ref().len(), 6_291_456);
}

#[tokio::test]
async fn a_model_that_fails_is_a_model_error_with_what_it_said() {
    let running = real_time(&[("fail:503", 1.0)]).await;
    let call = running.client().invoke_endpoint().endpoint_name("now").body(Blob::new("x"));
    let InvokeEndpointError::ModelError(error) = call.send().await.unwrap_err().into_service_error() else {
        panic!("no ModelError");
    };
    assert_eq!(error.original_status_code(), Some(503));
    assert!(error.original_message().unwrap().contains("always fails"));
    assert!(error.message().unwrap().starts_with("Received server error (503) from primary with message"));
    assert!(error.log_stream_arn().unwrap().ends_with("/aws/sagemaker/Endpoints/now"));
}

#[tokio::test]
async fn variants_serve_by_their_weights_and_by_name() {
    let running = real_time(&[("echo", 0.0), ("size:3", 1.0)]).await;
    let call = || running.client().invoke_endpoint().endpoint_name("now").body(Blob::new("x"));
    for _ in 0..5 {
        assert_eq!(call().send().await.unwrap().invoked_production_variant(), Some("variant-1"));
    }
    let answer = call().target_variant("variant-0").send().await.unwrap();
    assert_eq!((answer.invoked_production_variant(), answer.body().unwrap().as_ref()), (Some("variant-0"), &b"x"[..]));
    let error = call().target_variant("none").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationError"));
    assert!(error.message().unwrap().contains("variant none"), "{error:?}");
}

#[tokio::test]
async fn a_stream_carries_the_answer_in_parts() {
    let running = real_time(&[("size:100000", 1.0)]).await;
    let call = running.client().invoke_endpoint_with_response_stream().endpoint_name("now").accept("text/plain");
    let mut answer = call.body(Blob::new("x")).send().await.unwrap();
    assert_eq!(answer.invoked_production_variant(), Some("variant-0"));
    let mut parts = Vec::new();
    while let Some(ResponseStream::PayloadPart(part)) = answer.body.recv().await.unwrap() {
        parts.push(part.bytes().unwrap().as_ref().len());
    }
    assert_eq!(parts, [65_536, 34_464]);
}

#[tokio::test]
async fn an_asynchronous_endpoint_refuses_to_stream_in_sagemakers_words() {
    let running = Running::start(&[]).await;
    let call = running.client().invoke_endpoint_with_response_stream().endpoint_name("demo").body(Blob::new("x"));
    let error = call.send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationError"));
    assert_eq!(error.message(), Some("Endpoint demo does not support this inference type."));
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_validation_error_however_large_it_is() {
    let running = real_time(&[("echo", 1.0)]).await;
    let client = running.client();
    for bytes in [6_291_457, 17 << 20] {
        let body = Blob::new(vec![0; bytes]);
        let error = client.invoke_endpoint().endpoint_name("now").body(body.clone()).send().await.unwrap_err();
        assert!(error.message().unwrap().contains("'body'"), "{bytes}: {error:?}");
        let error = client.invoke_endpoint_async().endpoint_name("demo").body(body).send().await.unwrap_err();
        assert!(error.message().unwrap().ends_with("length less than or equal to 128000"), "{bytes}: {error:?}");
    }
}

#[tokio::test]
async fn throttling_on_demand_meets_real_time_calls_too() {
    let running = real_time(&[("echo", 1.0)]).await;
    let plan = json!({"all": {"throttling": 1}}).to_string();
    reqwest::Client::new().put(format!("{}/_emulator/faults", running.url)).body(plan).send().await.unwrap();
    let error = running.client().invoke_endpoint().endpoint_name("now").body(Blob::new("x")).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ThrottlingException"));
}

#[tokio::test]
async fn a_path_or_method_that_nothing_answers_is_an_error_that_can_be_read() {
    let running = Running::start(&[]).await;
    let http = reqwest::Client::new();
    for (request, status) in [
        (http.get(format!("{}/endpoints/demo/nothing", running.url)), 404),
        (http.delete(format!("{}/endpoints/demo/async-invocations", running.url)), 405),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-amzn-errortype"].to_str().unwrap()),
            (status, "UnknownOperationException")
        );
        assert!(answer.headers().contains_key("x-amzn-requestid"));
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["Message"], "the emulator has nothing at this path for this method");
    }
}
