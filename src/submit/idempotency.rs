//! Which requests were accepted already: records in S3, one object a request, written under conditions so that of many equal
//! requests at once only one invokes. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
//!
//! ```text
//! (no record) ──If-None-Match: *──▶ claimed ──If-Match──▶ answered   (for 24 hours)
//!                                      ├───────────────▶ refused: the next one claims by If-Match
//!                                      └───────────────▶ unknown, or nothing is heard: the next one claims when its time is up
//! ```

mod record;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sha2::{Digest, Sha256};

use self::record::{RequestRecord, milliseconds};
use super::accepted::Accepted;
use crate::deadline::Deadline;
use crate::fault::{Fault, json_problem};
use crate::hash::hex;
use crate::location::{S3Prefix, S3Uri};
use crate::object::Object;
use crate::parameter::{PARAMETERS, ParameterSource};
use crate::pending::now_ms;
use crate::return_address::RETURN_PARAMETERS;

/// How long an answer is given again.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Largest record that is read: an answer has two S3 locations and an id.
const RECORD_LIMIT_BYTES: u64 = 65_536;
/// Writes of one record under a condition, each after a look at what made the one before fail.
const MAX_WRITES: usize = 4;
/// What follows a failed condition: S3 answers 409 while another write to the same object is under way.
const PAUSE: Duration = Duration::from_millis(30);
/// How long a caller waits for its answer to be recorded.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// What makes two requests the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The record's name: a hash of who asks and of the key that they chose.
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
        // A request that gives none has the hash that it had before there were any.
        for parameter in RETURN_PARAMETERS {
            if let Ok(Some(value)) = source.get(parameter) {
                hash.update(hash_of(&[parameter.name, &value]));
            }
        }
        hash.update(payload);
        Self { name: hash_of(&["http", caller, key]), request: hex(&hash.finalize()) }
    }

    /// The key of an SQS message: the same message is the same request.
    pub(super) fn of_message(message_id: &str) -> Self {
        Self { name: hash_of(&["sqs", message_id]), request: String::new() }
    }
}

/// How a request is kept from being invoked twice.
#[derive(Debug)]
pub(super) enum Idempotency<'a> {
    /// It must be the only one with its key, also among those that come at the same time. `claimant` is Lambda's id of this
    /// invocation.
    Claim { key: Key, claimant: &'a str },
    /// It is remembered once it is accepted. SQS hands a message to one at a time, so nobody has to be kept off.
    Remember { key: Key, is_redelivered: bool },
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

/// What is to be written when a request has been invoked.
#[derive(Debug)]
pub(super) struct PendingRecord {
    location: S3Uri,
    record: RequestRecord,
    /// The version of the record that claims the request; `None` for one that is only remembered.
    claim: Option<String>,
}

/// What to do with a request.
#[derive(Debug)]
pub(super) enum Decision {
    /// Invoke, then [settle](RequestRecords::settle).
    Invoke(PendingRecord),
    /// Give this answer again.
    AnswerAgain(Accepted),
}

/// The condition under which a record is written.
#[derive(Clone, Copy)]
enum Condition<'a> {
    Absent,
    Unchanged(&'a str),
    None,
}

/// The records.
pub(super) struct RequestRecords<'a> {
    pub(super) s3: &'a Client,
    pub(super) location: &'a S3Prefix,
    pub(super) deadline: Deadline,
}

impl RequestRecords<'_> {
    /// Whether to invoke for a request.
    ///
    /// # Errors
    /// A conflict while the first one with its key is under way, a mismatch when that was another request, or what S3 said.
    pub(super) async fn decide(&self, once: &Idempotency<'_>) -> Result<Decision, Fault> {
        match once {
            Idempotency::Claim { key, claimant } => self.claim(key, claimant).await,
            Idempotency::Remember { key, is_redelivered } => {
                let location = self.locate(key)?;
                let known = if *is_redelivered { self.read(&location).await? } else { None };
                match known.and_then(|(record, _)| record.answered()) {
                    Some(answer) => Ok(Decision::AnswerAgain(answer)),
                    None => {
                        Ok(Decision::Invoke(PendingRecord { location, record: self.new_record(key, ""), claim: None }))
                    }
                }
            }
        }
    }

    async fn claim(&self, key: &Key, claimant: &str) -> Result<Decision, Fault> {
        let location = self.locate(key)?;
        let mut found_etag: Option<String> = None;
        for _ in 0..MAX_WRITES {
            let record = self.new_record(key, claimant);
            let condition = found_etag.as_deref().map_or(Condition::Absent, Condition::Unchanged);
            if let Some(etag) = self.write(&location, &record, condition).await? {
                return Ok(Decision::Invoke(PendingRecord { location, record, claim: Some(etag) }));
            }
            let Some((found, etag)) = self.read(&location).await? else {
                // Nothing was written after all.
                found_etag = None;
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let age = record.claimed_at.saturating_sub(found.claimed_at);
            let is_own = found.claimed_by == claimant && !found.is_unknown;
            if found.answer.is_some() && age < milliseconds(REMEMBERED) {
                let is_same = found.request == key.request;
                return if is_same {
                    found.answered().map(Decision::AnswerAgain).ok_or_else(|| Fault::under_way(1))
                } else {
                    Err(Fault::other_request())
                };
            }
            // The answer to the write was lost, and the SDK's second try met what the first one had written.
            if found.answer.is_none() && is_own {
                return Ok(Decision::Invoke(PendingRecord { location, record, claim: Some(etag) }));
            }
            if found.answer.is_none() && record.claimed_at < found.claimed_until {
                return Err(found.conflict(record.claimed_at));
            }
            found_etag = Some(etag);
        }
        Err(Fault::under_way(1))
    }

    /// Writes down what became of a request, and gives it as its caller is told.
    ///
    /// # Errors
    /// The outcome's own fault. What was accepted is accepted, whatever becomes of its record: then only a repetition would be
    /// invoked again.
    pub(super) async fn settle(
        &self,
        pending: PendingRecord,
        outcome: Result<Accepted, Fault>,
        may_be_accepted: bool,
    ) -> Result<Accepted, Fault> {
        let PendingRecord { location, record, claim } = pending;
        let accepted_at = record.accepted_at();
        let record = match &outcome {
            Ok(accepted) => {
                RequestRecord { answer: Some(accepted.clone()), pending: accepted.pending.clone(), ..record }
            }
            Err(_) if claim.is_none() => return outcome,
            Err(_) if may_be_accepted => RequestRecord { is_unknown: true, ..record },
            // The next request with the key may invoke at once.
            Err(_) => RequestRecord { claimed_until: 0, ..record },
        };
        let write = self.deadline.finish(Box::pin(self.write_ending(&location, &record, claim)));
        let written = tokio::time::timeout(SETTLE_TIMEOUT, write).await.unwrap_or_else(|_| Err(Fault::deadline()));
        if let Err(fault) = written {
            tracing::warn!(error = fault.details(), "could not record whether the request was accepted");
        }
        match outcome {
            Ok(accepted) => Ok(Accepted { accepted_at, ..accepted }),
            // A repetition before that would only be told to come back.
            Err(fault) if may_be_accepted => Err(fault.retry_after(record.seconds_left(now_ms()))),
            Err(fault) => Err(fault),
        }
    }

    /// # Errors
    /// What S3 said, or that somebody else claimed it meanwhile, because this one's time was up.
    async fn write_ending(&self, location: &S3Uri, record: &RequestRecord, claim: Option<String>) -> Result<(), Fault> {
        let Some(mut etag) = claim else {
            return self.write(location, record, Condition::None).await.map(drop);
        };
        for _ in 0..MAX_WRITES {
            if self.write(location, record, Condition::Unchanged(&etag)).await?.is_some() {
                return Ok(());
            }
            match self.read(location).await? {
                // An answer to the write that was lost.
                Some((found, _)) if found == *record => return Ok(()),
                Some((found, changed)) if found.claimed_by == record.claimed_by => etag = changed,
                _ => break,
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Fault::internal("another request has claimed the key, or S3 does not let this one write"))
    }

    fn locate(&self, key: &Key) -> Result<S3Uri, Fault> {
        self.location.join(&key.name).map_err(|error| {
            Fault::internal(format!("the record's location {error}; BRIDGE_IDEMPOTENCY_LOCATION is {}", self.location))
        })
    }

    fn new_record(&self, key: &Key, claimant: &str) -> RequestRecord {
        let now = now_ms();
        RequestRecord {
            request: key.request.clone(),
            claimed_at: now,
            claimed_until: now.saturating_add(milliseconds(self.deadline.time_left())),
            claimed_by: claimant.to_owned(),
            is_unknown: false,
            answer: None,
            pending: None,
        }
    }

    /// Writes a record and gives its version; `None` if the condition does not hold.
    async fn write(
        &self,
        location: &S3Uri,
        record: &RequestRecord,
        condition: Condition<'_>,
    ) -> Result<Option<String>, Fault> {
        let bad = |error| Fault::internal(format!("a record could not be written: {}", json_problem(&error)));
        let body = serde_json::to_vec(record).map_err(bad)?;
        let call = self.s3.put_object().bucket(location.bucket()).key(location.key());
        let call = call.content_type("application/json").body(ByteStream::from(body));
        let call = match condition {
            Condition::Absent => call.if_none_match("*"),
            Condition::Unchanged(etag) => call.if_match(etag),
            Condition::None => call,
        };
        match call.send().await {
            Ok(written) => {
                let etag = written.e_tag.ok_or_else(|| Fault::internal("PutObject did not return the object's ETag"));
                etag.map(Some)
            }
            // 412: the condition does not hold. 409: another write to the object is under way. 404: there is none to match.
            Err(error)
                if matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")) =>
            {
                Ok(None)
            }
            Err(error) => Err(Fault::from_aws("PutObject", error)),
        }
    }

    async fn read(&self, location: &S3Uri) -> Result<Option<(RequestRecord, String)>, Fault> {
        let Some(object) = Object::get(self.s3, location).await? else { return Ok(None) };
        let none = |problem: &str| {
            Fault::internal(format!("the object at {location} is not a record of this bridge: {problem}"))
        };
        if object.length > RECORD_LIMIT_BYTES {
            return Err(none("it is too large"));
        }
        let etag = object.etag().ok_or_else(|| none("it has no ETag"))?.to_owned();
        let record = serde_json::from_slice(&object.read().await?).map_err(|error| none(&json_problem(&error)))?;
        Ok(Some((record, etag)))
    }
}
