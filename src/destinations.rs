//! The ways out, a file each, and what they share: results in few calls, each within its service's limits.
//! docs/design.md says what belongs into one, CONTRIBUTING.md how to add one.

mod callback;
mod event_bus;
mod message;
mod queue;
mod routes;
mod task;
mod topic;

use std::num::NonZeroUsize;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};

use crate::deadline::Deadline;
use crate::fault::Fault;
pub(crate) use message::{Measures, ResultMessage, attribute, attribute_text, is_sqs_char, json_body};
pub(crate) use queue::{MESSAGE_LIMIT_BYTES, Queue};
pub(crate) use routes::Routes;

/// A way out: where results go.
pub(crate) trait Destination: Send + Sync {
    /// What it is called in the log.
    fn name(&self) -> &str;

    /// What its service takes.
    fn limits(&self) -> Limits;

    /// The size that this result may have, where the service has several.
    fn limit_of(&self, _message: &ResultMessage) -> usize {
        self.limits().message_bytes
    }

    /// The size of a result, in bytes as its service counts them.
    fn bytes(&self, message: &ResultMessage) -> usize;

    /// Whether results have the configured format here; otherwise it is always `notification`.
    fn takes_raw(&self) -> bool {
        true
    }

    /// Sends results in one call. Answers in their order, one answer each. A result that is larger than the service or its owner allows
    /// gets a fault of the kind `PayloadTooLarge`, and is made again without its output; one that nobody waits for any more gets one of
    /// the kind `NotWaiting`, and goes to the results queue.
    fn send_call(&self, messages: Vec<ResultMessage>) -> BoxFuture<'_, Vec<Result<(), Fault>>>;
}

/// What a destination's service takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Size of one result.
    pub(crate) message_bytes: usize,
    /// Results in one call.
    pub(crate) call_messages: usize,
    /// Sum of the sizes of a call's results.
    pub(crate) call_bytes: usize,
}

/// Whether a destination takes a result of this size.
pub(crate) fn fits(destination: &dyn Destination, message: &ResultMessage) -> bool {
    destination.bytes(message) <= destination.limit_of(message)
}

/// Sends results until the deadline, in as few calls as their sizes allow. Answers in their order, one answer each; what has been
/// confirmed by then stays sent.
pub(crate) async fn send(
    destination: &dyn Destination,
    messages: Vec<ResultMessage>,
    at_once: NonZeroUsize,
    deadline: Deadline,
) -> Vec<Result<(), Fault>> {
    if deadline.is_over() {
        return messages.iter().map(|_| Err(Fault::deadline())).collect();
    }
    let mut answers: Vec<_> = messages.iter().map(|_| Err(Fault::internal("the result was not confirmed"))).collect();
    let calls = pack(destination, messages).into_iter().map(|call| async move {
        let (indices, messages): (Vec<_>, Vec<_>) = call.into_iter().unzip();
        indices.into_iter().zip(destination.send_call(messages).await)
    });
    let mut calls = stream::iter(calls).buffer_unordered(at_once.get());
    while let Ok(Some(answered)) = deadline.finish(async { Ok(calls.next().await) }).await {
        for (index, answer) in answered {
            if let Some(slot) = answers.get_mut(index) {
                *slot = answer;
            }
        }
    }
    answers
}

/// Packs results into calls, each result with its index.
fn pack(destination: &dyn Destination, messages: Vec<ResultMessage>) -> Vec<Vec<(usize, ResultMessage)>> {
    let bytes = |message: &ResultMessage| destination.bytes(message);
    let mut waiting: Vec<_> = messages.into_iter().enumerate().collect();
    let mut calls = Vec::new();
    while !waiting.is_empty() {
        calls.push(take_call(&mut waiting, destination.limits(), |(_, message)| bytes(message)));
    }
    calls
}

/// Takes the results of one call out of `waiting`: in their order, each for which there is still room.
pub(crate) fn take_call<T>(waiting: &mut Vec<T>, limits: Limits, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let (mut count, mut used) = (0, 0);
    let taken = waiting.extract_if(.., |item| {
        if count == limits.call_messages {
            return false;
        }
        let bytes = bytes(item);
        // One that no call has room for is for the service to refuse.
        let has_room = count == 0 || used + bytes <= limits.call_bytes;
        if has_room {
            (count, used) = (count + 1, used + bytes);
        }
        has_room
    });
    taken.collect()
}
