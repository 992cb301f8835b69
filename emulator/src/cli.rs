//! The command line.

use std::str::FromStr;

use clap::Parser;
use sagemaker_async_bridge::invocation::EndpointName;
use sagemaker_async_bridge::location::S3Prefix;

use crate::endpoint::deployment::IncludeIn;
use crate::model::Model;

/// A local SageMaker async endpoint: speaks InvokeEndpointAsync, runs a model, writes outputs to S3 and publishes SageMaker's
/// notifications to SNS. AWS clients are configured by the usual environment variables, AWS_ENDPOINT_URL among them.
#[derive(Debug, Parser)]
#[command(name = "sagemaker-async-emulator", version)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one. The first line on standard output tells the URL.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
    pub listen: String,
    /// An endpoint and its model: echo, fail, sleep:SECONDS (sleeps, then echoes), or http://host:port of a model container.
    /// Repeatable.
    #[arg(long = "endpoint", required = true, value_name = "NAME=MODEL")]
    pub endpoints: Vec<EndpointOption>,
    /// S3OutputPath of the endpoints.
    #[arg(long, value_name = "S3URI")]
    pub output_location: S3Prefix,
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
    /// MaxConcurrentInvocationsPerInstance of the endpoints, each of one instance.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub max_concurrent_invocations_per_instance: u32,
    /// Answers the first COUNT invocations of an endpoint with ThrottlingException. Repeatable.
    #[arg(long, value_name = "NAME=COUNT")]
    pub throttle: Vec<Throttle>,
}

/// An endpoint of `--endpoint`.
#[derive(Clone, Debug)]
pub struct EndpointOption {
    /// Its name.
    pub name: String,
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

/// `--throttle` for an endpoint that there is not.
#[derive(Debug, thiserror::Error)]
#[error("--throttle names the endpoint {0}, which no --endpoint does")]
pub struct UnknownEndpoint(String);

impl Options {
    /// Checks what one option alone cannot tell.
    ///
    /// # Errors
    /// [`UnknownEndpoint`].
    pub fn check(&self) -> Result<(), UnknownEndpoint> {
        let is_known = |throttle: &&Throttle| self.endpoints.iter().any(|endpoint| endpoint.name == throttle.name);
        match self.throttle.iter().find(|throttle| !is_known(throttle)) {
            Some(throttle) => Err(UnknownEndpoint(throttle.name.clone())),
            None => Ok(()),
        }
    }
}

impl FromStr for EndpointOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, model) = text.split_once('=').ok_or("must be NAME=MODEL")?;
        let name = name.parse::<EndpointName>().map_err(|error| format!("the name {error}"))?;
        Ok(Self { name: name.into(), model: model.parse()? })
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
        ])
        .unwrap();
        assert_eq!(options.endpoints.len(), 3);
        assert_eq!(options.include_inference_response_in, [IncludeIn::Success, IncludeIn::Error]);
        assert!(options.check().is_ok());
    }

    #[test]
    fn a_bad_option_says_what_is_allowed() {
        for (more, expected) in [
            (&["--endpoint=a"][..], "NAME=MODEL"),
            (&["--endpoint=a_b=echo"], "letters, digits and hyphens"),
            (&["--endpoint=a=gpt"], "echo, fail, sleep:SECONDS"),
            (&["--endpoint=a=sleep:-1"], "echo, fail, sleep:SECONDS"),
            (&["--endpoint=a=echo", "--failure-location=bucket"], "s3://"),
            (&["--endpoint=a=echo", "--include-inference-response-in=BOTH"], "SUCCESS_NOTIFICATION_TOPIC"),
            (&["--endpoint=a=echo", "--throttle=a=x"], "whole number"),
            (&["--endpoint=a=echo", "--max-concurrent-invocations-per-instance=0"], "1..=1000"),
            (&[], "--endpoint"),
        ] {
            let error = parse(more).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error} / {expected}");
        }
    }

    #[test]
    fn a_throttle_for_no_endpoint_is_refused() {
        let error = parse(&["--endpoint=a=echo", "--throttle=b=1"]).unwrap().check().unwrap_err();
        assert!(error.to_string().contains("endpoint b"), "{error}");
    }
}
