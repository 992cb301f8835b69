//! Event buses of EventBridge.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsInput, PutEventsOutput};
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

use super::*;
use crate::aws::{Seen, lazy, only_sqs, remember};

const BUS: &str = "to:pipeline";

#[derive(Clone, Default)]
struct EventBridge {
    calls: Seen<PutEventsInput>,
}

impl EventBridge {
    fn clients(&self, aws: &Aws) -> Clients {
        self.with_rules(aws, vec![])
    }

    fn with_rules(&self, aws: &Aws, mut rules: Vec<Rule>) -> Clients {
        let seen = self.calls.clone();
        rules.push(mock!(Client::put_events).then_compute_output(move |input| {
            remember(&seen, input.clone());
            answer(input.entries())
        }));
        let rules: Vec<_> = rules.iter().collect();
        let client = mock_client!(aws_sdk_eventbridge, RuleMode::MatchAny, &rules, |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Clients { events: Arc::new(lazy(client)), ..only_sqs(aws.sqs()) }
    }

    fn entries(&self) -> Vec<PutEventsRequestEntry> {
        self.calls.lock().unwrap().iter().flat_map(|call| call.entries().to_vec()).collect()
    }
}

/// Events of the inferences `throttled` and `odd` are not taken; at one of `last` the answer breaks off.
fn answer(entries: &[PutEventsRequestEntry]) -> PutEventsOutput {
    let ids = entries.iter().map(|entry| json_of(entry.detail().unwrap())["inferenceId"].as_str().unwrap().to_owned());
    let mut output = PutEventsOutput::builder().set_entries(Some(vec![]));
    for id in ids.take_while(|id| id != "last") {
        let entry = PutEventsResultEntry::builder();
        output = output.entries(match id.as_str() {
            "throttled" => entry.error_code("ThrottlingException").error_message("Rate exceeded").build(),
            "odd" => entry.build(),
            _ => entry.event_id("e").build(),
        });
    }
    output.build()
}

/// An entry's size as EventBridge counts it.
fn size(entry: &PutEventsRequestEntry) -> usize {
    [entry.source(), entry.detail_type(), entry.detail()].into_iter().flatten().map(str::len).sum()
}

#[tokio::test]
async fn a_result_is_an_event_whose_detail_type_tells_the_status_and_whose_detail_is_the_result() {
    for more in [&[][..], &RAW] {
        let (aws, notification) = completed("to:pipeline;trace:Root=1-5759e988-bd862e3fe1be46a994272793", "i", 5);
        let event_bridge = EventBridge::default();
        assert_eq!(returned(&aws, &event_bridge.clients(&aws), more, &[notification]).await, ids(&[]));
        let [entry] = &event_bridge.entries()[..] else { panic!("{} events", event_bridge.entries().len()) };
        assert_eq!(entry.event_bus_name(), Some("arn:aws:events:eu-west-1:123456789012:event-bus/pipeline"));
        assert_eq!(entry.source(), Some("sagemaker-async-bridge"));
        assert_eq!(entry.detail_type(), Some("SageMaker Async Inference Completed"));
        assert_eq!(entry.trace_header(), Some("Root=1-5759e988-bd862e3fe1be46a994272793"));
        let detail = json_of(entry.detail().unwrap());
        assert_is_the_callers(&detail, "i");
        assert_eq!(detail["responseBody"]["content"], "xxxxx");
        assert!(aws.sent().is_empty());
    }
}

#[tokio::test]
async fn a_failure_is_an_event_too_and_a_status_of_any_length_fits_a_detail_type() {
    let event_bridge = EventBridge::default();
    let aws = Aws::default();
    let mut odd = notification("failed-bare.json", BUS, "j");
    odd["invocationStatus"] = json!("Ü".repeat(200));
    let notifications = [notification("failed-bare.json", BUS, "i"), odd];
    assert_eq!(returned(&aws, &event_bridge.clients(&aws), &[], &notifications).await, ids(&[]));
    let types: Vec<_> = event_bridge.entries().iter().map(|entry| entry.detail_type().unwrap().to_owned()).collect();
    assert_eq!(types[0], "SageMaker Async Inference Failed");
    assert_eq!(types[1].chars().count(), 128);
}

#[tokio::test]
async fn no_call_has_more_than_ten_events_or_a_megabyte_and_no_event_is_dropped() {
    for bytes in [10, 240_000] {
        let (mut aws, mut notifications) = (Aws::default(), Vec::new());
        for n in 0..25 {
            let location = format!("s3://models-bucket/output/{n}.out");
            let mut notification = notification("completed.json", BUS, &n.to_string());
            notification["responseParameters"]["outputLocation"] = json!(location);
            aws = aws.with_object(&location, &vec![b'x'; bytes]);
            notifications.push(notification);
        }
        let event_bridge = EventBridge::default();
        assert_eq!(returned(&aws, &event_bridge.clients(&aws), &[], &notifications).await, ids(&[]));
        for call in event_bridge.calls.lock().unwrap().iter() {
            assert!(call.entries().len() <= 10 && call.entries().iter().map(size).sum::<usize>() < 1_000_000);
        }
        assert_eq!(event_bridge.entries().len(), 25);
    }
}

#[tokio::test]
async fn an_event_is_a_megabyte_long_only_without_the_response() {
    for (bytes, expected) in [(998_000, true), (1_000_000, false)] {
        let (aws, notification) = completed(BUS, "i", bytes);
        let event_bridge = EventBridge::default();
        assert_eq!(returned(&aws, &event_bridge.clients(&aws), &[LARGE], &[notification]).await, ids(&[]));
        let entry = &event_bridge.entries()[0];
        assert!(size(entry) < 1_000_000);
        assert_eq!(json_of(entry.detail().unwrap()).get("responseBody").is_some(), expected, "{bytes}");
    }
}

#[tokio::test]
async fn events_that_eventbridge_does_not_take_or_confirm_come_back_and_their_neighbours_do_not() {
    let aws = crate::collect_result::aws();
    let event_bridge = EventBridge::default();
    let notifications =
        ["good", "throttled", "odd", "fine", "last"].map(|id| notification("failed-bare.json", BUS, id));
    let back = returned(&aws, &event_bridge.clients(&aws), &[], &notifications).await;
    assert_eq!(back, ids(&["throttled", "odd", "last"]));
    assert_eq!((event_bridge.entries().len(), aws.sent().len()), (5, 0));
}

#[tokio::test]
async fn a_call_that_eventbridge_refuses_brings_all_its_events_back_unless_it_was_too_long() {
    let cases = [
        ("ThrottlingException", "Rate exceeded", ids(&["i"])),
        ("AccessDeniedException", "not authorized to perform: events:PutEvents", ids(&["i"])),
        ("InternalException", "", ids(&["i"])),
        ("ValidationException", "Total size of the entries in the request is over the limit.", ids(&[])),
    ];
    for (code, message, expected) in cases {
        let (aws, notification) = completed(BUS, "i", 5);
        let event_bridge = EventBridge::default();
        let refused = mock!(Client::put_events)
            .match_requests(|input| input.entries()[0].detail().unwrap().contains("responseBody"))
            .then_error(move || PutEventsError::generic(error(code, message)));
        let clients = event_bridge.with_rules(&aws, vec![refused]);
        assert_eq!(returned(&aws, &clients, &[], &[notification]).await, expected, "{code}");
        assert_eq!(event_bridge.entries().len(), usize::from(expected.is_empty()), "{code}");
    }
}
