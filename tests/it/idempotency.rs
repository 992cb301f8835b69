//! `submit` invokes once what comes under one `Idempotency-Key`.

mod outcome;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::future::join_all;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{Aws, only_sqs};
use crate::bucket::{Bucket, Mishap};
use crate::deduplicate::redelivery;
use crate::http_answers::{answer, handler, post};
use crate::{http_client, submit_sqs};

pub const RECORDS: &str = "s3://models-bucket/idempotency/";

fn keyed(body: &str, key: &str) -> Value {
    post(body, &[("idempotency-key", key)])
}

fn error_type(answer: &Value) -> (&Value, &str) {
    (&answer["statusCode"], answer["headers"]["x-amzn-errortype"].as_str().unwrap_or_default())
}

/// Changes the one record that there is.
fn change(bucket: &Bucket, change: impl Fn(&mut Value)) {
    let [(location, text)] = &bucket.texts(RECORDS)[..] else { panic!("{:?}", bucket.texts(RECORDS)) };
    let mut record: Value = serde_json::from_str(text).unwrap();
    change(&mut record);
    bucket.put(location, record.to_string().as_bytes(), "application/json", Instant::now());
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Asserts that a request and its repetition are both accepted and invoke once, whatever mishaps S3's writes meet.
async fn assert_invoked_once(mishaps: &[Option<Mishap>]) {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    bucket.next_puts(mishaps);
    for _ in 0..2 {
        assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
    }
    assert_eq!(aws.invoked().len(), 1);
}

#[tokio::test]
async fn the_same_request_with_the_same_key_invokes_once_and_gets_the_same_answer() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    let first = answer(&submit, &keyed("{}", "order-4711")).await;
    let second = answer(&submit, &keyed("{}", "order-4711")).await;
    assert_eq!(first["statusCode"], 202);
    assert_eq!(first, second);
    assert_eq!(aws.invoked().len(), 1);
    let calls: Vec<String> = bucket.calls().iter().map(|call| call[..4].to_owned()).collect();
    assert_eq!(calls, ["PUT ", "PUT ", "PUT ", "GET "], "two requests for the first, two for a repetition");
    answer(&submit, &keyed("{}", "order-4712")).await;
    assert_eq!(aws.invoked().len(), 2, "another key is another request");
}

#[tokio::test]
async fn a_repetition_gets_the_first_location_although_the_claim_took_a_second() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    bucket.next_puts(&[Some(Mishap::TakesASecond)]);
    let first = answer(&submit, &keyed("{}", "k")).await;
    let second = answer(&submit, &keyed("{}", "k")).await;
    assert!(first["headers"]["location"].is_string(), "{first}");
    assert_eq!(first["headers"]["location"], second["headers"]["location"]);
}

/// A release that computed another would take each repetition of a request from before it for a different one.
#[tokio::test]
async fn a_request_without_a_return_address_has_the_fingerprint_that_it_always_had() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    answer(&handler(&aws, &bucket, &[]), &keyed("{}", "k")).await;
    let [(_, text)] = &bucket.texts(RECORDS)[..] else { panic!("{:?}", bucket.texts(RECORDS)) };
    let record: Value = serde_json::from_str(text).unwrap();
    assert_eq!(record["request"], "7e6c9f7570a5c5571a61f7744d6d557cc487d60d2360f9e9fbbb8e4fd54f731c");
}

#[tokio::test]
async fn a_different_request_with_the_same_key_is_refused() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[("BRIDGE_ALLOWED_ENDPOINTS", "asr")]);
    answer(&submit, &keyed("{}", "k")).await;
    let mut other_endpoint = keyed("{}", "k");
    other_endpoint["rawPath"] = json!("/endpoints/asr/async-invocations");
    let other_header = post("{}", &[("idempotency-key", "k"), ("x-amzn-sagemaker-filename", "a.out")]);
    let other_address = post("{}", &[("idempotency-key", "k"), ("x-bridge-reply-to", "none")]);
    for different in [keyed("{ }", "k"), other_endpoint, other_header, other_address] {
        let refused = answer(&submit, &different).await;
        assert_eq!(error_type(&refused), (&json!(422), "IdempotentParameterMismatchException"));
    }
    assert_eq!(aws.invoked().len(), 1);
}

#[tokio::test]
async fn two_callers_that_choose_the_same_key_do_not_meet() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    for (caller, expected) in [("AROAONE:a", 1), ("AROAONE:b", 1), ("AROATWO:a", 2)] {
        let mut request = keyed("{}", "k");
        request["requestContext"]["authorizer"] = json!({"iam": {"callerId": caller}});
        assert_eq!(answer(&submit, &request).await["statusCode"], 202);
        assert_eq!(aws.invoked().len(), expected, "{caller}");
    }
}

#[tokio::test]
async fn a_key_is_the_inference_id_unless_the_request_has_one() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    let long = "k".repeat(65);
    answer(&submit, &keyed("{}", "order-4711")).await;
    answer(&submit, &post("{}", &[("idempotency-key", "b"), ("x-amzn-sagemaker-inference-id", "mine")])).await;
    answer(&submit, &keyed("{}", &long)).await;
    let invoked = aws.invoked();
    let ids: Vec<&str> = invoked.iter().map(|input| input.inference_id().unwrap()).collect();
    // Python: hashlib.sha256(b"k" * 65).hexdigest()
    let sha256 = "f39cdc2584758c99cf81c1f41d2572f54e17066afffc9d187aeafe5f7cbe2122";
    assert_eq!(ids, ["order-4711", "mine", sha256]);
    assert!(bucket.texts(RECORDS).iter().all(|(location, _)| !location.contains("order")), "keys stand in no listing");
}

#[tokio::test]
async fn a_bad_key_is_refused_and_so_is_any_where_none_is_kept() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    for (key, status) in [
        ("k".repeat(255), 202),
        ("k".repeat(256), 400),
        ("käse".to_owned(), 400),
        (String::new(), 400),
        (" ".to_owned(), 400),
    ] {
        assert_eq!(answer(&submit, &keyed("{}", &key)).await["statusCode"], status, "{key}");
    }
    let overlapping = [("BRIDGE_IDEMPOTENCY_LOCATION", ""), ("BRIDGE_OUTPUT_LOCATIONS", "s3://models-bucket/")];
    let unset = handler(&aws, &bucket, &overlapping);
    let refused = answer(&unset, &keyed("{}", "k")).await;
    assert_eq!(error_type(&refused), (&json!(400), "ValidationError"));
    assert!(refused["body"].as_str().unwrap().contains("BRIDGE_IDEMPOTENCY_LOCATION"));
}

#[tokio::test]
async fn a_request_that_was_not_accepted_frees_its_key() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    for (body, status) in [("throttle", 429), ("refuse", 400), ("{}", 202), ("{}", 202)] {
        assert_eq!(answer(&submit, &keyed(body, "k")).await["statusCode"], status, "{body}");
    }
    assert_eq!(aws.invoked().len(), 1);
}

#[tokio::test]
async fn while_the_first_is_under_way_the_next_is_told_to_come_back() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    answer(&submit, &keyed("{}", "k")).await;
    change(&bucket, |record| {
        record.as_object_mut().unwrap().remove("answer");
        record["claimedBy"] = json!("another invocation");
        assert!(record["claimedUntil"].as_u64().unwrap() <= now_ms() + 30_000, "no longer than the gateway waits");
        // However long the test takes, the first has only just begun.
        record["claimedAt"] = json!(now_ms() + 600_000);
        record["claimedUntil"] = json!(now_ms() + 630_000);
    });
    let conflict = answer(&submit, &keyed("{}", "k")).await;
    assert_eq!(error_type(&conflict), (&json!(409), "ConflictException"));
    assert_eq!(conflict["headers"]["retry-after"], "1");
    assert_eq!(aws.invoked().len(), 1);

    // The first one died: its function's time is over.
    change(&bucket, |record| record["claimedUntil"] = json!(now_ms() - 1));
    assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
    assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
    assert_eq!(aws.invoked().len(), 2);
}

#[tokio::test]
async fn an_answer_is_forgotten_after_a_day() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    answer(&submit, &keyed("{}", "k")).await;
    for (hours, invoked) in [(23, 1), (25, 2)] {
        let then = now_ms() - hours * 3_600_000;
        change(&bucket, |record| record["claimedAt"] = json!(then));
        assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
        assert_eq!(aws.invoked().len(), invoked, "{hours} h");
    }
}

#[tokio::test]
async fn of_fifty_at_once_one_invokes_and_the_others_are_answered_or_told_to_come_back() {
    // The mocks answer at once; tests/e2e/test_once.py has callers that really meet.
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    let request = |n: u32| {
        let mut event = crate::event(&keyed("{}", "k"));
        event.context.request_id = format!("request-{n}");
        event
    };
    let answers = join_all((0..50).map(|n| submit.handle(request(n)))).await;
    let statuses: Vec<Value> = answers
        .into_iter()
        .map(|answer| serde_json::to_value(answer.unwrap()).unwrap()["statusCode"].clone())
        .collect();
    assert!(statuses.iter().all(|status| status == 202 || status == 409), "{statuses:?}");
    assert_eq!(aws.invoked().len(), 1);
    let repeated = serde_json::to_value(submit.handle(request(99)).await.unwrap()).unwrap();
    assert_eq!(repeated["statusCode"], 202);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_was_lost_or_that_met_another_write_is_made_all_the_same() {
    use Mishap::{AnswerLost, Conflict};
    for mishaps in [&[Some(AnswerLost)][..], &[Some(Conflict)], &[Some(Conflict), Some(AnswerLost)]] {
        assert_invoked_once(mishaps).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_take_over_whose_answer_was_lost_is_made_all_the_same() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    answer(&submit, &keyed("{}", "k")).await;
    change(&bucket, |record| {
        record.as_object_mut().unwrap().remove("answer");
        record["claimedBy"] = json!("another invocation");
        record["claimedUntil"] = json!(0);
    });
    bucket.next_puts(&[None, Some(Mishap::AnswerLost)]);
    for _ in 0..2 {
        assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
    }
    assert_eq!(aws.invoked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_recorded_although_the_first_write_of_it_failed() {
    use Mishap::{AnswerLost, Conflict};
    for mishaps in [&[None, Some(Conflict)][..], &[None, Some(AnswerLost)], &[None, Some(Conflict), Some(Conflict)]] {
        assert_invoked_once(mishaps).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_request_is_answered_so_whatever_becomes_of_its_record() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[("BRIDGE_DEDUPLICATE", "true")]);
    bucket.next_puts(&[None, Some(Mishap::Fails)]);
    assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 202);
    bucket.next_puts(&[Some(Mishap::Fails)]);
    assert_eq!(answer(&submit, &redelivery("1")).await, json!({"batchItemFailures": []}));
    assert_eq!(aws.invoked().len(), 2);
}

/// An S3 that takes a claim and then never answers again.
async fn hang_after_the_claim(count: Arc<AtomicUsize>) -> HttpResponse {
    if count.fetch_add(1, Ordering::Relaxed) > 0 {
        std::future::pending::<()>().await;
    }
    let mut answer = http_client::ok("");
    answer.headers_mut().insert("etag", "\"1\"");
    answer
}

#[tokio::test(start_paused = true)]
async fn an_accepted_request_is_answered_in_time_although_s3_hangs() {
    for (event, skipped) in [(keyed("{}", "k"), 0), (redelivery("1"), 1)] {
        let aws = Aws::default();
        let count = Arc::new(AtomicUsize::new(skipped));
        let s3 = http_client::s3(move |_| hang_after_the_claim(Arc::clone(&count)));
        let config = submit_sqs::config(&[("BRIDGE_DEDUPLICATE", "true")]);
        let submit = Submit::with_clients(config, aws.sagemaker(), s3, &only_sqs(aws.sqs()));
        let start = Instant::now();
        let answer = answer(&submit, &event).await;
        assert!(answer["statusCode"] == 202 || answer == json!({"batchItemFailures": []}), "{answer}");
        assert_eq!(aws.invoked().len(), 1);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn an_unusable_record_or_store_is_an_error_and_invokes_nothing() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    answer(&submit, &keyed("{}", "k")).await;
    let [(location, _)] = &bucket.texts(RECORDS)[..] else { panic!() };
    bucket.put(location, b"not JSON", "text/plain", Instant::now());
    assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], 500);
    for (code, status) in [("AccessDenied", 500), ("SlowDown", 429)] {
        bucket.deny(Some(code));
        assert_eq!(answer(&submit, &keyed("{}", "k")).await["statusCode"], status);
    }
    assert_eq!(aws.invoked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_that_waits_gets_the_output() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    answer(&submit, &keyed("{}", "k")).await;
    bucket.put(crate::http_answers::OUTPUT, b"done", "text/plain", Instant::now() + Duration::from_secs(2));
    let done = answer(&submit, &post("{}", &[("idempotency-key", "k"), ("prefer", "wait=9")])).await;
    assert_eq!((&done["statusCode"], &done["body"], aws.invoked().len()), (&json!(200), &json!("done"), 1));
}
