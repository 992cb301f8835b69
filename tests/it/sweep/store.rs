//! An S3 that lists, by HTTP, where single calls can hang or fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use percent_encoding::percent_decode_str;
use sagemaker_async_bridge::aws::Lazy;

use crate::http_client;

/// What a call takes.
const LATENCY: Duration = Duration::from_millis(5);
/// How many keys a page of the listing has.
const PAGE: usize = 50;

#[derive(Clone, Default)]
pub struct Store {
    /// By their keys.
    pub objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub calls: Arc<Mutex<Vec<String>>>,
    /// A method, and a folder or the end of a key: such a call never ends.
    pub hangs: Option<(&'static str, &'static str)>,
    /// Such a call is answered 403.
    pub denies: Option<(&'static str, &'static str)>,
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> HttpResponse {
    let body = body.into();
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(""));
    response.headers_mut().insert("content-length", body.len().to_string());
    response.headers_mut().insert("content-type", "application/json");
    // 2026-01-01: after the acceptance of every record here.
    response.headers_mut().insert("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    *response.body_mut() = SdkBody::from(body);
    response
}

impl Store {
    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.objects.lock().unwrap().insert(key.to_owned(), bytes.into());
    }

    /// The keys under a prefix.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.objects.lock().unwrap().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    pub fn text(&self, key: &str) -> String {
        String::from_utf8(self.objects.lock().unwrap()[key].clone()).unwrap()
    }

    /// The calls so far: `LIST pending/`, `GET output/x.out` and their like.
    pub fn calls(&self, method: &str) -> Vec<String> {
        self.calls.lock().unwrap().iter().filter(|call| call.starts_with(method)).cloned().collect()
    }

    pub fn client(&self) -> Lazy<aws_sdk_s3::Client> {
        let store = self.clone();
        http_client::s3_by_request(move |method, url, body| {
            let store = store.clone();
            async move { store.answer(&method, &url, body).await }
        })
    }

    async fn answer(self, method: &str, url: &str, body: Vec<u8>) -> HttpResponse {
        let rest = url.split_once(".amazonaws.com/").unwrap().1;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let key = percent_decode_str(path).decode_utf8().unwrap().into_owned();
        let is_listing = query.contains("list-type=2");
        let method = if is_listing { "LIST" } else { method };
        self.calls.lock().unwrap().push(format!("{method} {key}"));
        let is = |rule: Option<(&str, &str)>| {
            rule.is_some_and(|(of, part)| {
                of == method && (key.ends_with(part) || part.ends_with('/') && key.contains(part))
            })
        };
        if is(self.hangs) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LATENCY).await;
        if is(self.denies) {
            return answer(403, "<Error><Code>AccessDenied</Code></Error>");
        }
        match method {
            "LIST" => self.list(query),
            "PUT" => {
                self.put(&key, body);
                answer(200, "")
            }
            "DELETE" => {
                self.objects.lock().unwrap().remove(&key);
                answer(204, "")
            }
            _ => match self.objects.lock().unwrap().get(&key) {
                Some(_) if method == "HEAD" => answer(200, ""),
                Some(bytes) => answer(200, bytes.clone()),
                None if method == "HEAD" => answer(404, ""),
                None => answer(404, "<Error><Code>NoSuchKey</Code></Error>"),
            },
        }
    }

    fn list(&self, query: &str) -> HttpResponse {
        let value = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            percent_decode_str(value.unwrap_or_default()).decode_utf8().unwrap().into_owned()
        };
        let (prefix, after) = (value("prefix"), value("start-after"));
        let keys: Vec<String> = self.keys(&prefix).into_iter().filter(|key| *key > after).collect();
        let contents: String =
            keys.iter().take(PAGE).map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        let is_truncated = keys.len() > PAGE;
        answer(200, format!("<ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{contents}</ListBucketResult>"))
    }
}
