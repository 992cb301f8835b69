//! `DescribeScalingActivities`, and the activities themselves.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::ScalingError;
use super::resource::{dimension, namespace};
use super::{DIMENSION, NAMESPACE, Targets, page};
use crate::input::Input;

/// AWS keeps six weeks of them.
const KEPT: usize = 1_000;
/// How many the page shows.
const SHOWN: usize = 50;

/// A change of capacity.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    id: Uuid,
    wanted: u32,
    cause: String,
    started: f64,
    ended: Option<f64>,
    failure: Option<String>,
}

/// Those of one target, the newest first; that one may still be under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Activities {
    list: VecDeque<Activity>,
    /// What becomes of the policy once the newest has succeeded.
    pub(super) under_way: Option<UnderWay>,
}

/// Of an activity that has not ended.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    /// `None`: new bounds asked for it.
    pub(super) policy: Option<String>,
    pub(super) base: u32,
    pub(super) wanted: u32,
}

impl Activities {
    /// Time in milliseconds since 1970, capacity and cause of the newest.
    pub(super) fn overview(&self) -> Vec<Value> {
        let shown = |activity: &Activity| json!({"time": (activity.started * 1e3).round(), "capacity": activity.wanted, "cause": activity.cause});
        self.list.iter().take(SHOWN).map(shown).collect()
    }

    pub(super) fn begin(&mut self, under_way: UnderWay, cause: String, now: f64) {
        let wanted = under_way.wanted;
        let activity = Activity { id: Uuid::new_v4(), wanted, cause, started: now, ended: None, failure: None };
        self.list.push_front(activity);
        self.list.truncate(KEPT);
        self.under_way = Some(under_way);
    }

    pub(super) fn end(&mut self, failure: Option<String>, now: f64) -> Option<UnderWay> {
        if let Some(activity) = self.list.front_mut() {
            (activity.ended, activity.failure) = (Some(now), failure);
        }
        self.under_way.take()
    }

    /// Whether the last thing that happened failed for this reason.
    pub(super) fn has_failed_so(&self, wanted: u32, failure: &str) -> bool {
        self.list
            .front()
            .is_some_and(|last| last.wanted == wanted && last.failure.as_deref().is_some_and(|last| last == failure))
    }
}

impl Activity {
    fn description(&self, resource_id: &str) -> Value {
        let wanted = self.wanted;
        let (status, message) = match (self.ended, &self.failure) {
            (None, _) => (
                "InProgress",
                format!(
                    "Successfully set desired instance count to {wanted}. Waiting for change to be fulfilled by sagemaker."
                ),
            ),
            (Some(_), None) => (
                "Successful",
                format!(
                    "Successfully set desired instance count to {wanted}. Change successfully fulfilled by sagemaker."
                ),
            ),
            (Some(_), Some(failure)) => {
                ("Failed", format!("Failed to set desired instance count to {wanted}. Reason: {failure}"))
            }
        };
        let mut description = json!({
            "ActivityId": self.id.to_string(),
            "ServiceNamespace": NAMESPACE,
            "ResourceId": resource_id,
            "ScalableDimension": DIMENSION,
            "Description": format!("Setting desired instance count to {wanted}."),
            "Cause": self.cause,
            "StartTime": self.started,
            "StatusCode": status,
            "StatusMessage": message,
        });
        if let (Some(ended), Some(members)) = (self.ended, description.as_object_mut()) {
            members.insert("EndTime".to_owned(), ended.into());
        }
        description
    }
}

pub(super) fn describe(targets: &Targets, request: &Map<String, Value>) -> Result<Value, ScalingError> {
    let input = Input::new(request);
    namespace(&input)?;
    dimension(&input)?;
    let id = input.text("ResourceId")?;
    let of = targets.values().filter(|target| id.is_none_or(|id| id == target.resource.id));
    let mut activities: Vec<_> =
        of.flat_map(|target| target.activities.list.iter().map(|activity| (activity, &target.resource.id))).collect();
    activities.sort_by(|(a, _), (b, _)| b.started.total_cmp(&a.started));
    page(&input, "ScalingActivities", activities.into_iter().map(|(activity, id)| activity.description(id)))
}
