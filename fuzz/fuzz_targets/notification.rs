//! Any text as the body of a message from the topics: a notification, or none. It is passed on, or comes back, and its
//! neighbour, which is no notification, comes back in any case.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sagemaker_async_bridge_fuzz::collect;
use serde_json::json;
use serde_json::value::to_raw_value;

fuzz_target!(|body: &str| {
    let records = json!({"Records": [{"messageId": "a", "body": body}, {"messageId": "b", "body": "no notification"}]});
    let answer = collect(to_raw_value(&records).unwrap()).expect("a batch whose messages have ids is answered");
    let back = answer["batchItemFailures"].as_array().unwrap();
    assert!(back.iter().any(|failure| failure["itemIdentifier"] == "b"));
});
