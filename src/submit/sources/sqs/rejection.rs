//! A message that can never succeed: it goes to the dead-letter queue, and its sender is told.

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Batch;
use super::dead_letter::DeadLetterQueue;
use super::message::Message;
use crate::deadline::Deadline;
use crate::destinations::{self, Destination, ResultMessage, ResultsQueue};
use crate::fault::Fault;
use crate::submit::{Submit, rejected};

/// What a sender is to be told.
pub(super) struct Rejection {
    message_id: String,
    is_dead_letter: bool,
    result: ResultMessage,
}

impl Submit {
    /// Rejects a message; tells whether it must come back. The dead-letter queue comes first: what lies there is not received again,
    /// so nobody is told `Rejected` and gets a result later. Without it, or when it does not take the message, the sender is told
    /// at the first receipt, because the message comes back.
    pub(super) async fn reject(&self, message: &Message, fault: &Fault, batch: &Batch) -> bool {
        let is_dead_letter = match &self.dead_letters {
            Some(queue) => keep(queue, message, fault, batch.deadline).await,
            None => false,
        };
        if is_dead_letter || message.is_first_receipt() {
            self.tell(message, fault, is_dead_letter, batch);
        }
        !is_dead_letter
    }

    /// Tells the sender already now of a message that comes back unsent, if it never can be sent: this receipt is its first one,
    /// the next will not be. With a dead-letter queue it is rejected when its turn comes.
    pub(super) fn return_unsent(&self, message: &Message, batch: &Batch) {
        if self.dead_letters.is_none()
            && message.is_first_receipt()
            && let Err(fault) = self.invocation(message)
        {
            self.tell(message, &fault, false, batch);
        }
    }

    fn tell(&self, message: &Message, fault: &Fault, is_dead_letter: bool, batch: &Batch) {
        if self.results.is_some()
            && let Some(result) = rejected::result(message, &message.id, &self.config, fault)
        {
            // The other end is there for as long as the batch.
            let _ = batch.rejections.send(Rejection { message_id: message.id.clone(), is_dead_letter, result });
        }
    }

    /// Tells senders as soon as there is something to tell, until the batch is done.
    pub(super) async fn tell_senders(&self, mut rejections: UnboundedReceiver<Rejection>, deadline: Deadline) {
        let Some(results) = &self.results else { return };
        let at_once = self.config.max_concurrency.get();
        stream::poll_fn(|context| rejections.poll_recv(context))
            .ready_chunks(results.limits().call_messages)
            .for_each_concurrent(at_once, |told| self.send_rejections(results, told, deadline))
            .await;
    }

    /// A result that cannot be sent is logged and nothing more: what lies in the dead-letter queue must not be invoked again.
    async fn send_rejections(&self, results: &ResultsQueue, told: Vec<Rejection>, deadline: Deadline) {
        let (messages, told): (Vec<_>, Vec<_>) =
            told.into_iter().map(|told| ((told.message_id, told.is_dead_letter), told.result)).unzip();
        let answers = destinations::send(results, told, self.config.max_concurrency, deadline).await;
        for ((message_id, is_dead_letter), answer) in messages.into_iter().zip(answers) {
            let Err(fault) = answer else { continue };
            let lies = if is_dead_letter { "it lies in the dead-letter queue" } else { "it comes back" };
            tracing::error!(
                sqs.message_id = message_id,
                error = fault.details(),
                "sender not told of a rejected message: {lies}"
            );
        }
    }
}

/// Whether the dead-letter queue has confirmed a message. It has as long as leaves time to tell the sender.
async fn keep(queue: &DeadLetterQueue, message: &Message, fault: &Fault, deadline: Deadline) -> bool {
    let error_type = fault.kind().error_type();
    match deadline.go_on(Box::pin(queue.put(message, fault))).await {
        Ok(id) => {
            tracing::info!(
                sqs.message_id = message.id,
                dead_letter.message_id = id,
                "error.type" = error_type,
                "rejected: the message lies in the dead-letter queue"
            );
            true
        }
        Err(unkept) => {
            tracing::error!(
                sqs.message_id = message.id,
                "error.type" = error_type,
                error = unkept.details(),
                "the dead-letter queue did not take a rejected message: it comes back"
            );
            false
        }
    }
}
