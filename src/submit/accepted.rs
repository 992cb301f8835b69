//! What SageMaker answers to an invocation that it accepts.

use serde::{Deserialize, Serialize};

use crate::pending::PendingKey;

/// An invocation that SageMaker has accepted: its answer, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Accepted {
    /// The id that the notification will carry.
    pub(super) inference_id: Option<String>,
    /// Where the output will be.
    pub(super) output_location: Option<String>,
    /// Where the failure output would be; only for endpoints with a failure path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure_location: Option<String>,
    /// When it was accepted, or a little before, in seconds since 1970.
    #[serde(skip)]
    pub(super) accepted_at: u64,
    /// Whether this is the answer to an earlier request with the same key.
    #[serde(skip)]
    pub(super) is_repeated: bool,
    /// The key under which it is remembered until it is answered.
    #[serde(skip)]
    pub(super) pending: Option<PendingKey>,
}
