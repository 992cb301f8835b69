//! How many messages of a batch are in flight at once: counted by services that hold each request for a moment.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use sagemaker_async_bridge::collect::Collect;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};

use crate::aws::{Aws, only_sqs};
use crate::{collect_result, event, http_client, sample, submit_sqs};

/// Requests in flight, and the most that there ever were.
#[derive(Clone, Default)]
struct InFlight {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl InFlight {
    fn hold(&self, body: &'static str) -> impl Future<Output = HttpResponse> + Send + use<> {
        let Self { now, most } = self.clone();
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            http_client::ok(body)
        }
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// A batch of twelve messages.
fn batch(body: &str) -> Value {
    let records: Vec<Value> = (0..12).map(|n| json!({"messageId": format!("m{n}"), "body": body})).collect();
    json!({"Records": records})
}

#[tokio::test(start_paused = true)]
async fn submit_has_as_many_messages_in_flight_as_configured() {
    for (max_concurrency, expected) in [("1", 1), ("4", 4), ("64", 12)] {
        let (aws, in_flight) = (Aws::default(), InFlight::default());
        let counted = in_flight.clone();
        let sagemaker = http_client::sagemaker(move |_| counted.hold(r#"{"InferenceId":"i"}"#));
        let config = submit_sqs::config(&[("BRIDGE_MAX_CONCURRENCY", max_concurrency)]);
        let submit = Submit::with_clients(config, sagemaker, aws.s3(), &only_sqs(aws.sqs()));
        assert!(submit_sqs::returned(&submit, &batch("{}")).await.is_empty());
        assert_eq!(in_flight.most(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_goes_on_behind_a_rejected_message_is_counted_again() {
    let records: Vec<Value> = (0..12)
        .map(|n| {
            // Three messages to a group, the first of each is bad.
            let body = if n < 4 { "" } else { "{}" };
            json!({"messageId": format!("m{n}"), "body": body, "attributes": {"MessageGroupId": (n % 4).to_string()},
                   "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:requests.fifo"})
        })
        .collect();
    for (max_concurrency, expected) in [("1", 1), ("2", 2), ("64", 4)] {
        let (aws, in_flight) = (Aws::default(), InFlight::default());
        let counted = in_flight.clone();
        let sagemaker = http_client::sagemaker(move |_| counted.hold(r#"{"InferenceId":"i"}"#));
        let more = [&[("BRIDGE_MAX_CONCURRENCY", max_concurrency)], submit_sqs::WITH_DEAD_LETTERS].concat();
        let submit = Submit::with_clients(submit_sqs::config(&more), sagemaker, aws.s3(), &only_sqs(aws.sqs()));
        assert!(submit_sqs::returned(&submit, &json!({"Records": records})).await.is_empty());
        assert_eq!((in_flight.most(), aws.dead_letters().len()), (expected, 4), "{max_concurrency}");
    }
}

#[tokio::test(start_paused = true)]
async fn collect_has_as_many_notifications_in_flight_as_configured() {
    let notification = sample("notifications/completed.json").to_string();
    for (max_concurrency, expected) in [("1", 1), ("4", 4), ("64", 12)] {
        let (aws, in_flight) = (Aws::default(), InFlight::default());
        let counted = in_flight.clone();
        let s3 = http_client::s3(move |_| counted.hold("{}"));
        let config = collect_result::config(&[("BRIDGE_MAX_CONCURRENCY", max_concurrency)]);
        let collect = Collect::with_clients(config, s3, &only_sqs(aws.sqs()));
        let answer = collect.handle(event(&batch(&notification))).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}));
        assert_eq!((in_flight.most(), aws.sent().len()), (expected, 12));
    }
}

#[tokio::test(start_paused = true)]
async fn collect_fetches_no_more_at_once_than_memory_has_room_for() {
    let notification = sample("notifications/completed.json").to_string();
    let (aws, in_flight) = (Aws::default(), InFlight::default());
    let counted = in_flight.clone();
    let s3 = http_client::s3(move |_| counted.hold("{}"));
    let collect = Collect::with_clients(
        collect_result::config(&[("BRIDGE_RESULT_BODY_LIMIT_BYTES", "1000000")]),
        s3,
        &only_sqs(aws.sqs()),
    );
    collect.handle(event(&batch(&notification))).await.unwrap();
    assert_eq!((in_flight.most(), aws.sent().len()), (8, 12), "8 MiB hold eight outputs of a megabyte");
}

#[tokio::test(start_paused = true)]
async fn collect_sends_results_while_it_fetches_others() {
    let notification = sample("notifications/completed.json").to_string();
    let (aws, fetched) = (Aws::default(), Arc::new(AtomicUsize::new(0)));
    let sent_before_the_last = Arc::new(AtomicUsize::new(0));
    let (seen, sent) = (aws.clone(), Arc::clone(&sent_before_the_last));
    let s3 = http_client::s3(move |_| {
        if fetched.fetch_add(1, Ordering::SeqCst) == 11 {
            sent.store(seen.sent().len(), Ordering::SeqCst);
        }
        InFlight::default().hold("{}")
    });
    let collect =
        Collect::with_clients(collect_result::config(&[("BRIDGE_MAX_CONCURRENCY", "1")]), s3, &only_sqs(aws.sqs()));
    collect.handle(event(&batch(&notification))).await.unwrap();
    assert!(sent_before_the_last.load(Ordering::SeqCst) >= 9, "{sent_before_the_last:?}");
    assert_eq!(aws.sent().len(), 12);
}
