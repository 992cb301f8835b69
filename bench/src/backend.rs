//! Stand-ins of SageMaker's runtime, S3, SQS and whatever else results go to: they take everything and answer what an SDK needs to be
//! content.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::{Method, Request, Response};
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::cases::payload;
use crate::server::Service;

/// How long each service takes to answer.
#[derive(Clone, Copy, Default)]
pub(crate) struct Latencies {
    sagemaker: Duration,
    put: Duration,
    get: Duration,
    /// SQS, and any other service that a result is sent to.
    sqs: Duration,
}

impl Latencies {
    /// What a function sees inside a region, roughly.
    pub(crate) const REALISTIC: Self = Self {
        sagemaker: Duration::from_millis(15),
        put: Duration::from_millis(25),
        get: Duration::from_millis(15),
        sqs: Duration::from_millis(8),
    };
}

/// All services at one address.
pub(crate) struct Backend {
    latencies: Latencies,
    outputs: HashMap<String, Bytes>,
    /// Requests and results taken so far.
    taken: AtomicU64,
}

/// What SQS needs of a request to answer it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageBatch<'a> {
    entries: Option<Vec<Entry>>,
    #[serde(borrow)]
    message_body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
}

impl Backend {
    /// Services that take this long.
    pub(crate) fn new(latencies: Latencies) -> Self {
        let output = |bytes: usize| (format!("/bucket/output/{bytes}.out"), Bytes::from(payload(bytes)));
        Self { latencies, outputs: [2_000, 200_000, 250_000, 5_000_000].map(output).into(), taken: AtomicU64::new(0) }
    }

    /// How many requests and results were taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    fn take(&self, count: usize) {
        self.taken.fetch_add(count as u64, Ordering::SeqCst);
    }

    async fn respond(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if *request.method() == Method::PUT {
            pause(self.latencies.put).await;
            return response(200, &[("etag", "\"0\"")], Bytes::new());
        }
        if *request.method() == Method::GET {
            pause(self.latencies.get).await;
            let output = self.outputs.get(path).cloned();
            let status = if output.is_some() { 200 } else { 404 };
            return response(status, &[("content-type", "application/json")], output.unwrap_or_default());
        }
        if path.ends_with("/async-invocations") {
            self.take(1);
            pause(self.latencies.sagemaker).await;
            let id = request.headers().get("x-amzn-sagemaker-inference-id").and_then(|id| id.to_str().ok());
            let location = ("x-amzn-sagemaker-outputlocation", "s3://bucket/output/28869378.out");
            return response(202, &[location], json!({"InferenceId": id.unwrap_or("i")}).to_string().into());
        }
        pause(self.latencies.sqs).await;
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let is_javascript =
            request.headers().get("user-agent").is_some_and(|agent| agent.as_bytes().starts_with(b"aws-sdk-js/"));
        let body = request.body();
        let (count, answer) = match target.map(|target| target.split_once('.').map_or(target, |(service, _)| service)) {
            Some("AWSEvents") => put_events(body),
            Some("AWSStepFunctions") => (1, Bytes::from("{}")),
            Some(_) => sent(body, is_javascript),
            // Of SNS, whose protocol is an older one, or of Lambda.
            None if path == "/" => published(body),
            None => (1, Bytes::new()),
        };
        self.take(count);
        response(
            200,
            &[("content-type", if target.is_some() { "application/x-amz-json-1.0" } else { "text/xml" })],
            answer,
        )
    }
}

impl Service for Backend {
    fn answer(self: Arc<Self>, request: Request<Bytes>) -> BoxFuture<'static, Response<Full<Bytes>>> {
        async move { self.respond(request).await }.boxed()
    }
}

/// No timer at all where there is nothing to wait for: one lasts a millisecond at least.
async fn pause(latency: Duration) {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
}

/// The digest is right for the SDK for JavaScript, which alone compares it with its own; for a result of 200 KB it takes as long as the
/// floor does.
fn sent(request: &Bytes, is_javascript: bool) -> (usize, Bytes) {
    let any = "d41d8cd98f00b204e9800998ecf8427e";
    let (count, answer) = match serde_json::from_slice(request) {
        Ok(SendMessageBatch { entries: Some(entries), .. }) => {
            let sent = |entry: Entry| json!({"Id": entry.id, "MessageId": "m", "MD5OfMessageBody": any});
            (entries.len(), json!({"Successful": entries.into_iter().map(sent).collect::<Vec<_>>(), "Failed": []}))
        }
        Ok(SendMessageBatch { message_body: Some(body), .. }) if is_javascript => {
            (1, json!({"MessageId": "m", "MD5OfMessageBody": digest(body)}))
        }
        _ => (1, json!({"MessageId": "m", "MD5OfMessageBody": any})),
    };
    (count, answer.to_string().into())
}

fn digest(body: &RawValue) -> String {
    let body: String = serde_json::from_str(body.get()).unwrap_or_default();
    Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put_events(request: &Bytes) -> (usize, Bytes) {
    let request: serde_json::Value = serde_json::from_slice(request).unwrap_or_default();
    let count = request.get("Entries").and_then(|entries| entries.as_array()).map_or(0, Vec::len);
    let entry = json!({"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"});
    (count, json!({"FailedEntryCount": 0, "Entries": vec![entry; count]}).to_string().into())
}

fn published(request: &Bytes) -> (usize, Bytes) {
    let request = String::from_utf8_lossy(request);
    let ids = request.split('&').filter_map(|field| field.split_once("=")).filter(|(name, _)| name.ends_with(".Id"));
    let members: Vec<_> =
        ids.map(|(_, id)| format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>")).collect();
    let answer = format!(
        "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult><Successful>{}\
         </Successful><Failed/></PublishBatchResult></PublishBatchResponse>",
        members.concat()
    );
    (members.len(), answer.into())
}

/// An answer with these headers.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: Bytes) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body)).unwrap_or_default()
}
