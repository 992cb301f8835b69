//! `submit`: events in, invocations out, an answer back.
//!
//! `sources` turn events into [`Invocation`](crate::invocation::Invocation)s and what becomes of them into answers. What happens between
//! the two, one call of `InvokeEndpointAsync`, is in `invoke`, which knows none of the sources.

mod accepted;
mod events;
mod idempotency;
mod invoke;
mod outcome;
mod rejected;
mod remember;
mod sources;
mod tries;

use std::iter;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::SqsBatchResponse;
use aws_sdk_sagemakerruntime::primitives::Blob;
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::aws::{self, Clients, Lazy};
use crate::config::SubmitConfig;
use crate::destinations::{Queue, Routes};
use crate::event::{self, Call, Handler};
use crate::fault::Fault;
use crate::metrics::Metrics;
use accepted::Accepted;
use sources::http::Response;
use sources::sqs::DeadLetterQueue;

/// The handler of the function `submit`.
pub struct Submit {
    config: SubmitConfig,
    sagemaker: aws_sdk_sagemakerruntime::Client,
    s3: Lazy<aws_sdk_s3::Client>,
    dead_letters: Option<DeadLetterQueue>,
    results: Option<Queue>,
    routes: Routes,
    metrics: Metrics,
}

/// What `submit` answers, in the form that the event's source takes.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Answer(AnswerForm);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum AnswerForm {
    /// The messages of a batch that must come back.
    Sqs(SqsBatchResponse),
    /// An HTTP response.
    Http(Response),
    /// SageMaker's answer, as its API gives it.
    Accepted(Accepted),
    /// Nothing: nobody waits for it.
    Nothing(()),
}

impl Handler for Submit {
    type Answer = Answer;
}

impl Submit {
    /// A handler whose clients come from `sdk`.
    #[must_use]
    pub fn new(config: SubmitConfig, sdk: &SdkConfig) -> Self {
        Self::with_clients(config, aws::sagemaker(sdk), aws::s3(sdk), &Clients::new(sdk))
    }

    /// A handler with these clients.
    #[must_use]
    pub fn with_clients(
        config: SubmitConfig,
        sagemaker: aws_sdk_sagemakerruntime::Client,
        s3: Lazy<aws_sdk_s3::Client>,
        clients: &Clients,
    ) -> Self {
        let (sqs, at_once) = (&clients.sqs, config.max_concurrency);
        let dead_letters = config.dead_letter_queue_url.clone();
        let dead_letters = dead_letters.map(|url| DeadLetterQueue::new(aws::share_client(sqs), url, at_once));
        let results = config.results_queue_url.clone();
        let results = results.map(|url| Queue::results(aws::share_client(sqs), url));
        let routes = Routes::new(&config.reply_to, clients);
        let metrics = Metrics::new(config.metrics, iter::once(&config.endpoint_name).chain(&config.allowed_endpoints));
        Self { config, sagemaker, s3, dead_letters, results, routes, metrics }
    }

    /// Primes the process for its first request: goes through an invocation with a client that sends nothing, so that the SDK's code
    /// is paged in by then. Lambda gives init a whole processor, invocations a share of one (docs/performance.md has the figures).
    ///
    /// # Errors
    /// A [`Fault`] when the SDK cannot make a request, as it then cannot for an event either.
    pub async fn prime(&self) -> Result<(), Fault> {
        let config = self.sagemaker.config().to_builder().http_client(aws::silent_http_client()).build();
        let invocation = aws_sdk_sagemakerruntime::Client::from_conf(config)
            .invoke_endpoint_async()
            .endpoint_name(self.config.endpoint_name.clone())
            .content_type(self.config.content_type.clone())
            .body(Blob::new("{}"));
        invocation.send().await.map(drop).map_err(Fault::from_invoke)
    }

    /// Answers one event of any of the sources.
    ///
    /// # Errors
    /// A [`Fault`] when it is an event of none of them, or one that cannot be answered; Lambda then treats the whole event as failed.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Fault> {
        let (payload, context) = event.into_parts();
        let answering = event::read(sources::SOURCES, self, &payload, Call::from(context))
            .inspect_err(|fault| tracing::error!(error = %fault, "event refused"))?;
        drop(payload);
        let answer = answering.await;
        self.metrics.write();
        answer
    }
}
