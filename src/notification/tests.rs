use serde_json::{Value, json};

use super::*;

fn parse(message: &str) -> Notification {
    Notification::parse(message).unwrap().expect("a notification of an inference")
}

fn completed(notification: &Value, response: &Response) -> Value {
    let notification = parse(&notification.to_string());
    serde_json::from_str(&notification.complete(response).unwrap()).unwrap()
}

#[test]
fn a_notification_needs_a_status_and_nothing_else() {
    let notification = parse(r#"{"invocationStatus":"Expired"}"#);
    assert!(!notification.is_completed());
    assert_eq!((notification.location(), notification.inference_id.as_deref()), (None, None));
    for message in ["", "hello", "[]", "{}", r#"{"invocationStatus":null}"#, r#"{"invocationStatus":{}}"#] {
        assert!(Notification::parse(message).is_err(), "{message}");
    }
}

#[test]
fn sagemakers_test_is_one_by_source_and_name_and_has_no_status() {
    let test = json!({"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"});
    assert!(Notification::parse(&test.to_string()).unwrap().is_none());
    let mut result = test.clone();
    result["invocationStatus"] = json!("Completed");
    assert!(Notification::parse(&result.to_string()).unwrap().is_some());
    for (field, other) in [("eventSource", "aws:s3"), ("eventName", "InferenceResult"), ("eventSource", "")] {
        let mut message = test.clone();
        message[field] = json!(other);
        assert!(Notification::parse(&message.to_string()).is_err(), "{message}");
    }
}

#[test]
fn an_empty_location_is_none() {
    for status in ["Completed", "Failed"] {
        let parameters = json!({"outputLocation": "", "failureLocation": ""});
        let notification = json!({"invocationStatus": status, "responseParameters": parameters});
        assert_eq!(parse(&notification.to_string()).location(), None);
        assert_eq!(completed(&notification, &Response::Absent), notification, "and is passed on as it came");
    }
}

#[test]
fn fields_of_an_unexpected_type_are_passed_on_and_not_used() {
    let notification = json!({
        "invocationStatus": "Completed", "inferenceId": 5, "requestParameters": null, "responseParameters": [1],
    });
    let parsed = parse(&notification.to_string());
    assert_eq!((parsed.inference_id, parsed.endpoint_name), (None, None));
    for response in [Response::Absent, Response::TooLarge(5)] {
        assert_eq!(completed(&notification, &response), notification);
    }
}

#[test]
fn unknown_fields_keep_their_order_and_their_very_text() {
    let message =
        r#"{"z":1.0,"invocationStatus":"Completed","big":123456789012345678901234567890,"a":{"y":1e2,"x":[ ]}}"#;
    assert_eq!(parse(message).complete(&Response::Absent).unwrap(), message);
}

#[test]
fn text_and_other_bytes_get_the_encoding_that_fits() {
    let notification = json!({"invocationStatus": "Completed", "responseParameters": {"outputLocation": "s3://b/k"}});
    let result = completed(&notification, &Response::Bytes("größe \"1\"\n".into()));
    assert_eq!(result["responseBody"], json!({"content": "größe \"1\"\n", "encoding": "UTF8"}));
    assert_eq!(result["responseParameters"], json!({"outputLocation": "s3://b/k", "contentLength": 12}));
    let result = completed(&notification, &Response::Bytes(vec![0xFF, 0x00]));
    assert_eq!(result["responseBody"], json!({"content": "/wA=", "encoding": "BASE64"}));
}

#[test]
fn a_response_too_large_leaves_its_length_and_no_body() {
    let notification = json!({
        "invocationStatus": "Completed", "responseBody": {"content": "x"},
        "responseParameters": {"outputLocation": "s3://b/k"},
    });
    let result = completed(&notification, &Response::TooLarge(5_000_000));
    assert_eq!(result.get("responseBody"), None);
    assert_eq!(result["responseParameters"]["contentLength"], 5_000_000);
}

#[test]
fn only_the_encoding_that_is_named_is_decoded() {
    let bytes = |text: &str| Included::Bytes(text.as_bytes().to_vec());
    let cases = [
        (json!({"content": "eyJ0ZXh0IjoiaGVsbG8ifQ==", "encoding": "BASE64"}), bytes(r#"{"text":"hello"}"#)),
        (json!({"content": "eyJ0"}), bytes("eyJ0")),
        (json!({"content": "eyJ0", "encoding": null}), bytes("eyJ0")),
        (json!({"content": "{}", "encoding": "UTF8"}), bytes("{}")),
        (json!({"content": "H4sI", "encoding": "GZIP"}), Included::Unreadable),
        (json!({"content": "?", "encoding": "BASE64"}), Included::Unreadable),
        (json!({"content": {}}), Included::Unreadable),
        (json!("text"), Included::Unreadable),
        (json!({"message": "see S3"}), Included::None),
        (json!({"content": null, "encoding": "BASE64"}), Included::None),
        (json!(null), Included::None),
    ];
    for (body, expected) in cases {
        let notification = json!({"invocationStatus": "Completed", "responseBody": body}).to_string();
        let included = parse(&notification).included_response();
        assert_eq!(included, expected, "{notification}");
    }
}
