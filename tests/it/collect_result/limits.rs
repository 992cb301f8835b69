//! Outputs and messages at their limits.

use serde_json::{Value, json};

use super::{OUTPUT, RAW, assert_is_result_of, attribute, aws, body, handler, notification, result_of};
use crate::aws::Aws;
use crate::event;
use crate::submit_sqs::failures;

#[tokio::test]
async fn an_output_over_the_limit_is_named_and_not_carried() {
    let cases = [
        (vec![b'x'; 262_144], &[][..], true),
        (vec![b'x'; 262_145], &[], false),
        (vec![b'x'; 10], &[("BRIDGE_RESULT_BODY_LIMIT_BYTES", "9")], false),
        (vec![], &[("BRIDGE_RESULT_BODY_LIMIT_BYTES", "0")], true),
    ];
    for (output, more, carried) in cases {
        let aws = Aws::default().with_object(OUTPUT, &output);
        let result = body(&result_of(&aws, more, &notification("completed")).await.unwrap());
        assert_eq!(result.get("responseBody").is_some(), carried, "{} bytes", output.len());
        assert_eq!(result["responseParameters"]["contentLength"], output.len());
        assert_eq!(result["responseParameters"]["outputLocation"], OUTPUT);
    }
}

#[tokio::test]
async fn of_an_output_over_the_limit_no_byte_is_read() {
    let unreadable = |length| Aws::default().with_unreadable_object(OUTPUT, length);
    let entry = result_of(&unreadable(262_145), &[], &notification("completed")).await.unwrap();
    assert_eq!(body(&entry)["responseParameters"]["contentLength"], 262_145);
    let entry = result_of(&unreadable(262_145), &RAW, &notification("completed")).await.unwrap();
    assert_eq!(attribute(&entry, "ExtendedPayloadSize"), Some("262145"));
    assert!(result_of(&unreadable(262_144), &[], &notification("completed")).await.is_err(), "this one is read");
}

#[tokio::test]
async fn an_included_response_over_the_limit_is_not_carried_either() {
    let more = [("BRIDGE_RESULT_BODY_LIMIT_BYTES", "15")];
    let result = body(&result_of(&aws(), &more, &notification("completed-with-body")).await.unwrap());
    assert_eq!(result.get("responseBody"), None);
    assert_eq!(result["responseParameters"]["contentLength"], 16);
}

#[tokio::test]
async fn the_message_limit_is_judged_on_the_final_bytes() {
    let limit = [("BRIDGE_RESULT_BODY_LIMIT_BYTES", "1000000")];
    let cases = [
        ("plain text", vec![b'x'; 1_000_000], true),
        ("text that escaping makes six times longer", vec![1; 200_000], false),
        ("bytes that base64 makes a third longer", vec![0xFF; 900_000], false),
        ("bytes that still fit in base64", vec![0xFF; 700_000], true),
    ];
    for (what, output, carried) in cases {
        let aws = Aws::default().with_object(OUTPUT, &output);
        let entry = result_of(&aws, &limit, &notification("completed")).await.unwrap();
        assert_eq!(body(&entry).get("responseBody").is_some(), carried, "{what}");
        assert!(entry.message_body().len() < 1_048_576, "{what}");
        assert_eq!(body(&entry)["responseParameters"]["contentLength"], output.len(), "{what}");
    }
}

// Time stands still: how long the test takes to escape an output must not decide which results share a call.
#[tokio::test(start_paused = true)]
async fn results_go_out_in_as_few_calls_as_ten_messages_and_one_mebibyte_allow() {
    let aws = Aws::default().with_object(OUTPUT, &vec![b'x'; 262_000]);
    let text = notification("completed").to_string();
    let records: Vec<Value> = (0..8).map(|n| json!({"messageId": format!("m{n}"), "body": text})).collect();
    handler(&aws, &[]).handle(event(&json!({"Records": records}))).await.unwrap();
    assert_eq!(aws.batches.lock().unwrap().len(), 3, "three of 262 kB fit with their notifications");
    assert_eq!(aws.sent().len(), 8);
}

#[tokio::test]
async fn an_included_response_over_the_limit_that_lies_nowhere_else_is_carried() {
    let limit = ("BRIDGE_RESULT_BODY_LIMIT_BYTES", "0");
    let entry = result_of(&aws(), &[limit], &notification("failed-with-body")).await.unwrap();
    assert_is_result_of("failed-with-body", &entry);
    let raw = [limit, RAW[0], RAW[1]];
    let entry = result_of(&aws(), &raw, &notification("failed-with-body")).await.unwrap();
    assert_eq!(entry.message_body(), r#"{"message":"prompt too long"}"#);
}

#[tokio::test]
async fn of_several_calls_those_messages_come_back_that_sqs_refused() {
    let aws = Aws::default().with_object(OUTPUT, &vec![b'x'; 262_000]);
    let refused = [0, 3, 12, 23];
    let records: Vec<Value> = (0..24)
        .map(|n| {
            // Large ones between small ones, so that the calls hold them in another order than the batch.
            let mut notification = notification(if n % 3 == 0 { "completed" } else { "failed-bare" });
            notification["inferenceId"] = json!(if refused.contains(&n) { "refuse-result" } else { "fine" });
            json!({"messageId": format!("m{n}"), "body": notification.to_string()})
        })
        .collect();
    let answer = handler(&aws, &[]).handle(event(&json!({"Records": records}))).await.unwrap();
    let mut back = failures(&serde_json::to_value(answer).unwrap());
    back.sort_unstable();
    assert_eq!(back, ["m0", "m12", "m23", "m3"]);
    assert!(aws.batches.lock().unwrap().len() > 2 && aws.sent().len() == 24);
}
