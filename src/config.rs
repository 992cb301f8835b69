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
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    const SUBMIT: Pairs = &[(ENDPOINT_NAME, "summarizer"), (INPUT_LOCATION, "s3://bucket/input/")];
    const COLLECT: Pairs = &[(RESULTS_QUEUE_URL, "https://sqs.eu-west-1.amazonaws.com/123456789012/results")];

    fn lookup<'a>(base: Pairs<'a>, more: Pairs<'a>) -> impl Fn(&str) -> Option<String> {
        move |name| more.iter().chain(base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn submit(more: Pairs<'_>) -> Result<SubmitConfig, ConfigErrors> {
        SubmitConfig::from_lookup(lookup(SUBMIT, more))
    }

    fn collect(more: Pairs<'_>) -> Result<CollectConfig, ConfigErrors> {
        CollectConfig::from_lookup(lookup(COLLECT, more))
    }

    #[test]
    fn only_the_required_variables_are_needed() {
        let config = submit(&[]).unwrap();
        assert_eq!(config.allowed_endpoints, vec![config.endpoint_name.clone()]);
        assert_eq!(config.allowed_input_locations, vec![config.input_location.clone()]);
        assert_eq!(config.inline_limit_bytes, 128_000);
        assert_eq!(config.content_type.as_str(), "application/json");
        assert_eq!((config.request_ttl_seconds, config.invocation_timeout_seconds), (None, None));
        assert_eq!((config.max_concurrency.get(), config.max_wait_seconds), (64, 20));
        assert!(config.output_locations.is_empty() && config.results_queue_url.is_none());

        let config = collect(&[]).unwrap();
        assert_eq!(config.result_format, ResultFormat::Notification);
        assert_eq!((config.result_body_limit_bytes, config.max_concurrency.get()), (262_144, 64));
    }

    #[test]
    fn a_bad_value_is_refused_by_name_with_what_is_allowed() {
        let cases: [(Pairs, &str); 12] = [
            (&[(ENDPOINT_NAME, "-x")], "BRIDGE_ENDPOINT_NAME: must be"),
            (&[(ALLOWED_ENDPOINTS, "a,b_c")], "BRIDGE_ALLOWED_ENDPOINTS: `b_c` must be"),
            (&[(INPUT_LOCATION, "bucket/input")], "BRIDGE_INPUT_LOCATION: must be s3://"),
            (
                &[(ALLOWED_INPUT_LOCATIONS, "s3://bucket/a, https://x")],
                "BRIDGE_ALLOWED_INPUT_LOCATIONS: `https://x` must",
            ),
            (&[(INLINE_LIMIT, "128001")], "BRIDGE_INLINE_LIMIT_BYTES: must be a whole number from 0 to 128000"),
            (&[(CONTENT_TYPE, "text/plain\n")], ""),
            (&[(CONTENT_TYPE, "käse")], "BRIDGE_CONTENT_TYPE: must be"),
            (&[(REQUEST_TTL, "59")], "BRIDGE_REQUEST_TTL_SECONDS: must be a whole number from 60 to 21600"),
            (&[(INVOCATION_TIMEOUT, "1h")], "BRIDGE_INVOCATION_TIMEOUT_SECONDS: must be a whole number from 1 to 3600"),
            (&[(MAX_CONCURRENCY, "0")], "BRIDGE_MAX_CONCURRENCY: must be a whole number from 1 to 1000"),
            (&[(MAX_WAIT, "29")], "BRIDGE_MAX_WAIT_SECONDS: must be a whole number from 0 to 28"),
            (&[(OUTPUT_LOCATIONS, "/out")], "BRIDGE_OUTPUT_LOCATIONS: `/out` must be s3://"),
        ];
        for (more, expected) in cases {
            match submit(more) {
                Err(errors) => assert!(!expected.is_empty() && errors.to_string().contains(expected), "{errors}"),
                Ok(_) => assert_eq!(expected, "", "{more:?} was taken"),
            }
        }
        let cases: [(Pairs, &str); 5] = [
            (&[(RESULTS_QUEUE_URL, "results")], "BRIDGE_RESULTS_QUEUE_URL: must be the URL"),
            (
                &[(RESULT_BODY_LIMIT, "1000001")],
                "BRIDGE_RESULT_BODY_LIMIT_BYTES: must be a whole number from 0 to 1000000",
            ),
            (&[(RESULT_FORMAT, "json")], "BRIDGE_RESULT_FORMAT: must be `notification` or `raw`"),
            (&[(RESULT_FORMAT, "raw")], "BRIDGE_RESULT_LOCATION: is required"),
            (&[(RESULT_LOCATION, "x")], "BRIDGE_RESULT_LOCATION: must be s3://"),
        ];
        for (more, expected) in cases {
            let errors = collect(more).expect_err(expected).to_string();
            assert!(errors.contains(expected), "{errors}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let errors = SubmitConfig::from_lookup(lookup(&[], &[(MAX_WAIT, "x"), (REQUEST_TTL, "1")])).unwrap_err();
        for name in [ENDPOINT_NAME, INPUT_LOCATION, MAX_WAIT, REQUEST_TTL] {
            assert!(errors.to_string().contains(name), "{errors}");
        }
        assert_eq!(format!("{errors:?}"), errors.to_string());
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let config = submit(&[(ALLOWED_ENDPOINTS, " "), (RESULTS_QUEUE_URL, ""), (REQUEST_TTL, "")]).unwrap();
        assert_eq!(config.allowed_endpoints, vec![config.endpoint_name.clone()]);
        assert!(config.results_queue_url.is_none() && config.request_ttl_seconds.is_none());
    }

    #[test]
    fn the_table_of_variables_is_what_the_functions_read() {
        for (function, base) in [("submit", SUBMIT), ("collect", COLLECT)] {
            let read = RefCell::new(BTreeSet::new());
            let spy = |name: &str| {
                read.borrow_mut().insert(name.to_owned());
                lookup(base, &[(RESULT_FORMAT, "raw")])(name)
            };
            let _ = if function == "submit" {
                SubmitConfig::from_lookup(spy).map(drop)
            } else {
                CollectConfig::from_lookup(spy).map(drop)
            };
            let listed: BTreeSet<String> = VARIABLES
                .iter()
                .filter(|(_, reader, _)| *reader == function || *reader == "both")
                .map(|(name, ..)| (*name).to_owned())
                .collect();
            assert_eq!(read.into_inner(), listed, "{function}");
        }
    }
}
