//! Batches whose function's time runs out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use sagemaker_async_bridge::aws::Lazy;
use sagemaker_async_bridge::collect::Collect;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{Aws, only_sqs};
use crate::{collect_result, event_with, http_client, sample, submit_sqs};

const LEFT: Duration = Duration::from_secs(30);
const SQS_TAKES: Duration = Duration::from_millis(20);

/// SQS's answer to a batch of two.
const BOTH_SENT: &str = r#"{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"x"},
                                          {"Id":"1","MessageId":"b","MD5OfMessageBody":"x"}],"Failed":[]}"#;

/// S3 that never answers for an object whose key holds `hangs`.
async fn answer_unless_it_hangs(url: String) -> HttpResponse {
    if url.contains("hangs") {
        std::future::pending::<()>().await;
    }
    http_client::ok("{}")
}

#[tokio::test]
async fn near_the_deadline_a_request_that_has_not_started_comes_back() {
    let aws = Aws::default();
    let late = event_with(&sample("submit/sqs-inline.json"), Duration::ZERO);
    let answer = submit_sqs::handler(&aws, &[]).handle(late).await.unwrap();
    assert_eq!(submit_sqs::failures(&serde_json::to_value(answer).unwrap()).len(), 1);
    assert!(aws.invoked().is_empty() && aws.sent().is_empty());
}

#[tokio::test]
async fn near_the_deadline_a_notification_that_has_not_started_is_delivered_again() {
    let aws = collect_result::aws();
    let collect = collect_result::handler(&aws, &[]);
    let batch = sample("collect/sqs-raw.json");
    let answer = collect.handle(event_with(&batch, Duration::ZERO)).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(submit_sqs::failures(&answer).len(), batch["Records"].as_array().unwrap().len());
    let direct = event_with(&sample("collect/sns-completed.json"), Duration::ZERO);
    assert!(collect.handle(direct).await.is_err());
    assert!(aws.fetched.lock().unwrap().is_empty() && aws.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_never_ends_fails_its_own_message_and_no_other() {
    let (aws, start) = (Aws::default(), Instant::now());
    let config = submit_sqs::config(&[("BRIDGE_INLINE_LIMIT_BYTES", "0")]);
    let submit =
        Submit::with_clients(config, aws.sagemaker(), http_client::s3(answer_unless_it_hangs), &only_sqs(aws.sqs()));
    let mut records = ["a", "hangs", "b"].map(|id| json!({"messageId": id, "body": "{}"})).to_vec();
    records.push(json!({"messageId": "bad", "body": ""}));
    let answer = submit.handle(event_with(&json!({"Records": records}), LEFT)).await.unwrap();
    let mut back = submit_sqs::failures(&serde_json::to_value(answer).unwrap());
    back.sort_unstable();
    assert_eq!(back, ["bad", "hangs"]);
    assert_eq!((aws.invoked().len(), aws.sent().len()), (2, 1), "two invoked, one rejected");
    assert!(start.elapsed() < LEFT, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_have_less_than_the_margin_after_its_upload_is_not_begun() {
    for (upload_ms, begun) in [(25_400, true), (25_600, false), (28_300, false)] {
        let aws = Aws::default();
        let s3 = http_client::s3(move |_| async move {
            tokio::time::sleep(Duration::from_millis(upload_ms)).await;
            http_client::ok("")
        });
        let config = submit_sqs::config(&[("BRIDGE_INLINE_LIMIT_BYTES", "0")]);
        let submit = Submit::with_clients(config, aws.sagemaker(), s3, &only_sqs(aws.sqs()));
        let batch = json!({"Records": [{"messageId": "a", "body": "{}"}]});
        let answer = submit.handle(event_with(&batch, LEFT)).await.unwrap();
        let back = submit_sqs::failures(&serde_json::to_value(answer).unwrap());
        assert_eq!((aws.invoked().len() == 1, back.is_empty()), (begun, begun), "{upload_ms} ms");
    }
}

/// SQS that answers each operation as it should, `DELAY` later, except for messages that hold `OPERATION-hangs`: then it never does.
/// Remembers when each call began.
#[derive(Clone, Default)]
struct Sqs(Arc<Mutex<Vec<(String, Duration)>>>);

impl Sqs {
    fn client(&self, begin: Instant) -> Lazy<aws_sdk_sqs::Client> {
        let begun = self.0.clone();
        http_client::sqs_by_operation(move |operation, input| {
            begun.lock().unwrap().push((operation.clone(), begin.elapsed()));
            let hangs = input.to_string().contains(&format!("{operation}-hangs"));
            let sent = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"});
            let answer = match input["Entries"].as_array() {
                Some(entries) => json!({"Successful": entries.iter().map(sent).collect::<Vec<_>>(), "Failed": []}),
                None => json!({"MessageId": "m", "MD5OfMessageBody": "x"}),
            };
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(SQS_TAKES).await;
                http_client::ok(answer.to_string())
            }
        })
    }

    /// When each call of an operation began, in order.
    fn begun(&self, operation: &str) -> Vec<Duration> {
        let mut times: Vec<_> =
            self.0.lock().unwrap().iter().filter(|(other, _)| other == operation).map(|(_, at)| *at).collect();
        times.sort_unstable();
        times
    }
}

/// `submit` with a dead-letter queue and little else: the ids of those that come back.
async fn returned(sqs: &Sqs, aws: &Aws, more: &[(&str, &str)], records: &[Value], begin: Instant) -> Vec<String> {
    let config = submit_sqs::config(&[more, submit_sqs::WITH_DEAD_LETTERS].concat());
    let s3 = http_client::s3(answer_unless_it_hangs);
    let submit = Submit::with_clients(config, aws.sagemaker(), s3, &only_sqs(sqs.client(begin)));
    let answer = submit.handle(event_with(&json!({"Records": records}), LEFT)).await.unwrap();
    assert!(begin.elapsed() < LEFT, "{:?}", begin.elapsed());
    let mut back = submit_sqs::failures(&serde_json::to_value(answer).unwrap());
    back.sort_unstable();
    back
}

fn bad(id: &str, body: &str) -> Value {
    let base64 = json!({"stringValue": "base64", "dataType": "String"});
    json!({"messageId": id, "body": body, "messageAttributes": {"ContentEncoding": base64}})
}

fn good(id: &str) -> Value {
    json!({"messageId": id, "body": "{}"})
}

/// The same messages as one group of a FIFO queue.
fn in_a_group(mut records: Vec<Value>) -> Vec<Value> {
    for record in &mut records {
        record["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:123456789012:requests.fifo");
        record["attributes"] = json!({"MessageGroupId": "g", "ApproximateReceiveCount": "1"});
    }
    records
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_made_when_it_is_known_and_not_after_the_slowest_of_its_batch() {
    let without = ("BRIDGE_DEAD_LETTER_QUEUE_URL", "");
    let by_s3 = ("BRIDGE_INLINE_LIMIT_BYTES", "0");
    let records = [good("hangs"), bad("bad", "%")];
    for (more, back, kept, told) in [
        (&[by_s3][..], &["hangs"][..], vec![Duration::ZERO], SQS_TAKES),
        (&[by_s3, without], &["bad", "hangs"], vec![], Duration::ZERO),
    ] {
        let (sqs, aws, begin) = (Sqs::default(), Aws::default(), Instant::now());
        assert_eq!(returned(&sqs, &aws, more, &records, begin).await, back);
        assert_eq!((sqs.begun("SendMessage"), sqs.begun("SendMessageBatch")), (kept, vec![told]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_hangs_comes_back_with_its_sender_told_and_its_neighbours_do_not_wait() {
    for max_concurrency in ["1", "64"] {
        let (sqs, aws, begin) = (Sqs::default(), Aws::default(), Instant::now());
        let seen = aws.clone();
        let all_invoked = tokio::spawn(async move {
            tokio::time::sleep(SQS_TAKES * 2).await;
            seen.invoked().len()
        });
        let records = [bad("hung", "SendMessage-hangs"), good("a"), good("b"), good("c")];
        let more = [("BRIDGE_MAX_CONCURRENCY", max_concurrency)];
        assert_eq!(returned(&sqs, &aws, &more, &records, begin).await, ["hung"]);
        assert_eq!(all_invoked.await.unwrap(), 3, "at once, with {max_concurrency} in flight");
        let told = sqs.begun("SendMessageBatch");
        assert!(told.len() == 1 && told[0] < LEFT - Duration::from_secs(1), "with time enough: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_dead_letters_one_of_which_hangs_the_other_is_kept_at_once() {
    let (sqs, aws, begin) = (Sqs::default(), Aws::default(), Instant::now());
    let records = [bad("hung", "SendMessage-hangs"), bad("kept", "%")];
    assert_eq!(returned(&sqs, &aws, &[], &records, begin).await, ["hung"]);
    assert_eq!(sqs.begun("SendMessage"), [Duration::ZERO; 2]);
    assert_eq!(sqs.begun("SendMessageBatch")[0], SQS_TAKES);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_hangs_holds_neither_the_others_nor_its_fifo_group_and_its_message_is_acknowledged() {
    let (sqs, aws, begin) = (Sqs::default(), Aws::default(), Instant::now());
    let seen = aws.clone();
    let all_invoked = tokio::spawn(async move {
        tokio::time::sleep(SQS_TAKES * 3).await;
        seen.invoked().len()
    });
    let mut records = in_a_group(vec![bad("untold", "%"), good("a"), bad("told", "%"), good("b")]);
    // The result repeats the attribute.
    records[0]["messageAttributes"]["Accept"] = json!({"stringValue": "SendMessageBatch-hangs", "dataType": "String"});
    assert_eq!(returned(&sqs, &aws, &[], &records, begin).await, Vec::<String>::new());
    assert_eq!(all_invoked.await.unwrap(), 2);
    assert_eq!(sqs.begun("SendMessageBatch"), [SQS_TAKES, SQS_TAKES * 2]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_hangs_brings_back_the_rest_of_its_fifo_group_unsent() {
    let (sqs, aws, begin) = (Sqs::default(), Aws::default(), Instant::now());
    let records = in_a_group(vec![bad("hung", "SendMessage-hangs"), bad("bad", "%"), good("a")]);
    assert_eq!(returned(&sqs, &aws, &[], &records, begin).await, ["a", "bad", "hung"]);
    assert_eq!((aws.invoked().len(), sqs.begun("SendMessage").len(), sqs.begun("SendMessageBatch").len()), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_never_comes_fails_its_own_notification_and_no_other() {
    let start = Instant::now();
    let sqs = http_client::sqs(async |_| {
        tokio::time::sleep(Duration::from_millis(900)).await;
        http_client::ok(BOTH_SENT)
    });
    let s3 = http_client::s3(answer_unless_it_hangs);
    let collect = Collect::with_clients(collect_result::config(&[]), s3, &only_sqs(sqs));
    let records = ["a", "hangs", "b"].map(|id| {
        let mut notification = sample("notifications/completed.json");
        notification["responseParameters"]["outputLocation"] = json!(format!("s3://models-bucket/output/{id}.out"));
        json!({"messageId": id, "body": notification.to_string()})
    });
    let answer = collect.handle(event_with(&json!({"Records": records}), LEFT)).await.unwrap();
    assert_eq!(submit_sqs::failures(&serde_json::to_value(answer).unwrap()), ["hangs"]);
    assert!(start.elapsed() < LEFT, "{:?}", start.elapsed());
}
