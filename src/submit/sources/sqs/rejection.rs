//! A message that can never succeed: it goes to the dead-letter queue, and its sender is told.

use futures_util::{StreamExt, future, stream};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Batch;
use super::dead_letter::DeadLetterQueue;
use super::message::Message;
use crate::deadline::Deadline;
use crate::destinations::{self, Destination, ResultMessage};
use crate::fault::{Fault, FaultKind};
use crate::return_address::ReplyTo;
use crate::submit::{Submit, rejected};

/// What a sender is to be told.
pub(super) struct Rejection {
    id: String,
    is_event: bool,
    is_dead_letter: bool,
    result: ResultMessage,
}

impl Submit {
    /// Rejects a message; tells whether it must come back. The dead-letter queue comes first: what lies there is not received again,
    /// so nobody is told `Rejected` and gets a result later. Without it, or when it does not take the message, the sender is told
    /// at the first receipt, because the message comes back.
    pub(super) async fn reject(&self, message: &Message, fault: &Fault, batch: &Batch) -> bool {
        let is_dead_letter = match &self.dead_letters {
            Some(queue) => send_dead_letter(queue, message, fault, batch.deadline, false).await,
            None => false,
        };
        if is_dead_letter || message.is_first_receipt() {
            self.queue_rejection(message, fault, is_dead_letter, batch);
        }
        !is_dead_letter
    }

    /// Rejects a request of an event that nobody waits for; tells whether the message is in the dead-letter queue. Its sender is told once:
    /// when it lies there, or if there is no such queue, the first time that the event comes.
    pub(in crate::submit) async fn reject_event(
        &self,
        message: &Message,
        fault: &Fault,
        is_first: bool,
        deadline: Deadline,
    ) -> bool {
        let is_dead_letter = match &self.dead_letters {
            Some(queue) => send_dead_letter(queue, message, fault, deadline, true).await,
            None => false,
        };
        let is_told = is_dead_letter || (self.dead_letters.is_none() && is_first);
        if is_told && let Some(result) = rejected::result(message, message.id(), &self.config, fault) {
            let rejection = Rejection { id: message.id().to_owned(), is_event: true, is_dead_letter, result };
            self.send_rejections(vec![rejection], deadline).await;
        }
        is_dead_letter
    }

    /// Tells the sender already now of a message that comes back unsent, if it never can be sent: this receipt is its first one,
    /// the next will not be. With a dead-letter queue it is rejected when its turn comes.
    pub(super) fn return_unsent(&self, message: &Message, batch: &Batch) {
        if self.dead_letters.is_none()
            && message.is_first_receipt()
            && let Err(fault) = self.invocation(message)
        {
            self.queue_rejection(message, &fault, false, batch);
        }
    }

    fn queue_rejection(&self, message: &Message, fault: &Fault, is_dead_letter: bool, batch: &Batch) {
        if let Some(result) = rejected::result(message, message.id(), &self.config, fault) {
            // The other end is there for as long as the batch.
            let rejection = Rejection { id: message.id().to_owned(), is_event: false, is_dead_letter, result };
            let _ = batch.rejections.send(rejection);
        }
    }

    /// Tells senders as soon as there is something to tell, until the batch is done.
    pub(super) async fn tell_senders(&self, mut rejections: UnboundedReceiver<Rejection>, deadline: Deadline) {
        let at_once = self.config.max_concurrency.get();
        stream::poll_fn(|context| rejections.poll_recv(context))
            .ready_chunks(at_once)
            .for_each_concurrent(at_once, |rejections| self.send_rejections(rejections, deadline))
            .await;
    }

    /// Each destination's by themselves, so that one that hangs holds up nobody else's.
    async fn send_rejections(&self, rejections: Vec<Rejection>, deadline: Deadline) {
        let mut routed: Vec<(&dyn Destination, Vec<Rejection>)> = Vec::new();
        for rejection in rejections {
            let Some(destination) = self.destination(&rejection.result.return_address.to) else { continue };
            match routed.iter_mut().find(|(other, _)| std::ptr::addr_eq(*other, destination)) {
                Some((_, rejections)) => rejections.push(rejection),
                None => routed.push((destination, vec![rejection])),
            }
        }
        let sends = routed.into_iter().map(|(destination, rejections)| self.send_to(destination, rejections, deadline));
        future::join_all(sends).await;
    }

    /// Where the result of a rejection goes; `None` where nobody is to be told.
    fn destination(&self, to: &ReplyTo) -> Option<&dyn Destination> {
        if *to == ReplyTo::Nobody {
            return None;
        }
        let results = || self.results.as_ref().map(|queue| -> &dyn Destination { queue });
        self.routes.find(to).or_else(results)
    }

    /// A result that cannot be sent is logged and nothing more: what lies in the dead-letter queue must not be invoked again. One that
    /// nobody waits for any more goes to the results queue.
    async fn send_to(&self, destination: &dyn Destination, rejections: Vec<Rejection>, deadline: Deadline) {
        let (messages, results): (Vec<_>, Vec<_>) = rejections
            .into_iter()
            .map(|rejection| ((rejection.id, rejection.is_event, rejection.is_dead_letter), rejection.result))
            .unzip();
        let at_once = self.config.max_concurrency;
        let answers = destinations::send(destination, results.clone(), at_once, deadline).await;
        for (((id, is_event, is_dead_letter), result), answer) in messages.into_iter().zip(results).zip(answers) {
            let Err(fault) = answer else { continue };
            let fault = match &self.results {
                Some(queue) if fault.kind() == FaultKind::NotWaiting => {
                    let answer = destinations::send(queue, vec![result], at_once, deadline).await;
                    let Some(Err(fault)) = answer.into_iter().next() else { continue };
                    fault
                }
                _ => fault,
            };
            let place =
                if is_dead_letter { "the message is in the dead-letter queue" } else { "it is delivered again" };
            tracing::error!(
                sqs.message_id = (!is_event).then_some(&id),
                event.id = is_event.then_some(&id),
                destination = destination.name(),
                error = fault.details(),
                "could not send the Rejected result: {place}"
            );
        }
    }
}

/// Whether the dead-letter queue has confirmed a message. It has as long as leaves time to tell the sender.
async fn send_dead_letter(
    queue: &DeadLetterQueue,
    message: &Message,
    fault: &Fault,
    deadline: Deadline,
    is_event: bool,
) -> bool {
    let (message_id, event_id) = ((!is_event).then_some(message.id()), is_event.then_some(message.id()));
    let error_type = fault.kind().error_type();
    match deadline.go_on(Box::pin(queue.put(message, fault))).await {
        Ok(id) => {
            tracing::info!(
                sqs.message_id = message_id,
                event.id = event_id,
                dead_letter.message_id = id,
                "error.type" = error_type,
                "message rejected: it is in the dead-letter queue"
            );
            true
        }
        Err(fault) => {
            tracing::error!(
                sqs.message_id = message_id,
                event.id = event_id,
                "error.type" = error_type,
                error = fault.details(),
                "could not send a rejected message to the dead-letter queue: it is delivered again"
            );
            false
        }
    }
}
