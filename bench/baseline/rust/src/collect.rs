//! What users write instead of `collect`: fetch the output if it is small, put it into the notification, send it on.

use std::env::var;

use aws_config::BehaviorVersion;
use aws_lambda_events::event::sns::SnsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use serde_json::{Value, json};

const RESULT_BODY_LIMIT_BYTES: i64 = 262_144;

struct Collect {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    queue: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let collect = Collect {
        s3: aws_sdk_s3::Client::new(&config),
        sqs: aws_sdk_sqs::Client::new(&config),
        queue: var("BRIDGE_RESULTS_QUEUE_URL")?,
    };
    run(service_fn(|event: LambdaEvent<SnsEvent>| collect.handle(event.payload))).await
}

impl Collect {
    async fn handle(&self, event: SnsEvent) -> Result<(), Error> {
        for record in event.records {
            self.pass_on(&record.sns.message).await?;
        }
        Ok(())
    }

    /// One notification to one result.
    async fn pass_on(&self, message: &str) -> Result<(), Error> {
        let mut notification: Value = serde_json::from_str(message)?;
        let location = notification["responseParameters"]["outputLocation"].as_str();
        if let Some(location) = location {
            let (bucket, key) =
                location.strip_prefix("s3://").and_then(|path| path.split_once('/')).ok_or("not a location in S3")?;
            let output = self.s3.get_object().bucket(bucket).key(key).send().await?;
            if output.content_length().is_some_and(|length| length <= RESULT_BODY_LIMIT_BYTES) {
                let content = String::from_utf8(output.body.collect().await?.to_vec())?;
                notification["responseBody"] = json!({"content": content, "encoding": "UTF8"});
            }
        }
        self.sqs.send_message().queue_url(&self.queue).message_body(notification.to_string()).send().await?;
        Ok(())
    }
}
