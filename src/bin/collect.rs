//! The function `collect`: notifications to results.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use sagemaker_async_bridge::collect::Collect;
use sagemaker_async_bridge::config::CollectConfig;
use sagemaker_async_bridge::{aws, telemetry};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let config = CollectConfig::from_env()?;
    let collect = Collect::new(config, &aws::sdk_config());
    let collect = &collect;
    run(service_fn(async move |event: LambdaEvent<Box<RawValue>>| collect.handle(event).await)).await
}
