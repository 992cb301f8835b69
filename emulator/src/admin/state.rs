//! What runs, and what became of it: `/_emulator/endpoints…`, which the page lives on.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sagemaker_async_bridge::location::S3Uri;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AdminError, answer};
use crate::Emulator;
use crate::endpoint::ledger::{Record, Status};
use crate::endpoint::{Core, Endpoint, Refusal};

const DEFAULT_LIMIT: usize = 100;
/// Outputs are shown up to this size.
const SHOWN_BYTES: usize = 1 << 20;

/// Which invocations to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvocationFilter {
    limit: Option<usize>,
    status: Option<String>,
    #[serde(rename = "inferenceId")]
    inference_id: Option<String>,
}

/// All endpoints.
pub(crate) async fn endpoints(State(emulator): State<Arc<Emulator>>) -> Response {
    let endpoints: Vec<Value> =
        emulator.endpoints().iter().map(|endpoint| endpoint.with(|core| describe(endpoint, core))).collect();
    answer(&json!({"endpoints": endpoints}))
}

/// The invocations of an endpoint that it remembers, the newest first.
pub(crate) async fn invocations(
    State(emulator): State<Arc<Emulator>>,
    Path(name): Path<String>,
    Query(filter): Query<InvocationFilter>,
) -> Result<Response, AdminError> {
    let endpoint = find(&emulator, &name)?;
    let is_wanted = |record: &&Record| {
        filter.status.as_ref().is_none_or(|status| *status == record.status.name())
            && filter.inference_id.as_ref().is_none_or(|id| *id == record.invocation.inference_id)
    };
    let limit = filter.limit.unwrap_or(DEFAULT_LIMIT);
    let records: Vec<Record> =
        endpoint.with(|core| core.ledger.newest_first().filter(is_wanted).take(limit).cloned().collect());
    let invocations: Vec<Value> = records.iter().map(invocation).collect();
    Ok(answer(&json!({"invocations": invocations})))
}

/// One invocation.
pub(crate) async fn one(
    State(emulator): State<Arc<Emulator>>,
    Path((name, number)): Path<(String, u64)>,
) -> Result<Response, AdminError> {
    Ok(answer(&invocation(&record(&*find(&emulator, &name)?, number)?)))
}

/// Invokes once more. Asks for JSON's content type, which no other site's page can send without being asked first.
pub(crate) async fn retry(
    State(emulator): State<Arc<Emulator>>,
    Path((name, number)): Path<(String, u64)>,
    headers: HeaderMap,
) -> Result<Response, AdminError> {
    if headers.get("content-type").is_none_or(|content_type| content_type != "application/json") {
        let problem = "the content type must be application/json".to_owned();
        return Err(AdminError(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    }
    let endpoint = find(&emulator, &name)?;
    record(&endpoint, number)?;
    let number = endpoint.retry(number).map_err(|refusal| {
        let problem = match refusal {
            Refusal::Forgotten => "the payload is not kept any more",
            Refusal::Full => "the queue is full",
            Refusal::NotKept => "it cannot be written down",
            Refusal::NotInService | Refusal::NotAsynchronous | Refusal::Location(_) => {
                "the endpoint takes no invocations"
            }
        };
        AdminError(StatusCode::CONFLICT, problem.to_owned())
    })?;
    Ok(answer(&invocation(&record(&endpoint, number)?)))
}

/// The output or failure output, as text that no browser takes for anything else.
pub(crate) async fn output(
    State(emulator): State<Arc<Emulator>>,
    Path((name, number)): Path<(String, u64)>,
) -> Result<Response, AdminError> {
    let record = record(&*find(&emulator, &name)?, number)?;
    let missing = |problem: String| AdminError(StatusCode::NOT_FOUND, problem);
    let location = output_location(&record).ok_or_else(|| missing("there is no output".to_owned()))?;
    let shown = emulator.context.store.first(location, SHOWN_BYTES).await.map_err(missing)?;
    let headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ];
    Ok((headers, shown).into_response())
}

pub(super) fn find(emulator: &Emulator, name: &str) -> Result<Arc<Endpoint>, AdminError> {
    emulator.endpoint(name).ok_or_else(|| AdminError(StatusCode::NOT_FOUND, format!("there is no endpoint {name}")))
}

fn record(endpoint: &Endpoint, number: u64) -> Result<Record, AdminError> {
    let record = endpoint.with(|core| core.ledger.get(number).cloned());
    record.ok_or_else(|| AdminError(StatusCode::NOT_FOUND, format!("invocation {number} is not remembered")))
}

fn describe(endpoint: &Endpoint, core: &Core) -> Value {
    let totals = &core.ledger.totals;
    json!({
        "endpointName": endpoint.name,
        "status": core.status.name(),
        "failureReason": core.failure_reason.as_ref().or(core.trouble.as_ref()),
        "image": core.deployment.image,
        "instances": core.instances,
        "desiredInstances": core.desired,
        "capacity": core.capacity(),
        "queued": core.ledger.waiting(),
        "inProgress": core.ledger.running(),
        "completed": totals.completed,
        "failed": totals.failures - totals.expired_requests,
        "expired": totals.expired_requests,
        "lastReceivedTime": core.ledger.newest_first().next().map(|record| milliseconds(record.invocation.received)),
    })
}

fn invocation(record: &Record) -> Value {
    let invocation = &record.invocation;
    json!({
        "number": record.number,
        "inferenceId": invocation.inference_id,
        "status": record.status.name(),
        "receivedTime": milliseconds(invocation.received),
        "startedTime": record.started.map(milliseconds),
        "endedTime": record.ended.map(milliseconds),
        "inputLocation": invocation.parameters.input_location,
        "inputBytes": record.payload_bytes,
        "contentType": invocation.parameters.content_type,
        "outputLocation": invocation.output_location,
        "failureLocation": invocation.failure_location,
        "failureReason": record.reason,
        "hasOutput": output_location(record).is_some(),
        "canRetry": record.can_retry() && record.ended.is_some(),
        "faults": record.faults,
    })
}

/// Where its output is, or its failure output, if there is one.
fn output_location(record: &Record) -> Option<&S3Uri> {
    match record.status {
        Status::Completed if record.has_output => record.invocation.output_location.as_ref(),
        Status::Failed if record.has_output => record.invocation.failure_location.as_ref(),
        _ => None,
    }
}

/// A time as JavaScript takes it.
pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
