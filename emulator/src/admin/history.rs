//! `GET /_emulator/endpoints/NAME/history`: instances and backlog over time, and what scaled them.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::state::{find, milliseconds};
use super::{AdminError, answer};
use crate::Emulator;

/// Points, each holding until the next; the bounds of the scalable target, if there is one, and its activities.
pub(crate) async fn get(
    State(emulator): State<Arc<Emulator>>,
    Path(name): Path<String>,
) -> Result<Response, AdminError> {
    let endpoint = find(&emulator, &name)?;
    let points: Vec<Value> = endpoint.with(|core| {
        let point = |point: &crate::endpoint::history::Point| {
            json!({
                "time": milliseconds(point.time),
                "instances": point.instances,
                "desiredInstances": point.desired,
                "backlog": point.backlog,
            })
        };
        core.history.points().map(point).collect()
    });
    let scaling = emulator.autoscaling().overview(&name);
    Ok(answer(&json!({"now": milliseconds(SystemTime::now()), "points": points, "scaling": scaling})))
}
