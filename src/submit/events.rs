//! Requests in events that nobody waits for. Lambda tries such an event again when the function fails, twice, and then hands it to the
//! function's destination: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
//!
//! So a fault that may pass fails the event. A request that can never succeed is kept as a dead letter: a message that asks for the
//! same, which can be moved to the request queue when its reason is mended.

use serde_json::value::RawValue;

use super::Submit;
use super::idempotency::{Idempotency, Key, hash_of};
use super::invoke::INPUT_LIMIT_BYTES;
use super::outcome::Origin;
use super::sources::sqs::{Attributes, Message};
use super::{Answer, AnswerForm};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::invocation::{Input, Invocation};
use crate::object::Head;
use crate::parameter::CONTENT_TYPE;

/// What S3 says of an object that was put without a content type.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const NO_CONTENT_TYPE: &str = "binary/octet-stream";

/// One request of an event.
pub(super) struct EventRequest {
    /// The message that asks for the same; its id is the request's.
    pub(super) message: Message,
    pub(super) invocation: Result<Invocation, Fault>,
    /// Whether its input is an object of whose putting the event tells.
    pub(super) is_object: bool,
}

impl EventRequest {
    /// What is no request: its dead letter is the event alone.
    pub(super) fn refused(event: &RawValue, fault: Fault, trace_header: Option<&str>) -> Result<Self, Fault> {
        let message = Message::of_event(&event_id(&[event.get()]), event.get(), Attributes::new(), trace_header)?;
        Ok(Self { message, invocation: Err(fault), is_object: false })
    }
}

/// The id of a request whose event has none, 32 characters: the same for the same event.
pub(super) fn event_id(texts: &[&str]) -> String {
    let mut id = hash_of(texts);
    id.truncate(32);
    id
}

impl Submit {
    /// Answers an event that nobody waits for.
    ///
    /// # Errors
    /// The [`Fault`] for which it has to come again.
    pub(super) async fn answer_events(&self, requests: Vec<EventRequest>, deadline: Deadline) -> Result<Answer, Fault> {
        self.accept_events(requests, true, deadline).await?;
        Ok(Answer(AnswerForm::Nothing(())))
    }

    /// Has SageMaker accept the requests of an event. `is_first` tells that it did not come before, where that is known.
    ///
    /// # Errors
    /// The [`Fault`] for which the event has to come again.
    pub(super) async fn accept_events(
        &self,
        requests: Vec<EventRequest>,
        is_first: bool,
        deadline: Deadline,
    ) -> Result<(), Fault> {
        let (mut rejected, mut returned) = (Vec::new(), None);
        for request in requests {
            match self.accept_event(request.invocation, &request.message, request.is_object, deadline).await {
                Ok(()) => {}
                Err(fault) if fault.kind().is_retryable() => returned = Some(fault),
                Err(fault) => rejected.push((request.message, fault)),
            }
        }
        // An event that comes again brings what is rejected again: one dead letter is enough.
        if let Some(fault) = returned {
            return Err(fault);
        }
        for (message, fault) in rejected {
            if !Box::pin(self.reject_event(&message, &fault, is_first, deadline)).await {
                returned = Some(fault);
            }
        }
        returned.map_or(Ok(()), Err)
    }

    async fn accept_event(
        &self,
        invocation: Result<Invocation, Fault>,
        message: &Message,
        is_object: bool,
        deadline: Deadline,
    ) -> Result<(), Fault> {
        let invocation = match invocation {
            Ok(invocation) if is_object => deadline.run(Box::pin(self.described(invocation))).await,
            other => other,
        };
        // Nothing tells whether an event came before.
        let remember = || Idempotency::Remember { key: Key::of_message(message.id()), is_redelivered: true };
        let idempotency = self.config.deduplicate.then(remember);
        self.accept(invocation, Origin::event(message.id()), idempotency.as_ref(), deadline).await.map(drop)
    }

    /// The invocation with what S3 knows of the object that is its input.
    async fn described(&self, mut invocation: Invocation) -> Result<Invocation, Fault> {
        let Input::Location(location) = &invocation.input else { return Ok(invocation) };
        let Some(head) = Head::of(&self.s3, location).await? else {
            return Err(Fault::validation("the object no longer exists"));
        };
        match head.length {
            Some(0) => return Err(Fault::validation("the object is empty: put one with a payload")),
            Some(length) if length > INPUT_LIMIT_BYTES => {
                return Err(Fault::payload_too_large(format!(
                    "the object has {length} bytes; SageMaker takes at most {INPUT_LIMIT_BYTES}"
                )));
            }
            _ => {}
        }
        if let Some(given) = head.content_type.filter(|given| given != NO_CONTENT_TYPE) {
            let bad = |error| Fault::validation(format!("the object's {} {error}", CONTENT_TYPE.name));
            invocation.parameters.content_type = given.parse().map_err(bad)?;
        }
        Ok(invocation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_hash_can_be_taken_for_its_neighbours() {
        assert_eq!(event_id(&["a", "b"]), event_id(&["a", "b"]));
        assert_ne!(event_id(&["a", "b"]), event_id(&["ab", ""]));
        assert_eq!(event_id(&["a"]).len(), 32);
    }
}
