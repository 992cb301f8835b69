//! Requests from SNS: the message is the payload, its attributes are the parameters, as in a message of SQS.

use std::collections::HashMap;

use aws_lambda_events::sns::MessageAttribute;
use aws_lambda_events::sqs::SqsMessageAttribute;
use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::sqs::{Attributes, Message};
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::{Fault, json_problem};
use crate::submit::Submit;
use crate::submit::events::EventRequest;

/// SNS, which invokes the function asynchronously.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
pub(super) struct Sns;

/// The fields of a record that matter. The crate's own type refuses one for a signature that nobody reads.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    sns: Published,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    message_id: String,
    message: String,
    message_attributes: Option<HashMap<String, MessageAttribute>>,
}

impl Source<Submit> for Sns {
    fn shape(&self) -> &'static str {
        "messages of SNS (`Records` with `Sns`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.has_records_with("Sns")
    }

    fn read<'f>(&self, submit: &'f Submit, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Submit>, Fault> {
        let requests =
            shape.into_records().into_iter().map(|record| request(record, submit, call.trace_header.as_deref()));
        let requests = requests.collect::<Result<Vec<_>, Fault>>()?;
        Ok(submit.answer_events(requests, call.deadline).boxed())
    }
}

fn request(record: &RawValue, submit: &Submit, trace_header: Option<&str>) -> Result<EventRequest, Fault> {
    let Published { message_id, message, message_attributes } = match serde_json::from_str::<Record>(record.get()) {
        Ok(Record { sns }) => sns,
        Err(error) => {
            let problem = format!("a record of the event is not an SNS record: {}", json_problem(&error));
            return EventRequest::refused(record, Fault::validation(problem), trace_header);
        }
    };
    let attributes = message_attributes.unwrap_or_default().into_iter().map(attribute).collect::<Attributes>();
    let message = Message::of_event(&message_id, &message, attributes, trace_header)?;
    let invocation = submit.invocation(&message);
    Ok(EventRequest { message, invocation, is_object: false })
}

/// As SQS has it.
fn attribute((name, published): (String, MessageAttribute)) -> (String, SqsMessageAttribute) {
    let MessageAttribute { data_type, value, .. } = published;
    let mut attribute = SqsMessageAttribute::default();
    if data_type.starts_with("Binary") {
        // In base64, as the crate's own type reads it.
        attribute.binary_value = serde_json::from_value(value.into()).ok();
    } else {
        attribute.string_value = Some(value);
    }
    attribute.data_type = Some(data_type);
    (name, attribute)
}
