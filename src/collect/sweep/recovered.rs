//! One overdue request: what became of it, told as SageMaker's notification would have told it.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use tokio::time::Instant;

use crate::collect::Collect;
use crate::collect::delivery::Delivery;
use crate::deadline::Deadline;
use crate::destinations::{Destination, json_body};
use crate::fault::Fault;
use crate::location::S3Prefix;
use crate::object::{Head, Object};
use crate::pending::{self, PendingKey, PendingRequest, RECORD_LIMIT_BYTES, RequestParameters, UNANSWERED, timestamp};
use crate::return_address;

/// How much earlier than the acceptance, to the second, an output may seem to be written.
const CLOCK_SKEW_SECONDS: u64 = 1;
/// How long a request may take to be written down as given up: its result does not depend on it.
const GIVE_UP_PATIENCE: Duration = Duration::from_secs(2);

/// What there is to say of a request.
pub(super) enum SweepOutcome<'a> {
    /// A result for this destination.
    Found { delivery: Delivery, destination: &'a dyn Destination, status: &'static str },
    /// Its result was sent meanwhile.
    Answered,
    /// Nobody wants its result; it is forgotten.
    Unwanted,
    /// It is no request.
    Other,
}

/// Shaped like SageMaker's notifications.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecoveredNotification<'a> {
    event_time: String,
    received_time: String,
    invocation_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    request_parameters: RequestParameters,
    response_parameters: ResponseParameters<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference_id: Option<&'a str>,
    event_version: &'static str,
    event_source: &'static str,
    event_name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_location: Option<&'a str>,
}

/// What became of a request.
enum InferenceEnd {
    Completed(Head),
    Failed(Head),
    Unanswered,
}

impl Collect {
    /// Looks at a request whose answer is overdue.
    ///
    /// # Errors
    /// A [`Fault`] when its record is none of a request of this bridge, or when S3 does not say what became of it.
    pub(super) async fn examine(
        &self,
        location: &S3Prefix,
        key: &PendingKey,
        deadline: Deadline,
    ) -> Result<SweepOutcome<'_>, Fault> {
        let Some(record) = Object::get(&self.s3, &pending::record_at(location, key)?).await? else {
            return Ok(SweepOutcome::Answered);
        };
        if record.length > RECORD_LIMIT_BYTES {
            return Err(Fault::validation("the object is not a request record: it is too large"));
        }
        let request = PendingRequest::parse(&record.read().await?)?;
        if !self.serves(Some(&request.request_parameters.endpoint_name)) {
            return Err(Fault::access_denied("the request's endpoint is not this bridge's"));
        }
        let end = self.end_of(&request).await?;
        if let (InferenceEnd::Unanswered, Some(reason)) = (&end, end.reason(&request, key)) {
            self.give_up(location, key, &reason).await;
        }
        let status = end.status();
        let delivery = Delivery::new(key.to_string(), notification(&request, &end, key)?);
        match self.destination_of(&delivery) {
            Some(destination) => Ok(SweepOutcome::Found { delivery, destination, status }),
            None => {
                self.skip(&delivery)?;
                self.forget(key, Instant::now() + GIVE_UP_PATIENCE, deadline).await;
                Ok(SweepOutcome::Unwanted)
            }
        }
    }

    async fn end_of(&self, request: &PendingRequest) -> Result<InferenceEnd, Fault> {
        if let Some(head) = self.left_by(request, request.output_location.as_deref()).await? {
            return Ok(InferenceEnd::Completed(head));
        }
        let failure = self.left_by(request, request.failure_location.as_deref()).await?;
        Ok(failure.map_or(InferenceEnd::Unanswered, InferenceEnd::Failed))
    }

    /// What this request left at one of its locations; what was there before it is none of its.
    async fn left_by(&self, request: &PendingRequest, location: Option<&str>) -> Result<Option<Head>, Fault> {
        let Some(location) = location else { return Ok(None) };
        let head = Head::of(&self.s3, &self.readable(location)?).await?;
        let accepted_at = request.accepted_at / 1_000;
        let is_its_own = |time: u64| time.saturating_add(CLOCK_SKEW_SECONDS) >= accepted_at;
        Ok(head.filter(|head| head.last_modified.is_none_or(is_its_own)))
    }

    /// Writes down, for its caller who asks by HTTP, that a request was given up.
    async fn give_up(&self, location: &S3Prefix, key: &PendingKey, reason: &str) {
        let write = async {
            let at = pending::given_up_at(location, key)?;
            let call = self.s3.put_object().bucket(at.bucket()).key(at.key()).content_type("text/plain; charset=utf-8");
            let call = call.body(ByteStream::from(reason.as_bytes().to_vec()));
            call.send().await.map(drop).map_err(|error| Fault::from_aws("PutObject", error))
        };
        let written = tokio::time::timeout(GIVE_UP_PATIENCE, Box::pin(write)).await;
        if let Err(fault) = written.unwrap_or_else(|_| Err(Fault::deadline())) {
            tracing::warn!(
                pending.key = key.as_str(),
                error = fault.details(),
                "could not record that a request is unanswered: GET /invocations still answers 202 for it"
            );
        }
    }
}

impl InferenceEnd {
    const fn status(&self) -> &'static str {
        match self {
            Self::Completed(_) => "Completed",
            Self::Failed(_) => "Failed",
            Self::Unanswered => UNANSWERED,
        }
    }

    const fn event_name(&self) -> &'static str {
        match self {
            Self::Completed(_) | Self::Failed(_) => "InferenceRecovered",
            Self::Unanswered => "InferenceUnanswered",
        }
    }

    /// Two sweeps give a request the same time: that of its output, or when it was overdue.
    fn time(&self, key: &PendingKey) -> String {
        match self {
            Self::Completed(head) | Self::Failed(head) => head.last_modified.map(|seconds| timestamp(seconds * 1_000)),
            Self::Unanswered => None,
        }
        .unwrap_or_else(|| key.overdue_since())
    }

    /// What is known of a request that did not end well.
    fn reason(&self, request: &PendingRequest, key: &PendingKey) -> Option<String> {
        let locations = [&request.output_location, &request.failure_location];
        let locations: Vec<&str> = locations.into_iter().filter_map(Option::as_deref).collect();
        match self {
            Self::Completed(_) => None,
            Self::Failed(_) => Some("no notification came; the model's error is at the failure location".to_owned()),
            Self::Unanswered => Some(format!(
                "SageMaker accepted the request at {}, no notification had come by {}, and there is no object at {}",
                timestamp(request.accepted_at),
                key.overdue_since(),
                locations.join(" or ")
            )),
        }
    }
}

/// The notification that did not come. Its return address has the key of the record that it is made from, whatever the record says.
fn notification(request: &PendingRequest, end: &InferenceEnd, key: &PendingKey) -> Result<String, Fault> {
    let custom_attributes = request.request_parameters.custom_attributes.as_deref();
    let custom_attributes = return_address::with_pending(custom_attributes, key.clone());
    let (content_type, output, failure) = match end {
        InferenceEnd::Completed(head) => (head.content_type.clone(), true, false),
        InferenceEnd::Failed(head) => (head.content_type.clone(), false, true),
        InferenceEnd::Unanswered => (None, true, false),
    };
    json_body(&RecoveredNotification {
        event_time: end.time(key),
        received_time: timestamp(request.accepted_at),
        invocation_status: end.status(),
        failure_reason: end.reason(request, key),
        request_parameters: RequestParameters {
            custom_attributes: Some(custom_attributes),
            ..request.request_parameters.clone()
        },
        response_parameters: ResponseParameters {
            content_type,
            output_location: request.output_location.as_deref().filter(|_| output),
            failure_location: request.failure_location.as_deref().filter(|_| failure),
        },
        inference_id: request.inference_id.as_deref(),
        event_version: "1.0",
        event_source: "sagemaker-async-bridge",
        event_name: end.event_name(),
    })
}
