//! Message groups of FIFO queues.

use serde_json::json;

use super::{handler, message, returned, string};
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
    let mut records =
        [message("a", "throttle", json!({})), message("b", "%", json!({"ContentEncoding": string("base64")}))];
    for record in &mut records {
        record["attributes"]["MessageGroupId"] = json!("g");
        record["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:123456789012:requests.fifo");
    }
    let aws = Aws::default();
    assert_eq!(returned(&handler(&aws, &[]), &json!({"Records": records})).await, ["a", "b"]);
    let rejected: Vec<_> =
        aws.sent().iter().map(|entry| entry.message_body().contains(r#""inferenceId":"b""#)).collect();
    assert_eq!(rejected, [true]);
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
