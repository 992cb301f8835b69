//! The return address from request to result: what goes where, and what is on the way.

mod submit;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use sagemaker_async_bridge::aws::{Clients, Lazy};
use sagemaker_async_bridge::collect::Collect;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{lazy, only_sqs};
use crate::submit_sqs::failures;
use crate::{collect_result, event, http_client, sample};

/// Two standard queues and a FIFO one.
pub const ROUTES: (&str, &str) = (
    "BRIDGE_REPLY_TO_ARNS",
    "arn:aws:sqs:eu-west-1:123456789012:team-a,arn:aws:sqs:eu-west-1:123456789012:team-b,arn:aws:sqs:eu-west-1:123456789012:team-c.fifo",
);

/// A message, and when it was taken.
pub type Taken = (Instant, Value);

/// Queues by their names, and what they were sent when.
#[derive(Clone, Default)]
pub struct Queues {
    pub sent: Arc<Mutex<BTreeMap<String, Vec<Taken>>>>,
    /// Answers no call.
    pub hangs: Option<&'static str>,
    /// Takes no message.
    pub refuses: Option<&'static str>,
}

impl Queues {
    pub fn client(&self) -> Lazy<aws_sdk_sqs::Client> {
        let queues = self.clone();
        http_client::sqs_by_operation(move |_, input| {
            let queues = queues.clone();
            async move { queues.answer(input).await }
        })
    }

    async fn answer(self, input: Value) -> HttpResponse {
        let name = input["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        if self.hangs == Some(name.as_str()) {
            std::future::pending::<()>().await;
        }
        let entries = input["Entries"].as_array().unwrap();
        let (mut good, mut bad) = (vec![], vec![]);
        for entry in entries {
            if self.refuses == Some(name.as_str()) {
                bad.push(json!({"Id": entry["Id"], "SenderFault": true, "Code": "AccessDenied"}));
            } else {
                good.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "d"}));
                let mut sent = self.sent.lock().unwrap();
                sent.entry(name.clone()).or_default().push((Instant::now(), entry.clone()));
            }
        }
        http_client::ok(json!({"Successful": good, "Failed": bad}).to_string())
    }

    /// What a queue has.
    pub fn of(&self, name: &str) -> Vec<Value> {
        let sent = self.sent.lock().unwrap();
        sent.get(name).into_iter().flatten().map(|(_, entry)| entry.clone()).collect()
    }

    /// When the last message was taken.
    pub fn last(&self) -> Option<Instant> {
        self.sent.lock().unwrap().values().flatten().map(|(when, _)| *when).max()
    }

    /// The inference ids of each queue's results.
    pub fn ids(&self) -> BTreeMap<String, Vec<String>> {
        let ids = |sent: &Vec<Taken>| sent.iter().map(|(_, entry)| inference_id(entry)).collect();
        self.sent.lock().unwrap().iter().map(|(name, sent)| (name.clone(), ids(sent))).collect()
    }
}

fn inference_id(entry: &Value) -> String {
    entry["MessageAttributes"]["InferenceId"]["StringValue"].as_str().unwrap().to_owned()
}

/// A message with a notification of an inference of this id, whose request had these custom attributes.
fn record(id: &str, custom_attributes: Option<&str>) -> Value {
    let mut notification = sample("notifications/completed-with-body.json");
    notification["inferenceId"] = json!(id);
    let request = notification["requestParameters"].as_object_mut().unwrap();
    request.remove("customAttributes");
    if let Some(custom_attributes) = custom_attributes {
        request.insert("customAttributes".to_owned(), json!(custom_attributes));
    }
    json!({"messageId": id, "body": notification.to_string()})
}

/// Step Functions and Lambda know of no task and no callback.
fn handler(queues: &Queues, more: &[(&str, &str)]) -> Collect {
    let s3 = http_client::s3(async |_| http_client::ok("{}"));
    let clients = Clients {
        sfn: Arc::new(lazy(http_client::sfn(async |_| http_client::refused("InvalidToken")))),
        lambda: Arc::new(lazy(http_client::lambda(async |_| http_client::refused("ResourceNotFoundException")))),
        ..only_sqs(queues.client())
    };
    Collect::with_clients(collect_result::config(more), s3, &clients)
}

/// What comes back of these notifications.
async fn returned(queues: &Queues, records: &[Value]) -> Vec<String> {
    let answer = handler(queues, &[ROUTES]).handle(event(&json!({"Records": records}))).await.unwrap();
    failures(&serde_json::to_value(answer).unwrap())
}

fn body(entry: &Value) -> Value {
    serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap()
}

fn map(entries: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    entries.iter().map(|(name, ids)| ((*name).to_owned(), owned(ids))).collect()
}

#[tokio::test]
async fn each_result_goes_where_its_request_wanted_it_and_nowhere_else() {
    let queues = Queues::default();
    let records = [
        record("plain", None),
        record("a", Some("bridge=to:team-a")),
        record("own", Some("accept_eula=true")),
        record("b", Some("accept_eula=true,bridge=to:team-b")),
        record("nobody", Some("bridge=to:none")),
        record("a2", Some("x=1,y=2,bridge=to:team-a")),
    ];
    assert!(returned(&queues, &records).await.is_empty());
    assert_eq!(queues.ids(), map(&[("results", &["plain", "own"]), ("team-a", &["a", "a2"]), ("team-b", &["b"])]));
}

#[tokio::test]
async fn a_result_shows_the_custom_attributes_as_the_caller_sent_them() {
    for (sent, shown) in [
        (None, None),
        (Some("a=b"), Some("a=b")),
        (Some("bridge=to:team-a"), None),
        (Some("a=\"b\" , c,bridge=to:team-a;group:t"), Some("a=\"b\" , c")),
        (Some("a=b,bridge=to:team-a "), Some("a=b,bridge=to:team-a ")),
    ] {
        let queues = Queues::default();
        let record = record("i", sent);
        assert!(returned(&queues, std::slice::from_ref(&record)).await.is_empty());
        let entry = [queues.of("results"), queues.of("team-a")].concat().remove(0);
        let mut expected = body(&json!({"MessageBody": record["body"]}))["requestParameters"].clone();
        expected.as_object_mut().unwrap().remove("customAttributes");
        if let Some(shown) = shown {
            expected["customAttributes"] = json!(shown);
        }
        assert_eq!(body(&entry)["requestParameters"], expected, "{sent:?}");
    }
}

#[tokio::test]
async fn a_made_up_address_reaches_nothing_but_the_configured_routes() {
    let queues = Queues::default();
    let made_up = [
        "bridge=to:results-of-others",
        "bridge=to:https://sqs.eu-west-1.amazonaws.com/666/loot",
        "bridge=to:arn:aws:sqs:eu-west-1:666:loot",
        "bridge=to:team-a;to:team-b",
        "bridge=to:..%2Fteam-a",
        "bridge=",
        "bridge=%00",
        "bridge=task:AAAA",
        "bridge=callback:AAAA",
        "bridge=to:TEAM-A",
        "bridge=to:team-a,",
    ];
    let records: Vec<Value> = made_up.iter().enumerate().map(|(n, pair)| record(&n.to_string(), Some(pair))).collect();
    assert!(returned(&queues, &records).await.is_empty());
    let ids: Vec<String> = (0..made_up.len()).map(|n| n.to_string()).collect();
    let mut reached = queues.ids();
    reached.get_mut("results").unwrap().sort_by_key(|id| id.parse::<usize>().unwrap());
    assert_eq!(reached, BTreeMap::from([("results".to_owned(), ids)]));
}

#[tokio::test]
async fn group_and_trace_header_stand_on_the_result_again() {
    let queues = Queues::default();
    let kept = "group:tenant%2C1;trace:Root=1-5759e988-bd862e3fe1be46a994272793%3BSampled=1";
    let records = [
        record("default", Some(&format!("bridge={kept}"))),
        record("fifo", Some(&format!("bridge=to:team-c.fifo;{kept}"))),
    ];
    assert!(returned(&queues, &records).await.is_empty());
    for (queue, group) in [("results", "tenant,1"), ("team-c.fifo", "fifo")] {
        let [entry] = &queues.of(queue)[..] else { panic!("{:?}", queues.ids()) };
        assert_eq!(entry["MessageGroupId"], group);
        assert_eq!(entry["MessageDeduplicationId"].is_string(), queue.ends_with(".fifo"));
        let header = &entry["MessageSystemAttributes"]["AWSTraceHeader"];
        let expected = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        assert_eq!(header, &json!({"DataType": "String", "StringValue": expected}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_holds_up_no_result_of_another() {
    let (queues, start) = (Queues { hangs: Some("team-a"), ..Queues::default() }, Instant::now());
    let pairs = ["bridge=to:team-a", "bridge=to:team-b", "x=1"];
    let records: Vec<Value> = (0..60).map(|n| record(&n.to_string(), Some(pairs[n % 3]))).collect();
    let back = returned(&queues, &records).await;
    assert!(back.len() == 20 && back.iter().all(|id| id.parse::<usize>().unwrap() % 3 == 0), "{back:?}");
    let sent = queues.sent.lock().unwrap();
    assert_eq!((sent["team-b"].len(), sent["results"].len()), (20, 20));
    let last = sent.values().flatten().map(|(when, _)| *when - start).max().unwrap();
    assert!(last < Duration::from_secs(1), "{last:?}");
}

#[tokio::test]
async fn what_a_destination_refuses_comes_back_alone_and_is_not_sent_elsewhere() {
    let queues = Queues { refuses: Some("team-a"), ..Queues::default() };
    let records = [record("a", Some("bridge=to:team-a")), record("b", Some("bridge=to:team-b")), record("r", None)];
    assert_eq!(returned(&queues, &records).await, ["a"]);
    assert_eq!(queues.ids(), map(&[("results", &["r"]), ("team-b", &["b"])]));
}

#[tokio::test]
async fn of_what_nobody_wants_nothing_is_fetched_and_what_cannot_be_read_still_comes_back() {
    let s3 = http_client::s3(async |url| -> HttpResponse { panic!("{url} was fetched") });
    let queues = Queues::default();
    let collect = Collect::with_clients(collect_result::config(&[]), s3, &only_sqs(queues.client()));
    let mut by_location = sample("notifications/completed.json");
    by_location["requestParameters"]["customAttributes"] = json!("bridge=to:none");
    let mut no_status = by_location.clone();
    no_status["invocationStatus"] = json!(5);
    let records = json!([{"messageId": "done", "body": by_location.to_string()},
                         {"messageId": "odd", "body": no_status.to_string()}]);
    let answer = collect.handle(event(&json!({"Records": records}))).await.unwrap();
    assert_eq!(failures(&serde_json::to_value(answer).unwrap()), ["odd"]);
    assert!(queues.ids().is_empty());
}

#[tokio::test]
async fn raw_results_go_to_reply_queues_raw() {
    let queues = Queues::default();
    let more = [ROUTES, collect_result::RAW[0], collect_result::RAW[1]];
    let records = json!({"Records": [record("a", Some("bridge=to:team-a"))]});
    handler(&queues, &more).handle(event(&records)).await.unwrap();
    assert_eq!(queues.of("team-a")[0]["MessageBody"], r#"{"text":"hello"}"#);
}
