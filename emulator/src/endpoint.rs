//! An endpoint: its queue, and what becomes of each invocation in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sagemaker_async_bridge::location::S3Uri;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::Services;
use crate::cli::{IncludeIn, Options};
use crate::model::{Failure, Model, Response};
use crate::notification::Notification;
use crate::wire::Invocation;

/// Invocations that wait at most: with inline payloads of the largest size about 1.3 GB. A further one is answered with
/// ServiceUnavailable. SageMaker publishes no bound of its own.
const QUEUE_LIMIT_INVOCATIONS: usize = 10_000;
/// SageMaker's default of RequestTTLSeconds.
const DEFAULT_TTL: Duration = Duration::from_secs(21_600);
/// SageMaker's default of InvocationTimeoutSeconds.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);

/// An endpoint.
pub struct Endpoint {
    queue: Sender<Invocation>,
    still_throttled: AtomicUsize,
}

/// What serves an endpoint's queue.
struct Server {
    model: Model,
    options: Arc<Options>,
    services: Arc<Services>,
    http: reqwest::Client,
}

impl Endpoint {
    /// Starts an endpoint that runs `model` and throttles its first `throttled` invocations.
    pub(crate) fn start(model: Model, throttled: usize, options: &Arc<Options>, services: &Arc<Services>) -> Self {
        let (queue, waiting) = channel(QUEUE_LIMIT_INVOCATIONS);
        let server = Server {
            model,
            options: Arc::clone(options),
            services: Arc::clone(services),
            http: reqwest::Client::new(),
        };
        tokio::spawn(Arc::new(server).serve(waiting));
        Self { queue, still_throttled: AtomicUsize::new(throttled) }
    }

    /// Whether this invocation is one of those to throttle; it counts as one.
    pub(crate) fn is_throttled(&self) -> bool {
        let less_one = |count: usize| count.checked_sub(1);
        self.still_throttled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less_one).is_ok()
    }

    /// Puts an invocation into the queue; an error when it is full.
    pub(crate) fn enqueue(&self, invocation: Invocation) -> Result<(), ()> {
        self.queue.try_send(invocation).map_err(|_| ())
    }
}

impl Server {
    async fn serve(self: Arc<Self>, mut waiting: Receiver<Invocation>) {
        let capacity = usize::try_from(self.options.max_concurrent_invocations_per_instance).unwrap_or(1);
        let capacity = Arc::new(Semaphore::new(capacity));
        // The permit comes first, so that what waits stays in the bounded queue.
        while let Ok(permit) = Arc::clone(&capacity).acquire_owned().await {
            let Some(invocation) = waiting.recv().await else { return };
            tokio::spawn(Arc::clone(&self).end(invocation, permit));
        }
    }

    /// Brings an invocation to its end: output or failure output, and notification.
    async fn end(self: Arc<Self>, mut invocation: Invocation, permit: OwnedSemaphorePermit) {
        let (topic, notification) = match self.outcome(&mut invocation).await {
            Ok(response) => {
                let include = self.options.include_inference_response_in.contains(&IncludeIn::Success);
                (&self.options.success_topic_arn, Notification::completed(&invocation, &response, include))
            }
            Err(Failure::Expired) => (&self.options.error_topic_arn, Notification::expired(&invocation)),
            Err(Failure::Failed { reason, response }) => {
                (&self.options.error_topic_arn, self.failed(&invocation, reason, response).await)
            }
        };
        // The model is free again; telling takes none of its time.
        drop(permit);
        self.notify(topic.as_deref(), &notification, &invocation).await;
    }

    /// Runs the model and stores the output.
    async fn outcome(&self, invocation: &mut Invocation) -> Result<Response, Failure> {
        let ttl = invocation.parameters.request_ttl.unwrap_or(DEFAULT_TTL);
        if invocation.received.elapsed().is_ok_and(|waited| waited > ttl) {
            return Err(Failure::Expired);
        }
        let input = self.input(invocation).await?;
        let timeout = invocation.parameters.invocation_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let run = self.model.run(input, &invocation.parameters, &invocation.inference_id, &self.http);
        let response = tokio::time::timeout(timeout, run).await.unwrap_or(Err(Failure::Expired))?;
        self.services.store(&invocation.output_location, &response).await.map_err(|error| {
            Failure::without_response(format!(
                "ClientError: Unable to write to {}: {error}",
                invocation.output_location
            ))
        })?;
        Ok(response)
    }

    async fn input(&self, invocation: &mut Invocation) -> Result<Vec<u8>, Failure> {
        if let Some(body) = invocation.body.take() {
            return Ok(body.into());
        }
        let location = invocation.parameters.input_location.as_deref().unwrap_or_default();
        let unreadable = |error: String| {
            Failure::without_response(format!("ClientError: Unable to read the input from {location}: {error}"))
        };
        let location: S3Uri = location.parse().map_err(|error| unreadable(format!("{error}")))?;
        self.services.fetch(&location).await.map_err(unreadable)
    }

    async fn failed(&self, invocation: &Invocation, reason: String, response: Option<Response>) -> Notification {
        let include = self.options.include_inference_response_in.contains(&IncludeIn::Error);
        // SageMaker's failure output where the model has said nothing is not known; here it is the reason.
        let output = response
            .clone()
            .unwrap_or_else(|| Response { body: reason.clone().into_bytes(), content_type: "text/plain".to_owned() });
        let stored = match &invocation.failure_location {
            None => false,
            Some(location) => match self.services.store(location, &output).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(inference.id = invocation.inference_id, error, "failure output not stored");
                    false
                }
            },
        };
        Notification::failed(invocation, reason, response.as_ref(), stored, include)
    }

    async fn notify(&self, topic_arn: Option<&str>, notification: &Notification, invocation: &Invocation) {
        let (endpoint, id) = (&invocation.endpoint_name, &invocation.inference_id);
        let message = match serde_json::to_string(notification) {
            Ok(message) => message,
            Err(error) => return tracing::error!(endpoint.name = endpoint, inference.id = id, %error, "not notified"),
        };
        let published = match topic_arn {
            Some(topic_arn) => self.services.publish(topic_arn, message).await,
            None => Ok(()),
        };
        match published {
            Ok(()) => tracing::info!(
                endpoint.name = endpoint,
                inference.id = id,
                invocation.status = notification.status(),
                "invocation ended"
            ),
            Err(error) => tracing::error!(endpoint.name = endpoint, inference.id = id, error, "not notified"),
        }
    }
}
