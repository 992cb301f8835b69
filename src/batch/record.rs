//! One message of a batch. A test, a tool or a pipe's transformer may make one of which some field is not what SQS delivers: then
//! each field is read by itself, so that one of no use keeps nothing from being read.

use std::collections::HashMap;

use aws_lambda_events::sqs::{SqsMessage, SqsMessageAttribute};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::fault::Fault;

/// A message, and its id, without which it could not be given back.
pub(crate) struct Record {
    pub(crate) id: String,
    /// The rest of it.
    pub(crate) message: SqsMessage,
    missing: MissingFields,
}

/// What of a message could not be read.
#[derive(Default)]
struct MissingFields {
    body: bool,
    attributes: bool,
}

type Fields<'a> = HashMap<String, &'a RawValue>;

impl Record {
    /// Reads a record of a batch.
    ///
    /// # Errors
    /// A [`Fault`] when it has no id. Lambda answers an unknown or empty id by returning the whole batch, and so does this.
    pub(crate) fn read(record: &RawValue) -> Result<Self, Fault> {
        let (mut message, missing) = match serde_json::from_str(record.get()) {
            Ok(message) => (message, MissingFields::default()),
            Err(_) => read_odd(record).ok_or_else(no_id)?,
        };
        let id = message.message_id.take().filter(|id| !id.is_empty()).ok_or_else(no_id)?;
        Ok(Self { id, message, missing })
    }

    /// One that did not come as JSON.
    ///
    /// # Errors
    /// A [`Fault`] when its id is empty.
    pub(crate) fn new(id: &str, body: &str, attributes: HashMap<String, SqsMessageAttribute>) -> Result<Self, Fault> {
        if id.is_empty() {
            return Err(no_id());
        }
        let mut message = SqsMessage::default();
        message.body = Some(body.to_owned());
        message.message_attributes = attributes;
        Ok(Self { id: id.to_owned(), message, missing: MissingFields::default() })
    }

    /// The body; empty where there is none.
    ///
    /// # Errors
    /// A [`Fault`] when it is no text.
    pub(crate) fn body(&self) -> Result<&str, Fault> {
        if self.missing.body {
            return Err(Fault::validation("the message body must be a string"));
        }
        Ok(self.message.body.as_deref().unwrap_or_default())
    }

    /// Its message attributes by their names.
    ///
    /// # Errors
    /// A [`Fault`] when they are no object.
    pub(crate) fn attributes(&self) -> Result<&HashMap<String, SqsMessageAttribute>, Fault> {
        if self.missing.attributes {
            return Err(Fault::validation("messageAttributes must be an object"));
        }
        Ok(&self.message.message_attributes)
    }
}

fn no_id() -> Fault {
    Fault::validation("a record has no messageId, so it did not come from SQS")
}

/// What there is to read; `None` when it is not even an object.
fn read_odd(record: &RawValue) -> Option<(SqsMessage, MissingFields)> {
    let fields = fields(record)?;
    let body = fields.get("body").filter(|body| body.get() != "null");
    let attributes = fields.get("messageAttributes").filter(|attributes| attributes.get() != "null");
    let named = attributes.map(|attributes| self::fields(attributes));
    // The crate's types can gain fields, so that they have no literal outside it.
    let mut message = SqsMessage::default();
    message.message_id = text(&fields, "messageId");
    message.body = text(&fields, "body");
    message.attributes = fields.get("attributes").map(|json| system_attributes(json)).unwrap_or_default();
    message.message_attributes = named.iter().flatten().flatten().map(message_attribute).collect();
    message.event_source_arn = text(&fields, "eventSourceARN");
    let missing =
        MissingFields { body: body.is_some() && message.body.is_none(), attributes: matches!(named, Some(None)) };
    Some((message, missing))
}

/// What SQS adds, numbers as their texts.
fn system_attributes(json: &RawValue) -> HashMap<String, String> {
    let read = |(name, json): (String, &RawValue)| match parse(json)? {
        Value::String(text) => Some((name, text)),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    };
    fields(json).unwrap_or_default().into_iter().filter_map(read).collect()
}

fn message_attribute((name, json): (&String, &&RawValue)) -> (String, SqsMessageAttribute) {
    let fields = fields(json).unwrap_or_default();
    let mut attribute = SqsMessageAttribute::default();
    attribute.data_type = text(&fields, "dataType");
    attribute.string_value = text(&fields, "stringValue");
    attribute.binary_value = fields.get("binaryValue").and_then(|json| parse(json));
    (name.clone(), attribute)
}

fn text(fields: &Fields<'_>, name: &str) -> Option<String> {
    parse(fields.get(name)?)
}

fn fields(json: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(json.get()).ok()
}

fn parse<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}
