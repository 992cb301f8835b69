//! Any JSON as a message of a batch, beside a good one: that one is always accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sagemaker_async_bridge_fuzz::submit;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut odd) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return };
    odd.insert("messageId".to_owned(), json!("odd"));
    let records = json!({"Records": [odd, {"messageId": "good", "body": "{}"}]});
    let answer = submit(to_raw_value(&records).unwrap()).expect("a batch whose messages have ids is answered");
    let back = answer["batchItemFailures"].as_array().unwrap();
    assert!(back.iter().all(|failure| failure["itemIdentifier"] == "odd"), "{answer}");
});
