//! `GET /metrics`: what CloudWatch has for asynchronous endpoints, under its names and in its units, as Prometheus reads it.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html>

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::Emulator;
use crate::endpoint::Core;
use crate::endpoint::totals::{Times, Totals};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gauges, which CloudWatch has by endpoint: name, meaning, value where there is one.
type Gauge = (&'static str, &'static str, fn(&Sample) -> Option<f64>);
/// Counters, which CloudWatch has by endpoint and variant.
type Counter = (&'static str, &'static str, fn(&Totals) -> u64);
/// Times, by endpoint and variant: name, meaning, unit, how many of it a second has.
type Summary = (&'static str, &'static str, &'static str, f64, fn(&Totals) -> &Times);

pub(crate) const GAUGES: [Gauge; 4] = [
    ("ApproximateBacklogSize", "Invocations that wait or run.", |sample| Some(number(sample.backlog))),
    (
        "ApproximateBacklogSizePerInstance",
        "Invocations that wait or run, by instance; all of them where there is no instance.",
        // That an endpoint scales up from zero "only after the number of backlog requests exceeds the target" asks for a value there:
        // https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
        |sample| Some(number(sample.backlog) / f64::from(sample.instances.max(1))),
    ),
    ("HasBacklogWithoutCapacity", "1 where invocations wait and no instance is there.", |sample| {
        Some(f64::from(u8::from(sample.waiting > 0 && sample.instances == 0)))
    }),
    ("ApproximateAgeOfOldestRequest", "Of the oldest invocation that waits, in seconds.", |sample| {
        Some(sample.age.as_secs_f64())
    }),
];

pub(crate) const COUNTERS: [Counter; 9] = [
    ("InvocationsProcessed", "Invocations that have ended.", |totals| totals.processed),
    ("InvocationFailures", "Invocations that have not completed.", |totals| totals.failures),
    ("ExpiredRequests", "Invocations that waited longer than their RequestTTLSeconds.", |totals| {
        totals.expired_requests
    }),
    ("NotificationFailure", "Notifications that could not be sent.", |totals| totals.notification_failures),
    ("NotificationFailures", "The same, as AWS's page spells it.", |totals| totals.notification_failures),
    ("RequestDownloadFailures", "Inputs that could not be read.", |totals| totals.download_failures),
    ("ResponseUploadFailures", "Outputs that could not be written.", |totals| totals.upload_failures),
    ("Invocation4XXErrors", "Answers of the model with a status from 400 to 499.", |totals| totals.model_client_errors),
    ("Invocation5XXErrors", "Answers of the model with a status from 500.", |totals| totals.model_server_errors),
];

pub(crate) const SUMMARIES: [Summary; 3] = [
    ("TimeInBacklog", "In the queue, in milliseconds.", "Milliseconds", 1e3, |totals| &totals.time_in_backlog),
    ("TotalProcessingTime", "From the request to its end, in milliseconds.", "Milliseconds", 1e3, |totals| {
        &totals.total_time
    }),
    ("ModelLatency", "In the model, in microseconds.", "Microseconds", 1e6, |totals| &totals.model_latency),
];

/// An endpoint at this moment.
pub(crate) struct Sample {
    pub(crate) endpoint: String,
    pub(crate) variant: String,
    pub(crate) waiting: usize,
    pub(crate) backlog: usize,
    pub(crate) instances: u32,
    pub(crate) age: Duration,
    pub(crate) totals: Totals,
}

/// Everything, of every endpoint.
pub(crate) async fn get(State(emulator): State<Arc<Emulator>>) -> Response {
    let samples: Vec<Sample> = emulator
        .endpoints()
        .iter()
        .map(|endpoint| endpoint.with(|core| Sample::of(endpoint.name.clone(), core)))
        .collect();
    ([("content-type", CONTENT_TYPE)], exposition(&samples)).into_response()
}

impl Sample {
    pub(crate) fn of(endpoint: String, core: &Core) -> Self {
        let oldest = core.ledger.oldest().and_then(|oldest| SystemTime::now().duration_since(oldest).ok());
        Self {
            endpoint,
            variant: core.deployment.variant.clone(),
            waiting: core.ledger.waiting(),
            backlog: core.ledger.waiting() + core.ledger.running(),
            instances: core.instances,
            age: oldest.unwrap_or_default(),
            totals: core.ledger.totals.clone(),
        }
    }

    /// CloudWatch's dimensions. Neither name can hold what would have to be escaped.
    fn labels(&self, has_variant: bool) -> String {
        let variant = if has_variant { format!(",VariantName=\"{}\"", self.variant) } else { String::new() };
        format!("{{EndpointName=\"{}\"{variant}}}", self.endpoint)
    }
}

fn exposition(samples: &[Sample]) -> String {
    let mut text = String::new();
    for (name, help, value) in GAUGES {
        head(&mut text, name, help, "gauge");
        for sample in samples {
            if let Some(value) = value(sample) {
                line(&mut text, name, &sample.labels(false), value);
            }
        }
    }
    for (name, help, value) in COUNTERS {
        head(&mut text, name, help, "counter");
        for sample in samples {
            line(&mut text, name, &sample.labels(true), value(&sample.totals));
        }
    }
    for (name, help, _, per_second, times) in SUMMARIES {
        head(&mut text, name, help, "summary");
        for sample in samples {
            let times = times(&sample.totals);
            let (sum, count) = (times.sum.as_secs_f64() * per_second, times.count);
            line(&mut text, &format!("{name}_sum"), &sample.labels(true), sum);
            line(&mut text, &format!("{name}_count"), &sample.labels(true), count);
        }
    }
    text
}

// Writing to a String never fails.
fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

#[expect(clippy::cast_precision_loss, reason = "a queue never holds 2^52 invocations")]
const fn number(count: usize) -> f64 {
    count as f64
}
