//! The binaries' start: a bad configuration stops it and says all that is wrong.

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use sagemaker_async_bridge::aws;
use sagemaker_async_bridge::submit::Submit;
use serde_json::json;

use crate::{http_client, submit_sqs};

type Variables<'a> = &'a [(&'a str, &'a str)];

fn start(binary: &str, variables: Variables) -> Output {
    Command::new(binary).env_clear().envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn a_bad_configuration_fails_the_start_and_names_every_variable() {
    let submit = env!("CARGO_BIN_EXE_submit");
    let collect = env!("CARGO_BIN_EXE_collect");
    let cases: [(&str, Variables, &[&str]); 3] = [
        (submit, &[], &["BRIDGE_ENDPOINT_NAME", "BRIDGE_INPUT_LOCATION"]),
        (
            submit,
            &[
                ("BRIDGE_ENDPOINT_NAME", "a_b"),
                ("BRIDGE_ALLOWED_ENDPOINTS", "c_d"),
                ("BRIDGE_INPUT_LOCATION", "bucket"),
                ("BRIDGE_ALLOWED_INPUT_LOCATIONS", "bucket"),
                ("BRIDGE_INLINE_LIMIT_BYTES", "131072"),
                ("BRIDGE_CONTENT_TYPE", "ü"),
                ("BRIDGE_REQUEST_TTL_SECONDS", "0"),
                ("BRIDGE_INVOCATION_TIMEOUT_SECONDS", "0"),
                ("BRIDGE_MAX_CONCURRENCY", "0"),
                ("BRIDGE_MAX_WAIT_SECONDS", "30"),
                ("BRIDGE_OUTPUT_LOCATIONS", "bucket"),
                ("BRIDGE_DEAD_LETTER_QUEUE_URL", "dead-letters"),
                ("BRIDGE_RESULTS_QUEUE_URL", "results"),
            ],
            &[
                "BRIDGE_ENDPOINT_NAME: must be",
                "BRIDGE_ALLOWED_ENDPOINTS: `c_d` must be",
                "BRIDGE_INPUT_LOCATION: must be s3://",
                "BRIDGE_ALLOWED_INPUT_LOCATIONS: `bucket` must be s3://",
                "BRIDGE_INLINE_LIMIT_BYTES: must be a whole number from 0 to 128000",
                "BRIDGE_CONTENT_TYPE: must be",
                "BRIDGE_REQUEST_TTL_SECONDS: must be a whole number from 60 to 21600",
                "BRIDGE_INVOCATION_TIMEOUT_SECONDS: must be a whole number from 1 to 3600",
                "BRIDGE_MAX_CONCURRENCY: must be a whole number from 1 to 1000",
                "BRIDGE_MAX_WAIT_SECONDS: must be a whole number from 0 to 28",
                "BRIDGE_OUTPUT_LOCATIONS: `bucket` must be s3://",
                "BRIDGE_DEAD_LETTER_QUEUE_URL: must be the URL",
                "BRIDGE_RESULTS_QUEUE_URL: must be the URL",
            ],
        ),
        (
            collect,
            &[
                ("BRIDGE_RESULT_BODY_LIMIT_BYTES", "-1"),
                ("BRIDGE_RESULT_FORMAT", "raw"),
                ("BRIDGE_MAX_CONCURRENCY", "x"),
            ],
            &[
                "BRIDGE_RESULTS_QUEUE_URL",
                "BRIDGE_RESULT_BODY_LIMIT_BYTES",
                "BRIDGE_RESULT_LOCATION",
                "BRIDGE_MAX_CONCURRENCY",
            ],
        ),
    ];
    for (binary, variables, expected) in cases {
        let output = start(binary, variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{binary} {variables:?} started");
        for name in expected {
            assert!(said.contains(name), "{name} is not in: {said}");
        }
    }
}

/// Credentials that count how often they are asked for; none at all if there are to be none.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>, Option<Credentials>);

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.0.fetch_add(1, Ordering::SeqCst);
        future::ProvideCredentials::ready(self.1.clone().ok_or_else(|| CredentialsError::not_loaded("none")))
    }
}

/// `submit` with these credentials, and how many requests it has sent to SageMaker.
fn submit(credentials: Counting) -> (Submit, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let sagemaker = http_client::http_client(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { http_client::ok(r#"{"InferenceId":"i"}"#) }
    });
    let sdk = aws::sdk_config().into_builder().region(Region::new("eu-west-1")).http_client(sagemaker);
    let sdk = sdk.credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    (Submit::new(submit_sqs::config(&[]), &sdk), sent)
}

/// The ids of those that come back of a batch of one message, `m`.
async fn returned(submit: &Submit) -> Vec<String> {
    submit_sqs::returned(submit, &json!({"Records": [{"messageId": "m", "body": "{}"}]})).await
}

#[tokio::test]
async fn priming_goes_the_whole_way_of_a_call_and_sends_nothing() {
    let loaded = Arc::new(AtomicUsize::new(0));
    let (submit, sent) = submit(Counting(loaded.clone(), Some(Credentials::for_tests())));
    submit.prime().await.unwrap();
    assert_eq!((sent.load(Ordering::SeqCst), loaded.load(Ordering::SeqCst)), (0, 1));
    assert!(returned(&submit).await.is_empty());
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn priming_without_credentials_says_so_and_leaves_the_message_to_come_back() {
    let (submit, _) = submit(Counting(Arc::default(), None));
    assert!(submit.prime().await.unwrap_err().kind().is_retryable());
    assert_eq!(returned(&submit).await, ["m"]);
}
