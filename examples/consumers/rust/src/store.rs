//! Which results have been handled, as objects in S3: a result may be delivered twice, and is to be handled once.
//!
//! Each result has an object of its own, written only under the condition that nobody else has written it meanwhile. A lifecycle
//! rule may remove them after 30 days: a result waits at most 14 days in its queue and 14 more in a dead-letter queue.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::BoxError;
use crate::results::Object;

/// Remembers results. On DynamoDB it would be three conditional writes too (the consumers in Python and TypeScript have them).
pub(crate) struct Store {
    s3: Client,
    /// Prefix of the objects.
    location: Object,
    /// How long a claim holds: its holder may have died.
    lease: Duration,
}

/// Whether a result is to be handled here.
pub(crate) enum ClaimOutcome {
    /// Yes: nobody else does.
    Claimed(Claim),
    /// It has been handled.
    Done,
    /// Another delivery of it is being handled now.
    Busy,
}

/// The right to handle a result, until it runs out.
pub(crate) struct Claim {
    key: String,
    etag: String,
}

/// What an object says of a result.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Milliseconds since 1970 until which its claim holds; none when it has been handled.
    lease_until: Option<u128>,
    /// Makes each content, and so its ETag, another one.
    nonce: String,
}

enum Condition<'a> {
    IsNew,
    IsStill(&'a str),
}

impl Store {
    pub(crate) fn new(s3: Client, location: Object, lease: Duration) -> Self {
        Self { s3, location, lease }
    }

    /// Claims a result. Of several callers, on any machines, it lets one pass.
    pub(crate) async fn begin(&self, (status, inference_id): (&str, &str)) -> Result<ClaimOutcome, BoxError> {
        let id = utf8_percent_encode(inference_id, NON_ALPHANUMERIC);
        let key = format!("{}{status}/{id}", self.location.key);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let lease_until = Some((now + self.lease).as_millis());
        if let Some(etag) = self.write(&key, lease_until, Condition::IsNew).await? {
            return Ok(ClaimOutcome::Claimed(Claim { key, etag }));
        }
        let Some((record, etag)) = self.read(&key).await? else { return Ok(ClaimOutcome::Busy) };
        match record.lease_until {
            None => Ok(ClaimOutcome::Done),
            Some(until) if until > now.as_millis() => Ok(ClaimOutcome::Busy),
            Some(_) => {
                let claimed = self.write(&key, lease_until, Condition::IsStill(&etag)).await?;
                Ok(claimed.map_or(ClaimOutcome::Busy, |etag| ClaimOutcome::Claimed(Claim { key, etag })))
            }
        }
    }

    /// The result has been handled.
    pub(crate) async fn finish(&self, claim: Claim) -> Result<(), BoxError> {
        let written = self.write(&claim.key, None, Condition::IsStill(&claim.etag)).await?;
        written.map(drop).ok_or_else(|| "the claim ran out before the result was handled".into())
    }

    /// The result has not been handled, and may be claimed again at once.
    pub(crate) async fn abandon(&self, claim: Claim) -> Result<(), BoxError> {
        // If it has run out, it is another's now.
        self.write(&claim.key, Some(0), Condition::IsStill(&claim.etag)).await.map(drop)
    }

    /// Writes a record; gives its ETag. `None` if the condition does not hold.
    async fn write(
        &self,
        key: &str,
        lease_until: Option<u128>,
        condition: Condition<'_>,
    ) -> Result<Option<String>, BoxError> {
        let content = serde_json::to_vec(&Record { lease_until, nonce: Uuid::new_v4().to_string() })?;
        let put = self.s3.put_object().bucket(&self.location.bucket).key(key).body(content.into());
        let put = match condition {
            Condition::IsNew => put.if_none_match("*"),
            Condition::IsStill(etag) => put.if_match(etag),
        };
        match put.send().await {
            Ok(PutObjectOutput { e_tag, .. }) => Ok(Some(e_tag.unwrap_or_default())),
            Err(error) if is_condition(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<(Record, String)>, BoxError> {
        match self.s3.get_object().bucket(&self.location.bucket).key(key).send().await {
            Ok(object) => {
                let etag = object.e_tag.unwrap_or_default();
                let content = object.body.collect().await?.into_bytes();
                Ok(Some((serde_json::from_slice(&content)?, etag)))
            }
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether S3 refused a write because of its condition: it does not hold, another write is under way, or the object is gone.
fn is_condition(error: &SdkError<PutObjectError>) -> bool {
    error.raw_response().is_some_and(|response| matches!(response.status().as_u16(), 404 | 409 | 412))
}
