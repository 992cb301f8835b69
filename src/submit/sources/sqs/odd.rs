//! Messages of which some field is not what SQS delivers, as a test, a tool or a pipe's transformer may make them. Each field is read by
//! itself, so that one of no use keeps nothing from being read.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::{SqsMessage, SqsMessageAttribute};
use crate::batch;
use crate::fault::Fault;

/// What of a message could not be read.
#[derive(Default)]
pub(super) struct Lacks {
    pub(super) body: bool,
    pub(super) attributes: bool,
}

type Fields<'a> = HashMap<String, &'a RawValue>;

/// Reads what there is to read.
///
/// # Errors
/// A [`Fault`] when the record is not even an object, and has no id therefore.
pub(super) fn read(record: &RawValue) -> Result<(SqsMessage, Lacks), Fault> {
    let fields = fields(record).ok_or_else(batch::no_id)?;
    let body = fields.get("body").filter(|body| body.get() != "null");
    let attributes = fields.get("messageAttributes").filter(|attributes| attributes.get() != "null");
    let named = attributes.map(|attributes| self::fields(attributes));
    let message = SqsMessage {
        message_id: text(&fields, "messageId"),
        body: text(&fields, "body"),
        attributes: fields.get("attributes").map(|json| system_attributes(json)).unwrap_or_default(),
        message_attributes: named.iter().flatten().flatten().map(message_attribute).collect(),
        event_source_arn: text(&fields, "eventSourceARN"),
    };
    let lacks = Lacks { body: body.is_some() && message.body.is_none(), attributes: matches!(named, Some(None)) };
    Ok((message, lacks))
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
    let attribute = SqsMessageAttribute {
        data_type: text(&fields, "dataType"),
        string_value: text(&fields, "stringValue"),
        binary_value: fields.get("binaryValue").and_then(|json| parse(json)),
    };
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
