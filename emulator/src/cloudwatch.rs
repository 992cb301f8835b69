//! CloudWatch, as far as an endpoint's metrics and their alarms need it.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html>

mod alarm;
mod alarms;
mod answer;
mod collect;
mod error;
mod evaluation;
mod input;
mod math;
pub(crate) mod metrics;
mod protocol;
mod query;
mod read;
mod saved;
pub(crate) mod sources;
mod write;

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use serde_json::{Map, Value};

use crate::account::Account;
use crate::clock::{Clock, TimeScale};
use crate::endpoint::Endpoint;
pub(crate) use alarm::AlarmAction;
use alarms::Alarms;
use answer::Answer;
use collect::Collector;
use error::CloudWatchError;
use metrics::Metrics;
pub(crate) use protocol::Protocol;
pub(crate) use saved::SavedAlarm;

/// The service in `X-Amz-Target` and in the paths of CBOR's requests.
pub(crate) const SERVICE: &str = "GraniteServiceVersion20100801";
/// Of the query protocol: the version of the API tells its services apart.
pub(crate) const QUERY_VERSION: &str = "2010-08-01";

/// Metrics and alarms.
#[derive(Debug)]
pub(crate) struct CloudWatch {
    pub(crate) clock: Clock,
    account: Account,
    metrics: Mutex<Metrics>,
    alarms: Mutex<Alarms>,
    collector: Mutex<Collector>,
}

impl CloudWatch {
    pub(crate) fn new(scale: TimeScale, account: Account) -> Self {
        Self {
            clock: Clock::new(scale),
            account,
            metrics: Mutex::default(),
            alarms: Mutex::default(),
            collector: Mutex::default(),
        }
    }

    pub(crate) fn with_metrics<T>(&self, act: impl FnOnce(&mut Metrics) -> T) -> T {
        act(&mut self.metrics.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Never called with the metrics in hand: the alarms come first.
    fn with_alarms<T>(&self, act: impl FnOnce(&mut Alarms) -> T) -> T {
        act(&mut self.alarms.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn alarm_arn(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", self.account.region, self.account.id)
    }

    /// Puts an alarm of a scaling policy.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn put_alarm(&self, request: Map<String, Value>) -> Result<(), String> {
        alarms::put(self, request).map(drop).map_err(|error| error.message().to_owned())
    }

    pub(crate) fn remove_alarm(&self, name: &str) {
        self.with_alarms(|alarms| alarms.remove(name));
    }

    pub(crate) fn saved_alarms(&self) -> Vec<SavedAlarm> {
        self.with_alarms(|alarms| alarms.saved())
    }

    pub(crate) fn restore_alarms(&self, saved: Vec<SavedAlarm>) {
        self.with_alarms(|alarms| alarms.restore(saved));
    }

    /// The names of the alarms with this action.
    pub(crate) fn alarms_with(&self, action: &str) -> Vec<String> {
        self.with_alarms(|alarms| alarms.with_action(action))
    }

    /// The actions that `SetAlarmState` has asked for since the last look.
    pub(crate) fn take_set(&self) -> Vec<AlarmAction> {
        self.with_alarms(|alarms| std::mem::take(&mut alarms.set))
    }

    /// Finds the state of every alarm from the minutes before this one, and gives the actions that they ask for.
    pub(crate) fn evaluate(&self, minute: u64) -> Vec<AlarmAction> {
        let now = self.clock.unix();
        self.with_alarms(|alarms| self.with_metrics(|metrics| alarms.evaluate(metrics, minute, now)))
    }

    /// Publishes the metrics of a minute that has ended.
    pub(crate) fn publish(&self, endpoints: &[Arc<Endpoint>], minute: u64) {
        let mut collector = self.collector.lock().unwrap_or_else(PoisonError::into_inner);
        self.with_metrics(|metrics| collector.publish(endpoints, minute, metrics));
    }

    /// Answers a request; a form names its operation itself.
    pub(crate) fn answer(&self, protocol: Protocol, operation: &str, body: &[u8]) -> Response {
        let answered = protocol.read(operation, body).and_then(|call| {
            let answer = self.perform(&call.operation, &call.members)?;
            Ok((call.operation, answer))
        });
        match answered {
            Ok((operation, answer)) => protocol.answer(&operation, &answer),
            Err(error) => protocol.refusal(&error),
        }
    }

    /// boto3 and the AWS CLI compress `PutMetricData` from 10,240 bytes on.
    pub(crate) fn refuse_compressed(protocol: Protocol) -> Response {
        protocol.refusal(&CloudWatchError::unreadable(
            "the emulator reads no compressed requests: send less at once, or set AWS_DISABLE_REQUEST_COMPRESSION=true",
        ))
    }

    fn perform(&self, operation: &str, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
        match operation {
            "DeleteAlarms" => alarms::delete(self, request),
            "DescribeAlarms" => alarms::describe(self, request),
            "DescribeAlarmsForMetric" => alarms::of_metric(self, request),
            "DisableAlarmActions" => alarms::enable(self, request, false),
            "EnableAlarmActions" => alarms::enable(self, request, true),
            "GetMetricData" => read::data(self, request),
            "GetMetricStatistics" => read::statistics(self, request),
            "ListMetrics" => read::list(self, request),
            "PutMetricAlarm" => alarms::put(self, request.clone()),
            "PutMetricData" => write::put(self, request),
            "SetAlarmState" => alarms::set_state(self, request),
            _ => Err(CloudWatchError::unknown_operation(operation)),
        }
    }
}
