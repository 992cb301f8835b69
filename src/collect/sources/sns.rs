//! Notifications from SNS, which invokes the function with them.

use futures_util::FutureExt;
use serde::Deserialize;

use crate::collect::delivery::Delivery;
use crate::collect::{Answer, AnswerForm, Collect};
use crate::event::{Answering, Call, Shape, Source};
use crate::fault::{Fault, json_problem};

/// SNS. It looks at nothing but whether the function failed, and then delivers again.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
pub(super) struct Sns;

/// The rest of a record is of no use here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    sns: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_id: Option<String>,
    message: String,
}

impl Source<Collect> for Sns {
    fn shape(&self) -> &'static str {
        "one of SNS (`Records` with `Sns`)"
    }

    fn recognises(&self, shape: &Shape<'_>) -> bool {
        shape.has_records_with("Sns")
    }

    fn read<'f>(&self, collect: &'f Collect, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Collect>, Fault> {
        let deliveries = shape.into_records().into_iter().map(|record| {
            let Record { sns } = serde_json::from_str(record.get()).map_err(|error| {
                Fault::validation(format!("a record of the event is not an SNS record: {}", json_problem(&error)))
            })?;
            Ok(Delivery::new(sns.message_id.unwrap_or_default(), sns.message))
        });
        let deliveries = deliveries.collect::<Result<Vec<_>, Fault>>()?;
        let answer = async move {
            match collect.pass_on(deliveries, call.deadline).await.into_iter().next() {
                Some((_, fault)) => Err(fault),
                None => Ok(Answer(AnswerForm::Nothing(()))),
            }
        };
        Ok(answer.boxed())
    }
}
