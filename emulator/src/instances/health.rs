//! Whether an instance answers: `GET /ping`.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html#your-algorithms-inference-algo-ping-requests>

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::process::Process;
use super::{InstanceGroup, InstanceHandle};
use crate::model::container::{PING_INTERVAL, is_healthy, is_ready};

/// Nobody has published how often SageMaker asks, and how often it asks in vain before it replaces an instance.
const INTERVAL: Duration = Duration::from_secs(5);
const MISSED_PINGS_LIMIT: u32 = 3;

/// How a start went.
#[derive(Debug)]
pub(super) enum StartOutcome {
    /// It answers.
    Healthy,
    /// It has ended.
    Ended(String),
    /// It has not answered in time.
    Late,
}

impl InstanceGroup {
    /// Asks a process that has started until it answers.
    pub(super) async fn first_answer(&self, process: &mut Process, url: &str, deadline: Instant) -> StartOutcome {
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::select! {
            how = process.ended() => StartOutcome::Ended(how),
            is_ready = is_ready(url, left, &self.http) => if is_ready { StartOutcome::Healthy } else { StartOutcome::Late },
        }
    }

    /// Returns when a process that has answered does no longer: why.
    pub(super) async fn last_answer(&self, process: &mut Process, url: &str, instance: &InstanceHandle) -> String {
        tokio::select! {
            how = process.ended() => format!("has ended: {how}"),
            () = self.until_unresponsive(url, instance) => format!("did not answer GET /ping {MISSED_PINGS_LIMIT} times"),
        }
    }

    /// Returns when `/ping` was asked in vain several times. While an instance works on invocations that does not count: a program that does
    /// one thing at a time is slow, and SageMaker's patience with it is not known.
    async fn until_unresponsive(&self, url: &str, instance: &InstanceHandle) {
        let mut missed = 0;
        while missed < MISSED_PINGS_LIMIT {
            sleep(if missed == 0 { INTERVAL } else { PING_INTERVAL }).await;
            if is_healthy(url, &self.http).await {
                missed = 0;
                continue;
            }
            let running = *instance.running.borrow();
            if running == 0 {
                missed += 1;
                continue;
            }
            missed = 0;
            tracing::warn!(
                endpoint.name = self.plan.endpoint,
                instance = instance.number,
                invocations = running,
                "no answer to GET /ping while it works: SageMaker may replace such an instance"
            );
        }
    }
}
