//! Any JSON as the event of `submit`: a batch of SQS, records of Pipes, an HTTP request, a direct invocation, or none of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sagemaker_async_bridge_fuzz::{payload, submit};

fuzz_target!(|bytes: &[u8]| {
    if let Some(event) = payload(bytes) {
        submit(event);
    }
});
