//! The sweep: takes the requests whose answer is overdue, and passes on what there is to say of them.
//!
//! ```text
//! overdue ─▶ examine, 64 at once ─┬─▶ lane ─▶ flow of the results queue ─▶ forget
//! (listing)  (recovered)          └─▶ lane ─▶ flow of another destination …
//! ```
//!
//! Nothing is kept between two sweeps: what is done is deleted, and what is left is where the next one begins. A destination that hangs
//! holds up no other, and however much is overdue, no more is in memory than all of this has room for.

mod overdue;
mod recovered;
mod tally;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, future, stream};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::Instant;

use self::overdue::ListedObject;
use self::recovered::SweepOutcome;
use self::tally::{Failures, Tally};
use super::Collect;
use super::flow::{Attempt, Flow};
use crate::deadline::Deadline;
use crate::destinations::Destination;
use crate::location::S3Prefix;

/// Requests that wait for their destination.
const LANE_REQUESTS: usize = 32;
/// How long a full lane may hold up the others, once.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the look at one request may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for what has been looked at to be sent, when nothing more is looked at.
const DRAIN: Duration = Duration::from_secs(5);

/// The way to one destination.
struct Lane<'a> {
    destination: &'a dyn Destination,
    requests: Sender<Attempt>,
    /// It was full for so long that nobody waits for it any more.
    is_stuck: bool,
}

impl Collect {
    /// Passes on what is overdue, as much as there is time for.
    pub(super) async fn sweep(&self, location: &S3Prefix, deadline: Deadline) {
        let start = Instant::now();
        let destinations: Vec<&dyn Destination> =
            std::iter::once(&self.results as &dyn Destination).chain(self.routes.all()).collect();
        let flows = destinations.len();
        let lane = |destination| {
            let (requests, mut receiver) = mpsc::channel(LANE_REQUESTS);
            let incoming = stream::poll_fn(move |context| receiver.poll_recv(context));
            let flow = Flow::new(self, destination, flows, deadline);
            let flowing = async move { flow.run::<Failures>(incoming).await };
            (Lane { destination, requests, is_stuck: false }, flowing)
        };
        let (lanes, flowing): (Vec<_>, Vec<_>) = destinations.into_iter().map(lane).unzip();
        let left = deadline.time_left();
        let examining = self.examine_all(location, lanes, deadline.at_most(left - DRAIN.min(left / 4)));
        let (mut tally, failures) = future::join(examining, future::join_all(flowing)).await;
        tally.not_sent = failures.into_iter().map(|failures| failures.0).sum();
        tally.log(start);
    }

    /// Looks at all that is overdue, and puts it into the lanes of its destinations.
    async fn examine_all(&self, location: &S3Prefix, mut lanes: Vec<Lane<'_>>, deadline: Deadline) -> Tally {
        let mut tally = Tally::default();
        let examine = async |listed| match listed {
            Ok(ListedObject::Key(key)) => {
                let look = Box::pin(self.examine(location, &key, deadline));
                (Some(key.clone()), deadline.at_most(LOOK_TIMEOUT).run(look).await)
            }
            Ok(ListedObject::Other) => (None, Ok(SweepOutcome::Other)),
            Err(fault) => (None, Err(fault)),
        };
        let at_once = self.config.max_concurrency.get();
        let mut examined = pin!(self.overdue(location, deadline).map(examine).buffer_unordered(at_once));
        while let Some((key, look)) = examined.next().await {
            match look {
                Ok(SweepOutcome::Found { delivery, destination, status }) => {
                    let lane = lanes.iter_mut().find(|lane| std::ptr::addr_eq(lane.destination, destination));
                    let attempt = self.attempt(Arc::new(delivery));
                    let is_taken = match lane {
                        Some(lane) => lane.takes(attempt).await,
                        None => false,
                    };
                    if is_taken { tally.found(status) } else { tally.left += 1 }
                }
                Ok(SweepOutcome::Unwanted) => tally.unwanted += 1,
                Ok(SweepOutcome::Answered) => tally.answered += 1,
                Ok(SweepOutcome::Other) => tally.others += 1,
                Err(fault) => tally.failed(key.as_ref(), &fault),
            }
        }
        tally
    }
}

impl Lane<'_> {
    /// Hands on a request. If there is no room for it, the next sweep meets it again.
    async fn takes(&mut self, attempt: Attempt) -> bool {
        if self.is_stuck {
            return self.requests.try_send(attempt).is_ok();
        }
        let taken = tokio::time::timeout(PATIENCE, self.requests.send(attempt)).await;
        self.is_stuck = taken.is_err();
        matches!(taken, Ok(Ok(())))
    }
}
