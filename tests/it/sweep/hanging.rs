//! A call that hangs costs its own request, and no other.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::*;
use crate::submit_sqs::failures;

const SECOND: Duration = Duration::from_secs(1);

/// A message with the notification of a request that is remembered.
fn notification(store: &Store, n: usize, custom_attributes: &str) -> Value {
    let id = format!("id{n}");
    let pair = if custom_attributes.is_empty() { "bridge=" } else { custom_attributes };
    let separator = if custom_attributes.is_empty() { "" } else { ";" };
    let pair = format!("{pair}{separator}pending:{}", later(n));
    remember(store, &later(n), &id, &pair);
    let mut notification = sample("notifications/completed-with-body.json");
    notification["inferenceId"] = json!(id);
    notification["requestParameters"]["endpointName"] = json!("summarizer");
    notification["requestParameters"]["customAttributes"] = json!(pair);
    json!({"messageId": id, "body": notification.to_string()})
}

async fn collect(store: &Store, queues: &Queues, records: &[Value]) -> Vec<String> {
    let answer = handler(store, queues, &[]).handle(event(&json!({"Records": records}))).await.unwrap();
    failures(&serde_json::to_value(answer).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_forgotten_when_its_result_is_sent_and_not_before() {
    let (store, queues) = (Store::default(), Queues { refuses: Some("team-b"), ..Queues::default() });
    let records = [
        notification(&store, 1, ""),
        notification(&store, 2, "bridge=to:none"),
        notification(&store, 3, "bridge=to:team-b"),
        notification(&store, 4, "bridge=task:gone"),
    ];
    assert_eq!(collect(&store, &queues, &records).await, ["id3"]);
    assert_eq!(store.keys("pending/"), [format!("pending/{}", later(3))]);
    assert_eq!(store.calls("DELETE").len(), 3, "one DELETE a result");
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_hangs_or_fails_holds_up_no_result_and_loses_none() {
    let queues = Queues::default();
    for store in [
        Store { hangs: Some(("DELETE", "pending/")), ..Store::default() },
        Store { denies: Some(("DELETE", "pending/")), ..Store::default() },
    ] {
        let records: Vec<Value> = (0..100).map(|n| notification(&store, n, "")).collect();
        let start = Instant::now();
        assert!(collect(&store, &queues, &records).await.is_empty(), "all results are sent");
        assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
        assert_eq!(store.keys("pending/").len(), 100, "the sweep sends them once more");
    }
    assert_eq!(queues.of("results").len(), 200);
}

#[tokio::test(start_paused = true)]
async fn one_delete_that_hangs_leaves_the_others_to_be_made() {
    let store = Store { hangs: Some(("DELETE", "0000007")), ..Store::default() };
    let queues = Queues::default();
    let records: Vec<Value> = (0..100).map(|n| notification(&store, n, "")).collect();
    assert!(collect(&store, &queues, &records).await.is_empty());
    assert_eq!(store.keys("pending/"), [format!("pending/{}", later(7))]);
}

/// Sweeps 200 requests of which some hang; gives the seconds until all others are sent.
async fn swept(store: &Store, queues: &Queues) -> (BTreeSet<String>, Duration) {
    for n in 0..200 {
        let id = if n == 3 { "hangs".to_owned() } else { format!("id{n}") };
        remember(store, &key(n), &id, "");
        if n % 2 == 0 {
            store.put(&format!("output/{id}.out"), "short");
        }
    }
    let start = Instant::now();
    sweep(store, queues).await;
    let last = queues.last().unwrap() - start;
    (bodies(queues, "results").iter().map(|body| body["inferenceId"].as_str().unwrap().to_owned()).collect(), last)
}

#[tokio::test(start_paused = true)]
async fn a_look_a_mark_or_an_output_that_hangs_holds_up_no_other_request() {
    for (method, part, found) in [
        // The record itself, its output, its failure output.
        ("GET", "0000003", 199),
        ("HEAD", "output/hangs.out", 199),
        ("HEAD", "failure/hangs.out", 199),
        // What is written down for HTTP callers: the result does not depend on it.
        ("PUT", "0000003", 200),
        // The output of one that is completed.
        ("GET", "output/id4.out", 199),
    ] {
        let (store, queues) = (Store { hangs: Some((method, part)), ..Store::default() }, Queues::default());
        let (ids, last) = swept(&store, &queues).await;
        assert_eq!(ids.len(), found, "{method} {part}");
        assert!(last < 4 * SECOND, "{method} {part}: {last:?}");
        assert_eq!(store.keys("pending/2025").len(), 200 - found, "{method} {part}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_hangs_or_fails_ends_the_sweep_in_time_and_without_a_function_error() {
    for store in [
        Store { hangs: Some(("LIST", "")), ..Store::default() },
        Store { denies: Some(("LIST", "")), ..Store::default() },
    ] {
        let start = Instant::now();
        sweep(&store, &Queues::default()).await;
        assert!(start.elapsed() < 60 * SECOND, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_holds_up_no_other_however_many_of_its_requests_come_first() {
    let (store, queues) = (Store::default(), Queues { hangs: Some("team-a"), ..Queues::default() });
    for n in 0..600 {
        remember(&store, &key(n), &format!("a{n}"), "bridge=to:team-a");
    }
    for n in 600..800 {
        remember(&store, &key(n), &format!("b{n}"), "bridge=to:team-b");
    }
    let start = Instant::now();
    sweep(&store, &queues).await;
    assert_eq!(queues.of("team-b").len(), 200);
    let last = queues.last().unwrap() - start;
    assert!(last < 10 * SECOND, "{last:?}");
    assert!(start.elapsed() < 60 * SECOND, "{:?}", start.elapsed());
    assert_eq!(store.keys("pending/2025").len(), 600, "the next sweep tries again");
}
