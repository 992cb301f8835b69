//! `submit` invoked directly: by the CLI, by a state machine, by a scheduler.

use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::aws::{Aws, REFUSAL};
use crate::submit_sqs::handler;
use crate::{event, event_of, file, sample};

/// What Lambda tells the caller: the answer, or the function's error as its type and message.
async fn invoke(aws: &Aws, payload: &Value) -> Result<Value, (String, String)> {
    let answer = handler(aws, &[]).handle(event(payload)).await;
    let answer = answer.map(|answer| serde_json::to_value(answer).unwrap());
    answer.map_err(|fault| {
        let Diagnostic { error_type, error_message } = fault.into();
        (error_type, error_message)
    })
}

#[tokio::test]
async fn the_answer_is_the_apis() {
    let answer = invoke(&Aws::default(), &sample("submit/direct-text-body.json")).await.unwrap();
    let expected = json!({
        "InferenceId": "from-sagemaker",
        "OutputLocation": "s3://models-bucket/output/x.out",
        "FailureLocation": "s3://models-bucket/failure/x",
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_text_is_the_payload_and_parameters_have_defaults() {
    let aws = Aws::default();
    invoke(&aws, &sample("submit/direct-text-body.json")).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    assert_eq!(input.body().unwrap().as_ref(), br#"{"prompt": "Summarize."}"#);
    assert_eq!((input.endpoint_name(), input.inference_id()), (Some("summarizer"), Some("order-4711")));
    assert_eq!((input.content_type(), input.accept()), (Some("application/json"), None));
    assert_eq!((input.filename(), input.request_ttl_seconds()), (None, None));
}

#[tokio::test]
async fn any_other_json_is_sent_as_it_stands_and_every_field_becomes_its_parameter() {
    let aws = Aws::default();
    let path = "submit/direct-json-body.json";
    let text = file(&format!("events/{path}"));
    let payload = event_of(serde_json::from_str(&text).unwrap());
    handler(&aws, &[]).handle(payload).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    let expected = r#"{"prompt": "Summarize.", "temperature": 0.50, "tags": ["ä", null]}"#;
    assert_eq!(input.body().unwrap().as_ref(), expected.as_bytes());
    assert_eq!((input.endpoint_name(), input.inference_id()), (Some("asr"), Some("order-4712")));
    assert_eq!(input.content_type(), Some("application/json; charset=utf-8"));
    assert_eq!((input.accept(), input.custom_attributes()), (Some("text/plain"), Some("accept_eula=true")));
    assert_eq!((input.s3_output_path_extension(), input.filename()), (Some("2026/06"), Some("order-4712.out")));
    assert_eq!((input.request_ttl_seconds(), input.invocation_timeout_seconds()), (Some(600), Some(60)));
}

#[tokio::test]
async fn base64_is_decoded_and_an_input_location_is_passed_on() {
    let aws = Aws::default();
    invoke(&aws, &sample("submit/direct-base64.json")).await.unwrap();
    invoke(&aws, &sample("submit/direct-input-location.json")).await.unwrap();
    let [binary, location] = &aws.invoked()[..] else { panic!("two invocations") };
    assert_eq!(binary.body().unwrap().as_ref(), [0x00, 0x01, 0xff, 0xfe, 0x00]);
    assert_eq!((location.input_location(), location.body()), (Some("s3://models-bucket/input/audio 1.wav"), None));
    assert_eq!(location.content_type(), Some("audio/wav"));
}

#[tokio::test]
async fn a_payload_over_the_limit_goes_through_s3_under_lambdas_request_id() {
    let aws = Aws::default();
    let payload = json!({"Body": "x".repeat(128_001), "InferenceId": "../../somebody-elses"});
    invoke(&aws, &payload).await.unwrap();
    let (location, content_type, bytes) = aws.put.lock().unwrap()[0].clone();
    assert_eq!(location, "s3://models-bucket/input/c6af9ac6-7b61-11e6-9a41-93e8deadbeef");
    assert_eq!((content_type.as_deref(), bytes.len()), (Some("application/json"), 128_001));
    assert_eq!(aws.invoked()[0].input_location(), Some(location.as_str()));
}

#[tokio::test]
async fn a_fault_is_the_functions_error_under_its_own_name() {
    let cases = [
        (json!({"Body": "throttle"}), "ThrottlingException", "InvokeEndpointAsync answered ThrottlingException"),
        (json!({"Body": "refuse"}), "ValidationError", REFUSAL),
        (json!({"Body": "x", "EndpointName": "someone-elses"}), "AccessDeniedException", "EndpointName someone-elses"),
        (json!({"InputLocation": "s3://other/x"}), "AccessDeniedException", "InputLocation is not under"),
        (json!({"InputLocation": "s3://models-bucket/input/uploads/x"}), "ValidationError", "does not exist"),
        (json!({"Body": ""}), "ValidationError", "Body is empty"),
        (json!({"Body": null}), "ValidationError", "neither a Body nor an InputLocation"),
        (
            json!({"Body": "x", "InputLocation": "s3://models-bucket/input/x"}),
            "ValidationError",
            "both a Body and an InputLocation",
        ),
        (json!({"Body": "%", "ContentEncoding": "base64"}), "ValidationError", "must be base64"),
        (json!({"Body": {}, "ContentEncoding": "base64"}), "ValidationError", "Body must be a string"),
        (json!({"Body": "x", "ContentEncoding": "gzip"}), "ValidationError", "ContentEncoding must be `base64`"),
        (json!({"Body": "x", "Accept": ["text/plain"]}), "ValidationError", "Accept must be a string or a number"),
        (json!({"Body": "x", "RequestTTLSeconds": 59}), "ValidationError", "RequestTTLSeconds must be a whole number"),
        (
            json!({"Body": "x", "RequestTTLSeconds": 60.5}),
            "ValidationError",
            "RequestTTLSeconds must be a whole number",
        ),
        (json!({"Body": "x", "RequestTTLSeconds": true}), "ValidationError", "RequestTTLSeconds must be a string or a"),
    ];
    for (payload, name, words) in cases {
        let aws = Aws::default();
        let (error_type, message) = invoke(&aws, &payload).await.expect_err("a fault");
        assert_eq!(error_type, name, "{payload}");
        assert!(message.contains(words), "{payload}: {message}");
        assert!(aws.invoked().is_empty() && aws.sent().is_empty(), "{payload}");
    }
}

#[tokio::test]
async fn a_field_that_is_null_is_not_given() {
    let aws = Aws::default();
    let payload = json!({"Body": 5, "InputLocation": null, "Accept": null, "RequestTTLSeconds": null, "Else": {}});
    invoke(&aws, &payload).await.unwrap();
    let [input] = &aws.invoked()[..] else { panic!("one invocation") };
    assert_eq!((input.body().unwrap().as_ref(), input.accept()), (&b"5"[..], None));
}

#[tokio::test]
async fn half_of_a_surrogate_pair_is_refused_as_a_text_and_sent_on_as_json() {
    let aws = Aws::default();
    let submit = handler(&aws, &[]);
    let answer = |text: &str| submit.handle(event_of(serde_json::from_str(text).unwrap()));
    let fault = answer(r#"{"Body": "\ud800"}"#).await.expect_err("no text");
    assert!(fault.to_string().starts_with("ValidationError: Body has an unpaired surrogate"), "{fault}");
    answer(r#"{"Body": ["\ud800"]}"#).await.unwrap();
    assert_eq!(aws.invoked()[0].body().unwrap().as_ref(), br#"["\ud800"]"#);
}

#[tokio::test]
async fn deeply_nested_json_is_a_payload_like_any_other() {
    let aws = Aws::default();
    let nested = "[".repeat(50_000) + &"]".repeat(50_000);
    let payload = serde_json::from_str(&format!(r#"{{"Body": {nested}}}"#)).unwrap();
    handler(&aws, &[]).handle(event_of(payload)).await.unwrap();
    assert_eq!(aws.invoked()[0].body().unwrap().as_ref(), nested.as_bytes());
    assert!(handler(&aws, &[]).handle(event_of(serde_json::from_str(&nested).unwrap())).await.is_err());
}

#[tokio::test]
async fn what_fits_no_shape_is_an_error_that_names_the_shapes() {
    for payload in [json!({"body": "x"}), json!({}), json!([{}]), json!("x"), json!({"Records": [{"kinesis": {}}]})] {
        let (error_type, message) = invoke(&Aws::default(), &payload).await.expect_err("refused");
        assert_eq!(error_type, "ValidationError");
        for shape in ["`Records` with `messageId`", "`requestContext`", "`Body` or `InputLocation`"] {
            assert!(message.contains(shape), "{payload}: {message}");
        }
    }
}
