//! Where an endpoint comes from, and what it was before.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::EndpointStatus;
use super::variants::Share;

/// How an endpoint comes to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// By `CreateEndpoint`: it takes invocations once it is in service, and its topics get a test notification.
    Created,
    /// From the command line or the configuration: it takes invocations at once.
    Configured {
        /// Calls to throttle before any other.
        throttled: usize,
    },
    /// From an earlier run, as it was then.
    Restored(FormerEndpoint),
}

/// What an endpoint was before its emulator ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormerEndpoint {
    /// Its status.
    pub status: EndpointStatus,
    /// Why it failed, or why an update was taken back.
    pub failure_reason: Option<String>,
    /// When it was created.
    pub created: SystemTime,
    /// When it was last changed.
    pub modified: SystemTime,
    /// Weights and instances of its variants.
    pub shares: Vec<Share>,
}

impl FormerEndpoint {
    /// The status that it goes on with. What it served, it serves; an update begins anew.
    pub(super) fn taken_up(&self) -> EndpointStatus {
        match self.status {
            EndpointStatus::Creating => EndpointStatus::Creating,
            EndpointStatus::Failed => EndpointStatus::Failed,
            EndpointStatus::InService | EndpointStatus::Updating | EndpointStatus::Deleting => {
                EndpointStatus::InService
            }
        }
    }
}
