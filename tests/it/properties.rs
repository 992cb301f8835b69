//! What holds for any input: nothing panics, only messages of a batch come back, what is read and written again is the same.

use std::future::Future;

use proptest::prelude::*;
use proptest::test_runner::Config;
use sagemaker_async_bridge::location::{S3Prefix, S3Uri};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::aws::Aws;
use crate::submit_sqs::failures;
use crate::{collect_result, event_of, submit_s3, submit_sqs};

/// Stands for half of a surrogate pair, which JSON can hold and no Rust text can.
const SURROGATE: char = '\u{E000}';

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn text() -> impl Strategy<Value = String> {
    let telling = [
        "",
        "1",
        "base64",
        "Completed",
        "Failed",
        "Notification",
        "aws:sagemaker",
        "TestNotification",
        "{}",
        "UTF8",
        "s3://models-bucket/input/x",
        "s3://models-bucket/failure/x",
        "https://s3.amazonaws.com/",
        "/invocations",
        "/endpoints//async-invocations",
        "POST",
        "x.fifo",
        "\u{0}\u{FFFF}",
        "\u{E000}",
        r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":""}]"#,
    ];
    prop_oneof![prop::sample::select(telling.to_vec()).prop_map(str::to_owned), any_text()]
}

fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

/// Any JSON, with the names that matter among its names.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name(), inner, 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let known = "stringValue dataType Accept InferenceId InputLocation ContentEncoding ExtendedPayloadSize \
        RequestTTLSeconds ApproximateReceiveCount MessageGroupId invocationStatus inferenceId \
        requestParameters responseParameters responseBody failureReason outputLocation failureLocation \
        contentLength content encoding eventSource eventName Type Message http method accept";
    let known: Vec<&str> = known.split(' ').collect();
    prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => any_text()]
}

/// An object with each of these fields absent or anything.
fn object(fields: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(prop::option::of(any_json()), fields.len()).prop_map(|values| {
        let fields = fields.iter().map(|name| (*name).to_owned()).zip(values);
        fields.filter_map(|(name, value)| Some((name, value?))).collect()
    })
}

/// A notification: a status, and anything else.
fn notification() -> impl Strategy<Value = Value> {
    let fields =
        &["inferenceId", "requestParameters", "responseParameters", "responseBody", "failureReason", "Type", "z"];
    (object(fields), prop::sample::select(vec!["Completed", "Failed", "Expired"])).prop_map(|(mut fields, status)| {
        fields.insert("invocationStatus".to_owned(), json!(status));
        Value::Object(fields)
    })
}

/// Records of SQS, most with an id, and bodies of which some are what `body` makes.
fn records(body: BoxedStrategy<Value>) -> impl Strategy<Value = Vec<Value>> {
    let fields = &["body", "attributes", "messageAttributes", "eventSourceARN", "eventSource", "receiptHandle"];
    let id = prop_oneof![12 => "[a-f0-9-]{1,8}".prop_map(Value::from), 1 => any_json()];
    let body = prop::option::of(body.prop_map(|body| json!(body.to_string())));
    let record = (object(fields), id, body).prop_map(|(mut record, id, body)| {
        record.insert("messageId".to_owned(), id);
        record.extend(body.map(|body| ("body".to_owned(), body)));
        Value::Object(record)
    });
    prop::collection::vec(record, 0..5)
}

fn raw(event: &Value) -> Box<RawValue> {
    RawValue::from_string(event.to_string().replace(SURROGATE, r"\ud800")).unwrap()
}

/// A batch's answer names messages of the batch, and there is one whenever each message has an id.
fn assert_answers<T: serde::Serialize, E>(records: &[Value], answer: Result<T, E>) -> Result<(), TestCaseError> {
    let is_id = |id: &&str| !id.is_empty() && !id.contains(SURROGATE);
    let ids: Vec<&str> = records.iter().filter_map(|record| record["messageId"].as_str()).filter(is_id).collect();
    prop_assert_eq!(answer.is_ok(), ids.len() == records.len());
    if let Ok(answer) = answer {
        for id in failures(&serde_json::to_value(answer).unwrap()) {
            prop_assert!(ids.contains(&id.as_str()), "{}", id);
        }
    }
    Ok(())
}

#[test]
fn submit_answers_any_batch_with_messages_of_the_batch() {
    proptest!(config(256), |(records in records(any_json().boxed()), bare in any::<bool>(), keeps in any::<bool>())| {
        let batch = if bare { json!(records) } else { json!({"Records": records}) };
        let more = if keeps { submit_sqs::WITH_DEAD_LETTERS } else { &[] };
        let answer = block_on(submit_sqs::handler(&Aws::default(), more).handle(event_of(raw(&batch))));
        assert_answers(&records, answer)?;
    });
}

#[test]
fn collect_answers_any_batch_with_messages_of_the_batch() {
    proptest!(config(256), |(records in records(notification().boxed()), is_raw in any::<bool>())| {
        let format = if is_raw { &collect_result::RAW[..] } else { &[] };
        let event = event_of(raw(&json!({"Records": records})));
        let answer = block_on(collect_result::handler(&Aws::default(), format).handle(event));
        // A batch of none looks like one of SNS as much as like one of SQS.
        if !records.is_empty() {
            assert_answers(&records, answer)?;
        }
    });
}

#[test]
fn collect_takes_anything_that_sns_may_deliver() {
    let fields = &["Message", "MessageId", "Type", "Timestamp"];
    proptest!(config(128), |(sns in object(fields), notification in prop::option::of(notification()))| {
        let mut sns = sns;
        sns.extend(notification.map(|notification| ("Message".to_owned(), json!(notification.to_string()))));
        let event = event_of(raw(&json!({"Records": [{"Sns": sns}]})));
        let _ = block_on(collect_result::handler(&Aws::default(), &[]).handle(event));
    });
}

#[test]
fn submit_takes_anything_that_s3_sns_and_eventbridge_may_deliver() {
    let (record, detail) =
        (&["eventName", "s3", "Sns", "eventSource"], &["Body", "InputLocation", "bucket", "object", "Accept"]);
    proptest!(config(256), |(record in object(record), detail in object(detail), odd in any_json(), source in text())| {
        let notification = json!({"Records": [record, odd]});
        let queued = json!({"Records": [{"messageId": "m", "body": notification.to_string(),
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:objects"}]});
        let event = json!({"detail-type": "Object Created", "source": source, "id": "e", "detail": detail});
        let submit = submit_sqs::handler(&Aws::default(), submit_s3::WITH_QUEUE);
        for event in [&notification, &event] {
            let _ = block_on(submit.handle(event_of(raw(event))));
        }
        let answer = block_on(submit.handle(event_of(raw(&queued)))).unwrap();
        prop_assert!(failures(&serde_json::to_value(answer).unwrap()).iter().all(|id| id == "m"));
    });
}

#[test]
fn submit_answers_any_http_request_with_a_status() {
    let fields = &["rawPath", "path", "httpMethod", "headers", "body", "isBase64Encoded", "requestContext"];
    let texts = (text(), text(), text(), any::<bool>());
    proptest!(config(256), |(odd in object(fields), (path, method, body, encoded) in texts, headers in prop::collection::hash_map(name(), text(), 0..4), mend in any::<bool>())| {
        let mut request = odd;
        if mend {
            request.extend(json!({"rawPath": path, "headers": headers, "body": body, "isBase64Encoded": encoded,
                "requestContext": {"http": {"method": method}, "requestId": body}}).as_object().unwrap().clone());
        }
        let answer = block_on(submit_sqs::handler(&Aws::default(), &[]).handle(event_of(raw(&Value::Object(request)))));
        if let Ok(answer) = answer {
            let answer = serde_json::to_value(answer).unwrap();
            prop_assert!((200..600).contains(&answer["statusCode"].as_u64().unwrap()), "{}", answer);
            prop_assert!(serde_json::from_str::<Value>(answer["body"].as_str().unwrap()).is_ok());
        }
    });
}

#[test]
fn a_result_has_every_field_of_its_notification() {
    proptest!(config(256), |(notification in notification())| {
        let aws = Aws::default();
        let batch = json!({"Records": [{"messageId": "m", "body": notification.to_string()}]});
        block_on(collect_result::handler(&aws, &[]).handle(event_of(raw(&batch)))).unwrap();
        for entry in aws.sent() {
            let result = serde_json::from_str(entry.message_body()).unwrap();
            prop_assert_eq!(without_response(result), without_response(notification.clone()));
        }
    });
}

/// A notification without what the bridge completes: the body, and the length among the parameters.
fn without_response(mut notification: Value) -> Value {
    let fields = notification.as_object_mut().unwrap();
    fields.remove("responseBody");
    if let Some(parameters) = fields.get_mut("responseParameters").and_then(Value::as_object_mut) {
        parameters.remove("contentLength");
    }
    if fields.get("responseParameters").is_some_and(|parameters| [json!({}), Value::Null].contains(parameters)) {
        fields.remove("responseParameters");
    }
    notification
}

#[test]
fn a_location_reads_as_it_is_written() {
    let bucket = "[A-Za-z0-9._-]{3,12}";
    let hosts = ["s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "s3-eu-west-1.amazonaws.com.cn", "example.com"];
    let host = prop::sample::select(hosts.to_vec());
    proptest!(config(512), |(bucket in bucket, host in host, key in any_text(), any in any_text())| {
        let texts = [
            format!("s3://{bucket}/{key}"),
            format!("https://{bucket}.{host}/{key}"),
            format!("https://{host}/{bucket}/{key}"),
            format!("s3://{any}"),
            format!("https://{any}"),
            any,
        ];
        for text in texts {
            if let Ok(location) = text.parse::<S3Uri>() {
                prop_assert_eq!(location.to_string().parse::<S3Uri>(), Ok(location));
            }
            if let Ok(prefix) = text.parse::<S3Prefix>() {
                prop_assert_eq!(prefix.to_string().parse::<S3Prefix>(), Ok(prefix));
            }
        }
        prop_assert_eq!(format!("s3://{bucket}/x{key}").parse::<S3Uri>().map(|location| location.to_string()),
                        Ok(format!("s3://{bucket}/x{key}")));
    });
}
