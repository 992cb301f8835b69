//! Notifications from SQS: SNS puts them into a queue, raw or in its envelope.

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::batch::{self, Record};
use crate::collect::delivery::Delivery;
use crate::collect::{Answer, AnswerForm, Collect};
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::Fault;

/// SQS. It wants the messages named that must come back.
pub(super) struct Sqs;

/// SNS's envelope, as a subscription without raw delivery puts it into a message.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    message: String,
}

impl Source<Collect> for Sqs {
    fn shape(&self) -> &'static str {
        "a batch of SQS (`Records` with `messageId`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.has_records_with("messageId")
    }

    fn read<'f>(&self, collect: &'f Collect, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Collect>, Fault> {
        let deliveries: Vec<Delivery> = shape.into_records().into_iter().map(delivery).collect::<Result<_, _>>()?;
        let answer = async move {
            let failed = collect.pass_on(deliveries, call.deadline).await;
            Ok(Answer(AnswerForm::Sqs(batch::response(failed.into_iter().map(|(id, _)| id)))))
        };
        Ok(answer.boxed())
    }
}

/// # Errors
/// A [`Fault`] when a record has no id by which it could be given back. One without a text as its body is a delivery that fails.
fn delivery(record: &RawValue) -> Result<Delivery, Fault> {
    let mut record = Record::read(record)?;
    let body = record.body().map(drop);
    Ok(match (body, record.message.body.take()) {
        (Ok(()), Some(body)) => Delivery::new(record.id, notification(body)),
        (Ok(()), None) => Delivery::unreadable(record.id, Fault::validation("the message has no body")),
        (Err(fault), _) => Delivery::unreadable(record.id, fault),
    })
}

/// The notification in a body. It may have such fields as the envelope's itself, of any type: what is no envelope was delivered raw.
fn notification(body: String) -> String {
    match serde_json::from_str(&body) {
        Ok(Envelope { kind, message }) if kind == "Notification" => message,
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    fn read(record: &serde_json::Value) -> Result<Delivery, Fault> {
        delivery(&to_raw_value(record).unwrap())
    }

    #[test]
    fn a_notification_is_found_raw_and_in_its_envelope() {
        let raw = r#"{"invocationStatus":"Completed"}"#;
        let envelope = json!({"Type": "Notification", "MessageId": "s", "Message": raw}).to_string();
        for body in [raw, &envelope] {
            let delivery = read(&json!({"eventSource": "aws:sqs", "messageId": "q", "body": body})).unwrap();
            assert_eq!((delivery.id(), delivery.notification().unwrap()), ("q", raw));
        }
    }

    #[test]
    fn a_record_that_could_not_be_given_back_fails_the_event() {
        for record in [json!({}), json!(5), json!({"messageId": "", "body": "{}"}), json!({"messageId": 5})] {
            assert!(read(&record).is_err(), "{record}");
        }
    }

    #[test]
    fn a_body_that_is_no_text_fails_alone() {
        let bodies = [json!(5), json!(null), json!({}), json!("{}")];
        let good = bodies.map(|body| read(&json!({"messageId": "m", "body": body})).unwrap().notification().is_ok());
        assert_eq!(good, [false, false, false, true]);
    }

    #[test]
    fn a_raw_notification_may_have_fields_that_an_envelope_has() {
        for more in [
            json!({"Type": 5}),
            json!({"Type": null, "Message": {}}),
            json!({"Type": "Notification", "Message": 5}),
            json!({"Type": "Other", "Message": "x"}),
            json!({"Message": "x"}),
        ] {
            let delivery = read(&json!({"messageId": "m", "body": more.to_string()})).unwrap();
            assert_eq!(delivery.notification().unwrap(), more.to_string());
        }
    }
}
