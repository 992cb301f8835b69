//! What is measured: events as Lambda gives them to the functions.

use serde_json::{Value, json};

/// One kind of event.
pub(crate) struct Case {
    /// `submit` or `collect`.
    pub(crate) function: &'static str,
    /// The kind's name in tables.
    pub(crate) name: &'static str,
    /// Requests or notifications in one event.
    pub(crate) messages: u32,
    /// Starts in each run. The time of one varies by a tenth: too much for a target as close as that of the first invocation.
    pub(crate) starts: u32,
    /// The event, as JSON.
    pub(crate) event: String,
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let case =
        |function, name, messages, event: Value| Case { function, name, messages, starts: 1, event: event.to_string() };
    vec![
        Case { starts: 4, ..case("submit", "SQS, 1 x 2 KB", 1, sqs(1, 2_000)) },
        case("submit", "SQS, 10 x 2 KB", 10, sqs(10, 2_000)),
        case("submit", "SQS, 100 x 2 KB", 100, sqs(100, 2_000)),
        case("submit", "SQS, 1,000 x 2 KB", 1_000, sqs(1_000, 2_000)),
        case("submit", "SQS, 10 x 200 KB", 10, sqs(10, 200_000)),
        case("submit", "HTTP, 2 KB", 1, http(2_000)),
        case("submit", "direct, 2 KB", 1, json!({"Body": payload(2_000), "InferenceId": "direct"})),
        case("collect", "SNS, 2 KB output", 1, sns(2_000)),
        case("collect", "SNS, 200 KB output", 1, sns(200_000)),
        case("collect", "SNS, 5 MB output", 1, sns(5_000_000)),
        case("collect", "SQS, 100 x 250 KB output", 100, notifications(100, 250_000)),
        case("collect", "to a queue, 2 KB output", 1, reply("to:team-a")),
        case("collect", "to a topic, 2 KB output", 1, reply("to:answers")),
        case("collect", "to an event bus, 2 KB output", 1, reply("to:pipeline")),
        case("collect", "to a task, 2 KB output", 1, reply("task:AQCEAAAAKgAAAAMAAAAA")),
        case("collect", "to a callback, 2 KB output", 1, reply("callback:Ab9tY2FsbGJhY2s=")),
    ]
}

fn sqs(count: u32, bytes: usize) -> Value {
    let record = |index: u32| {
        json!({
            "messageId": format!("059f36b4-87a3-44ab-83d2-{index:012}"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": payload(bytes),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1754224858414"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:requests",
            "awsRegion": "us-east-1",
        })
    };
    json!({"Records": (0..count).map(record).collect::<Vec<_>>()})
}

fn http(bytes: usize) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "POST /invocations",
        "rawPath": "/invocations",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "abcdefghij.execute-api.us-east-1.amazonaws.com"},
        "requestContext": {
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "http": {"method": "POST", "path": "/invocations", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "body": payload(bytes),
        "isBase64Encoded": false,
    })
}

/// The object's name tells the backend how long it is to be.
fn sns(bytes: usize) -> Value {
    delivered(&notification(bytes))
}

/// A notification whose result goes to this return address.
fn reply(address: &str) -> Value {
    let mut notification = notification(2_000);
    if let Some(request) = notification.get_mut("requestParameters").and_then(Value::as_object_mut) {
        request.insert("customAttributes".to_owned(), json!(format!("bridge={address}")));
    }
    delivered(&notification)
}

fn notification(bytes: usize) -> Value {
    json!({
        "awsRegion": "us-east-1",
        "eventTime": "2025-08-03T12:41:00.586Z",
        "receivedTime": "2025-08-03T12:40:58.414Z",
        "invocationStatus": "Completed",
        "requestParameters": {"contentType": "application/json", "endpointName": "bench"},
        "responseParameters": {
            "contentType": "application/json",
            "outputLocation": format!("s3://bucket/output/{bytes}.out"),
        },
        "inferenceId": "ccdad826-3b1a-4b07-9b4b-5bd1d8a1ad5c",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    })
}

/// A notification as SNS invokes a function with it.
fn delivered(notification: &Value) -> Value {
    let topic = "arn:aws:sns:us-east-1:123456789012:notifications";
    let subscription = format!("{topic}:21be56ed-a058-49f5-8c98-aedd2564c486");
    let sns = json!({
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": topic,
        "Subject": null,
        "Message": notification.to_string(),
        "Timestamp": "2025-08-03T12:41:00.623Z",
        "SignatureVersion": "1",
        "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa/ebXEkAi6RibDsvpi+tE/1+82j",
        "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-ac565b8b1a6c5d002d285f9598aa1d9b.pem",
        "UnsubscribeUrl": format!("https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}"),
        "MessageAttributes": {},
    });
    json!({
        "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": sns,
        }],
    })
}

/// Notifications by way of a queue, as SNS's raw message delivery puts them there.
fn notifications(count: u32, bytes: usize) -> Value {
    let sns = sns(bytes);
    let record = |index: u32| {
        json!({
            "messageId": format!("059f36b4-87a3-44ab-83d2-{index:012}"),
            "body": sns.pointer("/Records/0/Sns/Message"),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:notifications",
        })
    };
    json!({"Records": (0..count).map(record).collect::<Vec<_>>()})
}

/// JSON of `bytes` bytes, as requests mostly are: quotes are escaped in the event.
pub(crate) fn payload(bytes: usize) -> String {
    let (start, end) = (r#"{"inputs":""#, r#""}"#);
    format!("{start}{}{end}", "x".repeat(bytes.saturating_sub(start.len() + end.len())))
}
