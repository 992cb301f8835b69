//! `collect` with `BRIDGE_PENDING_LOCATION`: what is answered is forgotten, and what never was is found.

mod hanging;
mod store;

use std::sync::Arc;
use std::time::Duration;

use sagemaker_async_bridge::aws::Clients;
use sagemaker_async_bridge::collect::Collect;
use serde_json::{Value, json};

use crate::aws::{lazy, only_sqs};
use crate::pending::PENDING;
use crate::return_address::{Queues, ROUTES};
use crate::{collect_result, event, event_with, http_client, sample};
use store::Store;

/// A key of the year 2025, and one that is not overdue for a long time.
fn key(n: usize) -> String {
    format!("20251231T2359Z-{n:032x}")
}

fn later(n: usize) -> String {
    format!("29991231T2359Z-{n:032x}")
}

/// A record as `submit` writes it.
fn record(id: &str, custom_attributes: &str) -> String {
    json!({
        "acceptedAt": 1_767_000_000_000_u64,
        "inferenceId": id,
        "outputLocation": format!("s3://models-bucket/output/{id}.out"),
        "failureLocation": format!("s3://models-bucket/failure/{id}.out"),
        "requestParameters": {
            "endpointName": "summarizer", "contentType": "text/plain", "customAttributes": custom_attributes,
        },
    })
    .to_string()
}

fn remember(store: &Store, key: &str, id: &str, custom_attributes: &str) {
    store.put(&format!("pending/{key}"), record(id, custom_attributes));
}

fn handler(store: &Store, queues: &Queues, more: &[(&str, &str)]) -> Collect {
    let clients = Clients {
        sfn: Arc::new(lazy(http_client::sfn(async |_| http_client::refused("InvalidToken")))),
        lambda: Arc::new(lazy(http_client::lambda(async |_| http_client::refused("ResourceNotFoundException")))),
        ..only_sqs(queues.client())
    };
    let more = [&[PENDING, ROUTES, ("BRIDGE_ALLOWED_ENDPOINTS", "summarizer")], more].concat();
    Collect::with_clients(collect_result::config(&more), store.client(), &clients)
}

/// One run on the schedule.
async fn sweep(store: &Store, queues: &Queues) {
    let answer = handler(store, queues, &[]).handle(event(&sample("collect/scheduled-event.json"))).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), Value::Null);
}

/// The bodies of a queue's messages.
fn bodies(queues: &Queues, name: &str) -> Vec<Value> {
    let body = |entry: &Value| serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
    queues.of(name).iter().map(body).collect()
}

fn ids(bodies: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = bodies.iter().map(|body| body["inferenceId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(start_paused = true)]
async fn what_is_overdue_gets_the_result_that_its_notification_would_have_brought() {
    let (store, queues) = (Store::default(), Queues::default());
    remember(&store, &key(1), "done", &format!("a=b,bridge=pending:{}", key(1)));
    remember(&store, &key(2), "failed", &format!("bridge=to:team-a;pending:{}", key(2)));
    remember(&store, &key(3), "nothing", &format!("bridge=pending:{}", key(3)));
    remember(&store, &later(4), "running", "");
    store.put("output/done.out", "short");
    store.put("failure/failed.out", "bad prompt");
    sweep(&store, &queues).await;

    let results = bodies(&queues, "results");
    assert_eq!(ids(&results), ["done", "nothing"]);
    let done = results.iter().find(|result| result["inferenceId"] == "done").unwrap();
    assert_eq!((&done["invocationStatus"], &done["eventName"]), (&json!("Completed"), &json!("InferenceRecovered")));
    assert_eq!(done["responseBody"], json!({"content": "short", "encoding": "UTF8"}));
    assert_eq!(done["responseParameters"]["contentType"], "application/json");
    assert_eq!(done["requestParameters"]["customAttributes"], "a=b");
    assert_eq!(done["eventTime"], "2026-01-01T00:00:00.000Z");
    assert_eq!(done["receivedTime"], "2025-12-29T09:20:00.000Z");

    let nothing = results.iter().find(|result| result["inferenceId"] == "nothing").unwrap();
    assert_eq!(nothing["invocationStatus"], "Unanswered");
    assert_eq!(
        nothing["failureReason"],
        "SageMaker accepted the request at 2025-12-29T09:20:00.000Z, no notification had come by 2025-12-31T23:59:00.000Z, \
         and there is no object at s3://models-bucket/output/nothing.out or s3://models-bucket/failure/nothing.out"
    );
    assert_eq!(nothing["requestParameters"], json!({"endpointName": "summarizer", "contentType": "text/plain"}));
    assert_eq!(nothing["responseBody"], Value::Null);

    let team = bodies(&queues, "team-a");
    assert_eq!((&team[0]["invocationStatus"], &team[0]["eventName"]), (&json!("Failed"), &json!("InferenceRecovered")));
    assert_eq!(team[0]["responseBody"]["content"], "bad prompt");

    // What is done is forgotten, what is not overdue stays, and whoever asks for what was given up can know.
    let given_up = format!("pending/unanswered/{}", key(3));
    assert_eq!(store.keys("pending/"), [format!("pending/{}", later(4)), given_up.clone()]);
    assert_eq!(json!(store.text(&given_up)), nothing["failureReason"]);
    assert_eq!(store.calls("LIST").len(), 1);
    sweep(&store, &queues).await;
    assert_eq!(bodies(&queues, "results").len(), 2, "once is enough");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_nobody_wants_or_that_cannot_be_sent() {
    let (store, queues) = (Store::default(), Queues { refuses: Some("team-b"), ..Queues::default() });
    remember(&store, &key(1), "nobody", "bridge=to:none");
    remember(&store, &key(2), "refused", "bridge=to:team-b");
    remember(&store, &key(3), "task", "bridge=task:gone");
    sweep(&store, &queues).await;
    assert_eq!(ids(&bodies(&queues, "results")), ["task"], "no task waits any more");
    assert_eq!(store.keys("pending/2025"), [format!("pending/{}", key(2))], "the next sweep tries again");
}

#[tokio::test(start_paused = true)]
async fn a_task_fails_with_the_name_of_what_went_wrong() {
    let (store, queues) = (Store::default(), Queues::default());
    remember(&store, &key(1), "task", "bridge=task:waits");
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let calls = Arc::clone(&seen);
    let sfn = http_client::sfn(move |body| {
        calls.lock().unwrap().push(body);
        async { http_client::ok("{}") }
    });
    let clients = Clients { sfn: Arc::new(lazy(sfn)), ..only_sqs(queues.client()) };
    let collect = Collect::with_clients(collect_result::config(&[PENDING]), store.client(), &clients);
    collect.handle(event(&sample("collect/scheduled-event.json"))).await.unwrap();
    let call: Value = serde_json::from_str(&seen.lock().unwrap()[0]).unwrap();
    assert_eq!((&call["error"], &call["taskToken"]), (&json!("Unanswered"), &json!("waits")));
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_result_is_json_in_raw_format_too() {
    let (store, queues) = (Store::default(), Queues::default());
    remember(&store, &key(1), "nothing", "");
    let collect = handler(&store, &queues, &collect_result::RAW);
    collect.handle(event(&sample("collect/scheduled-event.json"))).await.unwrap();
    assert_eq!(bodies(&queues, "results")[0]["invocationStatus"], "Unanswered");
}

#[tokio::test(start_paused = true)]
async fn an_odd_record_stops_nothing_and_reaches_nothing() {
    let (store, queues) = (Store::default(), Queues::default());
    store.put(&format!("pending/{}", key(1)), "no JSON");
    store.put(&format!("pending/{}", key(2)), vec![b' '; 65_537]);
    store.put("pending/0", "not ours");
    let odd = |n, change: fn(&mut Value)| {
        let mut odd: Value = serde_json::from_str(&record(&format!("odd{n}"), "")).unwrap();
        change(&mut odd);
        store.put(&format!("pending/{}", key(n)), odd.to_string());
    };
    odd(3, |odd| odd["requestParameters"]["endpointName"] = json!("other"));
    odd(4, |odd| odd["outputLocation"] = json!("file:///etc/passwd"));
    // The record of another request, with its return address.
    odd(5, |odd| odd["outputLocation"] = json!(format!("s3://models-bucket/pending/{}", later(9))));
    remember(&store, &later(9), "secret", "bridge=task:secret");
    // A destination that is not configured, and the key of another request.
    let foreign = format!("bridge=to:stranger;pending:{}", later(9));
    remember(&store, &key(6), "stranger", &foreign);
    // What lay there before it is not its output.
    odd(7, |odd| odd["acceptedAt"] = json!(1_800_000_000_000_u64));
    store.put("output/odd7.out", "somebody else's");
    sweep(&store, &queues).await;

    let results = bodies(&queues, "results");
    assert_eq!(ids(&results), ["odd7", "stranger"]);
    assert!(results.iter().all(|result| result["invocationStatus"] == "Unanswered"), "{results:?}");
    let all = format!("{results:?}");
    assert!(!all.contains("secret") && !all.contains("somebody"), "{all}");
    assert!(store.keys("pending/").contains(&format!("pending/{}", later(9))), "it is another's");
    let left: Vec<String> = (1..=5).map(|n| format!("pending/{}", key(n))).collect();
    assert_eq!(store.keys("pending/2025"), left, "until the bucket's lifecycle takes them");
}

#[tokio::test(start_paused = true)]
async fn where_s3_does_not_say_what_is_there_nothing_is_called_unanswered() {
    let store = Store { denies: Some(("HEAD", "output/")), ..Store::default() };
    let queues = Queues::default();
    remember(&store, &key(1), "hidden", "");
    sweep(&store, &queues).await;
    assert!(queues.of("results").is_empty());
    assert_eq!(store.keys("pending/").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pages_are_swept_in_order_and_two_sweeps_at_once_do_no_harm() {
    let (store, queues) = (Store::default(), Queues::default());
    for n in 0..230 {
        remember(&store, &key(n), &format!("id{n:03}"), "");
    }
    let (collect, run) = (handler(&store, &queues, &[]), sample("collect/scheduled-event.json"));
    let (first, second) = tokio::join!(collect.handle(event(&run)), collect.handle(event(&run)));
    assert!(first.is_ok() && second.is_ok());
    let results = bodies(&queues, "results");
    let mut all: Vec<String> = ids(&results).into_iter().map(str::to_owned).collect();
    all.dedup();
    assert_eq!(all, (0..230).map(|n| format!("id{n:03}")).collect::<Vec<_>>());
    // What was sent twice is the same, word for word: who handles each result once handles it once.
    let mut texts: Vec<String> = results.iter().map(Value::to_string).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 230);
    assert!(store.keys("pending/2025").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_ends_in_time_and_the_next_one_goes_on() {
    let (store, queues) = (Store::default(), Queues::default());
    for n in 0..1_500 {
        remember(&store, &key(n), &format!("id{n}"), "");
    }
    let (start, mut sweeps) = (tokio::time::Instant::now(), 0);
    while !store.keys("pending/2025").is_empty() {
        let collect = handler(&store, &queues, &[]);
        let begin = tokio::time::Instant::now();
        let run = event_with(&sample("collect/scheduled-event.json"), Duration::from_secs(1));
        collect.handle(run).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        sweeps += 1;
        assert!(sweeps < 20, "{:?}", start.elapsed());
    }
    assert!(sweeps > 1, "one had time for all");
    assert_eq!(queues.of("results").len(), 1_500);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_without_a_place_to_look_is_refused() {
    let collect = Collect::with_clients(
        collect_result::config(&[]),
        Store::default().client(),
        &only_sqs(Queues::default().client()),
    );
    let fault = collect.handle(event(&sample("collect/scheduled-event.json"))).await.unwrap_err();
    assert!(fault.message().contains("BRIDGE_PENDING_LOCATION is not set"), "{fault}");
}
