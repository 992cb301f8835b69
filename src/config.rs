//! Configuration: the `BRIDGE_…` environment variables, read once at start.
//!
//! Every problem is reported at once, each with the variable's name and what it may hold.

mod routes;
mod urls;
mod variables;

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::location::S3Prefix;
use crate::parameter::{EndpointName, HeaderText, INLINE_LIMIT_BYTES, INVOCATION_TIMEOUT_SECONDS, REQUEST_TTL_SECONDS};
pub use routes::{Route, Target};
pub use urls::{HttpUrl, QueueArn, QueueUrl};
use variables::Variables;

/// Every variable that a function reads: its name, the functions that read it, and its default (`-` for none).
pub const VARIABLES: [(&str, &str, &str); 24] = [
    (ENDPOINT_NAME, "submit", "required"),
    (ALLOWED_ENDPOINTS, "both", "`BRIDGE_ENDPOINT_NAME`; in collect: any"),
    (INPUT_LOCATION, "submit", "required"),
    (ALLOWED_INPUT_LOCATIONS, "submit", "`BRIDGE_INPUT_LOCATION`"),
    (INLINE_LIMIT, "submit", "128000"),
    (CONTENT_TYPE, "submit", "`application/json`"),
    (REQUEST_TTL, "submit", "unset"),
    (INVOCATION_TIMEOUT, "submit", "unset"),
    (MAX_CONCURRENCY, "both", "64"),
    (MAX_WAIT, "submit", "20"),
    (OUTPUT_LOCATIONS, "submit", "unset"),
    (API_URL, "submit", "the gateway's own"),
    (IDEMPOTENCY_LOCATION, "submit", "`idempotency/` in the bucket of `BRIDGE_INPUT_LOCATION`"),
    (DEDUPLICATE, "submit", "`false`"),
    (DEAD_LETTER_QUEUE_URL, "submit", "unset"),
    (S3_EVENT_QUEUE_ARN, "submit", "unset"),
    (RESULTS_QUEUE_URL, "both", "required in collect"),
    (REPLY_TO_ARNS, "both", "unset"),
    (RESULT_BODY_LIMIT, "collect", "262144"),
    (RESULT_FORMAT, "collect", "`notification`"),
    (RESULT_LOCATION, "collect", "required by `raw`"),
    (METRICS, "both", "`false`"),
    (PENDING_LOCATION, "both", "unset"),
    (ANSWER_GRACE, "submit", "600"),
];

const ENDPOINT_NAME: &str = "BRIDGE_ENDPOINT_NAME";
const ALLOWED_ENDPOINTS: &str = "BRIDGE_ALLOWED_ENDPOINTS";
const INPUT_LOCATION: &str = "BRIDGE_INPUT_LOCATION";
const ALLOWED_INPUT_LOCATIONS: &str = "BRIDGE_ALLOWED_INPUT_LOCATIONS";
const INLINE_LIMIT: &str = "BRIDGE_INLINE_LIMIT_BYTES";
const CONTENT_TYPE: &str = "BRIDGE_CONTENT_TYPE";
const REQUEST_TTL: &str = "BRIDGE_REQUEST_TTL_SECONDS";
const INVOCATION_TIMEOUT: &str = "BRIDGE_INVOCATION_TIMEOUT_SECONDS";
const MAX_CONCURRENCY: &str = "BRIDGE_MAX_CONCURRENCY";
const MAX_WAIT: &str = "BRIDGE_MAX_WAIT_SECONDS";
const OUTPUT_LOCATIONS: &str = "BRIDGE_OUTPUT_LOCATIONS";
const API_URL: &str = "BRIDGE_API_URL";
const IDEMPOTENCY_LOCATION: &str = "BRIDGE_IDEMPOTENCY_LOCATION";
const DEDUPLICATE: &str = "BRIDGE_DEDUPLICATE";
const DEAD_LETTER_QUEUE_URL: &str = "BRIDGE_DEAD_LETTER_QUEUE_URL";
const S3_EVENT_QUEUE_ARN: &str = "BRIDGE_S3_EVENT_QUEUE_ARN";
const RESULTS_QUEUE_URL: &str = "BRIDGE_RESULTS_QUEUE_URL";
const REPLY_TO_ARNS: &str = "BRIDGE_REPLY_TO_ARNS";
const RESULT_BODY_LIMIT: &str = "BRIDGE_RESULT_BODY_LIMIT_BYTES";
const RESULT_FORMAT: &str = "BRIDGE_RESULT_FORMAT";
const RESULT_LOCATION: &str = "BRIDGE_RESULT_LOCATION";
const METRICS: &str = "BRIDGE_METRICS";
const PENDING_LOCATION: &str = "BRIDGE_PENDING_LOCATION";
const ANSWER_GRACE: &str = "BRIDGE_ANSWER_GRACE_SECONDS";

const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Configuration of `submit`.
#[derive(Clone, Debug)]
pub struct SubmitConfig {
    /// The endpoint for requests that name none.
    pub endpoint_name: EndpointName,
    /// The endpoints that a request may name; holds `endpoint_name` unless the list was given without it.
    pub allowed_endpoints: Vec<EndpointName>,
    /// Where payloads that do not fit inline are put.
    pub input_location: S3Prefix,
    /// Where callers put large payloads by themselves: `uploads/` under `input_location`.
    pub upload_location: S3Prefix,
    /// Prefixes that a caller's InputLocation may lie under; `upload_location` always does.
    pub allowed_input_locations: Vec<S3Prefix>,
    /// Largest payload sent inline, in bytes.
    pub inline_limit_bytes: usize,
    /// When the request gives none.
    pub content_type: HeaderText,
    /// When the request gives none, in seconds.
    pub request_ttl_seconds: Option<i32>,
    /// When the request gives none, in seconds.
    pub invocation_timeout_seconds: Option<i32>,
    /// Messages of one batch in flight at once.
    pub max_concurrency: NonZeroUsize,
    /// Cap of `Prefer: wait`, in seconds.
    pub max_wait_seconds: u64,
    /// Prefixes that `GET /invocations/{token}` may read.
    pub output_locations: Vec<S3Prefix>,
    /// Base of the URLs given to callers, where they do not call the gateway by its own address.
    pub api_url: Option<HttpUrl>,
    /// Where it is remembered which requests with an `Idempotency-Key` were accepted; `None` where the default one lies among the
    /// locations that callers can name.
    pub idempotency_location: Option<S3Prefix>,
    /// Whether accepted SQS messages are remembered there too, so that a redelivery is not invoked again.
    pub deduplicate: bool,
    /// Where a message that can never succeed is put at once; `None`: it comes back until its queue's redrive policy takes it.
    pub dead_letter_queue_url: Option<QueueUrl>,
    /// The queue whose messages are notifications of S3, not payloads.
    pub s3_event_queue_arn: Option<QueueArn>,
    /// Where `Rejected` results go whose requests have no return address.
    pub results_queue_url: Option<QueueUrl>,
    /// The routes that a request's `ReplyTo` may name.
    pub reply_to: Vec<Route>,
    /// Whether metrics are written to the log.
    pub metrics: bool,
    /// Where accepted requests are remembered until they are answered; `None`: they are not.
    pub pending_location: Option<S3Prefix>,
    /// How long after its last possible moment an answer may be missing, in seconds.
    pub answer_grace_seconds: u64,
}

/// Configuration of `collect`.
#[derive(Clone, Debug)]
pub struct CollectConfig {
    /// The endpoints whose notifications are passed on; `None` for any.
    pub allowed_endpoints: Option<Vec<EndpointName>>,
    /// Where results go whose requests have no return address.
    pub results_queue_url: QueueUrl,
    /// The routes that a return address may name.
    pub reply_to: Vec<Route>,
    /// Largest output put into a result message, in bytes.
    pub result_body_limit_bytes: usize,
    /// What a result message looks like.
    pub result_format: ResultFormat,
    /// Notifications of one batch in flight at once.
    pub max_concurrency: NonZeroUsize,
    /// Whether metrics are written to the log.
    pub metrics: bool,
    /// Where `submit` remembers accepted requests; `None`: it does not.
    pub pending_location: Option<S3Prefix>,
}

/// What a result message looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultFormat {
    /// SageMaker's notification, completed with the output.
    Notification,
    /// The output itself; the rest in message attributes.
    Raw {
        /// Where outputs too large for a message are copied.
        result_location: S3Prefix,
    },
}

/// All that is wrong with the configuration. Prints a line a problem; `Debug` too, since that is what `main` prints.
#[derive(thiserror::Error)]
#[error("bad configuration:\n  {}", .0.join("\n  "))]
pub struct ConfigErrors(Vec<String>);

impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SubmitConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigErrors`], naming every variable that is missing or bad.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables by `lookup`; an empty one counts as unset.
    ///
    /// # Errors
    /// [`ConfigErrors`], naming every variable that is missing or bad.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut variables = Variables::new(&lookup);
        let endpoint_name = variables.required(ENDPOINT_NAME, EndpointName::from_str);
        let allowed_endpoints = variables.list(ALLOWED_ENDPOINTS, EndpointName::from_str);
        let input_location = variables.required(INPUT_LOCATION, S3Prefix::from_str);
        let allowed_input_locations = variables.list(ALLOWED_INPUT_LOCATIONS, S3Prefix::from_str);
        let inline_limit_bytes = variables.number(INLINE_LIMIT, 0..=INLINE_LIMIT_BYTES);
        let content_type = variables.optional(CONTENT_TYPE, HeaderText::from_str);
        let request_ttl_seconds = variables.number(REQUEST_TTL, REQUEST_TTL_SECONDS);
        let invocation_timeout_seconds = variables.number(INVOCATION_TIMEOUT, INVOCATION_TIMEOUT_SECONDS);
        let max_concurrency = variables.concurrency();
        let max_wait_seconds = variables.number(MAX_WAIT, 0..=28);
        let output_locations = variables.list(OUTPUT_LOCATIONS, S3Prefix::from_str);
        let api_url = variables.optional(API_URL, HttpUrl::from_str);
        let idempotency_location = variables.optional(IDEMPOTENCY_LOCATION, S3Prefix::from_str);
        let deduplicate = variables.flag(DEDUPLICATE);
        let dead_letter_queue_url = variables.optional(DEAD_LETTER_QUEUE_URL, QueueUrl::from_str);
        let s3_event_queue_arn = variables.optional(S3_EVENT_QUEUE_ARN, QueueArn::from_str);
        let results_queue_url = variables.optional(RESULTS_QUEUE_URL, QueueUrl::from_str);
        let reply_to = variables.routes(REPLY_TO_ARNS);
        let metrics = variables.flag(METRICS);
        let pending_location = variables.optional(PENDING_LOCATION, S3Prefix::from_str);
        let answer_grace_seconds = variables.number(ANSWER_GRACE, 60..=86_400);
        if dead_letter_queue_url.is_some() && dead_letter_queue_url == results_queue_url {
            variables
                .problems
                .push(format!("{DEAD_LETTER_QUEUE_URL}: must not be the same queue as {RESULTS_QUEUE_URL}"));
        }

        let (Some(endpoint_name), Some(input_location)) = (endpoint_name, input_location) else {
            return Err(ConfigErrors(variables.problems));
        };
        let upload_location = input_location.folder("uploads");
        let mut allowed_input_locations = allowed_input_locations.unwrap_or_else(|| vec![input_location.clone()]);
        if !allowed_input_locations.contains(&input_location) {
            // What a caller was invited to upload, it may also name.
            allowed_input_locations.push(upload_location.clone());
        }
        let output_locations = output_locations.unwrap_or_default();
        // A token or an InputLocation can be made up, and a record tells of somebody else's request.
        let by_callers =
            [&allowed_input_locations[..], &output_locations, std::slice::from_ref(&input_location)].concat();
        let is_apart = |location: &S3Prefix| !by_callers.iter().any(|other| other.overlaps(location));
        let idempotency_location = match idempotency_location {
            Some(location) if is_apart(&location) => Some(location),
            Some(location) => {
                let problem = "must not overlap the locations of inputs and outputs";
                variables.problems.push(format!("{IDEMPOTENCY_LOCATION}: {problem}; it is `{location}`"));
                None
            }
            None => Some(input_location.bucket_folder("idempotency")).filter(is_apart),
        };
        if deduplicate && idempotency_location.is_none() {
            variables.problems.push(format!("{DEDUPLICATE}: needs {IDEMPOTENCY_LOCATION}, where it keeps its records"));
        }
        let no_records_of = idempotency_location
            .as_ref()
            .is_none_or(|other| pending_location.as_ref().is_none_or(|location| !other.overlaps(location)));
        if let Some(location) = pending_location.as_ref().filter(|location| !is_apart(location) || !no_records_of) {
            let problem = "must not overlap the locations of inputs, outputs and idempotency keys";
            variables.problems.push(format!("{PENDING_LOCATION}: {problem}; it is `{location}`"));
        }
        variables.finish(Self {
            allowed_endpoints: allowed_endpoints.unwrap_or_else(|| vec![endpoint_name.clone()]),
            endpoint_name,
            allowed_input_locations,
            input_location,
            upload_location,
            inline_limit_bytes: inline_limit_bytes.unwrap_or(INLINE_LIMIT_BYTES),
            content_type: content_type.unwrap_or_else(HeaderText::application_json),
            request_ttl_seconds,
            invocation_timeout_seconds,
            max_concurrency,
            max_wait_seconds: max_wait_seconds.unwrap_or(20),
            output_locations,
            api_url,
            idempotency_location,
            deduplicate,
            dead_letter_queue_url,
            s3_event_queue_arn,
            results_queue_url,
            reply_to,
            metrics,
            pending_location,
            answer_grace_seconds: answer_grace_seconds.unwrap_or(600),
        })
    }
}

impl CollectConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigErrors`], naming every variable that is missing or bad.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables by `lookup`; an empty one counts as unset.
    ///
    /// # Errors
    /// [`ConfigErrors`], naming every variable that is missing or bad.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut variables = Variables::new(&lookup);
        let allowed_endpoints = variables.list(ALLOWED_ENDPOINTS, EndpointName::from_str);
        let results_queue_url = variables.required(RESULTS_QUEUE_URL, QueueUrl::from_str);
        let reply_to = variables.routes(REPLY_TO_ARNS);
        let result_body_limit_bytes = variables.number(RESULT_BODY_LIMIT, 0..=1_000_000);
        let result_format = variables.result_format();
        let max_concurrency = variables.concurrency();
        let metrics = variables.flag(METRICS);
        let pending_location = variables.optional(PENDING_LOCATION, S3Prefix::from_str);

        let (Some(results_queue_url), Some(result_format)) = (results_queue_url, result_format) else {
            return Err(ConfigErrors(variables.problems));
        };
        variables.finish(Self {
            allowed_endpoints,
            results_queue_url,
            reply_to,
            result_body_limit_bytes: result_body_limit_bytes.unwrap_or(262_144),
            result_format,
            max_concurrency,
            metrics,
            pending_location,
        })
    }
}

#[cfg(test)]
mod tests;
