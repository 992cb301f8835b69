//! Both handlers on every file of `events/`, with mocked AWS clients; the binaries' start; names that must agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]

mod aws;
mod bucket;
mod collect_endpoints;
mod collect_flow;
mod collect_result;
mod concurrency;
mod deadline;
mod deduplicate;
mod http_answers;
mod http_client;
mod http_upload;
mod http_wait;
mod idempotency;
mod input_location;
mod names;
mod pending;
mod properties;
mod results_queue;
mod return_address;
mod start;
mod submit_direct;
mod submit_eventbridge;
mod submit_http;
mod submit_s3;
mod submit_sns;
mod submit_sqs;
mod sweep;
mod ways_out;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// A file of this repository.
fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A sample event, as JSON.
fn sample(path: &str) -> Value {
    serde_json::from_str(&file(&format!("events/{path}"))).unwrap_or_else(|error| panic!("events/{path}: {error}"))
}

/// The names of the sample events in a folder of `events/`.
fn samples(folder: &str) -> BTreeSet<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("events").join(folder);
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// An invocation of a function that has `left` until its deadline.
fn event_with(payload: &Value, left: Duration) -> LambdaEvent<Box<RawValue>> {
    invocation(to_raw_value(payload).unwrap(), left)
}

fn event(payload: &Value) -> LambdaEvent<Box<RawValue>> {
    event_with(payload, Duration::from_secs(60))
}

fn event_of(payload: Box<RawValue>) -> LambdaEvent<Box<RawValue>> {
    invocation(payload, Duration::from_secs(60))
}

fn invocation(payload: Box<RawValue>, left: Duration) -> LambdaEvent<Box<RawValue>> {
    let mut context = Context::default();
    context.request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".to_owned();
    // The time left, as `cargo lambda watch` tells it: what passes on the clock between here and the function would be gone of a
    // point in time, and tests on tokio's clock count milliseconds.
    context.deadline = u64::try_from(left.as_millis()).unwrap();
    LambdaEvent::new(payload, context)
}
