//! Any JSON as the event of `collect`: of SNS, of SQS, or neither.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sagemaker_async_bridge_fuzz::{collect, payload};

fuzz_target!(|bytes: &[u8]| {
    if let Some(event) = payload(bytes) {
        collect(event);
    }
});
