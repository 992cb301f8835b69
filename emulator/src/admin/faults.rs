//! Faults on demand: `GET`, `PUT`, `DELETE` of `/_emulator/faults` and of `/_emulator/faults/{endpoint}`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;

use super::{AdminError, answer};
use crate::Emulator;
use crate::faults::FaultPlan;
use crate::faults::rules::Rules;

/// The plan in force, and how many of each fault there were.
pub(crate) async fn get(State(emulator): State<Arc<Emulator>>) -> Response {
    let (plan, injected) = emulator.context.faults.report();
    answer(&json!({"seed": plan.seed, "all": plan.all, "endpoints": plan.endpoints, "injected": injected}))
}

/// Puts a plan in force; calls are counted from the start again.
pub(crate) async fn put(State(emulator): State<Arc<Emulator>>, body: Bytes) -> Result<Response, AdminError> {
    let plan: FaultPlan = serde_json::from_slice(&body).map_err(AdminError::bad_request)?;
    emulator.context.faults.replace(plan);
    Ok(get(State(emulator)).await)
}

/// No faults any more.
pub(crate) async fn delete(State(emulator): State<Arc<Emulator>>) -> Response {
    emulator.context.faults.replace(FaultPlan::default());
    get(State(emulator)).await
}

/// The rules in force for an endpoint.
pub(crate) async fn get_endpoint(State(emulator): State<Arc<Emulator>>, Path(name): Path<String>) -> Response {
    answer(&emulator.context.faults.rules(&name))
}

/// Puts rules in force for one endpoint, which need not be there yet.
pub(crate) async fn put_endpoint(
    State(emulator): State<Arc<Emulator>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, AdminError> {
    let rules: Rules = serde_json::from_slice(&body).map_err(AdminError::bad_request)?;
    emulator.context.faults.replace_endpoint(&name, Some(rules));
    Ok(get_endpoint(State(emulator), Path(name)).await)
}

/// The rules of all hold for the endpoint again.
pub(crate) async fn delete_endpoint(State(emulator): State<Arc<Emulator>>, Path(name): Path<String>) -> Response {
    emulator.context.faults.replace_endpoint(&name, None);
    get_endpoint(State(emulator), Path(name)).await
}
