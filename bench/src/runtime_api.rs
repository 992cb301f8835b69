//! Lambda's runtime API for one function process, an invocation at a time.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::{Method, Request, Response};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Result;
use crate::backend::response;
use crate::server::{Service, serve};

/// The function's timeout; nothing that is measured takes nearly as long, but for callgrind's runs.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Gives events to a function and takes its answers.
pub(crate) struct RuntimeApi {
    /// Host and port.
    pub(crate) address: String,
    events: UnboundedSender<Bytes>,
    calls: Receiver<FunctionCall>,
}

enum FunctionCall {
    /// The function asks for work.
    Next(Instant),
    /// It has answered, or failed: path and body.
    Answer(Instant, String, Bytes),
}

struct Api {
    events: Mutex<UnboundedReceiver<Bytes>>,
    calls: Sender<FunctionCall>,
}

impl RuntimeApi {
    /// An API on a free port.
    pub(crate) fn new(runtime: &Handle) -> Result<Self> {
        let (events, receiver) = unbounded_channel();
        let (sender, calls) = channel();
        let api = Api { events: Mutex::new(receiver), calls: sender };
        Ok(Self { address: serve(runtime, Arc::new(api), None)?, events, calls })
    }

    /// Waits until the function asks for work; gives the time when it did.
    pub(crate) fn ready(&self) -> Result<Instant> {
        match self.calls.recv_timeout(TIMEOUT)? {
            FunctionCall::Next(at) => Ok(at),
            FunctionCall::Answer(_, path, body) => Err(failure(&path, &body).into()),
        }
    }

    /// One invocation of a function that is ready: the time from the event's leaving to its answer's arrival. A function that
    /// fails makes every figure worthless, so that is an error.
    pub(crate) fn invoke(&self, event: Bytes) -> Result<Duration> {
        let start = Instant::now();
        self.events.send(event)?;
        let FunctionCall::Answer(end, path, body) = self.calls.recv_timeout(TIMEOUT)? else {
            return Err("the function asked for work twice".into());
        };
        if !path.ends_with("/response") || contains(&body, "itemIdentifier") || contains(&body, "\"Message\"") {
            return Err(failure(&path, &body).into());
        }
        self.ready()?;
        Ok(end - start)
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

fn failure(path: &str, body: &[u8]) -> String {
    format!("the function failed: {path} {}", String::from_utf8_lossy(body))
}

impl Service for Api {
    fn answer(self: Arc<Self>, request: Request<Bytes>) -> BoxFuture<'static, Response<Full<Bytes>>> {
        async move { if *request.method() == Method::GET { self.next().await } else { self.take(&request) } }.boxed()
    }
}

impl Api {
    async fn next(&self) -> Response<Full<Bytes>> {
        // Whoever measured may have gone already.
        let _ = self.calls.send(FunctionCall::Next(Instant::now()));
        let Some(event) = self.events.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
        let headers = [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
            ("lambda-runtime-deadline-ms", &deadline.as_millis().to_string()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
            ("content-type", "application/json"),
        ];
        response(200, &headers, event)
    }

    fn take(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let _ = self.calls.send(FunctionCall::Answer(Instant::now(), path, request.body().clone()));
        response(202, &[], Bytes::new())
    }
}
