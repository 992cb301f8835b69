//! `collect` fetches and sends side by side: what hangs costs its own notifications alone, and calls are shared.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use sagemaker_async_bridge::aws::Lazy;
use sagemaker_async_bridge::collect::Collect;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::aws::Aws;
use crate::{collect_result, event, event_with, http_client, sample, submit_sqs};

/// What the template gives the function.
const LEFT: Duration = Duration::from_secs(60);
const FETCH: Duration = Duration::from_millis(200);
const SEND: Duration = Duration::from_millis(100);

/// A call of SendMessageBatch that SQS has answered: when, and the inference ids of its results.
type Calls = Arc<Mutex<Vec<(Instant, Vec<String>)>>>;

fn record(id: &str) -> Value {
    let mut notification = sample("notifications/completed.json");
    notification["inferenceId"] = json!(id);
    notification["responseParameters"]["outputLocation"] = json!(format!("s3://models-bucket/output/{id}.out"));
    json!({"messageId": id, "body": notification.to_string()})
}

fn batch(ids: impl IntoIterator<Item = String>) -> Value {
    let records: Vec<Value> = ids.into_iter().map(|id| record(&id)).collect();
    json!({"Records": records})
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("n{number}"))
}

/// S3 that takes `FETCH` to answer, and never answers for an object whose key holds `hangs`.
async fn fetched(url: String) -> HttpResponse {
    sleep(FETCH).await;
    if url.contains("hangs") {
        pending::<()>().await;
    }
    http_client::ok("{}")
}

fn inference_ids(input: &Value) -> Vec<String> {
    let entries = input["Entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["MessageAttributes"]["InferenceId"]["StringValue"].as_str().unwrap().to_owned()).collect()
}

fn all_taken(input: &Value) -> HttpResponse {
    let entries = input["Entries"].as_array().unwrap().iter();
    let taken: Vec<Value> =
        entries.map(|entry| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"})).collect();
    http_client::ok(json!({"Successful": taken, "Failed": []}).to_string())
}

/// SQS that takes `SEND` to answer, and never answers its first `hanging` calls. Those are remembered in `hung`, the others in `calls`.
fn sqs(calls: &Calls, hung: &Calls, hanging: usize) -> Lazy<aws_sdk_sqs::Client> {
    let (calls, hung) = (Arc::clone(calls), Arc::clone(hung));
    http_client::sqs_by_operation(move |_, input| {
        let (calls, hung) = (Arc::clone(&calls), Arc::clone(&hung));
        async move {
            let is_hanging = {
                let mut hung = hung.lock().unwrap();
                let is_hanging = hung.len() < hanging;
                if is_hanging {
                    hung.push((Instant::now(), inference_ids(&input)));
                }
                is_hanging
            };
            if is_hanging {
                pending::<()>().await;
            }
            sleep(SEND).await;
            calls.lock().unwrap().push((Instant::now(), inference_ids(&input)));
            all_taken(&input)
        }
    })
}

/// The ids of the messages that come back.
async fn returned(collect: &Collect, batch: &Value) -> Vec<String> {
    let answer = collect.handle(event_with(batch, LEFT)).await.unwrap();
    submit_sqs::failures(&serde_json::to_value(answer).unwrap())
}

/// How long it takes until the results of a batch are on the queue, and what comes back.
async fn time_to_send(ids: impl IntoIterator<Item = String>) -> (Duration, usize, Vec<String>) {
    let (calls, start) = (Calls::default(), Instant::now());
    let sqs = sqs(&calls, &Calls::default(), 0);
    let collect = Collect::with_clients(collect_result::config(&[]), http_client::s3(fetched), sqs);
    let returned = returned(&collect, &batch(ids)).await;
    let calls = calls.lock().unwrap();
    let last = calls.iter().map(|(at, _)| *at).max().unwrap();
    (last - start, calls.iter().map(|(_, ids)| ids.len()).sum(), returned)
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_notifications_one_of_which_hangs_ninety_nine_are_sent_as_fast_as_without_it() {
    let (without, sent, returned) = time_to_send(numbered(99)).await;
    assert_eq!((sent, returned.len()), (99, 0));
    let mut ids: Vec<String> = numbered(99).collect();
    ids.insert(3, "hangs".to_owned());
    let (with, sent, returned) = time_to_send(ids).await;
    assert_eq!((sent, returned), (99, vec!["hangs".to_owned()]));
    // The last ones wait a moment for a result that might share their call.
    assert!(with <= without + Duration::from_millis(20), "{with:?} instead of {without:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_hanging_sends_only_their_own_messages_come_back() {
    let (calls, hung) = (Calls::default(), Calls::default());
    let sqs = sqs(&calls, &hung, 2);
    let collect = Collect::with_clients(collect_result::config(&[]), http_client::s3(fetched), sqs);
    let start = Instant::now();
    let mut back = returned(&collect, &batch(numbered(100))).await;
    let mut expected: Vec<String> = hung.lock().unwrap().iter().flat_map(|(_, ids)| ids.clone()).collect();
    back.sort_unstable();
    expected.sort_unstable();
    assert_eq!(back, expected);
    assert!(back.len() <= 20, "{back:?}");
    let calls = calls.lock().unwrap();
    assert_eq!(calls.iter().map(|(_, ids)| ids.len()).sum::<usize>(), 100 - back.len());
    assert!(calls.iter().all(|(at, _)| *at - start < Duration::from_secs(2)), "the neighbours do not wait");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_results_that_are_quickly_there_share_some_ten_calls() {
    let calls = Calls::default();
    let sqs = sqs(&calls, &Calls::default(), 0);
    let collect = Collect::with_clients(collect_result::config(&[]), http_client::s3(fetched), sqs);
    assert!(returned(&collect, &batch(numbered(100))).await.is_empty());
    let calls = calls.lock().unwrap().len();
    assert!((10..=14).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_takes_its_time_holds_back_no_smaller_result() {
    let calls = Calls::default();
    let s3 = http_client::s3(async |url: String| {
        if url.contains("/results/") {
            sleep(Duration::from_secs(20)).await;
            return http_client::ok("<CopyObjectResult></CopyObjectResult>");
        }
        http_client::ok(if url.contains("large") { "more than ten bytes" } else { "small" })
    });
    let config =
        collect_result::config(&[collect_result::RAW.as_slice(), &[("BRIDGE_RESULT_BODY_LIMIT_BYTES", "10")]].concat());
    let collect = Collect::with_clients(config, s3, sqs(&calls, &Calls::default(), 0));
    let start = Instant::now();
    let ids = ["large", "a", "b", "c"].map(String::from);
    assert!(returned(&collect, &batch(ids)).await.is_empty());
    let calls = calls.lock().unwrap();
    let sent: Vec<(u64, usize)> = calls.iter().map(|(at, ids)| ((*at - start).as_secs(), ids.len())).collect();
    assert_eq!(sent, [(0, 3), (20, 1)]);
}

#[tokio::test(start_paused = true)]
async fn fetches_that_hang_do_not_keep_the_memory_that_others_need() {
    let calls = Calls::default();
    let config = collect_result::config(&[("BRIDGE_RESULT_BODY_LIMIT_BYTES", "1000000")]);
    let collect = Collect::with_clients(config, http_client::s3(fetched), sqs(&calls, &Calls::default(), 0));
    let start = Instant::now();
    let hanging = (0..20).map(|number| format!("hangs{number}"));
    let back = returned(&collect, &batch(hanging.chain(numbered(5)))).await;
    assert!(back.len() == 20 && back.iter().all(|id| id.starts_with("hangs")), "{back:?}");
    let calls = calls.lock().unwrap();
    assert_eq!(calls.iter().map(|(_, ids)| ids.len()).sum::<usize>(), 5);
    assert!(calls.iter().all(|(at, _)| *at - start < Duration::from_secs(5)), "the neighbours do not wait");
}

/// SQS with a queue whose MaximumMessageSize lets bodies of `limit` bytes pass; what it took is remembered in `taken`.
fn small_queue(limit: usize, taken: &Arc<Mutex<Vec<Value>>>) -> Lazy<aws_sdk_sqs::Client> {
    let taken = Arc::clone(taken);
    http_client::sqs_by_operation(move |_, input| {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in input["Entries"].as_array().unwrap() {
            if entry["MessageBody"].as_str().unwrap().len() > limit {
                let message = format!(
                    "One or more parameters cannot be validated. Reason: Message must be shorter than {limit} bytes."
                );
                failed.push(json!({"Id": entry["Id"], "SenderFault": true, "Code": "InvalidParameterValue", "Message": message}));
            } else {
                taken.lock().unwrap().push(entry.clone());
                successful.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"}));
            }
        }
        let answer = json!({"Successful": successful, "Failed": failed}).to_string();
        async move { http_client::ok(answer) }
    })
}

#[tokio::test]
async fn a_result_too_large_for_the_users_queue_is_sent_without_its_output() {
    let long = "x".repeat(2_000);
    for (more, limit) in [(&[][..], 1_500), (&collect_result::RAW[..], 1_500)] {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let output = long.clone();
        let s3 = http_client::s3(move |url: String| {
            let answer = if url.contains("/results/") {
                "<CopyObjectResult></CopyObjectResult>".to_owned()
            } else if url.contains("large") {
                output.clone()
            } else {
                "small".to_owned()
            };
            async move { http_client::ok(answer) }
        });
        let collect = Collect::with_clients(collect_result::config(more), s3, small_queue(limit, &taken));
        assert!(returned(&collect, &batch(["large", "small"].map(String::from))).await.is_empty());
        let taken = taken.lock().unwrap();
        assert_eq!(taken.len(), 2, "{taken:?}");
        let id = |entry: &&Value| entry["MessageAttributes"]["InferenceId"]["StringValue"] == "large";
        let body: Value =
            serde_json::from_str(taken.iter().find(id).unwrap()["MessageBody"].as_str().unwrap()).unwrap();
        if more.is_empty() {
            assert_eq!(
                (&body["responseBody"], &body["responseParameters"]["contentLength"]),
                (&Value::Null, &json!(2_000))
            );
        } else {
            assert_eq!(body[0], "software.amazon.payloadoffloading.PayloadS3Pointer");
        }
    }
}

#[tokio::test]
async fn a_queue_that_takes_nothing_gives_the_notification_back() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let collect = Collect::with_clients(collect_result::config(&[]), http_client::s3(fetched), small_queue(10, &taken));
    assert_eq!(returned(&collect, &batch(["n".to_owned()])).await, ["n"]);
}

#[tokio::test]
async fn notifications_of_other_endpoints_are_acknowledged_without_a_look_at_s3() {
    let named = |name: Value| {
        let mut notification = sample("notifications/failed-with-location.json");
        notification["requestParameters"]["endpointName"] = name;
        json!({"messageId": "m", "body": notification.to_string()})
    };
    let allowed = [("BRIDGE_ALLOWED_ENDPOINTS", "Summarizer,asr")];
    for (name, more, is_passed_on) in [
        (json!("somebody-elses"), &allowed[..], false),
        (json!("summarizer"), &allowed[..], true),
        (json!("ASR"), &allowed[..], true),
        (json!(null), &allowed[..], true),
        (json!("somebody-elses"), &[][..], true),
    ] {
        let aws: Aws = collect_result::aws();
        let collect = collect_result::handler(&aws, more);
        let answer = collect.handle(event(&json!({"Records": [named(name.clone())]}))).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}), "{name}");
        assert_eq!(
            (aws.sent().len(), aws.fetched.lock().unwrap().len()),
            (usize::from(is_passed_on), usize::from(is_passed_on)),
            "{name}"
        );
    }
}
