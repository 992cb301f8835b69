//! Messages that can never succeed: whole in the dead-letter queue, their senders told, and acknowledged.

use aws_sdk_sqs::operation::send_message::SendMessageInput;
use serde_json::{Value, json};

use super::{WITH_DEAD_LETTERS, handler, message, returned, string};
use crate::aws::{Aws, REFUSAL};
use crate::sample;

const FIFO: &[(&str, &str)] =
    &[("BRIDGE_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters.fifo")];

/// A message that can never be invoked, however often it was received.
fn bad(body: &str, mut attributes: Value, receipt: &str) -> Value {
    attributes["ContentEncoding"] = string("base64");
    let mut bad = message("bad", body, attributes);
    bad["attributes"]["ApproximateReceiveCount"] = json!(receipt);
    bad
}

/// A text attribute of a dead letter.
fn text<'a>(letter: &'a SendMessageInput, name: &str) -> Option<&'a str> {
    letter.message_attributes()?.get(name)?.string_value()
}

/// What the dead-letter queue gets of a batch of one.
async fn dead_letter(record: Value) -> SendMessageInput {
    let aws = Aws::default();
    let batch = json!({"Records": [record]});
    assert_eq!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await, Vec::<String>::new());
    let [letter] = <[_; 1]>::try_from(aws.dead_letters()).unwrap();
    letter
}

#[tokio::test]
async fn a_message_that_can_never_succeed_lies_in_the_dead_letter_queue_as_it_came_and_is_acknowledged() {
    let attributes = json!({
        "Text": string("käse"),
        "Number": {"stringValue": "0.10", "dataType": "Number"},
        "Label": {"stringValue": "7", "dataType": "Number.int"},
        "Picture": {"binaryValue": "iVBORw0KGgo=", "dataType": "Binary.png",
                    "stringListValues": [], "binaryListValues": []},
        "Bytes": {"binaryValue": "AP8=", "dataType": "Binary"},
    });
    let letter = dead_letter(bad("%%% ü", attributes, "1")).await;
    assert_eq!(letter.queue_url(), Some(WITH_DEAD_LETTERS[0].1));
    assert_eq!(letter.message_body(), Some("%%% ü"));
    let attributes = letter.message_attributes().unwrap();
    let kind = |name: &str| attributes[name].data_type();
    assert_eq!((text(&letter, "Text"), kind("Text")), (Some("käse"), "String"));
    assert_eq!((text(&letter, "Number"), kind("Number")), (Some("0.10"), "Number"));
    assert_eq!((text(&letter, "Label"), kind("Label")), (Some("7"), "Number.int"));
    let bytes = |name: &str| attributes[name].binary_value().unwrap().as_ref();
    assert_eq!((bytes("Picture"), kind("Picture")), (&b"\x89PNG\r\n\x1a\n"[..], "Binary.png"));
    assert_eq!((bytes("Bytes"), kind("Bytes")), (&b"\x00\xff"[..], "Binary"));
    assert_eq!(text(&letter, "ContentEncoding"), Some("base64"));
    assert!(text(&letter, "FailureReason").unwrap().starts_with("ValidationError: the body must be base64"));
    assert_eq!(attributes.len(), 7);
    assert_eq!((letter.message_group_id(), letter.message_deduplication_id()), (None, None));
}

#[tokio::test]
async fn its_sender_is_told_once_at_whatever_receipt_and_only_after_the_dead_letter_is_confirmed() {
    for receipt in ["1", "2", "7"] {
        let aws = Aws::default();
        let batch = json!({"Records": [bad("%", json!({"InferenceId": string("order")}), receipt)]});
        assert!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await.is_empty(), "{receipt}");
        assert_eq!(*aws.sqs_calls.lock().unwrap(), ["SendMessage", "SendMessageBatch"], "{receipt}");
        let sent = aws.sent();
        let [entry] = sent.as_slice() else { panic!("{} results", sent.len()) };
        let result: Value = serde_json::from_str(entry.message_body()).unwrap();
        assert_eq!((&result["invocationStatus"], &result["inferenceId"]), (&json!("Rejected"), &json!("order")));
    }
}

#[tokio::test]
async fn of_ten_messages_three_bad_ones_are_rejected_for_good_and_none_comes_back() {
    let aws = Aws::default();
    let batch = sample("submit/sqs-three-bad-of-ten.json");
    assert!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await.is_empty());
    assert_eq!((aws.invoked().len(), aws.dead_letters().len(), aws.sent().len()), (7, 3, 3));
    for letter in aws.dead_letters() {
        let is_whole = |record: &Value| record["body"].as_str() == letter.message_body();
        assert!(batch["Records"].as_array().unwrap().iter().any(is_whole));
    }
}

#[tokio::test]
async fn what_sagemaker_refuses_is_rejected_for_good_too() {
    let aws = Aws::default();
    let batch = json!({"Records": [message("m", "refuse", json!({}))]});
    assert!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await.is_empty());
    let letters = aws.dead_letters();
    assert_eq!(text(&letters[0], "FailureReason"), Some(format!("ValidationError: {REFUSAL}").as_str()));
    assert_eq!((letters.len(), aws.sent().len()), (1, 1));
}

#[tokio::test]
async fn what_may_succeed_later_comes_back_and_costs_no_call() {
    let aws = Aws::default();
    let batch = json!({"Records": [message("a", "throttle", json!({})), message("b", "{}", json!({}))]});
    assert_eq!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await, ["a"]);
    assert!(aws.sqs_calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_dead_letter_queue_that_takes_nothing_leaves_the_message_to_come_back_and_its_first_receipt_tells() {
    for (receipt, results) in [("1", 1), ("2", 0)] {
        let aws = Aws::default();
        let batch = json!({"Records": [bad("refuse-dead-letter", json!({}), receipt)]});
        assert_eq!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await, ["bad"], "{receipt}");
        assert_eq!((aws.dead_letters().len(), aws.sent().len()), (0, results), "{receipt}");
    }
}

#[tokio::test]
async fn a_rejected_message_is_acknowledged_though_its_sender_could_not_be_told() {
    for more in [WITH_DEAD_LETTERS, &[WITH_DEAD_LETTERS[0], ("BRIDGE_RESULTS_QUEUE_URL", "")]] {
        let aws = Aws::default();
        // The result's body holds the attribute, which makes SQS refuse it.
        let batch = json!({"Records": [bad("%", json!({"Accept": string("refuse-result")}), "1")]});
        assert!(returned(&handler(&aws, more), &batch).await.is_empty());
        assert_eq!(aws.dead_letters().len(), 1);
    }
}

#[tokio::test]
async fn a_failure_reason_of_the_senders_own_stays_as_it_is() {
    let letter = dead_letter(bad("%", json!({"FailureReason": string("mine")}), "1")).await;
    assert_eq!(text(&letter, "FailureReason"), Some("mine"));
}

/// What the bridge gave an earlier dead letter.
fn old_reason() -> Value {
    json!({"stringValue": "ValidationError: of another day", "dataType": "String.sagemaker-async-bridge"})
}

#[tokio::test]
async fn a_dead_letter_that_was_moved_back_and_is_rejected_again_has_the_new_reason() {
    for more in [0, 8] {
        let mut attributes: Value = (0..more).map(|n| (format!("a{n}"), string("x"))).collect();
        attributes["FailureReason"] = old_reason();
        let letter = dead_letter(bad("%", attributes, "1")).await;
        assert!(text(&letter, "FailureReason").unwrap().starts_with("ValidationError: the body must be base64"));
        let attributes = letter.message_attributes().unwrap();
        assert_eq!(attributes["FailureReason"].data_type(), "String.sagemaker-async-bridge");
        assert_eq!(attributes.len(), more + 2);
    }
}

#[tokio::test]
async fn a_message_with_ten_attributes_keeps_them_and_gets_no_reason() {
    for (own, expected) in [(8, true), (9, false)] {
        let attributes: Value = (0..own).map(|n| (format!("a{n}"), string("x"))).collect();
        let letter = dead_letter(bad("%", attributes, "1")).await;
        assert_eq!(text(&letter, "FailureReason").is_some(), expected, "{own} and ContentEncoding");
        assert_eq!(letter.message_attributes().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn a_reason_is_added_only_where_the_message_stays_within_a_mebibyte() {
    const LIMIT: usize = 1_048_576;
    let of_size = |bytes: usize| {
        let binary = json!({"binaryValue": "AP8=", "dataType": "Binary"});
        let attributes = json!({"RequestTTLSeconds": string("5"), "N": binary});
        let others = "RequestTTLSeconds".len() + "String".len() + "5".len() + "N".len() + "Binary".len() + 2;
        message("m", &"x".repeat(bytes - others), attributes)
    };
    let letter = dead_letter(of_size(100)).await;
    let reason =
        "FailureReason".len() + "String.sagemaker-async-bridge".len() + text(&letter, "FailureReason").unwrap().len();
    for (bytes, expected) in [(LIMIT - reason, true), (LIMIT - reason + 1, false), (LIMIT, false)] {
        let letter = dead_letter(of_size(bytes)).await;
        assert_eq!(text(&letter, "FailureReason").is_some(), expected, "{bytes}");
    }
    let mut full = of_size(LIMIT);
    full["messageAttributes"]["FailureReason"] = old_reason();
    assert_eq!(text(&dead_letter(full).await, "FailureReason"), None, "an old one that nothing can replace is wrong");
}

#[tokio::test]
async fn on_a_fifo_dead_letter_queue_a_message_keeps_its_group_and_is_deduplicated_by_its_id() {
    let mut records = sample("submit/sqs-fifo.json")["Records"].as_array().unwrap().clone();
    records.push(message("standard", "%", json!({"ContentEncoding": string("base64")})));
    let aws = Aws::default();
    assert!(returned(&handler(&aws, FIFO), &json!({"Records": records})).await.is_empty());
    let letters = aws.dead_letters();
    let mut ids: Vec<_> =
        letters.iter().map(|l| (l.message_group_id().unwrap(), l.message_deduplication_id())).collect();
    ids.sort_unstable();
    let id = records[1]["messageId"].as_str();
    assert_eq!(ids, [("b", id), ("standard", Some("standard"))]);
}

#[tokio::test]
async fn a_group_on_a_standard_queue_is_kept_there_too() {
    let mut record = bad("%", json!({}), "1");
    record["attributes"]["MessageGroupId"] = json!("tenant");
    let letter = dead_letter(record).await;
    assert_eq!((letter.message_group_id(), letter.message_deduplication_id()), (Some("tenant"), None));
}

#[tokio::test]
async fn what_sqs_cannot_have_delivered_cannot_be_kept_whole_and_comes_back() {
    let odd = [
        json!({"body": {"prompt": "x"}}),
        json!({"messageAttributes": "x"}),
        json!({"messageAttributes": {"Accept": null}}),
        json!({"messageAttributes": {"Accept": {"binaryValue": "%", "dataType": "Binary"}}}),
        json!({"messageAttributes": {"ContentEncoding": string("gzip"), "x": {"stringValue": "no type"}}}),
        json!({"messageAttributes": {"ContentEncoding": string("gzip"), "x": {"stringValue": "x", "dataType": "Binary"}}}),
    ];
    for odd in odd {
        let aws = Aws::default();
        let mut record = message("odd", "{}", json!({}));
        record.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        assert_eq!(returned(&handler(&aws, WITH_DEAD_LETTERS), &json!({"Records": [record]})).await, ["odd"], "{odd}");
        assert_eq!((aws.dead_letters().len(), aws.sent().len()), (0, 1), "{odd}: told at the first receipt");
    }
}

#[tokio::test]
async fn a_rejected_message_is_not_put_into_the_queue_that_it_came_from() {
    let itself = [("BRIDGE_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/requests")];
    let aws = Aws::default();
    let batch = json!({"Records": [bad("%", json!({}), "1")]});
    assert_eq!(returned(&handler(&aws, &itself), &batch).await, ["bad"]);
    assert_eq!((aws.dead_letters().len(), aws.sent().len()), (0, 1));
}
