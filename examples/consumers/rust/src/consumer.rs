//! Receives results, handles several at once, each by itself, and deletes what has been handled.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::Message;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::BoxError;
use crate::results::{InferenceResult, Notification, Object, Response};
use crate::store::{ClaimOutcome, Store};

/// Most results that are handled at once.
const CONCURRENCY: usize = 10;
/// Most messages of one `ReceiveMessage`, and the longest wait for the first.
const BATCH_LIMIT_MESSAGES: usize = 10;
const WAIT_SECONDS: i32 = 20;
const FETCH_LIMIT: Duration = Duration::from_secs(30);
const FETCH_LIMIT_BYTES: i64 = 64 * 1024 * 1024;

/// A consumer of results. `handle` is what is to be done with one; if it fails, the result comes back.
pub(crate) struct Consumer<H> {
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) store: Store,
    pub(crate) queue_url: String,
    /// Longer than a fetch and `handle` take together. What fails comes back after it.
    pub(crate) visibility_seconds: i32,
    pub(crate) handle: H,
}

impl<H, F> Consumer<H>
where
    H: Fn(InferenceResult) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    /// Goes on until `stop` is cancelled; ends when everything that was received has been handled.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut running = JoinSet::new();
        let ended = Arc::new(self).receive_until(&stop, &mut running).await;
        while running.join_next().await.is_some() {}
        ended
    }

    async fn receive_until(
        self: Arc<Self>,
        stop: &CancellationToken,
        running: &mut JoinSet<()>,
    ) -> Result<(), BoxError> {
        while !stop.is_cancelled() {
            if running.len() == CONCURRENCY {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            for message in self.receive(CONCURRENCY - running.len()).await? {
                running.spawn(Arc::clone(&self).process(message));
            }
        }
        Ok(())
    }

    async fn receive(&self, free: usize) -> Result<Vec<Message>, BoxError> {
        let receive = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(i32::try_from(free.min(BATCH_LIMIT_MESSAGES))?)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(self.visibility_seconds);
        Ok(receive.send().await?.messages.unwrap_or_default())
    }

    /// Handles a message and deletes it, or leaves it to come back.
    async fn process(self: Arc<Self>, message: Message) {
        if let Err(error) = self.handle_and_delete(&message).await {
            tracing::error!(message_id = message.message_id, error, "message not handled, it comes back");
        }
    }

    async fn handle_and_delete(&self, message: &Message) -> Result<(), BoxError> {
        let (body, id) = (message.body.as_deref(), message.message_id.as_deref());
        let notification = Notification::parse(body.unwrap_or_default(), id.unwrap_or_default())?;
        match self.store.begin(notification.key()).await? {
            ClaimOutcome::Claimed(claim) => match self.resolve_and_handle(notification).await {
                Ok(()) => self.store.finish(claim).await?,
                Err(error) => {
                    self.store.abandon(claim).await?;
                    return Err(error);
                }
            },
            ClaimOutcome::Done => tracing::info!(key = ?notification.key(), "handled already"),
            ClaimOutcome::Busy => {
                tracing::info!(key = ?notification.key(), "another delivery is being handled now");
                return Ok(());
            }
        }
        let delete = self.sqs.delete_message().queue_url(&self.queue_url);
        delete.set_receipt_handle(message.receipt_handle.clone()).send().await?;
        Ok(())
    }

    async fn resolve_and_handle(&self, notification: Notification) -> Result<(), BoxError> {
        let response = match notification.response()? {
            Response::Here(bytes) => Some(bytes),
            Response::At(object) => Some(tokio::time::timeout(FETCH_LIMIT, self.fetch(&object)).await??),
            Response::None => None,
        };
        (self.handle)(notification.into_result(response)?).await
    }

    /// An output of at most `FETCH_LIMIT_BYTES`.
    async fn fetch(&self, object: &Object) -> Result<Vec<u8>, BoxError> {
        let answer = self.s3.get_object().bucket(&object.bucket).key(&object.key).send().await?;
        if answer.content_length.is_some_and(|length| length > FETCH_LIMIT_BYTES) {
            return Err(format!("the output has more than {FETCH_LIMIT_BYTES} bytes: stream it").into());
        }
        Ok(answer.body.collect().await?.to_vec())
    }
}
