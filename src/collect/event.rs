//! Notifications as they arrive: SNS invokes the function, or SNS delivers to SQS, raw or in its envelope.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::batch;
use crate::fault::{Fault, json_problem};

/// An event, read.
#[derive(Debug)]
pub(super) struct Event<'a> {
    /// Whether it came from SQS and wants the messages named that must come back.
    pub(super) from_sqs: bool,
    /// What it holds.
    pub(super) deliveries: Vec<Delivery<'a>>,
}

/// One message of an event.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    /// The id of the SQS message or of the SNS message.
    pub(super) id: String,
    body: Body<'a>,
}

#[derive(Debug)]
enum Body<'a> {
    /// SNS's `Message`.
    Sns(String),
    /// An SQS message's body, not read yet: SNS's `Message`, or SNS's envelope around it.
    Sqs(Option<&'a RawValue>),
}

#[derive(Deserialize)]
struct Records<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

/// A record of SNS has `Sns`, one of SQS `messageId` and `body`. The rest of either is of no use here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(rename = "Sns")]
    sns: Option<Sns>,
    #[serde(borrow)]
    message_id: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sns {
    message_id: Option<String>,
    message: String,
}

/// SNS's envelope, as a subscription without raw delivery puts it into an SQS message.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    message: String,
}

impl<'a> Event<'a> {
    /// Reads an event of SNS or SQS.
    ///
    /// # Errors
    /// A [`Fault`] when it is neither, or when a message of SQS has no id by which it could be given back.
    pub(super) fn parse(payload: &'a RawValue) -> Result<Self, Fault> {
        let bad =
            |problem: &str| Fault::validation(format!("the event is neither one of SNS nor a batch of SQS: {problem}"));
        let event: Records = serde_json::from_str(payload.get()).map_err(|error| bad(&json_problem(&error)))?;
        let from_sqs = event.records.iter().all(|record| record.sns.is_none());
        let delivery = |record: Record<'a>| match record.sns {
            Some(sns) => Ok(Delivery { id: sns.message_id.unwrap_or_default(), body: Body::Sns(sns.message) }),
            None if from_sqs => {
                Ok(Delivery { id: batch::message_id(record.message_id)?, body: Body::Sqs(record.body) })
            }
            None => Err(bad("some of its records have Sns and others have not")),
        };
        let deliveries = event.records.into_iter().map(delivery).collect::<Result<_, _>>()?;
        Ok(Self { from_sqs, deliveries })
    }
}

impl Delivery<'_> {
    /// The notification's text.
    ///
    /// # Errors
    /// A [`Fault`] when an SQS message's body is no text.
    pub(super) fn notification(&self) -> Result<Cow<'_, str>, Fault> {
        let body = match &self.body {
            Body::Sns(message) => return Ok(Cow::Borrowed(message)),
            Body::Sqs(body) => body.and_then(batch::text),
        };
        let body = body.ok_or_else(|| Fault::validation("the message's body must be a text"))?;
        // A notification may have such fields of its own, of any type: what is no envelope was delivered raw.
        match serde_json::from_str(&body) {
            Ok(Envelope { kind, message }) if kind == "Notification" => Ok(Cow::Owned(message)),
            _ => Ok(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    fn json_of(event: &serde_json::Value) -> Box<RawValue> {
        to_raw_value(event).unwrap()
    }

    #[test]
    fn a_notification_is_found_in_each_of_its_wrappings() {
        let raw = r#"{"invocationStatus":"Completed"}"#;
        let envelope = json!({"Type": "Notification", "MessageId": "s", "Message": raw}).to_string();
        let cases = [
            (json!({"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "s", "Message": raw}}]}), false, "s"),
            (json!({"Records": [{"eventSource": "aws:sqs", "messageId": "q", "body": raw}]}), true, "q"),
            (json!({"Records": [{"eventSource": "aws:sqs", "messageId": "q", "body": envelope}]}), true, "q"),
        ];
        for (event, from_sqs, id) in cases {
            let event = json_of(&event);
            let event = Event::parse(&event).unwrap();
            assert_eq!((event.from_sqs, event.deliveries[0].id.as_str()), (from_sqs, id));
            assert_eq!(event.deliveries[0].notification().unwrap(), raw);
        }
    }

    #[test]
    fn an_event_of_something_else_is_refused() {
        for event in
            [json!({}), json!([]), json!({"Records": [{}]}), json!({"Records": [{"messageId": "", "body": "{}"}]})]
        {
            assert!(Event::parse(&json_of(&event)).is_err(), "{event}");
        }
    }

    #[test]
    fn a_body_that_is_no_text_fails_alone() {
        let bodies = [json!(5), json!(null), json!({}), json!("{}")];
        let records: Vec<_> = bodies.iter().map(|body| json!({"messageId": "m", "body": body})).collect();
        let event = json_of(&json!({"Records": records}));
        let event = Event::parse(&event).unwrap();
        let good: Vec<bool> = event.deliveries.iter().map(|delivery| delivery.notification().is_ok()).collect();
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
            let event = json_of(&json!({"Records": [{"messageId": "m", "body": more.to_string()}]}));
            let event = Event::parse(&event).unwrap();
            assert_eq!(event.deliveries[0].notification().unwrap(), more.to_string());
        }
    }
}
