//! Notifications as they arrive: SNS invokes the function, or SNS delivers to SQS, raw or in its envelope.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fault::{Fault, json_problem};

/// An event, read.
#[derive(Debug)]
pub struct Event {
    /// Whether it came from SQS and wants the messages named that must come back.
    pub from_sqs: bool,
    /// What it holds.
    pub deliveries: Vec<Delivery>,
}

/// One message of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id of the SQS message or of the SNS message.
    pub id: String,
    body: Body,
}

#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// SNS's `Message`.
    Sns(String),
    /// An SQS message's body: SNS's `Message`, or SNS's envelope around it.
    Sqs(String),
}

#[derive(Deserialize)]
struct Records {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

/// A record of SNS has `Sns`, one of SQS `messageId` and `body`. The rest of either is of no use here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "Sns")]
    sns: Option<Sns>,
    message_id: Option<String>,
    body: Option<String>,
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
    kind: Option<String>,
    message: Option<String>,
}

impl Event {
    /// Reads an event of SNS or SQS.
    ///
    /// # Errors
    /// A [`Fault`] when it is neither, or when a message of SQS has no id by which it could be given back.
    pub fn parse(payload: &RawValue) -> Result<Self, Fault> {
        let bad =
            |problem: &str| Fault::validation(format!("the event is neither one of SNS nor a batch of SQS: {problem}"));
        let event: Records = serde_json::from_str(payload.get()).map_err(|error| bad(&json_problem(&error)))?;
        let from_sqs = event.records.iter().all(|record| record.sns.is_none());
        let delivery = |record: Record| match record {
            Record { sns: Some(sns), .. } if !from_sqs => {
                Ok(Delivery { id: sns.message_id.unwrap_or_default(), body: Body::Sns(sns.message) })
            }
            Record { message_id: Some(id), body, .. } if from_sqs && !id.is_empty() => {
                Ok(Delivery { id, body: Body::Sqs(body.unwrap_or_default()) })
            }
            _ => Err(bad("a record has neither Sns nor messageId and body")),
        };
        let deliveries = event.records.into_iter().map(delivery).collect::<Result<_, _>>()?;
        Ok(Self { from_sqs, deliveries })
    }
}

impl Delivery {
    /// The notification's text.
    ///
    /// # Errors
    /// A [`Fault`] when an SQS message's body is no JSON object.
    pub fn notification(&self) -> Result<Cow<'_, str>, Fault> {
        let body = match &self.body {
            Body::Sns(message) => return Ok(Cow::Borrowed(message)),
            Body::Sqs(body) => body,
        };
        let envelope: Envelope = serde_json::from_str(body).map_err(|error| {
            Fault::validation(format!("the message's body is no notification: {}", json_problem(&error)))
        })?;
        match envelope {
            Envelope { kind: Some(kind), message: Some(message) } if kind == "Notification" => Ok(Cow::Owned(message)),
            _ => Ok(Cow::Borrowed(body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    fn parse(event: &serde_json::Value) -> Result<Event, Fault> {
        Event::parse(&to_raw_value(event).unwrap())
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
            let event = parse(&event).unwrap();
            assert_eq!((event.from_sqs, event.deliveries[0].id.as_str()), (from_sqs, id));
            assert_eq!(event.deliveries[0].notification().unwrap(), raw);
        }
    }

    #[test]
    fn an_event_of_something_else_is_refused() {
        for event in
            [json!({}), json!([]), json!({"Records": [{}]}), json!({"Records": [{"messageId": "", "body": "{}"}]})]
        {
            assert!(parse(&event).is_err(), "{event}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_fails_alone() {
        let event = json!({"Records": [{"messageId": "a", "body": "x"}, {"messageId": "b", "body": "{}"}]});
        let event = parse(&event).unwrap();
        assert!(event.deliveries[0].notification().is_err());
        assert_eq!(event.deliveries[1].notification().unwrap(), "{}");
    }
}
