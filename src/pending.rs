//! Requests that SageMaker has accepted and nobody has answered yet: an object in S3 for each, under `BRIDGE_PENDING_LOCATION`.
//!
//! ```text
//! 20261126T0912Z-4f1d…          the record of a request whose answer is overdue from this minute on
//! unanswered/20261126T0912Z-4f… what its caller is told who asks for a request that was given up
//! ```
//!
//! In S3's order the records come first, the overdue ones before all others.

mod key;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, json_problem};
use crate::location::{S3Prefix, S3Uri};
pub use key::{InvalidKey, PendingKey};
pub(crate) use key::{comes_no_later, now_ms, timestamp};

/// How long a request may wait in SageMaker's queue where it does not say (`RequestTTLSeconds`), in seconds.
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>
const DEFAULT_TTL_SECONDS: i32 = 21_600;
/// How long the model may take where the request does not say (`InvocationTimeoutSeconds`), in seconds; the same page.
const DEFAULT_INVOCATION_TIMEOUT_SECONDS: i32 = 900;
/// Largest record that is read: no request has parameters of more than some kilobytes.
pub(crate) const RECORD_LIMIT_BYTES: u64 = 65_536;
/// The status of a request that was given up.
pub(crate) const UNANSWERED: &str = "Unanswered";
/// Where it is kept which requests were given up. It sorts behind all records.
const GIVEN_UP: &str = "unanswered";

/// What a result needs of a request that nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingRequest {
    /// When it was accepted, or a little before, in milliseconds since 1970.
    pub(crate) accepted_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inference_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure_location: Option<String>,
    pub(crate) request_parameters: RequestParameters,
}

/// The parameters that SageMaker repeats in its notifications; as there, what the request did not have is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestParameters {
    pub(crate) endpoint_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accept: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    /// With the return address behind the caller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_location: Option<String>,
}

impl PendingRequest {
    /// Reads a record.
    ///
    /// # Errors
    /// A [`Fault`] when it is none.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let none = |error| Fault::validation(format!("the object is not a request record: {}", json_problem(&error)));
        serde_json::from_slice(bytes).map_err(none)
    }

    /// The record, as JSON.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot be written as JSON, which does not happen.
    pub(crate) fn write(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|error| Fault::internal(error.to_string()))
    }
}

/// When the last moment of a request has passed at which SageMaker may answer it, in seconds since 1970.
#[must_use]
pub(crate) fn last_moment(accepted_at: u64, ttl_seconds: Option<i32>, timeout_seconds: Option<i32>) -> u64 {
    let ttl = ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
    let timeout = timeout_seconds.unwrap_or(DEFAULT_INVOCATION_TIMEOUT_SECONDS);
    accepted_at.saturating_add(u64::try_from(ttl).unwrap_or(0)).saturating_add(u64::try_from(timeout).unwrap_or(0))
}

/// Where the record of this key is.
///
/// # Errors
/// A [`Fault`] when the configured prefix leaves no room for it.
pub(crate) fn record_at(location: &S3Prefix, key: &PendingKey) -> Result<S3Uri, Fault> {
    at(location, key)
}

/// Where it is kept that the request of this key was given up.
///
/// # Errors
/// A [`Fault`] when the configured prefix leaves no room for it.
pub(crate) fn given_up_at(location: &S3Prefix, key: &PendingKey) -> Result<S3Uri, Fault> {
    at(&location.folder(GIVEN_UP), key)
}

fn at(location: &S3Prefix, key: &PendingKey) -> Result<S3Uri, Fault> {
    location.join(key.as_str()).map_err(|error| {
        Fault::internal(format!("the record's location {error}; BRIDGE_PENDING_LOCATION is under {location}"))
    })
}

#[cfg(test)]
mod tests;
