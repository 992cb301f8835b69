//! What a model answered: included in the notification, or fetched from S3, never more of it than a result may carry.

use aws_sdk_s3::operation::get_object::GetObjectOutput;

use super::Collect;
use crate::fault::Fault;
use crate::location::S3Uri;
use crate::notification::{Included, Notification, Response};

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
        let fetched = self.s3.get_object().bucket(location.bucket()).key(location.key()).send().await;
        match fetched {
            Ok(object) => read(object, limit).await,
            Err(error)
                if !notification.is_completed() && error.as_service_error().is_some_and(|e| e.is_no_such_key()) =>
            {
                Ok(Response::Absent)
            }
            Err(error) => Err(Fault::from_aws("GetObject", error)),
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

/// Reads an object of up to `limit` bytes. Of a larger one no byte is read: dropping the answer closes its connection.
async fn read(object: GetObjectOutput, limit: usize) -> Result<Response, Fault> {
    let length = object.content_length().and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| Fault::unavailable("GetObject did not tell the object's length"))?;
    if usize::try_from(length).is_ok_and(|length| length <= limit) {
        let body = object.body.collect().await;
        let body = body.map_err(|error| Fault::unavailable(format!("GetObject broke off: {error}")))?;
        return Ok(Response::Bytes(body.to_vec()));
    }
    Ok(Response::TooLarge(length))
}
