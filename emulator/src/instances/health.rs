//! Whether an instance answers: `GET /ping`.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html#your-algorithms-inference-algo-ping-requests>

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::process::Process;
use super::{Group, Seat};
use crate::model::container::{PING_INTERVAL, is_healthy, is_ready};

/// Nobody has published how often SageMaker asks, and how often it asks in vain before it replaces an instance.
const INTERVAL: Duration = Duration::from_secs(5);
const PATIENCE: u32 = 3;

/// How a start went.
#[derive(Debug)]
pub(super) enum Start {
    /// It answers.
    Healthy,
    /// It has ended.
    Ended(String),
    /// It has not answered in time.
    Late,
}

impl Group {
    /// Asks a process that has started until it answers.
    pub(super) async fn first_answer(&self, process: &mut Process, url: &str, deadline: Instant) -> Start {
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::select! {
            how = process.ended() => Start::Ended(how),
            is_ready = is_ready(url, left, &self.http) => if is_ready { Start::Healthy } else { Start::Late },
        }
    }

    /// Returns when a process that has answered does no longer: why.
    pub(super) async fn last_answer(&self, process: &mut Process, url: &str, seat: &Seat) -> String {
        tokio::select! {
            how = process.ended() => format!("has ended: {how}"),
            () = self.silence(url, seat) => format!("did not answer GET /ping {PATIENCE} times"),
        }
    }

    /// Returns when `/ping` was asked in vain several times. While an instance works on invocations that does not count: a program that does
    /// one thing at a time is slow, and SageMaker's patience with it is not known.
    async fn silence(&self, url: &str, seat: &Seat) {
        let mut missed = 0;
        while missed < PATIENCE {
            sleep(if missed == 0 { INTERVAL } else { PING_INTERVAL }).await;
            if is_healthy(url, &self.http).await {
                missed = 0;
                continue;
            }
            let running = *seat.running.borrow();
            if running == 0 {
                missed += 1;
                continue;
            }
            missed = 0;
            tracing::warn!(
                endpoint.name = self.plan.endpoint,
                instance = seat.number,
                invocations = running,
                "no answer to GET /ping while it works: SageMaker may replace such an instance"
            );
        }
    }
}
