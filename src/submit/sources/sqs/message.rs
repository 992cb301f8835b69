//! One message: a request whose payload is the body, and whose parameters are the message attributes.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_lambda_events::sqs::SqsMessageAttribute;
use serde_json::value::RawValue;

use crate::batch::{CONTENT_ENCODING, Record, decode_base64};
use crate::config::QueueUrl;
use crate::fault::Fault;
use crate::invocation::{Input, Invocation, Parameters, allowed_input};
use crate::location::S3Uri;
use crate::parameter::{Parameter, ParameterSource};
use crate::pointer::{self, SIZE_ATTRIBUTES};
use crate::submit::Submit;

/// Message attributes by their names.
pub(in crate::submit) type Attributes = HashMap<String, SqsMessageAttribute>;

/// A message attribute of type String.
pub(in crate::submit) fn string_attribute(value: impl Into<String>) -> SqsMessageAttribute {
    let mut attribute = SqsMessageAttribute::default();
    attribute.data_type = Some("String".to_owned());
    attribute.string_value = Some(value.into());
    attribute
}

/// One message.
pub(in crate::submit) struct Message {
    record: Record,
    /// That of the invocation that brought it.
    lambda_trace_header: Option<String>,
}

impl Submit {
    /// The request of a message.
    ///
    /// # Errors
    /// A [`Fault`] when it is not a valid one.
    pub(in crate::submit) fn invocation(&self, message: &Message) -> Result<Invocation, Fault> {
        let mut parameters = Parameters::read(message, &self.config)?;
        if parameters.inference_id.is_none() {
            // A redelivery keeps the id, so that a consumer of results can tell a repetition.
            parameters.inference_id = message.id().parse().ok();
        }
        let is_base64 = message.is_base64()?;
        let input = match parameters.input_location.take() {
            Some(location) => Input::Location(location),
            None if message.is_pointer() => {
                let location = message.pointed_to(is_base64)?;
                Input::Location(allowed_input(location, &self.config.allowed_input_locations)?)
            }
            None => Input::Payload(message.payload(is_base64)?),
        };
        Ok(Invocation { parameters, input })
    }
}

impl ParameterSource for Message {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        Ok(self.attribute(parameter.name)?.map(Cow::Borrowed))
    }

    /// On a FIFO queue it is for the order of requests, which results do not keep.
    fn group_id(&self) -> Option<&str> {
        Self::group_id(self).filter(|_| !self.is_from_fifo_queue())
    }

    fn trace_header(&self) -> Option<&str> {
        self.system_attribute("AWSTraceHeader").or(self.lambda_trace_header.as_deref())
    }

    fn sent_timestamp(&self) -> Option<&str> {
        self.system_attribute("SentTimestamp")
    }
}

impl Message {
    /// Reads a record of a batch. What is odd in one that SQS would not deliver so is looked at only if it is of use.
    ///
    /// # Errors
    /// A [`Fault`] when it has no id.
    pub(super) fn read(record: &RawValue, lambda_trace_header: Option<&str>) -> Result<Self, Fault> {
        let lambda_trace_header = lambda_trace_header.map(str::to_owned);
        Ok(Self { record: Record::read(record)?, lambda_trace_header })
    }

    /// A request of another source, as a message that asks for the same.
    ///
    /// # Errors
    /// A [`Fault`] when it has no id.
    pub(in crate::submit) fn of_event(
        id: &str,
        body: &str,
        attributes: Attributes,
        lambda_trace_header: Option<&str>,
    ) -> Result<Self, Fault> {
        let lambda_trace_header = lambda_trace_header.map(str::to_owned);
        Ok(Self { record: Record::new(id, body, attributes)?, lambda_trace_header })
    }

    /// By which it is given back.
    pub(in crate::submit) fn id(&self) -> &str {
        &self.record.id
    }

    pub(super) fn body(&self) -> Result<&str, Fault> {
        self.record.body()
    }

    /// Its message attributes by their names.
    pub(super) fn attributes(&self) -> Result<&Attributes, Fault> {
        self.record.attributes()
    }

    /// Whether it was not received before.
    pub(super) fn is_first_receipt(&self) -> bool {
        self.system_attribute("ApproximateReceiveCount").is_none_or(|count| count == "1")
    }

    /// Its message group, on a queue of either kind.
    pub(super) fn group_id(&self) -> Option<&str> {
        self.system_attribute("MessageGroupId")
    }

    pub(super) fn is_from_fifo_queue(&self) -> bool {
        self.record.message.event_source_arn.as_ref().is_some_and(|arn| arn.ends_with(".fifo"))
    }

    /// Whether it came from the queue of this ARN.
    pub(super) fn is_from_arn(&self, arn: &str) -> bool {
        self.record.message.event_source_arn.as_deref() == Some(arn)
    }

    /// Whether it came from this queue.
    pub(super) fn is_from(&self, queue: &QueueUrl) -> bool {
        self.record.message.event_source_arn.as_ref().is_some_and(|arn| queue.is_of_arn(arn))
    }

    /// One that SQS adds.
    fn system_attribute(&self, name: &str) -> Option<&str> {
        self.record.message.attributes.get(name).map(String::as_str)
    }

    fn attribute(&self, name: &str) -> Result<Option<&str>, Fault> {
        let Some(attribute) = self.attributes()?.get(name) else { return Ok(None) };
        let not_text = || Fault::validation(format!("{name} must be a message attribute of type String or Number"));
        attribute.string_value.as_deref().ok_or_else(not_text).map(Some)
    }

    fn is_pointer(&self) -> bool {
        SIZE_ATTRIBUTES.iter().any(|name| self.record.message.message_attributes.contains_key(*name))
    }

    /// The object that an extended client's body points to.
    fn pointed_to(&self, is_base64: bool) -> Result<S3Uri, Fault> {
        if is_base64 {
            return Err(Fault::validation(
                "ContentEncoding does not apply to a payload in S3: store the payload unencoded",
            ));
        }
        pointer::read(self.body()?)
    }

    fn payload(&self, is_base64: bool) -> Result<Vec<u8>, Fault> {
        let body = self.body()?;
        let payload = if is_base64 { decode_base64(body)? } else { body.as_bytes().to_vec() };
        if payload.is_empty() {
            return Err(Fault::validation("the payload is empty: give a body or an InputLocation"));
        }
        Ok(payload)
    }

    fn is_base64(&self) -> Result<bool, Fault> {
        match self.attribute(CONTENT_ENCODING)? {
            None => Ok(false),
            Some("base64") => Ok(true),
            Some(_) => Err(Fault::validation("ContentEncoding must be `base64` or absent")),
        }
    }
}
