//! `submit` on `Prefer: wait`.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{Aws, only_sqs};
use crate::bucket::Bucket;
use crate::http_answers::{FAILURE, OUTPUT, answer, body, handler, post};
use crate::{event_with, http_client, submit_sqs};

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_gets_the_output_in_the_same_call() {
    let bucket = Bucket::default();
    bucket.put(OUTPUT, b"done", "text/plain", Instant::now() + Duration::from_secs(3));
    let submit = handler(&Aws::default(), &bucket, &[]);
    let start = Instant::now();
    let done = answer(&submit, &post("{}", &[("prefer", "respond-async, wait=15")])).await;
    assert_eq!((&done["statusCode"], &done["body"]), (&json!(200), &json!("done")));
    assert_eq!(done["headers"]["preference-applied"], "wait=15");
    assert_eq!(done["headers"]["x-amzn-sagemaker-outputlocation"], OUTPUT);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_is_told_of_a_failure() {
    let bucket = Bucket::default();
    bucket.put(FAILURE, b"no", "text/plain", Instant::now() + Duration::from_secs(3));
    let submit = handler(&Aws::default(), &bucket, &[]);
    let failed = answer(&submit, &post("{}", &[("prefer", "wait=15")])).await;
    assert_eq!((&failed["statusCode"], &body(&failed)["Message"]), (&json!(424), &json!("no")));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_time_and_its_requests_are_counted() {
    for (prefer, left, waited, requests) in [
        // Asked for, function's time left, seconds waited, GETs.
        ("wait=1", 60, 1, 8),
        ("wait=15", 60, 15, 21),
        ("wait=600", 60, 20, 24),
        ("wait=600", 12, 10, 17),
    ] {
        let bucket = Bucket::default();
        let submit = handler(&Aws::default(), &bucket, &[]);
        let start = Instant::now();
        let request = event_with(&post("{}", &[("prefer", prefer)]), Duration::from_secs(left));
        let answer = serde_json::to_value(submit.handle(request).await.unwrap()).unwrap();
        assert_eq!(start.elapsed().as_secs(), waited, "{prefer} {left}");
        assert_eq!(bucket.calls().len(), requests, "{prefer} {left}: {:?}", start.elapsed());
        assert_eq!(answer["statusCode"], 202);
        assert_eq!(answer["headers"]["preference-applied"], format!("wait={waited}"));
        assert!(answer["headers"]["location"].is_string());
        assert_eq!(
            (&body(&answer)["Status"], &body(&answer)["OutputLocation"]),
            (&json!("InProgress"), &json!(OUTPUT))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_who_did_not_ask_or_where_it_is_switched_off() {
    for (prefer, more) in
        [("", &[][..]), ("wait=soon", &[]), ("wait=0", &[]), ("wait=5", &[("BRIDGE_MAX_WAIT_SECONDS", "0")])]
    {
        let bucket = Bucket::default();
        let submit = handler(&Aws::default(), &bucket, more);
        let answer = answer(&submit, &post("{}", &[("prefer", prefer)])).await;
        assert_eq!((&answer["statusCode"], &answer["headers"]["preference-applied"]), (&json!(202), &Value::Null));
        assert_eq!(bucket.calls(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_invocation_stays_accepted_whatever_happens_while_waiting() {
    let bucket = Bucket::default();
    bucket.deny(Some("AccessDenied"));
    let submit = handler(&Aws::default(), &bucket, &[]);
    let answer = answer(&submit, &post("{}", &[("prefer", "wait=15")])).await;
    assert_eq!((&answer["statusCode"], &body(&answer)["InferenceId"]), (&json!(202), &json!("from-sagemaker")));
    assert!(answer["headers"]["location"].is_string());
    assert_eq!(answer["headers"]["preference-applied"], Value::Null, "it did not wait");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_holds_the_202_for_a_second_beyond_the_wait_at_most() {
    // From the first look on, from one in the middle, and in the last one.
    for from in [0, 1_000, 1_900].map(Duration::from_millis) {
        let start = Instant::now();
        let s3 = http_client::s3(move |_| async move {
            if start.elapsed() >= from {
                std::future::pending::<()>().await;
            }
            no_such_key()
        });
        let config = [("BRIDGE_OUTPUT_LOCATIONS", "s3://models-bucket/output/,s3://models-bucket/failure/")];
        let aws = Aws::default();
        let submit = Submit::with_clients(submit_sqs::config(&config), aws.sagemaker(), s3, &only_sqs(aws.sqs()));
        let request = event_with(&post("{}", &[("prefer", "wait=2")]), Duration::from_secs(30));
        let answer = serde_json::to_value(submit.handle(request).await.unwrap()).unwrap();
        assert!(start.elapsed() <= Duration::from_millis(3_100), "{from:?}: {:?}", start.elapsed());
        assert_eq!(answer["statusCode"], 202);
        assert_eq!(answer["headers"]["preference-applied"], "wait=2");
        assert!(answer["headers"]["location"].is_string());
    }
}

fn no_such_key() -> HttpResponse {
    let body = SdkBody::from("<Error><Code>NoSuchKey</Code></Error>");
    HttpResponse::new(StatusCode::try_from(404).unwrap(), body)
}
