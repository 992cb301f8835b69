//! The schedule: no notification, but the time to look for what was never answered.

use futures_util::FutureExt;

use crate::batch;
use crate::collect::{Answer, AnswerForm, Collect};
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::Fault;

/// An EventBridge rule with a schedule.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>
pub(super) struct Schedule;

const DETAIL_TYPE: &str = "Scheduled Event";

impl Source<Collect> for Schedule {
    fn shape(&self) -> &'static str {
        "an EventBridge schedule (`detail-type` `Scheduled Event`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.fields().json("detail-type").and_then(batch::text).is_some_and(|text| text == DETAIL_TYPE)
    }

    fn read<'f>(&self, collect: &'f Collect, _: Shape<'_>, call: Call) -> Result<Answering<'f, Collect>, Fault> {
        let Some(location) = &collect.config.pending_location else {
            return Err(Fault::validation(
                "BRIDGE_PENDING_LOCATION is not set, so a scheduled event has nothing to do",
            ));
        };
        let answer = async move {
            // The next schedule goes on with what is left, whatever went wrong: a failed event would come again, and in the end lie in
            // the dead-letter queue of notifications.
            collect.sweep(location, call.deadline).await;
            Ok(Answer(AnswerForm::Nothing(())))
        };
        Ok(answer.boxed())
    }
}
