//! The function `submit`: requests from SQS and HTTP to invocations.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mimalloc::MiMalloc;
use sagemaker_async_bridge::config::SubmitConfig;
use sagemaker_async_bridge::submit::Submit;
use sagemaker_async_bridge::{aws, telemetry};
use serde_json::value::RawValue;

/// A request makes hundreds of small allocations, most of them in the SDK, and glibc takes a fifth of its time for them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let config = SubmitConfig::from_env()?;
    let submit = Submit::new(config, &aws::sdk_config());
    if let Err(fault) = submit.prime().await {
        tracing::warn!(error = fault.details(), "not primed");
    }
    let submit = &submit;
    run(service_fn(async move |event: LambdaEvent<Box<RawValue>>| submit.handle(event).await)).await
}
