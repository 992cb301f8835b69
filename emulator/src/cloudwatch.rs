//! CloudWatch, as far as an endpoint's metrics and their alarms need it.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html>

mod answer;
mod collect;
mod error;
mod input;
mod math;
pub(crate) mod metrics;
mod protocol;
mod query;
mod read;
pub(crate) mod sources;
mod write;

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use serde_json::{Map, Value};

use crate::clock::{Clock, TimeScale};
use crate::endpoint::Endpoint;
use answer::Answer;
use collect::Collector;
use error::CloudWatchError;
use metrics::Metrics;
pub(crate) use protocol::Protocol;

/// The service in `X-Amz-Target` and in the paths of CBOR's requests.
pub(crate) const SERVICE: &str = "GraniteServiceVersion20100801";
/// Of the query protocol: the version of the API tells its services apart.
pub(crate) const QUERY_VERSION: &str = "2010-08-01";

/// Metrics and alarms.
#[derive(Debug)]
pub(crate) struct CloudWatch {
    pub(crate) clock: Clock,
    metrics: Mutex<Metrics>,
    collector: Mutex<Collector>,
}

impl CloudWatch {
    pub(crate) fn new(scale: TimeScale) -> Self {
        Self { clock: Clock::new(scale), metrics: Mutex::default(), collector: Mutex::default() }
    }

    pub(crate) fn with_metrics<T>(&self, act: impl FnOnce(&mut Metrics) -> T) -> T {
        act(&mut self.metrics.lock().unwrap_or_else(PoisonError::into_inner))
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

    fn perform(&self, operation: &str, request: &Map<String, Value>) -> Result<Answer, CloudWatchError> {
        match operation {
            "GetMetricData" => read::data(self, request),
            "GetMetricStatistics" => read::statistics(self, request),
            "ListMetrics" => read::list(self, request),
            "PutMetricData" => write::put(self, request),
            _ => Err(CloudWatchError::unknown_operation(operation)),
        }
    }
}
