//! A key is free again at once only if it is certain that SageMaker accepted nothing.

use std::collections::VecDeque;
use std::io::Read;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_sdk_sagemakerruntime::Client;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{RECORDS, change, error_type, keyed, now_ms};
use crate::aws::{Aws, only_sqs};
use crate::bucket::{Bucket, Mishap};
use crate::http_answers::{answer, body, post};
use crate::{http_client, submit_sqs};

/// What becomes of one try of a call.
#[derive(Clone, Copy, Debug)]
enum Try {
    /// There is no answer, ever.
    Hangs,
    /// The connection breaks once the request has gone.
    Drops,
    /// A status and the name of SageMaker's error; a proxy knows of no such name.
    Answers(u16, &'static str),
    /// SageMaker accepts, and its answer cannot be read.
    Garbled,
}

use Try::{Answers, Drops, Garbled, Hangs};

const ACCEPTED: Try = Answers(202, "");
const THROTTLED: Try = Answers(400, "ThrottlingException");

/// A SageMaker that treats one try after the other like this, and accepts when there are no more.
#[derive(Clone)]
struct SageMaker {
    next: Arc<Mutex<VecDeque<Try>>>,
    calls: Arc<Mutex<usize>>,
}

impl SageMaker {
    fn new(tries: &[Try]) -> Self {
        Self { next: Arc::new(Mutex::new(tries.iter().copied().collect())), calls: Arc::default() }
    }

    fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    async fn answer(self) -> Result<HttpResponse, ConnectorError> {
        *self.calls.lock().unwrap() += 1;
        let next = self.next.lock().unwrap().pop_front();
        let (status, code, body) = match next.unwrap_or(ACCEPTED) {
            Hangs => std::future::pending().await,
            Drops => return Err(ConnectorError::io("connection reset by peer".into())),
            Garbled => (202, "", "<"),
            Answers(status, code) => (status, code, "{}"),
        };
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        if !code.is_empty() {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        Ok(response)
    }

    fn handler(&self, bucket: &Bucket) -> Submit {
        let sagemaker = self.clone();
        handler(bucket, http_client::sagemaker(move |_| sagemaker.clone().answer()))
    }
}

fn handler(bucket: &Bucket, sagemaker: Client) -> Submit {
    Submit::with_clients(submit_sqs::config(&[]), sagemaker, bucket.client(), &only_sqs(Aws::default().sqs()))
}

/// A client that speaks real HTTP to this port.
fn real_client(port: u16) -> Client {
    let connector = SharedHttpConnector::new(Connector::builder().build_http());
    let config = http_client::sagemaker(|_| async { http_client::ok("{}") })
        .config()
        .to_builder()
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

fn retry_after(answer: &Value) -> u64 {
    answer["headers"]["retry-after"].as_str().unwrap_or_default().parse().unwrap_or_else(|_| panic!("{answer}"))
}

/// In how many seconds the key is free, asked at any time between `begin` and now.
fn seconds_left_since(begin: u64, bucket: &Bucket) -> RangeInclusive<u64> {
    let [(_, record)] = &bucket.texts(RECORDS)[..] else { panic!() };
    let record: Value = serde_json::from_str(record).unwrap();
    let until = record["claimedUntil"].as_u64().unwrap();
    let [least, most] = [now_ms(), begin].map(|now| until.saturating_sub(now).div_ceil(1_000).max(1));
    least..=most
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_outcome_is_unknown_stays_claimed_until_nobody_can_be_at_work_on_it() {
    for (tries, status) in [
        (&[Hangs][..], 503),
        (&[Drops, Drops, Drops], 503),
        (&[Answers(502, ""), Answers(502, ""), Answers(502, "")], 503),
        (&[Answers(503, ""), Answers(503, ""), Answers(503, "")], 503),
        (&[Answers(504, ""), Answers(504, ""), Answers(504, "")], 503),
        (&[Answers(500, "InternalFailure"), Answers(500, "InternalFailure"), Answers(500, "InternalFailure")], 500),
        (&[Garbled], 500),
        (&[Drops, THROTTLED, THROTTLED], 429),
        (&[THROTTLED, Answers(504, ""), THROTTLED], 429),
        (&[Drops, Answers(400, "ValidationError")], 400),
        (&[THROTTLED, Hangs], 503),
    ] {
        let (sagemaker, bucket) = (SageMaker::new(tries), Bucket::default());
        let submit = sagemaker.handler(&bucket);
        let begin = now_ms();
        let first = answer(&submit, &keyed("{}", "k")).await;
        assert_eq!((&first["statusCode"], sagemaker.calls()), (&json!(status), tries.len()), "{tries:?}: {first}");
        assert!(seconds_left_since(begin, &bucket).contains(&retry_after(&first)), "{tries:?}: {first}");

        let begin = now_ms();
        change(&bucket, |record| record["claimedUntil"] = json!(begin + 600_000));
        let repeated = answer(&submit, &keyed("{}", "k")).await;
        assert_eq!(error_type(&repeated), (&json!(409), "ConflictException"), "{tries:?}: {repeated}");
        assert!(seconds_left_since(begin, &bucket).contains(&retry_after(&repeated)), "{tries:?}: {repeated}");
        assert!(body(&repeated)["Message"].as_str().unwrap().contains("may have been accepted"), "{repeated}");
        assert_eq!(sagemaker.calls(), tries.len(), "{tries:?}");

        change(&bucket, |record| record["claimedUntil"] = json!(now_ms() - 1));
        for _ in 0..2 {
            assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202, "{tries:?}");
        }
        assert_eq!(sagemaker.calls(), tries.len() + 1, "{tries:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_every_try_was_refused_is_free_at_once() {
    for (tries, status) in [
        (&[Answers(400, "ValidationError")][..], 400),
        (&[THROTTLED, THROTTLED, THROTTLED], 429),
        (&[Answers(429, "")], 429),
        (&[Answers(403, "ExpiredTokenException")], 500),
        (
            &[
                Answers(503, "ServiceUnavailable"),
                Answers(503, "ServiceUnavailable"),
                Answers(503, "ServiceUnavailable"),
            ],
            503,
        ),
    ] {
        let (sagemaker, bucket) = (SageMaker::new(tries), Bucket::default());
        let submit = sagemaker.handler(&bucket);
        let first = answer(&submit, &keyed("{}", "k")).await;
        assert_eq!((&first["statusCode"], sagemaker.calls()), (&json!(status), tries.len()), "{tries:?}: {first}");
        assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202, "{tries:?}");
        assert_eq!(sagemaker.calls(), tries.len() + 1, "{tries:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_accepted_in_the_end_is_answered_again() {
    let (sagemaker, bucket) = (SageMaker::new(&[Drops, ACCEPTED]), Bucket::default());
    let submit = sagemaker.handler(&bucket);
    for _ in 0..2 {
        assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
    }
    assert_eq!(sagemaker.calls(), 2, "two tries of one call");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_when_the_request_never_came_to_sagemaker() {
    let (sagemaker, bucket) = (SageMaker::new(&[]), Bucket::default());
    let submit = sagemaker.handler(&bucket);
    let large = post(&"x".repeat(128_001), &[("idempotency-key", "k")]);
    bucket.next_puts(&[None, Some(Mishap::Fails)]);
    assert_eq!(answer(&submit, &large).await["statusCode"], 500, "the upload failed");
    assert_eq!((sagemaker.calls(), answer(&submit, &large).await["statusCode"].clone()), (0, json!(202)));
}

#[tokio::test]
async fn a_key_is_free_when_no_connection_could_be_made() {
    let (nobody, bucket) = (TcpSocket::new_v4().unwrap(), Bucket::default());
    // Bound, and so nobody else's; but it does not listen.
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nobody.local_addr().unwrap().port();
    let refused = answer(&handler(&bucket, real_client(port)), &keyed("{}", "k")).await;
    assert_eq!((&refused["statusCode"], &refused["headers"]["retry-after"]), (&json!(503), &json!("5")), "{refused}");
    let again = answer(&SageMaker::new(&[]).handler(&bucket), &keyed("{}", "k")).await;
    assert_eq!(again["statusCode"], 202, "{again}");
}

#[tokio::test]
async fn a_key_stays_claimed_when_the_connection_breaks_after_the_request() {
    let (listener, bucket) = (TcpListener::bind("127.0.0.1:0").unwrap(), Bucket::default());
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.read(&mut [0; 65_536]).unwrap()
    });
    let broken = answer(&handler(&bucket, real_client(port)), &keyed("{}", "k")).await;
    assert_eq!(broken["statusCode"], 503, "{broken}");
    assert!(server.join().unwrap() > 0, "the request had gone");
    let again = answer(&SageMaker::new(&[]).handler(&bucket), &keyed("{}", "k")).await;
    assert_eq!(error_type(&again), (&json!(409), "ConflictException"), "{again}");
}

#[tokio::test]
async fn a_first_request_that_takes_long_is_asked_after_less_often() {
    let bucket = Bucket::default();
    let submit = SageMaker::new(&[]).handler(&bucket);
    answer(&submit, &keyed("{}", "k")).await;
    for (gone_ms, left_ms, expected) in [(200, 600_000, 1), (7_500, 600_000, 7), (900_000, 602_500, 603)] {
        let begin = now_ms();
        change(&bucket, |record| {
            record.as_object_mut().unwrap().remove("answer");
            record["claimedBy"] = json!("another invocation");
            record["claimedAt"] = json!(begin - gone_ms);
            record["claimedUntil"] = json!(begin + left_ms);
        });
        let conflict = answer(&submit, &keyed("{}", "k")).await;
        // As many seconds as it has taken, 1 at least, and no more than are left. Some may have passed since `begin`.
        let gone = (gone_ms + now_ms() - begin) / 1_000;
        let left = *seconds_left_since(begin, &bucket).start();
        let now_expected = gone.clamp(1, left);
        let range = expected.min(now_expected)..=expected.max(now_expected);
        assert_eq!(conflict["statusCode"], 409, "{conflict}");
        assert!(range.contains(&retry_after(&conflict)), "{range:?} {conflict}");
        assert!(body(&conflict)["Message"].as_str().unwrap().contains("still being accepted"), "{conflict}");
    }
}
