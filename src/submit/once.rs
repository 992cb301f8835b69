//! Which requests were accepted already: records in S3, one object a request, written under conditions so that of many equal
//! requests at once only one invokes. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
//!
//! ```text
//! (no record) ──If-None-Match: *──▶ claimed ──If-Match──▶ answered   (for 24 hours)
//!                                      └───────────────▶ released, or its time is up: the next one claims by If-Match
//! ```

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Accepted;
use crate::deadline::Deadline;
use crate::fault::{Fault, json_problem};
use crate::invocation::{PARAMETERS, ParameterSource};
use crate::location::{S3Prefix, S3Uri};

/// How long an answer is given again.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Largest record that is read: an answer has two S3 locations and an id.
const RECORD_LIMIT_BYTES: i64 = 65_536;

/// What makes two requests the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The record's name: a hash of who asks and of the key that they chose, which thereby stands in no log and no listing.
    name: String,
    /// Hash of all that the request says.
    request: String,
}

impl Key {
    /// The key that a caller gave to a request.
    pub(super) fn of_request(caller: &str, key: &str, source: &impl ParameterSource, payload: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for parameter in PARAMETERS {
            // The length keeps two values from being read as one.
            let value = source.get(*parameter).ok().flatten().unwrap_or_default();
            hash.update(value.len().to_be_bytes());
            hash.update(value.as_bytes());
        }
        hash.update(payload);
        Self { name: hash_of(&["http", caller, key]), request: hex(&hash.finalize()) }
    }

    /// The key of an SQS message: the same message is the same request.
    pub(super) fn of_message(message_id: &str) -> Self {
        Self { name: hash_of(&["sqs", message_id]), request: String::new() }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Once<'a> {
    /// Nothing: it is invoked as often as it comes.
    Never,
    /// To be the only one with its key, also among those that come at the same time.
    Claim(&'a Key),
    /// To be remembered once it is accepted. SQS hands out a message to one at a time, so nobody has to be kept off.
    Remember(&'a Key),
    /// The same, for one that came before.
    Redelivered(&'a Key),
}

impl<'a> Once<'a> {
    pub(super) const fn key(self) -> Option<&'a Key> {
        match self {
            Self::Never => None,
            Self::Claim(key) | Self::Remember(key) | Self::Redelivered(key) => Some(key),
        }
    }
}

/// A hash of texts, 64 characters; none of them can be taken for a part of its neighbour.
pub(super) fn hash_of(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One request, as its object in S3 remembers it. Times are milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    request: String,
    claimed_at: u64,
    /// Until when whoever claimed it may still be at work.
    claimed_until: u64,
    /// Lambda's id of the invocation that claimed it.
    claimed_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Accepted>,
}

/// A record that keeps others off.
#[derive(Debug)]
pub(super) struct Claim {
    location: S3Uri,
    record: Record,
    etag: Option<String>,
}

/// What to do with a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Invoke: nobody has, and with a claim nobody else will.
    Invoke(Option<Claim>),
    /// Give this answer again.
    Answered(Accepted),
}

/// The condition under which a record is written.
enum Condition {
    Absent,
    Unchanged(Option<String>),
    None,
}

/// How a conditional write ended.
enum Written {
    Done(Option<String>),
    ConditionFailed,
}

/// The records.
pub(super) struct Records<'a> {
    pub(super) s3: &'a Client,
    pub(super) location: &'a S3Prefix,
    /// Lambda's id of this invocation.
    pub(super) claimant: &'a str,
    pub(super) deadline: Deadline,
}

impl Records<'_> {
    /// Whether to invoke for a request.
    ///
    /// # Errors
    /// A conflict while the first one with its key is under way, a mismatch when that was another request, or what S3 said.
    pub(super) async fn verdict(&self, once: Once<'_>, key: &Key) -> Result<Verdict, Fault> {
        match once {
            Once::Claim(_) => self.claim(key).await,
            Once::Redelivered(_) => {
                let answer = self.read(&self.locate(key)?).await?.and_then(|(record, _)| record.answer);
                Ok(answer.map_or(Verdict::Invoke(None), Verdict::Answered))
            }
            Once::Never | Once::Remember(_) => Ok(Verdict::Invoke(None)),
        }
    }

    async fn claim(&self, key: &Key) -> Result<Verdict, Fault> {
        let location = self.locate(key)?;
        let record = self.new_record(key);
        let claimed = |location, record, etag| Ok(Verdict::Invoke(Some(Claim { location, record, etag })));
        if let Written::Done(etag) = self.write(&location, &record, Condition::Absent).await? {
            return claimed(location, record, etag);
        }
        // Gone or changed between two calls: whoever did that is at work.
        let Some((found, etag)) = self.read(&location).await? else { return Err(Fault::under_way()) };
        // The answer to the write was lost, and the SDK's second try met the first one's record.
        if found.claimed_by == self.claimant && found.answer.is_none() {
            return claimed(location, record, etag);
        }
        let is_remembered = record.claimed_at.saturating_sub(found.claimed_at) < milliseconds(REMEMBERED);
        match found.answer {
            Some(_) if is_remembered && found.request != key.request => Err(Fault::other_request()),
            Some(answer) if is_remembered => Ok(Verdict::Answered(answer)),
            None if record.claimed_at < found.claimed_until => Err(Fault::under_way()),
            _ => match self.write(&location, &record, Condition::Unchanged(etag)).await? {
                Written::Done(etag) => claimed(location, record, etag),
                Written::ConditionFailed => Err(Fault::under_way()),
            },
        }
    }

    /// Records what became of a request. One that was not accepted gives its claim back, so that the next one with the key is
    /// invoked. That somebody else claimed it meanwhile is no fault: this one's time was up.
    ///
    /// # Errors
    /// What S3 said.
    pub(super) async fn settle(
        &self,
        claim: Option<Claim>,
        accepted: Option<&Accepted>,
        key: &Key,
    ) -> Result<(), Fault> {
        let (location, record, condition) = match (claim, accepted) {
            (Some(claim), _) => (claim.location, claim.record, Condition::Unchanged(claim.etag)),
            (None, Some(_)) => (self.locate(key)?, self.new_record(key), Condition::None),
            (None, None) => return Ok(()),
        };
        let record = match accepted {
            Some(accepted) => Record { answer: Some(accepted.clone()), ..record },
            None => Record { claimed_until: 0, ..record },
        };
        self.write(&location, &record, condition).await.map(drop)
    }

    fn locate(&self, key: &Key) -> Result<S3Uri, Fault> {
        self.location.join(&key.name).map_err(|error| {
            Fault::internal(format!("the record's location {error}; BRIDGE_IDEMPOTENCY_LOCATION is {}", self.location))
        })
    }

    fn new_record(&self, key: &Key) -> Record {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Record {
            request: key.request.clone(),
            claimed_at: milliseconds(now),
            claimed_until: milliseconds(now + self.deadline.time_left()),
            claimed_by: self.claimant.to_owned(),
            answer: None,
        }
    }

    async fn write(&self, location: &S3Uri, record: &Record, condition: Condition) -> Result<Written, Fault> {
        let bad = |error| Fault::internal(format!("a record could not be written: {}", json_problem(&error)));
        let body = serde_json::to_vec(record).map_err(bad)?;
        let call = self.s3.put_object().bucket(location.bucket()).key(location.key());
        let call = call.content_type("application/json").body(ByteStream::from(body));
        let call = match condition {
            Condition::Absent => call.if_none_match("*"),
            Condition::Unchanged(etag) => call.set_if_match(etag),
            Condition::None => call,
        };
        match call.send().await {
            Ok(written) => Ok(Written::Done(written.e_tag)),
            // 412: it is not as the condition says. 409: another conditional write to it was under way. 404: it is gone.
            Err(error)
                if matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")) =>
            {
                Ok(Written::ConditionFailed)
            }
            Err(error) => Err(Fault::from_aws("PutObject", error)),
        }
    }

    async fn read(&self, location: &S3Uri) -> Result<Option<(Record, Option<String>)>, Fault> {
        let object = match self.s3.get_object().bucket(location.bucket()).key(location.key()).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(Fault::from_aws("GetObject", error)),
        };
        if object.content_length().is_none_or(|length| length > RECORD_LIMIT_BYTES) {
            return Err(Fault::internal(format!("the object at {location} is no record of this bridge: too large")));
        }
        let etag = object.e_tag().map(str::to_owned);
        let body = object.body.collect().await;
        let body = body.map_err(|error| Fault::unavailable(format!("GetObject broke off: {error}")))?.into_bytes();
        let record = serde_json::from_slice(&body).map_err(|error| {
            let problem = json_problem(&error);
            Fault::internal(format!("the object at {location} is no record of this bridge: {problem}"))
        })?;
        Ok(Some((record, etag)))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
