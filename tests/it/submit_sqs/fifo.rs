//! Message groups of FIFO queues.

use serde_json::{Value, json};

use super::{WITH_DEAD_LETTERS, handler, message, returned, string};
use crate::aws::Aws;
use crate::sample;

#[tokio::test]
async fn after_a_failure_the_rest_of_its_fifo_group_comes_back_unsent_and_order_is_kept() {
    let aws = Aws::default();
    let batch = sample("submit/sqs-fifo.json");
    let ids: Vec<&str> =
        batch["Records"].as_array().unwrap().iter().map(|r| r["messageId"].as_str().unwrap()).collect();
    assert_eq!(
        returned(&handler(&aws, &[]), &batch).await,
        [ids[1], ids[3]],
        "group b: the bad one and the one after it"
    );
    let invoked = aws.invoked();
    let of_group_a: Vec<_> =
        invoked.iter().filter_map(|input| input.inference_id()).filter(|id| [ids[0], ids[2]].contains(id)).collect();
    assert_eq!(of_group_a, [ids[0], ids[2]]);
    assert_eq!(invoked.len(), 3);
    assert_eq!(aws.sent().len(), 1, "only the bad one is rejected");
}

#[tokio::test]
async fn a_bad_message_behind_a_throttled_one_of_its_group_is_rejected_on_its_first_receipt() {
    let bad = message("b", "%", json!({"ContentEncoding": string("base64")}));
    let batch = group(vec![message("a", "throttle", json!({})), bad]);
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, &[]), &batch).await, ["a", "b"]);
    let rejected: Vec<_> =
        aws.sent().iter().map(|entry| entry.message_body().contains(r#""inferenceId":"b""#)).collect();
    assert_eq!(rejected, [true]);
}

/// Messages of one group of a FIFO queue.
fn group(mut records: Vec<Value>) -> Value {
    for record in &mut records {
        record["attributes"]["MessageGroupId"] = json!("g");
        record["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:123456789012:requests.fifo");
    }
    json!({"Records": records})
}

#[tokio::test]
async fn behind_a_message_that_lies_in_the_dead_letter_queue_its_fifo_group_goes_on() {
    let bad = |id: &str| message(id, "%", json!({"ContentEncoding": string("base64")}));
    let batch = group(vec![message("a", "1", json!({})), bad("b"), bad("c"), message("d", "2", json!({}))]);
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await, Vec::<String>::new());
    let invoked: Vec<_> = aws.invoked().iter().map(|input| input.inference_id().unwrap().to_owned()).collect();
    assert_eq!(invoked, ["a", "d"]);
    assert_eq!((aws.dead_letters().len(), aws.sent().len()), (2, 2));
}

#[tokio::test]
async fn behind_a_message_that_comes_back_nobody_is_told_before_the_turn_of_their_message_comes() {
    let bad = |body: &str| message(body, body, json!({"ContentEncoding": string("base64")}));
    for (first, results) in [(message("throttle", "throttle", json!({})), 0), (bad("refuse-dead-letter"), 1)] {
        let id = first["messageId"].as_str().unwrap().to_owned();
        let batch = group(vec![first, bad("b"), message("c", "{}", json!({}))]);
        let aws = Aws::default();
        assert_eq!(returned(&handler(&aws, WITH_DEAD_LETTERS), &batch).await, [id.as_str(), "b", "c"]);
        assert_eq!((aws.invoked().len(), aws.dead_letters().len(), aws.sent().len()), (0, 0, results), "{id}");
    }
}

#[tokio::test]
async fn a_group_id_on_a_standard_queue_orders_nothing() {
    let mut records = [message("a", "throttle", json!({})), message("b", "{}", json!({}))];
    for record in &mut records {
        record["attributes"]["MessageGroupId"] = json!("tenant");
    }
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, &[]), &json!({"Records": records})).await, ["a"]);
    assert_eq!(aws.invoked().len(), 1);
}
