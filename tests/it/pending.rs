//! `submit` with `BRIDGE_PENDING_LOCATION`: what is accepted is remembered, and nothing else is.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::bucket::{Bucket, Mishap};
use crate::deduplicate::redelivery;
use crate::http_answers::{FAILURE, OUTPUT, accepted, answer, body, call, handler, post};
use crate::sample;

pub const PENDING: (&str, &str) = ("BRIDGE_PENDING_LOCATION", "s3://models-bucket/pending/");
const PREFIX: &str = "s3://models-bucket/pending/";

fn nothing_comes_back() -> Value {
    json!({"batchItemFailures": []})
}

/// The key and the record of the one request that is remembered.
fn remembered(bucket: &Bucket) -> (String, Value) {
    let [(location, text)] = &bucket.texts(PREFIX)[..] else { panic!("{:?}", bucket.texts(PREFIX)) };
    (location.strip_prefix(PREFIX).unwrap().to_owned(), serde_json::from_str(text).unwrap())
}

/// The minute of the key of a request that is accepted now and overdue after `seconds`.
fn minute_in(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let minutes = (now + seconds).div_ceil(60);
    let time = aws_smithy_types::DateTime::from_secs(i64::try_from(minutes * 60).unwrap());
    let text = time.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap();
    text.replace(['-', ':'], "").replace("00Z", "Z-")
}

/// Asserts that a key is of a request that was accepted between `earliest` and now, and is overdue after `seconds`.
#[track_caller]
fn assert_is_overdue_in(seconds: u64, key: &str, earliest: &str) {
    let latest = minute_in(seconds);
    assert!((earliest..=latest.as_str()).contains(&&key[..latest.len()]), "{key} {earliest} {latest}");
}

#[tokio::test]
async fn an_accepted_request_is_remembered_with_what_its_result_needs_and_without_its_payload() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING]);
    let mut batch = sample("submit/sqs-inline.json");
    batch["Records"][0]["body"] = json!("the payload");
    batch["Records"][0]["messageAttributes"] =
        json!({"CustomAttributes": {"dataType": "String", "stringValue": "accept_eula=true"}});
    let seconds = 21_600 + 900 + 600;
    let earliest = minute_in(seconds);
    assert_eq!(answer(&submit, &batch).await, nothing_comes_back());

    let (key, record) = remembered(&bucket);
    assert_is_overdue_in(seconds, &key, &earliest);
    let sent = aws.invoked()[0].custom_attributes().unwrap().to_owned();
    assert_eq!(sent, format!("accept_eula=true,bridge=pending:{key}"));
    assert_eq!(record["inferenceId"], "from-sagemaker");
    assert_eq!((&record["outputLocation"], &record["failureLocation"]), (&json!(OUTPUT), &json!(FAILURE)));
    let request = &record["requestParameters"];
    assert_eq!((&request["endpointName"], &request["customAttributes"]), (&json!("summarizer"), &json!(sent)));
    assert!(!record.to_string().contains("the payload"));
    assert_eq!(bucket.calls().len(), 1, "one PUT a request");
}

#[tokio::test]
async fn a_requests_own_times_and_the_grace_say_when_its_answer_is_overdue() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING, ("BRIDGE_ANSWER_GRACE_SECONDS", "120")]);
    let times = [("x-amzn-sagemaker-requestttlseconds", "60"), ("x-amzn-sagemaker-invocationtimeoutseconds", "30")];
    let seconds = 60 + 30 + 120;
    let earliest = minute_in(seconds);
    assert_eq!(answer(&submit, &post("{}", &times)).await["statusCode"], 202);
    assert_is_overdue_in(seconds, &remembered(&bucket).0, &earliest);
}

#[tokio::test]
async fn off_nothing_is_remembered_and_no_call_is_made() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    assert_eq!(answer(&submit, &sample("submit/sqs-inline.json")).await, nothing_comes_back());
    assert_eq!((bucket.calls().len(), aws.invoked()[0].custom_attributes()), (0, None));
}

#[tokio::test]
async fn what_sagemaker_does_not_accept_is_not_remembered() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING]);
    for payload in ["throttle", "refuse"] {
        let mut batch = sample("submit/sqs-inline.json");
        batch["Records"][0]["body"] = json!(payload);
        assert_ne!(answer(&submit, &batch).await, nothing_comes_back(), "{payload}");
    }
    assert!(bucket.calls().is_empty(), "{:?}", bucket.calls());
}

#[tokio::test]
async fn what_cannot_be_remembered_comes_back_and_is_never_rejected() {
    for code in ["InternalError", "AccessDenied", "EntityTooLarge", "SlowDown"] {
        let (aws, bucket) = (Aws::default(), Bucket::default());
        let submit = handler(&aws, &bucket, &[PENDING]);
        bucket.deny(Some(code));
        let back = answer(&submit, &sample("submit/sqs-inline.json")).await;
        assert_eq!(back["batchItemFailures"].as_array().unwrap().len(), 1, "{code}");
        assert!(aws.sent().is_empty(), "{code}: nobody is told Rejected");
        let status = answer(&submit, &post("{}", &[])).await["statusCode"].as_u64().unwrap();
        assert!([429, 500, 503].contains(&status), "{code}: {status}");
        bucket.deny(None);
        assert_eq!(answer(&submit, &redelivery("2")).await, nothing_comes_back(), "{code}");
        assert_eq!(bucket.texts(PREFIX).len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_deduplicated_message_counts_as_accepted_only_once_it_is_remembered() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING, ("BRIDGE_DEDUPLICATE", "true")]);
    bucket.next_puts(&[Some(Mishap::Fails)]);
    assert_ne!(answer(&submit, &redelivery("1")).await, nothing_comes_back());
    assert_eq!(answer(&submit, &redelivery("2")).await, nothing_comes_back());
    assert_eq!(answer(&submit, &redelivery("3")).await, nothing_comes_back());
    assert_eq!((aws.invoked().len(), bucket.texts(PREFIX).len()), (2, 1));
}

#[tokio::test]
async fn custom_attributes_that_leave_no_room_for_the_key_are_refused_by_how_much() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING]);
    let room = 1_024 - ",bridge=pending:".len() - 47;
    for (length, status) in [(room, 202), (room + 1, 400)] {
        let attributes = "a".repeat(length);
        let answer = answer(&submit, &post("{}", &[("x-amzn-sagemaker-custom-attributes", &attributes)])).await;
        assert_eq!(answer["statusCode"], status, "{answer}");
        if status == 400 {
            assert!(body(&answer)["Message"].as_str().unwrap().ends_with("SageMaker takes 1024: 1 too many"));
        }
    }
}

#[tokio::test]
async fn a_repetition_with_an_idempotency_key_gets_the_same_token() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING]);
    let request = post("{}", &[("idempotency-key", "once")]);
    let (first, second) = (answer(&submit, &request).await, answer(&submit, &request).await);
    assert_eq!(first["statusCode"], 202);
    assert_eq!(first["headers"]["location"], second["headers"]["location"]);
    assert_eq!((aws.invoked().len(), bucket.texts(PREFIX).len()), (1, 1));
}

/// The path of an invocation whose answer is overdue, and its key.
async fn overdue(submit: &sagemaker_async_bridge::submit::Submit, bucket: &Bucket) -> (String, String) {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use sha2::{Digest, Sha256};
    let path = accepted(submit).await;
    let (_, token) = path.rsplit_once('/').unwrap();
    let json = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()[6..].to_vec()).unwrap();
    let key = remembered(bucket).0;
    let past = format!("20200101T0000Z-{}", &key[15..]);
    let json = json.replace(&key, &past);
    let mut bytes = Sha256::digest(json.as_bytes())[..6].to_vec();
    bytes.extend(json.as_bytes());
    (format!("/invocations/{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)), past)
}

#[tokio::test]
async fn a_request_that_was_given_up_is_424_and_one_that_was_not_is_in_progress() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING]);
    let (path, key) = overdue(&submit, &bucket).await;
    assert_eq!(answer(&submit, &call("GET", &path)).await["statusCode"], 202);

    let given_up = format!("{PREFIX}unanswered/{key}");
    let bucket = bucket.with(&given_up, b"nothing came", "text/plain");
    let answered = answer(&submit, &call("GET", &path)).await;
    assert_eq!(
        (&answered["statusCode"], &answered["headers"]["x-amzn-errortype"]),
        (&json!(424), &json!("Unanswered"))
    );
    assert_eq!(body(&answered), json!({"Message": "nothing came"}));

    // An output that comes even later is there.
    let bucket = bucket.with(OUTPUT, b"late", "text/plain");
    assert_eq!(answer(&submit, &call("GET", &path)).await["statusCode"], 200);
    drop(bucket);
}

#[tokio::test]
async fn before_its_time_nobody_looks_whether_a_request_was_given_up() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[PENDING]);
    let path = accepted(&submit).await;
    let before = bucket.calls().len();
    assert_eq!(answer(&submit, &call("GET", &path)).await["statusCode"], 202);
    assert_eq!(bucket.calls()[before..], [format!("GET {OUTPUT}"), format!("GET {FAILURE}")]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_hangs_costs_its_own_message_and_no_other() {
    use crate::{aws::only_sqs, event_with, http_client};
    let puts = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let s3 = http_client::s3_by_request(move |_, _, _| {
        let is_first = puts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        async move {
            if is_first {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            http_client::ok("")
        }
    });
    let config = |name: &str| {
        let set =
            [("BRIDGE_ENDPOINT_NAME", "summarizer"), ("BRIDGE_INPUT_LOCATION", "s3://models-bucket/input/"), PENDING];
        set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    let config = sagemaker_async_bridge::config::SubmitConfig::from_lookup(config).unwrap();
    let aws = Aws::default();
    let submit =
        sagemaker_async_bridge::submit::Submit::with_clients(config, aws.sagemaker(), s3, &only_sqs(aws.sqs()));
    let record = |n: usize| {
        let mut record = sample("submit/sqs-inline.json")["Records"][0].clone();
        record["messageId"] = json!(format!("m{n}"));
        record
    };
    let batch = json!({"Records": (0..10).map(record).collect::<Vec<_>>()});
    // Shorter than the time after which the SDK tries again.
    let answer = submit.handle(event_with(&batch, Duration::from_secs(9))).await.unwrap();
    let back = serde_json::to_value(answer).unwrap();
    assert_eq!(back["batchItemFailures"].as_array().unwrap().len(), 1, "{back}");
}
