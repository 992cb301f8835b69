//! `collect` on batches of which something hangs or takes long: what becomes of the others, and when. On tokio's paused clock.

mod memory;
mod too_large;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use sagemaker_async_bridge::collect::Collect;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::only_sqs;
use crate::collect_result::{self, RAW};
use crate::http_client;
use crate::results_queue::ResultsQueue;
use crate::submit_sqs::failures;
use crate::{event, sample};

const FETCH: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_secs(55);
/// How long a result may wait for others to share its call, and a little more.
const LINGER: Duration = Duration::from_millis(30);

fn queue() -> ResultsQueue {
    ResultsQueue { latency: Duration::from_millis(8), ..ResultsQueue::default() }
}

/// A notification whose message id, inference id and output's name are `name`.
fn record(name: &str) -> Value {
    let mut notification = sample("notifications/completed.json");
    notification["inferenceId"] = json!(name);
    notification["responseParameters"]["outputLocation"] = json!(format!("s3://models-bucket/output/{name}.out"));
    json!({"messageId": name, "body": notification.to_string()})
}

fn batch(names: &[&str]) -> Value {
    let records: Vec<Value> = names.iter().map(|name| record(name)).collect();
    json!({"Records": records})
}

/// A hundred notifications, of which one for each of `special` has that name.
fn hundred(special: &[&str]) -> Value {
    let others = (special.len()..100).map(|n| format!("n{n}"));
    let names = special.iter().map(|name| (*name).to_owned()).chain(others);
    json!({"Records": names.map(|name| record(&name)).collect::<Vec<_>>()})
}

/// S3, where an output's name tells how it is. `hangs`: it never comes. `late`: it comes shortly before the deadline. `large`: it is
/// more than a result carries, and its copy takes 20 s.
async fn s3(url: String) -> HttpResponse {
    if url.contains("hangs") {
        std::future::pending::<()>().await;
    }
    if url.contains("/results/") {
        tokio::time::sleep(Duration::from_secs(20)).await;
        return http_client::ok("<CopyObjectResult></CopyObjectResult>");
    }
    tokio::time::sleep(if url.contains("late") { LATE } else { FETCH }).await;
    let mut response = http_client::ok("{}");
    if url.contains("large") {
        response.headers_mut().insert("content-length", "300000");
    }
    response
}

/// What comes back of a batch.
async fn returned(queue: &ResultsQueue, more: &[(&str, &str)], batch: &Value) -> BTreeSet<String> {
    let collect = Collect::with_clients(collect_result::config(more), http_client::s3(s3), &only_sqs(queue.client()));
    let answer = collect.handle(event(batch)).await.unwrap();
    failures(&serde_json::to_value(answer).unwrap()).into_iter().collect()
}

/// The inference id that a message of the queue tells of.
fn inference_id(entry: &Value) -> String {
    entry["MessageAttributes"]["InferenceId"]["StringValue"].as_str().unwrap().to_owned()
}

fn ids<'a>(entries: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    entries.into_iter().map(inference_id).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_fast_notifications_take_ten_calls() {
    let queue = queue();
    assert_eq!(returned(&queue, &[], &hundred(&[])).await, set(&[]));
    assert_eq!((queue.calls().len(), queue.taken().len()), (10, 100));
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_notifications_one_of_which_hangs_the_others_are_on_the_queue_as_soon_as_without_it() {
    let (start, without) = (Instant::now(), queue());
    returned(&without, &[], &hundred(&[])).await;
    let whole = without.taken()[99].0 - start;

    let (start, with) = (Instant::now(), queue());
    assert_eq!(returned(&with, &[], &hundred(&["hangs"])).await, set(&["hangs"]));
    let taken = with.taken();
    assert_eq!(taken.len(), 99);
    assert!(taken[98].0 - start <= whole + LINGER, "{:?}, without it {whole:?}", taken[98].0 - start);
    assert!(with.calls().len() <= 11, "{} calls", with.calls().len());
}

#[tokio::test(start_paused = true)]
async fn forty_hanging_fetches_hold_up_the_other_sixty_for_a_second_at_most() {
    let names: Vec<String> = (0..40).map(|n| format!("hangs{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (start, queue) = (Instant::now(), queue());
    assert_eq!(returned(&queue, &[], &hundred(&names)).await, set(&names));
    let taken = queue.taken();
    assert_eq!(taken.len(), 60);
    assert!(taken[59].0 - start < Duration::from_secs(2), "{:?}", taken[59].0 - start);
}

#[tokio::test(start_paused = true)]
async fn of_two_hanging_calls_only_their_own_messages_come_back() {
    let (start, queue) = (Instant::now(), ResultsQueue { hanging_calls: 2, ..queue() });
    let back = returned(&queue, &[], &hundred(&[])).await;
    let hung = queue.under_way();
    assert_eq!(back, ids(&hung));
    assert_eq!(back.len(), 20);
    let taken = queue.taken();
    assert_eq!(taken.len(), 80);
    assert!(taken[79].0 - start < Duration::from_secs(1), "{:?}", taken[79].0 - start);
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_twenty_seconds_does_not_hold_up_three_small_results() {
    let (start, queue) = (Instant::now(), queue());
    let batch = batch(&["a", "large", "b", "c"]);
    assert_eq!(returned(&queue, &RAW, &batch).await, set(&[]));
    let taken = queue.taken();
    assert_eq!(ids(taken[..3].iter().map(|(_, entry)| entry)), set(&["a", "b", "c"]));
    assert!(taken[2].0 - start < Duration::from_secs(1), "{:?}", taken[2].0 - start);
    assert_eq!((inference_id(&taken[3].1).as_str(), queue.calls().len()), ("large", 2));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_comes_late_is_sent_in_time_though_another_never_comes() {
    let (start, queue) = (Instant::now(), queue());
    assert_eq!(returned(&queue, &[], &batch(&["late", "hangs"])).await, set(&["hangs"]));
    let [(when, late)] = &queue.taken()[..] else { panic!("{} messages", queue.taken().len()) };
    assert_eq!(inference_id(late), "late");
    assert!(*when - start < LATE + Duration::from_secs(1), "{:?}", *when - start);
}

#[tokio::test(start_paused = true)]
async fn of_five_hanging_calls_of_a_megabyte_only_their_own_messages_come_back() {
    let (start, queue) = (Instant::now(), ResultsQueue { hanging_calls: 5, ..queue() });
    let s3 = http_client::s3(async |_| {
        tokio::time::sleep(FETCH).await;
        http_client::ok("x".repeat(250_000))
    });
    let collect = Collect::with_clients(collect_result::config(&[]), s3, &only_sqs(queue.client()));
    let answer = collect.handle(event(&hundred(&[]))).await.unwrap();
    let back: BTreeSet<String> = failures(&serde_json::to_value(answer).unwrap()).into_iter().collect();
    assert_eq!(back, ids(&queue.under_way()));
    assert_eq!((back.len(), queue.taken().len()), (20, 80));
    let last = queue.taken()[79].0 - start;
    assert!(last < Duration::from_secs(3), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn no_call_is_begun_when_nobody_waits_for_its_answer() {
    let (begin, begun) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&begun);
    let sqs = http_client::sqs_by_operation(move |_, _| {
        seen.lock().unwrap().push(begin.elapsed());
        async {
            std::future::pending::<()>().await;
            http_client::ok("")
        }
    });
    let s3 = http_client::s3(async |_| http_client::ok("x".repeat(250_000)));
    let collect = Collect::with_clients(collect_result::config(&[]), s3, &only_sqs(sqs));
    let answer = collect.handle(event(&hundred(&[]))).await.unwrap();
    assert_eq!(failures(&serde_json::to_value(answer).unwrap()).len(), 100);
    let begun = begun.lock().unwrap();
    assert!(!begun.is_empty() && begun.iter().all(|at| *at < Duration::from_secs(59)), "{begun:?}");
}
