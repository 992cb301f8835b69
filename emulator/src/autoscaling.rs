//! Application Auto Scaling of endpoints' instances.
//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html>
//!
//! ```text
//! every minute: the endpoints' metrics ─▶ cloudwatch.rs: alarms ─▶ engine.rs: policies, capacity.rs ─▶ Endpoint::resize
//! ```

mod activities;
mod capacity;
mod engine;
mod error;
mod policies;
mod resource;
mod targets;
mod tracking;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::Emulator;
use crate::cloudwatch::AlarmAction;
use crate::input::Input;
use error::ScalingError;
use targets::Target;

/// The service in `X-Amz-Target`.
pub(crate) const SERVICE: &str = "AnyScaleFrontendService";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const NAMESPACE: &str = "sagemaker";
const DIMENSION: &str = "sagemaker:variant:DesiredInstanceCount";
/// Also what a page has at most: <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html>
const MAX_PAGE: u32 = 50;

/// By resource id.
pub(crate) type Targets = BTreeMap<String, Target>;

/// Scalable targets with their policies and activities.
#[derive(Debug, Default)]
pub(crate) struct AutoScaling(Mutex<Targets>);

impl AutoScaling {
    /// Never called with alarms or endpoints in hand: the targets come first.
    fn with<T>(&self, act: impl FnOnce(&mut Targets) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is to be kept: everything but the activities.
    pub(crate) fn saved(&self) -> Targets {
        self.with(|targets| targets.clone())
    }

    pub(crate) fn restore(&self, saved: Targets) {
        self.with(|targets| *targets = saved);
    }

    /// Scales by the alarms that have fired.
    pub(crate) fn scale(&self, emulator: &Emulator, fired: &[AlarmAction]) {
        self.with(|targets| targets.values_mut().for_each(|target| target.scale(emulator, fired)));
    }

    /// For the page: the bounds of an endpoint's scalable target, and what it did, the newest first. `null` without one.
    pub(crate) fn overview(&self, endpoint: &str) -> Value {
        self.with(|targets| {
            let target = targets.values().find(|target| target.resource.endpoint == endpoint);
            target.map_or(Value::Null, |target| {
                json!({"minCapacity": target.min, "maxCapacity": target.max, "activities": target.activities.overview()})
            })
        })
    }

    pub(crate) fn answer(&self, emulator: &Emulator, operation: &str, body: &[u8]) -> Response {
        match self.perform(emulator, operation, body) {
            Ok(answer) => ([("content-type", CONTENT_TYPE)], answer.to_string()).into_response(),
            Err(error) => error.into_response(),
        }
    }

    fn perform(&self, emulator: &Emulator, operation: &str, body: &[u8]) -> Result<Value, ScalingError> {
        let request: Map<String, Value> = match body {
            [] => Map::new(),
            body => serde_json::from_slice(body).map_err(|error| ScalingError::no_json(&error))?,
        };
        self.with(|targets| match operation {
            "DeleteScalingPolicy" => policies::delete(emulator, targets, &request),
            "DeregisterScalableTarget" => targets::deregister(emulator, targets, &request),
            "DescribeScalableTargets" => targets::describe(targets, &request),
            "DescribeScalingActivities" => {
                for target in targets.values_mut() {
                    target.settle(emulator, emulator.endpoint(&target.resource.endpoint).as_ref());
                }
                activities::describe(targets, &request)
            }
            "DescribeScalingPolicies" => policies::describe(emulator, targets, &request),
            "PutScalingPolicy" => policies::put(emulator, targets, &request),
            "RegisterScalableTarget" => {
                let answer = targets::register(emulator, targets, &request)?;
                // New bounds hold at once.
                targets.values_mut().for_each(|target| target.scale(emulator, &[]));
                Ok(answer)
            }
            _ => Err(ScalingError::unknown_operation(operation)),
        })
    }
}

/// A page of a list; the token of the next is its place.
fn page(input: &Input<'_>, member: &str, items: impl Iterator<Item = Value>) -> Result<Value, ScalingError> {
    let size = input.integer("MaxResults", &(1..=MAX_PAGE))?.unwrap_or(MAX_PAGE) as usize;
    let first: usize = match input.text("NextToken")? {
        None => 0,
        Some(token) => token.parse().map_err(|_| ScalingError::token())?,
    };
    let mut items = items.skip(first);
    let page: Vec<Value> = items.by_ref().take(size).collect();
    let mut answer = json!({member: page});
    if let (Some(_), Some(members)) = (items.next(), answer.as_object_mut()) {
        members.insert("NextToken".to_owned(), (first + size).to_string().into());
    }
    Ok(answer)
}
