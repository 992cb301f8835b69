//! What is done for one invocation: input, model, output, notification.

use std::sync::Arc;
use std::time::Duration;

use sagemaker_async_bridge::location::S3Uri;
use tokio::time::Instant;

use super::Endpoint;
use super::async_config::{AsyncConfig, IncludeIn};
use super::deployment::Deployment;
use super::ledger::{Ending, Record, Status};
use super::totals::Totals;
use crate::body::Body;
use crate::faults::Fault;
use crate::model::{Failure, ModelRequest};
use crate::notification::Notification;
use crate::store::Object;

/// How long a notification that is to be overtaken waits for the one that does.
const HOLD: Duration = Duration::from_secs(10);

impl Endpoint {
    /// Brings an invocation to its end: output or failure output, and notification.
    pub(super) async fn serve(self: Arc<Self>, record: Record, deployment: Arc<Deployment>) {
        let Some(config) = &deployment.asynchronous else { return };
        let invocation = &record.invocation;
        let outcome = self.outcome(&record, &deployment).await;
        let (status, reason, topic, notification) = match outcome {
            Ok(response) => {
                let include = config.include.contains(&IncludeIn::Success);
                let notification = Notification::completed(invocation, &response, include);
                (Status::Completed, None, &config.success_topic, notification)
            }
            Err(Failure::Expired) => {
                let reason = "The model took longer than the InvocationTimeoutSeconds.".to_owned();
                (Status::Expired, Some(reason), &config.error_topic, Notification::expired(invocation))
            }
            Err(Failure::Failed { reason, response }) => {
                let notification = self.failed(&record, config, &reason, response).await;
                (Status::Failed, Some(reason), &config.error_topic, notification)
            }
        };
        let has_output = notification.has_location() && !(status == Status::Completed && self.loses_output(&record));
        self.with(|core| core.ledger.end(record.number, Ending { status, reason, has_output }));
        // The model is free again; a notification takes none of its time.
        self.changed.notify_one();
        self.notify(&record, topic.as_deref(), &notification).await;
        self.release(&record);
    }

    /// Notifies of an invocation that waited too long.
    pub(super) async fn notify_of_expiry(self: Arc<Self>, record: Record, deployment: Arc<Deployment>) {
        let Some(config) = &deployment.asynchronous else { return };
        self.notify(&record, config.error_topic.as_deref(), &Notification::expired(&record.invocation)).await;
        self.release(&record);
    }

    /// It is answered: nothing has to be done for it after a restart.
    fn release(&self, record: &Record) {
        if let Some(durable) = &self.context.durable {
            durable.queue.release(record.number, &record.invocation);
        }
        self.with(|core| core.ledger.notified());
    }

    /// Runs the model and stores the output.
    async fn outcome(&self, record: &Record, deployment: &Deployment) -> Result<Object, Failure> {
        let invocation = &record.invocation;
        let input = self.input(record).await.inspect_err(|_| self.count(|totals| totals.download_failures += 1))?;
        let id = invocation.inference_id.as_str();
        let spool = &self.context.spool;
        let request = ModelRequest { parameters: &invocation.parameters, inference_id: id, needs_length: true, spool };
        let start = Instant::now();
        let run = deployment.model.run(input, request, &self.context.http);
        let run = tokio::time::timeout(invocation.parameters.timeout(), run).await.unwrap_or(Err(Failure::Expired));
        self.count(|totals| {
            totals.model_latency.add(start.elapsed());
            match &run {
                Err(Failure::Failed { response: Some((500.., _)), .. }) => totals.model_server_errors += 1,
                Err(Failure::Failed { response: Some(_), .. }) => totals.model_client_errors += 1,
                _ => {}
            }
        });
        let response = run?;
        if self.loses_output(record) {
            self.note(record.number, Fault::MissingOutput);
            return Ok(response);
        }
        let Some(location) = &invocation.output_location else { return Ok(response) };
        self.context.store.put(location, &response).await.map_err(|error| {
            self.count(|totals| totals.upload_failures += 1);
            Failure::without_response(format!("ClientError: Unable to write to {location}: {error}"))
        })?;
        Ok(response)
    }

    async fn input(&self, record: &Record) -> Result<Body, Failure> {
        if let Some(payload) = &record.payload {
            return Ok(payload.clone().into());
        }
        let location = record.invocation.parameters.input_location.as_deref().unwrap_or_default();
        let unreadable = |error: String| {
            Failure::without_response(format!("ClientError: Unable to read the input from {location}: {error}"))
        };
        let location: S3Uri = location.parse().map_err(|error| unreadable(format!("{error}")))?;
        self.context.store.get(&location, &self.context.spool).await.map(|object| object.body).map_err(unreadable)
    }

    /// Stores the failure output and says what is to be told.
    async fn failed(
        &self,
        record: &Record,
        config: &AsyncConfig,
        reason: &str,
        response: Option<(u16, Object)>,
    ) -> Notification {
        let response = response.map(|(_, response)| response);
        // SageMaker's failure output where the model has said nothing is not known; here it is the reason.
        let reasoned = || Object { body: reason.to_owned().into(), content_type: "text/plain".to_owned() };
        let output = response.clone().unwrap_or_else(reasoned);
        let stored = match &record.invocation.failure_location {
            None => false,
            Some(location) => {
                let stored = self.context.store.put(location, &output).await;
                let id = &record.invocation.inference_id;
                stored
                    .inspect_err(|error| tracing::error!(inference.id = id, error, "failure output not stored"))
                    .is_ok()
            }
        };
        let include = config.include.contains(&IncludeIn::Error);
        Notification::failed(&record.invocation, reason.to_owned(), response.as_ref(), stored, include)
    }

    /// Sends a notification, unless a fault is to befall it.
    async fn notify(&self, record: &Record, topic: Option<&str>, notification: &Notification) {
        let (endpoint, id) = (&self.name, &record.invocation.inference_id);
        let (number, status) = (record.number, notification.status());
        tracing::info!(
            endpoint.name = endpoint,
            invocation.number = number,
            invocation.status = status,
            "invocation ended"
        );
        let Some(topic) = topic else { return };
        let message = match serde_json::to_string(notification) {
            Ok(message) => message,
            Err(error) => return tracing::error!(endpoint.name = endpoint, inference.id = id, %error, "not notified"),
        };
        let befalls = |fault| {
            let befalls = record.invocation.draw.meets(fault);
            if befalls {
                self.note(record.number, fault);
            }
            befalls
        };
        if befalls(Fault::LostNotification) {
            return;
        }
        if befalls(Fault::DelayedNotification) {
            tokio::time::sleep(record.invocation.draw.delay()).await;
        }
        if befalls(Fault::ReorderedNotification) {
            // Sent in any case, even if none overtakes it.
            let _ = tokio::time::timeout(HOLD, self.overtaken.notified()).await;
        }
        let times = if befalls(Fault::DuplicateNotification) { 2 } else { 1 };
        for _ in 0..times {
            if let Err(error) = self.context.notifier.publish(topic, &message).await {
                self.count(|totals| totals.notification_failures += 1);
                tracing::error!(endpoint.name = endpoint, inference.id = id, error, "not notified");
            }
        }
        self.overtaken.notify_waiters();
    }

    fn loses_output(&self, record: &Record) -> bool {
        record.invocation.draw.meets(Fault::MissingOutput)
    }

    fn count(&self, act: impl FnOnce(&mut Totals)) {
        self.with(|core| act(&mut core.ledger.totals));
    }
}
