//! What a model answered: included in the notification, or fetched from S3, never more of it than a result may carry.

use std::pin::pin;
use std::time::Duration;

use super::Collect;
use super::memory::{Memory, MemoryReservation};
use crate::fault::Fault;
use crate::location::S3Uri;
use crate::notification::{Included, Notification, Response};
use crate::object::Object;

/// How long a request for an output may keep room in memory for it before the first byte has come: it must not hold up others.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the body of an output may take, which holds room in memory all the while: it has a megabyte at most.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl Collect {
    /// The response of the inference that a notification tells of, as far as a result of `limit` bytes of output carries it, and the
    /// room in `memory` that it takes.
    ///
    /// # Errors
    /// A [`Fault`] when the location is none, or S3 does not give the object. A failure output that is not there is none.
    pub(super) async fn response<'a>(
        &self,
        notification: &Notification,
        limit: usize,
        memory: &'a Memory,
    ) -> Result<(Response, MemoryReservation<'a>), Fault> {
        if let Included::Bytes(bytes) = notification.included_response() {
            // Where nothing says where else it is, leaving it out would lose it. It takes no more room than its event did.
            let carried = bytes.len() <= limit || notification.location().is_none();
            let response = Response::Bytes(bytes);
            return Ok((if carried { response } else { response.without_bytes() }, MemoryReservation::default()));
        }
        let Some(location) = notification.location() else {
            return Ok((Response::Absent, MemoryReservation::default()));
        };
        let location = self.readable(location)?;
        let (object, mut room) = self.object(&location, memory.reserve(limit as u64).await).await?;
        match object {
            // Of a larger one no byte is read.
            Some(object) if object.length > limit as u64 => {
                Ok((Response::TooLarge(object.length), MemoryReservation::default()))
            }
            Some(object) => {
                match &mut room {
                    Some(room) => room.shrink_to(object.length),
                    None => room = Some(memory.reserve(object.length).await),
                }
                let bytes = tokio::time::timeout(BODY_TIMEOUT, object.read()).await;
                let bytes = bytes.unwrap_or_else(|_| Err(Fault::unavailable(slow_body())))?;
                Ok((Response::Bytes(bytes), room.unwrap_or_default()))
            }
            None if notification.is_completed() => Err(Fault::internal(format!("there is no object at {location}"))),
            None => Ok((Response::Absent, MemoryReservation::default())),
        }
    }

    /// The location that a notification gives. The records of pending requests, with their return addresses, are nobody's output.
    ///
    /// # Errors
    /// A [`Fault`] when it is no S3 object's, or a record's.
    pub(super) fn readable(&self, location: &str) -> Result<S3Uri, Fault> {
        let uri = parse(location)?;
        match &self.config.pending_location {
            Some(pending) if pending.is_of(&uri) => {
                Err(Fault::validation("the notification's location is under BRIDGE_PENDING_LOCATION"))
            }
            _ => Ok(uri),
        }
    }

    /// Asks for an object, and gives back `room` if S3 takes its time to answer.
    async fn object<'a>(
        &self,
        location: &S3Uri,
        room: MemoryReservation<'a>,
    ) -> Result<(Option<Object>, Option<MemoryReservation<'a>>), Fault> {
        let mut answer = pin!(Object::get(&self.s3, location));
        match tokio::time::timeout(PATIENCE, &mut answer).await {
            Ok(object) => Ok((object?, Some(room))),
            Err(_) => {
                drop(room);
                Ok((answer.await?, None))
            }
        }
    }
}

fn slow_body() -> String {
    format!("GetObject did not return the whole object within {} s", BODY_TIMEOUT.as_secs())
}

/// The location that a notification gives.
///
/// # Errors
/// A [`Fault`] when it is no S3 object's.
fn parse(location: &str) -> Result<S3Uri, Fault> {
    location.parse().map_err(|error| Fault::validation(format!("the notification's location {error}")))
}
