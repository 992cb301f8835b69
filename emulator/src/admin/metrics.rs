//! `GET /metrics`: what CloudWatch has for asynchronous endpoints, under its names and in its units, as Prometheus reads it.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html>

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::Emulator;
use crate::endpoint::Core;
use crate::endpoint::totals::Totals;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gauges, which CloudWatch has by endpoint: name, meaning, value where there is one.
type Gauge = (&'static str, &'static str, fn(&Sample) -> Option<f64>);
/// Counters, which CloudWatch has by endpoint and variant.
type Counter = (&'static str, &'static str, fn(&Totals) -> u64);
/// Sums of times with their number, by endpoint and variant.
type Summary = (&'static str, &'static str, fn(&Totals) -> (f64, u64));

const GAUGES: [Gauge; 4] = [
    ("ApproximateBacklogSize", "Invocations that wait or run.", |sample| Some(number(sample.backlog))),
    (
        "ApproximateBacklogSizePerInstance",
        "Invocations that wait or run, by instance; nothing where there is no instance.",
        |sample| (sample.instances > 0).then(|| number(sample.backlog) / f64::from(sample.instances)),
    ),
    ("HasBacklogWithoutCapacity", "1 where invocations wait and no instance is there.", |sample| {
        Some(f64::from(u8::from(sample.waiting > 0 && sample.instances == 0)))
    }),
    ("ApproximateAgeOfOldestRequest", "Of the oldest invocation that waits, in seconds.", |sample| {
        Some(sample.age.as_secs_f64())
    }),
];

const COUNTERS: [Counter; 9] = [
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

const SUMMARIES: [Summary; 3] = [
    ("TimeInBacklog", "In the queue, in milliseconds.", |totals| {
        (totals.time_in_backlog.sum.as_secs_f64() * 1e3, totals.time_in_backlog.count)
    }),
    ("TotalProcessingTime", "From the request to its end, in milliseconds.", |totals| {
        (totals.total_time.sum.as_secs_f64() * 1e3, totals.total_time.count)
    }),
    ("ModelLatency", "In the model, in microseconds.", |totals| {
        (totals.model_latency.sum.as_secs_f64() * 1e6, totals.model_latency.count)
    }),
];

/// An endpoint at this moment.
struct Sample {
    endpoint: String,
    variant: String,
    waiting: usize,
    backlog: usize,
    instances: u32,
    age: Duration,
    totals: Totals,
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
    fn of(endpoint: String, core: &Core) -> Self {
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
    for (name, help, value) in SUMMARIES {
        head(&mut text, name, help, "summary");
        for sample in samples {
            let (sum, count) = value(&sample.totals);
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
