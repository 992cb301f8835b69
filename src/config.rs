//! Configuration: the `BRIDGE_…` environment variables, read once at start.
//!
//! Every problem is reported at once, each with the variable's name and what it may hold.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::invocation::{
    EndpointName, HeaderText, INLINE_LIMIT_BYTES, INVOCATION_TIMEOUT_SECONDS, REQUEST_TTL_SECONDS,
};
use crate::location::S3Prefix;

/// Every variable that a function reads: its name, the functions that read it, and its default (`-` for none).
pub const VARIABLES: [(&str, &str, &str); 15] = [
    (ENDPOINT_NAME, "submit", "required"),
    (ALLOWED_ENDPOINTS, "submit", "`BRIDGE_ENDPOINT_NAME`"),
    (INPUT_LOCATION, "submit", "required"),
    (ALLOWED_INPUT_LOCATIONS, "submit", "`BRIDGE_INPUT_LOCATION`"),
    (INLINE_LIMIT, "submit", "128000"),
    (CONTENT_TYPE, "submit", "`application/json`"),
    (REQUEST_TTL, "submit", "unset"),
    (INVOCATION_TIMEOUT, "submit", "unset"),
    (MAX_CONCURRENCY, "both", "64"),
    (MAX_WAIT, "submit", "20"),
    (OUTPUT_LOCATIONS, "submit", "unset"),
    (RESULTS_QUEUE_URL, "both", "required in collect"),
    (RESULT_BODY_LIMIT, "collect", "262144"),
    (RESULT_FORMAT, "collect", "`notification`"),
    (RESULT_LOCATION, "collect", "required by `raw`"),
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
const RESULTS_QUEUE_URL: &str = "BRIDGE_RESULTS_QUEUE_URL";
const RESULT_BODY_LIMIT: &str = "BRIDGE_RESULT_BODY_LIMIT_BYTES";
const RESULT_FORMAT: &str = "BRIDGE_RESULT_FORMAT";
const RESULT_LOCATION: &str = "BRIDGE_RESULT_LOCATION";

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
    /// Prefixes that a caller's InputLocation may lie under.
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
    /// Where `Rejected` results go.
    pub results_queue_url: Option<QueueUrl>,
}

/// Configuration of `collect`.
#[derive(Clone, Debug)]
pub struct CollectConfig {
    /// Where results go.
    pub results_queue_url: QueueUrl,
    /// Largest output put into a result message, in bytes.
    pub result_body_limit_bytes: usize,
    /// What a result message looks like.
    pub result_format: ResultFormat,
    /// Notifications of one batch in flight at once.
    pub max_concurrency: NonZeroUsize,
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

/// The URL of an SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl(String);

impl QueueUrl {
    /// The URL as SQS takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a FIFO queue: SQS demands that the names of those end in `.fifo`.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(".fifo")
    }
}

impl FromStr for QueueUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match rest.and_then(|rest| rest.rsplit_once('/')) {
            Some((host, name)) if !host.is_empty() && !name.is_empty() => Ok(Self(text.to_owned())),
            _ => Err("must be the URL of an SQS queue, as in https://sqs.eu-west-1.amazonaws.com/123456789012/results"),
        }
    }
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
        let results_queue_url = variables.optional(RESULTS_QUEUE_URL, QueueUrl::from_str);

        let (Some(endpoint_name), Some(input_location)) = (endpoint_name, input_location) else {
            return Err(ConfigErrors(variables.problems));
        };
        variables.finish(Self {
            allowed_endpoints: allowed_endpoints.unwrap_or_else(|| vec![endpoint_name.clone()]),
            endpoint_name,
            allowed_input_locations: allowed_input_locations.unwrap_or_else(|| vec![input_location.clone()]),
            input_location,
            inline_limit_bytes: inline_limit_bytes.unwrap_or(INLINE_LIMIT_BYTES),
            content_type: content_type.unwrap_or_else(HeaderText::application_json),
            request_ttl_seconds,
            invocation_timeout_seconds,
            max_concurrency,
            max_wait_seconds: max_wait_seconds.unwrap_or(20),
            output_locations: output_locations.unwrap_or_default(),
            results_queue_url,
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
        let results_queue_url = variables.required(RESULTS_QUEUE_URL, QueueUrl::from_str);
        let result_body_limit_bytes = variables.number(RESULT_BODY_LIMIT, 0..=1_000_000);
        let result_format = variables.result_format();
        let max_concurrency = variables.concurrency();

        let (Some(results_queue_url), Some(result_format)) = (results_queue_url, result_format) else {
            return Err(ConfigErrors(variables.problems));
        };
        variables.finish(Self {
            results_queue_url,
            result_body_limit_bytes: result_body_limit_bytes.unwrap_or(262_144),
            result_format,
            max_concurrency,
        })
    }
}

/// Reads variables and gathers what is wrong with them.
struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Variables<'a> {
    fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    fn finish<T>(self, config: T) -> Result<T, ConfigErrors> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigErrors(self.problems)) }
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn optional<T, E: fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|error| self.problems.push(format!("{name}: {error}; it is `{text}`"))).ok()
    }

    fn required<T, E: fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        if self.text(name).is_none() {
            self.problems.push(format!("{name}: is required and not set"));
        }
        self.optional(name, parse)
    }

    /// A comma list; `None` when unset.
    fn list<T, E: fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        let parse_item = |item: &str| parse(item).map_err(|error| format!("`{item}` {error}"));
        self.optional(name, |text| {
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(parse_item)
                .collect::<Result<Vec<T>, _>>()
        })
        .filter(|items| !items.is_empty())
    }

    fn number<T>(&mut self, name: &str, allowed: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        self.optional(name, |text| {
            text.parse::<T>()
                .ok()
                .filter(|number| allowed.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", allowed.start(), allowed.end()))
        })
    }

    fn concurrency(&mut self) -> NonZeroUsize {
        self.number(MAX_CONCURRENCY, 1..=1000).and_then(NonZeroUsize::new).unwrap_or(DEFAULT_CONCURRENCY)
    }

    fn result_format(&mut self) -> Option<ResultFormat> {
        let raw = self.optional(RESULT_FORMAT, |text| match text {
            "notification" => Ok(false),
            "raw" => Ok(true),
            _ => Err("must be `notification` or `raw`"),
        });
        if raw == Some(true) {
            let result_location = self.required(RESULT_LOCATION, S3Prefix::from_str)?;
            return Some(ResultFormat::Raw { result_location });
        }
        self.optional(RESULT_LOCATION, S3Prefix::from_str);
        Some(ResultFormat::Notification)
    }
}

#[cfg(test)]
mod tests;
