//! The bare floor: the HTTP calls that the functions make, by the same HTTP client, and nothing besides. It signs nothing,
//! checks nothing, retries nothing and logs nothing.

use std::borrow::Cow;
use std::env::var;
use std::error::Error;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::Deserialize;
use serde_json::json;

const INLINE_LIMIT_BYTES: usize = 128_000;
const RESULT_BODY_LIMIT_BYTES: u64 = 262_144;
const CONCURRENCY: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Floor {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    backend: String,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<Record<'a>>>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(rename = "Body", borrow)]
    direct: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "messageId", borrow)]
    message_id: Option<&'a str>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(rename = "Sns")]
    sns: Option<Sns>,
    #[serde(rename = "eventSourceARN", borrow)]
    queue: Option<&'a str>,
}

#[derive(Deserialize)]
struct Sns {
    #[serde(rename = "Message")]
    message: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (api, backend) = (var("AWS_LAMBDA_RUNTIME_API")?, var("AWS_ENDPOINT_URL")?);
    let floor = Floor { client: client(backend.starts_with("https:"))?, backend };
    let invocation = format!("http://{api}/2018-06-01/runtime/invocation");
    loop {
        let next = floor.call(Request::get(format!("{invocation}/next")), Bytes::new()).await?;
        let id = next.headers().get("lambda-runtime-aws-request-id").ok_or("no request id")?.to_str()?.to_owned();
        let event = next.into_body().collect().await?.to_bytes();
        let answer = floor.handle(&event).await?;
        floor.read(Request::post(format!("{invocation}/{id}/response")), answer.into()).await?;
    }
}

fn client(tls: bool) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>> {
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions()?;
    // Reading the system's certificates takes most of a start: only where they are needed.
    let config = if tls { config.with_native_roots()? } else { config.with_root_certificates(RootCertStore::empty()) };
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let https = HttpsConnectorBuilder::new().with_tls_config(config.with_no_client_auth());
    let https = https.https_or_http().enable_http1().wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https))
}

impl Floor {
    async fn handle(&self, event: &[u8]) -> Result<String> {
        let event: Event = serde_json::from_slice(event)?;
        if let Some(body) = event.direct {
            let (_, answer) = self.invoke("direct", body).await?;
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
        let Some(records) = event.records else {
            let (_, answer) = self.invoke("gateway", event.body.unwrap_or_default()).await?;
            let body = String::from_utf8_lossy(&answer);
            return Ok(json!({"statusCode": 202, "headers": {}, "body": body}).to_string());
        };
        stream::iter(records)
            .map(|record| async move {
                match record.sns {
                    Some(sns) => self.pass_on(&sns.message).await,
                    None if record.queue.is_some_and(|queue| queue.ends_with(":notifications")) => {
                        self.pass_on(&record.body.unwrap_or_default()).await
                    }
                    None => self
                        .invoke(record.message_id.unwrap_or_default(), record.body.unwrap_or_default())
                        .await
                        .map(drop),
                }
            })
            .buffer_unordered(CONCURRENCY)
            .try_for_each(|()| async { Ok(()) })
            .await?;
        Ok(r#"{"batchItemFailures":[]}"#.to_owned())
    }

    async fn invoke(&self, id: &str, body: Cow<'_, str>) -> Result<(Response<()>, Bytes)> {
        let request = Request::post(format!("{}/endpoints/bench/async-invocations", self.backend))
            .header("x-amzn-sagemaker-content-type", "application/json")
            .header("x-amzn-sagemaker-inference-id", id);
        let body = Bytes::from(body.into_owned());
        if body.len() <= INLINE_LIMIT_BYTES {
            return self.read(request, body).await;
        }
        let path = format!("bucket/input/{id}");
        self.read(Request::put(format!("{}/{path}", self.backend)), body).await?;
        self.read(request.header("x-amzn-sagemaker-inputlocation", format!("s3://{path}")), Bytes::new()).await
    }

    async fn pass_on(&self, message: &str) -> Result<()> {
        let mut notification: serde_json::Value = serde_json::from_str(message)?;
        let location =
            notification.pointer("/responseParameters/outputLocation").and_then(|location| location.as_str());
        let path = location.and_then(|location| location.strip_prefix("s3://")).ok_or("no output location")?;
        let output = self.call(Request::get(format!("{}/{path}", self.backend)), Bytes::new()).await?.into_body();
        if output.size_hint().lower() <= RESULT_BODY_LIMIT_BYTES {
            let output = output.collect().await?.to_bytes();
            let body = json!({"content": String::from_utf8_lossy(&output), "encoding": "UTF8"});
            notification.as_object_mut().ok_or("no object")?.insert("responseBody".to_owned(), body);
        }
        let address = notification.pointer("/requestParameters/customAttributes").and_then(|address| address.as_str());
        let (kind, name) =
            address.and_then(|address| address.strip_prefix("bridge=")?.split_once(':')).unwrap_or_default();
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let (request, body) = self.reply(&kind, &name, notification.to_string());
        self.read(request, body.into()).await.map(drop)
    }

    /// The request that brings a result to a return address.
    fn reply(&self, kind: &str, name: &str, result: String) -> (hyper::http::request::Builder, String) {
        let to = |target| Request::post(&self.backend).header("x-amz-target", target);
        match (kind, name) {
            ("task", token) => {
                (to("AWSStepFunctions.SendTaskSuccess"), json!({"taskToken": token, "output": result}).to_string())
            }
            ("callback", id) => {
                let path = format!("2025-12-01/durable-execution-callbacks/{id}/succeed");
                (Request::post(format!("{}/{path}", self.backend)), result)
            }
            ("to", "answers") => {
                let result = percent_encode(result.as_bytes(), NON_ALPHANUMERIC);
                let entry = "PublishBatchRequestEntries.member.1";
                let body = format!("Action=PublishBatch&TopicArn={name}&{entry}.Id=0&{entry}.Message={result}");
                (Request::post(&self.backend), body)
            }
            ("to", "pipeline") => {
                let entry = json!({"EventBusName": name, "Source": "s", "DetailType": "t", "Detail": result});
                (to("AWSEvents.PutEvents"), json!({"Entries": [entry]}).to_string())
            }
            _ => {
                let entries = [json!({"Id": "0", "MessageBody": result})];
                let body = json!({"QueueUrl": "results", "Entries": entries}).to_string();
                (to("AmazonSQS.SendMessageBatch"), body)
            }
        }
    }

    async fn call(&self, request: hyper::http::request::Builder, body: Bytes) -> Result<Response<Incoming>> {
        Ok(self.client.request(request.body(Full::new(body))?).await?)
    }

    async fn read(&self, request: hyper::http::request::Builder, body: Bytes) -> Result<(Response<()>, Bytes)> {
        let (parts, body) = self.call(request, body).await?.into_parts();
        if !parts.status.is_success() {
            return Err(format!("status {}", parts.status).into());
        }
        Ok((Response::from_parts(parts, ()), body.collect().await?.to_bytes()))
    }
}
