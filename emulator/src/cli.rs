//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use sagemaker_async_bridge::location::S3Prefix;
use sagemaker_async_bridge::parameter::EndpointName;

use serde_json::json;

use crate::clock::TimeScale;
use crate::embedded::ObjectStorage;
use crate::endpoint::async_config::IncludeIn;
use crate::faults::rules::{Rules, Seconds};
use crate::images::ImageOption;
use crate::model::Model;
use crate::notifier::Target;

/// A local SageMaker async endpoint: speaks InvokeEndpointAsync and SageMaker's control plane, runs models, writes outputs to S3
/// and publishes SageMaker's notifications to SNS. AWS clients are configured by the usual environment variables,
/// AWS_ENDPOINT_URL among them.
#[derive(Debug, Parser)]
#[command(name = "sagemaker-async-emulator", version)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one. The first line on standard output tells the URL.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
    pub listen: String,
    /// Ends when its standard input does: no emulator outlives the program that holds the other end, not even a killed one.
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// A TOML file with endpoints, images and faults. Flags count more than its defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Brings an S3 of its own, at the same address: `memory`, or a directory that keeps objects, queues and what is created. Nothing
    /// else is needed then.
    #[arg(long, value_name = "memory|DIR")]
    pub embedded: Option<ObjectStorage>,
    /// Where notifications go: sns, sqs=QUEUE_URL, webhook=http://… or file=PATH. Repeatable [default: sns, with --embedded
    /// nowhere].
    #[arg(long, value_name = "TARGET")]
    pub notify: Vec<Target>,
    /// An endpoint and its model: echo, fail, fail:STATUS, sleep:SECONDS (sleeps, then echoes), size:BYTES, http://host:port of a model
    /// container, or exec:COMMAND that serves like one and is started for each instance. Repeatable.
    #[arg(long = "endpoint", value_name = "NAME=MODEL")]
    pub endpoints: Vec<EndpointOption>,
    /// S3OutputPath of the endpoints of --endpoint, which need one [default with --embedded: s3://sagemaker/output/].
    #[arg(long, value_name = "S3URI")]
    pub output_location: Option<S3Prefix>,
    /// S3FailurePath of the endpoints. Without it a failure leaves no object and its notification no location.
    #[arg(long, value_name = "S3URI")]
    pub failure_location: Option<S3Prefix>,
    /// SuccessTopic of the endpoints. Without it a success is not notified.
    #[arg(long, value_name = "ARN")]
    pub success_topic_arn: Option<String>,
    /// ErrorTopic of the endpoints. Without it a failure is not notified.
    #[arg(long, value_name = "ARN")]
    pub error_topic_arn: Option<String>,
    /// IncludeInferenceResponseIn of the endpoints: notifications that carry responses of up to 128 KB themselves.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOPIC,…")]
    pub include_inference_response_in: Vec<IncludeIn>,
    /// Instances of each endpoint [default: 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub instances: Option<u32>,
    /// MaxConcurrentInvocationsPerInstance of the endpoints [default: 4].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub max_concurrent_invocations_per_instance: Option<u32>,
    /// How long an instance takes to start, beside its container's answer to /ping [default: 0].
    #[arg(long, value_parser = seconds, value_name = "SECONDS")]
    pub cold_start: Option<Seconds>,
    /// Endpoints without work for so long give up their instances, until work comes [default: never].
    #[arg(long, value_parser = seconds, value_name = "SECONDS")]
    pub scale_to_zero_after: Option<Seconds>,
    /// The model that runs for images of models which CreateModel creates: `*` stands for any text, the longest pattern counts.
    /// An image that no pattern matches runs echo. Repeatable.
    #[arg(long = "image", value_name = "PATTERN=MODEL")]
    pub images: Vec<ImageOption>,
    /// Instances that all endpoints together may have; more are ResourceLimitExceeded [default: 100].
    #[arg(long, value_name = "N")]
    pub instance_limit: Option<u32>,
    /// How many times as fast time passes for CloudWatch and Application Auto Scaling: at 60 a minute of theirs takes a second
    /// [default: 1].
    #[arg(long, value_name = "N")]
    pub time_scale: Option<TimeScale>,
    /// Invocations that wait at most in each queue; then callers get ServiceUnavailable [default: 10000].
    #[arg(long, value_name = "N")]
    pub queue_limit: Option<usize>,
    /// Ended invocations that each endpoint remembers [default: 1000].
    #[arg(long, value_name = "N")]
    pub history_limit: Option<usize>,
    /// Answers the first COUNT invocations of an endpoint with ThrottlingException. Repeatable.
    #[arg(long, value_name = "NAME=COUNT")]
    pub throttle: Vec<Throttle>,
    /// A fault of all endpoints, or of one, such as throttling=0.1 or demo:lost-notification=0.01. Repeatable.
    #[arg(long = "fault", value_name = "[ENDPOINT:]NAME=NUMBER")]
    pub faults: Vec<FaultOption>,
    /// Decides which calls meet a fault [default: 0].
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
}

/// An endpoint of `--endpoint`.
#[derive(Clone, Debug)]
pub struct EndpointOption {
    /// Its name.
    pub name: String,
    /// What it runs, as it was written.
    pub image: String,
    /// What it runs.
    pub model: Model,
}

/// A `--throttle`.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// The endpoint.
    pub name: String,
    /// How many invocations.
    pub count: usize,
}

/// A `--fault`.
#[derive(Clone, Debug)]
pub struct FaultOption {
    /// The endpoint; `None` for all that have no faults of their own.
    pub endpoint: Option<String>,
    /// Its name and number, one of [`Rules`].
    pub name: String,
    /// Its rate or time.
    pub number: f64,
}

fn seconds(text: &str) -> Result<Seconds, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds")?;
    seconds.try_into().map_err(str::to_owned)
}

impl FromStr for FaultOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text.split_once('=').ok_or("must be [ENDPOINT:]NAME=NUMBER")?;
        let number: f64 = number.parse().map_err(|_| "NUMBER must be a number")?;
        let (endpoint, name) = match name.split_once(':') {
            Some((endpoint, name)) => (Some(endpoint.to_owned()), name),
            None => (None, name),
        };
        // What it may be is said by the rules themselves.
        serde_json::from_value::<Rules>(json!({name: number})).map_err(|error| error.to_string())?;
        Ok(Self { endpoint, name: name.to_owned(), number })
    }
}

impl FromStr for EndpointOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, model) = text.split_once('=').ok_or("must be NAME=MODEL")?;
        let name = name.parse::<EndpointName>().map_err(|error| format!("the name {error}"))?;
        Ok(Self { name: name.into(), image: model.to_owned(), model: model.parse()? })
    }
}

impl FromStr for Throttle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = text.split_once('=').ok_or("must be NAME=COUNT")?;
        let count = count.parse().map_err(|_| "COUNT must be a whole number")?;
        Ok(Self { name: name.to_owned(), count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &[&str]) -> Result<Options, clap::Error> {
        let base = ["sagemaker-async-emulator", "--output-location", "s3://bucket/output/"];
        Options::try_parse_from(base.iter().chain(more))
    }

    #[test]
    fn every_option_is_read() {
        let options = parse(&[
            "--endpoint=a=echo",
            "--endpoint=b=sleep:0.5",
            "--endpoint=c=http://127.0.0.1:9000",
            "--failure-location=s3://bucket/failure",
            "--include-inference-response-in=SUCCESS_NOTIFICATION_TOPIC,ERROR_NOTIFICATION_TOPIC",
            "--throttle=a=3",
            "--fault=a:lost-notification=0.5",
            "--fault=delay-seconds=2",
            "--seed=7",
            "--image=*/model:*=fail",
            "--cold-start=1.5",
            "--embedded=memory",
            "--notify=file=x=y.jsonl",
            "--stop-with-stdin",
        ])
        .unwrap();
        assert_eq!(options.endpoints.len(), 3);
        assert_eq!(options.include_inference_response_in, [IncludeIn::Success, IncludeIn::Error]);
        assert_eq!(
            (options.embedded, options.notify),
            (Some(ObjectStorage::Memory), vec![Target::File("x=y.jsonl".into())])
        );
        assert_eq!(options.faults[0].endpoint.as_deref(), Some("a"));
        assert!(options.stop_with_stdin);
        assert_eq!((options.seed, options.cold_start), (Some(7), Seconds::try_from(1.5).ok()));
    }

    #[test]
    fn a_bad_option_says_what_is_allowed() {
        for (more, expected) in [
            (&["--endpoint=a"][..], "NAME=MODEL"),
            (&["--endpoint=a_b=echo"], "letters, digits and hyphens"),
            (&["--endpoint=a=gpt"], "echo, fail, fail:STATUS"),
            (&["--endpoint=a=sleep:-1"], "echo, fail, fail:STATUS"),
            (&["--endpoint=a=echo", "--failure-location=bucket"], "s3://"),
            (&["--endpoint=a=echo", "--include-inference-response-in=BOTH"], "SUCCESS_NOTIFICATION_TOPIC"),
            (&["--endpoint=a=echo", "--throttle=a=x"], "whole number"),
            (&["--endpoint=a=echo", "--max-concurrent-invocations-per-instance=0"], "1..=1000"),
            (&["--fault=throtling=0.5"], "unknown field `throtling`"),
            (&["--fault=throttling=1.5"], "from 0 to 1"),
            (&["--image=x"], "PATTERN=MODEL"),
            (&["--notify=email"], "webhook=http://"),
            (&["--time-scale=0.5"], "from 1 to 1000"),
            (&["--scale-to-zero-after=x"], "number of seconds"),
            (&["--cold-start=86401"], "from 0 to 86400"),
        ] {
            let error = parse(more).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error} / {expected}");
        }
    }
}
