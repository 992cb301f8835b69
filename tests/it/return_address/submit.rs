//! `submit`: what a request gives becomes the last pair of `CustomAttributes`, and a rejection goes the same way.

use serde_json::{Value, json};

use super::{Queues, ROUTES, body, map};
use crate::aws::{Aws, only_sqs};
use crate::http_answers::post;
use crate::submit_sqs::{WITH_DEAD_LETTERS, config, handler, returned};
use crate::{event, sample};
use sagemaker_async_bridge::submit::Submit;

fn string(value: &str) -> Value {
    json!({"stringValue": value, "dataType": "String"})
}

/// A message of a standard queue.
fn message(id: &str, attributes: &[(&str, &str)], system: &[(&str, &str)]) -> Value {
    let attributes: Value = attributes.iter().map(|(name, value)| ((*name).to_owned(), string(value))).collect();
    let mut message = json!({"messageId": id, "body": "{}", "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": attributes, "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:requests"});
    for (name, value) in system {
        message["attributes"][*name] = json!(value);
    }
    message
}

/// What `CustomAttributes` of a message's invocation are.
async fn custom_attributes(message: Value) -> Option<String> {
    let aws = Aws::default();
    assert!(returned(&handler(&aws, &[ROUTES]), &json!({"Records": [message]})).await.is_empty());
    aws.invoked()[0].custom_attributes().map(str::to_owned)
}

const GROUP: (&str, &str) = ("MessageGroupId", "tenant 1");
const TRACE: (&str, &str) = ("AWSTraceHeader", "Root=1-5;Sampled=1");

#[tokio::test]
async fn the_return_address_is_the_last_pair_of_the_custom_attributes() {
    for (attributes, system, expected) in [
        (&[][..], &[][..], None),
        (&[("CustomAttributes", "a=b")], &[], Some("a=b")),
        (&[("ReplyTo", "team-a")], &[], Some("bridge=to:team-a")),
        (&[("ReplyTo", "none"), ("CustomAttributes", "a=b")], &[], Some("a=b,bridge=to:none")),
        (&[("TaskToken", "AQC+/==")], &[], Some("bridge=task:AQC+/==")),
        (&[("CallbackId", "Ab+/==")], &[], Some("bridge=callback:Ab+/==")),
        (&[], &[("MessageGroupId", "tenant-1")], Some("bridge=group:tenant-1")),
        (&[], &[GROUP], None),
        (
            &[("ReplyTo", "team-b")],
            &[("MessageGroupId", "t"), TRACE],
            Some("bridge=to:team-b;group:t;trace:Root=1-5%3BSampled=1"),
        ),
    ] {
        let sent = custom_attributes(message("m", attributes, system)).await;
        assert_eq!(sent.as_deref(), expected, "{attributes:?} {system:?}");
    }
}

/// What `CustomAttributes` of an event's invocation are when Lambda says this of its trace.
async fn traced(payload: &Value, lambda: &str) -> Option<String> {
    let (aws, mut event) = (Aws::default(), event(payload));
    event.context.xray_trace_id = Some(lambda.to_owned());
    handler(&aws, &[ROUTES]).handle(event).await.unwrap();
    aws.invoked()[0].custom_attributes().map(str::to_owned)
}

const SAMPLED: &str = "Root=1-6;Parent=7;Sampled=1;Lineage=1:8:0";

#[tokio::test]
async fn a_request_without_a_trace_goes_on_in_that_of_the_invocation_that_brought_it() {
    let batch = |system: &[(&str, &str)]| json!({"Records": [message("m", &[], system)]});
    let pair = "bridge=trace:Root=1-6%3BParent=7%3BSampled=1%3BLineage=1:8:0";
    for payload in [batch(&[]), json!({"Body": "{}"}), post("{}", &[])] {
        assert_eq!(traced(&payload, SAMPLED).await.as_deref(), Some(pair), "{payload}");
    }
    assert_eq!(traced(&batch(&[TRACE]), SAMPLED).await.as_deref(), Some("bridge=trace:Root=1-5%3BSampled=1"));
}

#[tokio::test]
async fn what_is_not_sampled_or_has_no_room_takes_no_character() {
    for unsampled in ["Root=1-6;Parent=7;Sampled=0", "Root=1-6", "Root=1-6;Sampled=10", ""] {
        assert_eq!(traced(&json!({"Body": "{}"}), unsampled).await, None, "{unsampled}");
    }
    let full = "x".repeat(1024);
    let request = json!({"Body": "{}", "CustomAttributes": full});
    assert_eq!(traced(&request, SAMPLED).await, Some(full));
}

#[tokio::test]
async fn the_group_of_a_fifo_queue_is_for_its_order_alone() {
    let mut fifo = message("m", &[], &[("MessageGroupId", "order")]);
    fifo["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:123456789012:requests.fifo");
    assert_eq!(custom_attributes(fifo).await, None);
}

#[tokio::test]
async fn a_header_names_a_route_and_none_gives_a_token() {
    let aws = Aws::default();
    let headers = [("x-bridge-reply-to", "team-a"), ("", "AAAA"), ("x-amzn-sagemaker-custom-attributes", "a=b")];
    let answer = handler(&aws, &[ROUTES]).handle(event(&post("{}", &headers))).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap()["statusCode"], 202);
    assert_eq!(aws.invoked()[0].custom_attributes(), Some("a=b,bridge=to:team-a"));

    let refused = handler(&aws, &[ROUTES]).handle(event(&post("{}", &[("x-bridge-reply-to", "team-x")]))).await;
    let refused = serde_json::to_value(refused.unwrap()).unwrap();
    let said: Value = serde_json::from_str(refused["body"].as_str().unwrap()).unwrap();
    assert_eq!(refused["statusCode"], 400);
    assert_eq!(said["Message"], "ReplyTo must be `team-a`, `team-b`, `team-c.fifo` or `none`");
    assert_eq!(aws.invoked().len(), 1);
}

/// A handler that invokes nothing, whose queues remember what they got.
fn with(queues: &Queues) -> Submit {
    let aws = Aws::default();
    Submit::with_clients(config(&[ROUTES]), aws.sagemaker(), aws.s3(), &only_sqs(queues.client()))
}

#[tokio::test]
async fn a_rejection_goes_by_the_return_address_unless_that_is_what_is_wrong() {
    let queues = Queues::default();
    let bad = ("ContentEncoding", "gzip");
    let records = [
        message("plain", &[bad], &[]),
        message("a", &[bad, ("ReplyTo", "team-a")], &[("MessageGroupId", "t")]),
        message("nobody", &[bad, ("ReplyTo", "none")], &[]),
        message("unknown", &[("ReplyTo", "team-x")], &[]),
        message("two", &[("ReplyTo", "team-a"), ("TaskToken", "AAAA")], &[]),
        message("own", &[("ReplyTo", "team-b"), ("CustomAttributes", "x=1,bridge=to:team-a")], &[]),
        message("long", &[("ReplyTo", "team-b"), ("CustomAttributes", &"x".repeat(1024))], &[]),
    ];
    assert_eq!(returned(&with(&queues), &json!({"Records": records})).await.len(), records.len());
    let mut told = queues.ids();
    told.values_mut().for_each(|ids| ids.sort());
    let expected = [("results", &["plain", "two", "unknown"][..]), ("team-a", &["a"]), ("team-b", &["long", "own"])];
    assert_eq!(told, map(&expected));
    let [entry] = &queues.of("team-a")[..] else { panic!() };
    assert_eq!((&body(entry)["invocationStatus"], &entry["MessageGroupId"]), (&json!("Rejected"), &json!("t")));
    let reasons: Vec<Value> = queues.of("team-b").iter().map(|entry| body(entry)["failureReason"].clone()).collect();
    assert!(
        reasons.iter().any(|reason| reason
            .as_str()
            .unwrap()
            .ends_with("1041 characters together; SageMaker takes 1024: 17 too many")),
        "{reasons:?}"
    );
    let shown: Vec<Value> =
        queues.of("team-b").iter().map(|entry| body(entry)["requestParameters"]["customAttributes"].clone()).collect();
    assert!(shown.contains(&json!("x=1,bridge=to:team-a")), "what the caller sent, {shown:?}");
}

#[tokio::test]
async fn a_reply_queue_that_takes_no_rejection_holds_up_no_other_and_nothing_comes_back() {
    let queues = Queues { refuses: Some("team-a"), ..Queues::default() };
    let bad = ("ContentEncoding", "gzip");
    let records = [message("a", &[bad, ("ReplyTo", "team-a")], &[]), message("b", &[bad, ("ReplyTo", "team-b")], &[])];
    returned(&with(&queues), &json!({"Records": records})).await;
    assert_eq!(queues.ids(), map(&[("team-b", &["b"])]));
}

#[tokio::test]
async fn a_return_address_needs_no_results_queue() {
    let (aws, queues) = (Aws::default(), Queues::default());
    let config = config(&[ROUTES, ("BRIDGE_RESULTS_QUEUE_URL", "")]);
    let submit = Submit::with_clients(config, aws.sagemaker(), aws.s3(), &only_sqs(queues.client()));
    let bad = ("ContentEncoding", "gzip");
    let records = [message("a", &[bad, ("ReplyTo", "team-a")], &[]), message("r", &[bad], &[])];
    returned(&submit, &json!({"Records": records})).await;
    assert_eq!(queues.ids(), map(&[("team-a", &["a"])]));
}

#[tokio::test]
async fn a_token_that_is_too_long_is_rejected_for_good_and_not_repeated() {
    let aws = Aws::default();
    let token = "secret".repeat(200);
    let records = json!({"Records": [message("m", &[("TaskToken", &token)], &[])]});
    assert!(returned(&handler(&aws, &[WITH_DEAD_LETTERS[0], ROUTES]), &records).await.is_empty());
    assert!(aws.invoked().is_empty());
    let letters = aws.dead_letters();
    let reason = letters[0].message_attributes().unwrap()["FailureReason"].string_value().unwrap();
    assert!(reason.starts_with("ValidationError: ") && reason.ends_with(": 188 too many"), "{reason}");
    assert!(!reason.contains("secret"));
    let sample = sample("submit/sqs-inline.json");
    assert!(returned(&handler(&aws, &[ROUTES]), &sample).await.is_empty(), "its neighbours in time are served");
}
