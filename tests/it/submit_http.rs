//! `submit` on requests from API Gateway and function URLs.

use std::collections::BTreeSet;
use std::time::Duration;

use sagemaker_async_bridge::parameter::Filename;
use serde_json::{Value, json};

use crate::aws::{Aws, REFUSAL};
use crate::submit_sqs::handler;
use crate::{event, event_with, sample};

async fn answer(aws: &Aws, payload: &Value) -> Value {
    let answer = serde_json::to_value(handler(aws, &[]).handle(event(payload)).await.unwrap()).unwrap();
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(answer["headers"]["content-type"], "application/json");
    answer
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn request(more: Value) -> Value {
    let mut request = sample("submit/http-api.json");
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

#[tokio::test]
async fn every_kind_of_gateway_gets_sagemakers_own_answer() {
    for (path, endpoint, inference_id) in [
        ("submit/http-api.json", "summarizer", None),
        ("submit/http-api-base64.json", "summarizer", None),
        ("submit/http-api-sdk.json", "asr", Some("order 4711")),
        ("submit/http-api-input-location.json", "summarizer", None),
        ("submit/function-url.json", "summarizer", None),
        ("submit/rest-api.json", "asr", Some("order 4711")),
    ] {
        let aws = Aws::default();
        let answer = answer(&aws, &sample(path)).await;
        assert_eq!(answer["statusCode"], 202, "{path} {answer}");
        assert_eq!(answer["headers"]["x-amzn-sagemaker-outputlocation"], "s3://models-bucket/output/x.out");
        assert_eq!(answer["headers"]["x-amzn-sagemaker-failurelocation"], "s3://models-bucket/failure/x");
        assert_eq!(answer["headers"]["x-amzn-sagemaker-inference-id"], "from-sagemaker");
        let expected = json!({"InferenceId": "from-sagemaker", "OutputLocation": "s3://models-bucket/output/x.out",
                              "FailureLocation": "s3://models-bucket/failure/x"});
        assert_eq!(body(&answer), expected);
        let invoked = aws.invoked();
        assert_eq!((invoked[0].endpoint_name(), invoked[0].inference_id()), (Some(endpoint), inference_id), "{path}");
    }
}

#[tokio::test]
async fn headers_become_parameters_and_http_s_own_serve_as_fall_backs() {
    let aws = Aws::default();
    for path in ["submit/http-api-sdk.json", "submit/http-api-base64.json", "submit/http-api.json"] {
        answer(&aws, &sample(path)).await;
    }
    let invoked = aws.invoked();
    let sdk = &invoked[0];
    assert_eq!((sdk.content_type(), sdk.accept()), (Some("audio/wav"), Some("application/json")));
    assert_eq!((sdk.custom_attributes(), sdk.filename()), (Some("accept_eula=true"), Some("order-4711.out")));
    assert_eq!(sdk.s3_output_path_extension(), Some("2026/06"));
    assert_eq!((sdk.request_ttl_seconds(), sdk.invocation_timeout_seconds()), (Some(600), Some(120)));
    assert_eq!(sdk.body().unwrap().as_ref(), b"RIFF\xff\x00");
    assert_eq!((invoked[1].content_type(), invoked[1].accept()), (Some("image/png"), Some("application/json")));
    assert_eq!(invoked[1].body().unwrap().as_ref(), b"\x89PNG\r\n\x1a\n\x00");
    assert_eq!(invoked[2].accept(), None, "*/* counts as none");
}

#[tokio::test]
async fn a_content_type_that_the_gateway_made_up_for_an_empty_body_is_not_the_inputs() {
    for (given, expected) in [(None, "application/json"), (Some("audio/wav"), "audio/wav")] {
        let aws = Aws::default();
        let mut request = sample("submit/http-api-input-location.json");
        assert_eq!(request["headers"]["content-type"], "application/octet-stream");
        request["headers"]["x-amzn-sagemaker-content-type"] = json!(given);
        answer(&aws, &request).await;
        assert_eq!(aws.invoked()[0].content_type(), Some(expected));
    }
}

#[tokio::test]
async fn an_output_has_the_name_that_the_caller_gives_or_one_that_nobody_can_guess() {
    let aws = Aws::default();
    let mut request = sample("submit/http-api.json");
    request["headers"]["x-amzn-sagemaker-inference-id"] = json!("the same");
    for _ in 0..100 {
        answer(&aws, &request).await;
    }
    let names: BTreeSet<String> =
        aws.invoked().iter().map(|invoked| invoked.filename().unwrap_or_default().to_owned()).collect();
    assert_eq!(names.len(), 100, "requests that share an inference id share no output");
    for name in names {
        let random = name.strip_suffix(".out").unwrap_or_else(|| panic!("{name}"));
        assert_eq!((random.len(), name.len()), (28, 32), "{name}");
        assert!(random.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        assert!(name.parse::<Filename>().is_ok(), "{name}");
    }
    request["headers"]["x-amzn-sagemaker-filename"] = json!("order-4711.out");
    answer(&aws, &request).await;
    assert_eq!(aws.invoked()[100].filename(), Some("order-4711.out"));
}

#[tokio::test]
async fn a_payload_over_the_inline_limit_goes_through_s3_under_the_gateways_request_id() {
    let aws = Aws::default();
    let sizes = [128_000, 128_001];
    for size in sizes {
        let payload = request(json!({"body": "x".repeat(size)}));
        assert_eq!(answer(&aws, &payload).await["statusCode"], 202);
    }
    let invoked = aws.invoked();
    assert_eq!(invoked[0].body().map(|body| body.as_ref().len()), Some(128_000));
    assert_eq!(
        invoked[1].input_location(),
        Some("s3://models-bucket/input/JKJaXmPLvHcESHA=-c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    );
    assert_eq!(aws.put.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn each_error_has_its_status_its_type_and_a_message() {
    let header = |name: &str, value: &str| {
        let mut headers = sample("submit/http-api.json")["headers"].clone();
        headers[name] = json!(value);
        json!({"headers": headers})
    };
    let endpoint = |name: &str| json!({"rawPath": format!("/endpoints/{name}/async-invocations")});
    let method = |method: &str| {
        let mut context = sample("submit/http-api.json")["requestContext"].clone();
        context["http"]["method"] = json!(method);
        json!({"requestContext": context})
    };
    let cases = [
        (json!({"body": ""}), 400, "ValidationError", "neither a body nor an InputLocation"),
        (json!({"body": null}), 400, "ValidationError", "neither a body nor an InputLocation"),
        (json!({"body": "%", "isBase64Encoded": true}), 400, "ValidationError", "cannot be decoded"),
        (json!({"body": "refuse"}), 400, "ValidationError", REFUSAL),
        (
            header("x-amzn-sagemaker-inputlocation", "s3://models-bucket/input/x"),
            400,
            "ValidationError",
            "both a body and",
        ),
        (header("x-amzn-sagemaker-inputlocation", "s3://other/x"), 403, "AccessDeniedException", "InputLocation"),
        (header("x-amzn-sagemaker-requestttlseconds", "soon"), 400, "ValidationError", "RequestTTLSeconds must be"),
        (endpoint("other"), 403, "AccessDeniedException", "EndpointName other"),
        (endpoint(""), 400, "ValidationError", "EndpointName must be 1 to 63"),
        (endpoint("a%2Fb"), 400, "ValidationError", "EndpointName must be 1 to 63"),
        (json!({"rawPath": "/"}), 404, "UnknownOperationException", "/invocations"),
        (json!({"rawPath": "/ping"}), 404, "UnknownOperationException", "/invocations"),
        (json!({"rawPath": "/endpoints/asr/invocations"}), 404, "UnknownOperationException", "/invocations"),
        (json!({"rawPath": "/live/endpoints/other/invocations"}), 404, "UnknownOperationException", "/invocations"),
        (json!({"rawPath": "/endpoints/asr/invocations/x"}), 404, "UnknownOperationException", "/invocations"),
        (method("GET"), 405, "MethodNotAllowedException", "POST"),
        (method("DELETE"), 405, "MethodNotAllowedException", "POST"),
        (json!({"body": "x".repeat(6_291_457)}), 413, "PayloadTooLarge", "the limit is 6291456"),
        (json!({"body": "throttle"}), 429, "ThrottlingException", "InvokeEndpointAsync answered ThrottlingException"),
    ];
    for (more, status, error_type, message) in cases {
        let answer = answer(&Aws::default(), &request(more)).await;
        assert_eq!(answer["statusCode"], status, "{message}: {answer}");
        assert_eq!(answer["headers"]["x-amzn-errortype"], error_type);
        let text = body(&answer)["Message"].as_str().unwrap().to_owned();
        assert!(text.contains(message), "{text} / {message}");
        assert_eq!(answer["headers"]["retry-after"].is_string(), status == 429);
        assert_eq!(answer["headers"]["allow"], if status == 405 { json!("POST, OPTIONS") } else { Value::Null });
    }
}

#[tokio::test]
async fn a_request_whose_time_is_up_is_told_to_come_back() {
    let aws = Aws::default();
    let late = event_with(&sample("submit/http-api.json"), Duration::ZERO);
    let answer = serde_json::to_value(handler(&aws, &[]).handle(late).await.unwrap()).unwrap();
    assert_eq!((&answer["statusCode"], &answer["headers"]["retry-after"]), (&json!(503), &json!("5")));
    assert_eq!(answer["headers"]["x-amzn-errortype"], "ServiceUnavailable");
    assert!(aws.invoked().is_empty());
}
