//! What a model answered: included in the notification, or fetched from S3, never more of it than a result may carry.

use super::Collect;
use crate::fault::Fault;
use crate::location::S3Uri;
use crate::notification::{Included, Notification, Response};
use crate::object::Object;

impl Collect {
    /// The response of the inference that a notification tells of.
    ///
    /// # Errors
    /// A [`Fault`] when the location is none, or S3 does not give the object. A failure output that is not there is none.
    pub(super) async fn response(&self, notification: &Notification) -> Result<Response, Fault> {
        let limit = self.config.result_body_limit_bytes;
        if let Included::Bytes(bytes) = notification.included_response() {
            // Where nothing says where else it is, leaving it out would lose it.
            let carried = bytes.len() <= limit || notification.location().is_none();
            let response = Response::Bytes(bytes);
            return Ok(if carried { response } else { response.without_bytes() });
        }
        let Some(location) = notification.location() else { return Ok(Response::Absent) };
        let location = parse(location)?;
        match Object::get(&self.s3, &location).await? {
            // Of a larger one no byte is read.
            Some(object) if object.length > limit as u64 => Ok(Response::TooLarge(object.length)),
            Some(object) => object.read().await.map(Response::Bytes),
            None if notification.is_completed() => Err(Fault::internal(format!("there is no object at {location}"))),
            None => Ok(Response::Absent),
        }
    }
}

/// The location that a notification gives.
///
/// # Errors
/// A [`Fault`] when it is no S3 object's.
pub(super) fn parse(location: &str) -> Result<S3Uri, Fault> {
    location.parse().map_err(|error| Fault::validation(format!("the notification's location {error}")))
}
