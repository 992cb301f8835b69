//! What users write instead of `submit`: the SDK with its defaults, 64 messages at once, inline when small. Validates nothing,
//! answers nobody.

use std::env::var;

use aws_config::BehaviorVersion;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sagemakerruntime::primitives::Blob;
use futures::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

const INLINE_LIMIT_BYTES: usize = 128_000;
const CONCURRENCY: usize = 64;

struct Submit {
    sagemaker: aws_sdk_sagemakerruntime::Client,
    s3: aws_sdk_s3::Client,
    endpoint: String,
    bucket: String,
    prefix: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let location = var("BRIDGE_INPUT_LOCATION")?;
    let (bucket, prefix) =
        location.strip_prefix("s3://").and_then(|path| path.split_once('/')).ok_or("not a location in S3")?;
    let submit = Submit {
        sagemaker: aws_sdk_sagemakerruntime::Client::new(&config),
        s3: aws_sdk_s3::Client::new(&config),
        endpoint: var("BRIDGE_ENDPOINT_NAME")?,
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
    };
    run(service_fn(|event: LambdaEvent<SqsEvent>| submit.handle(event.payload))).await
}

impl Submit {
    /// An event to its partial batch response.
    async fn handle(&self, event: SqsEvent) -> Result<SqsBatchResponse, Error> {
        let failed: Vec<_> = stream::iter(event.records)
            .map(|message| async move {
                let id = message.message_id.clone().unwrap_or_default();
                self.invoke(message).await.err().map(|error| {
                    tracing::error!(%id, error, "failed");
                    id
                })
            })
            .buffer_unordered(CONCURRENCY)
            .filter_map(|failed| async { failed })
            .collect()
            .await;
        let mut response = SqsBatchResponse::default();
        response.set_failures(failed);
        Ok(response)
    }

    /// One message to one invocation.
    async fn invoke(&self, message: SqsMessage) -> Result<(), Error> {
        let id = message.message_id.unwrap_or_default();
        let body = message.body.unwrap_or_default().into_bytes();
        let request = self
            .sagemaker
            .invoke_endpoint_async()
            .endpoint_name(&self.endpoint)
            .content_type("application/json")
            .inference_id(&id);
        let request = if body.len() <= INLINE_LIMIT_BYTES {
            request.body(Blob::new(body))
        } else {
            let key = format!("{}{id}", self.prefix);
            self.s3.put_object().bucket(&self.bucket).key(&key).body(body.into()).send().await?;
            request.input_location(format!("s3://{}/{key}", self.bucket))
        };
        request.send().await?;
        Ok(())
    }
}
