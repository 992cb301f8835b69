//! Callbacks of durable functions.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::send_durable_execution_callback_failure::{
    SendDurableExecutionCallbackFailureError, SendDurableExecutionCallbackFailureInput,
    SendDurableExecutionCallbackFailureOutput,
};
use aws_sdk_lambda::operation::send_durable_execution_callback_success::{
    SendDurableExecutionCallbackSuccessError, SendDurableExecutionCallbackSuccessInput,
    SendDurableExecutionCallbackSuccessOutput,
};
use aws_sdk_lambda::types::ErrorObject;
use aws_smithy_mocks::{RuleMode, mock, mock_client};

use super::*;
use crate::aws::{Seen, lazy, only_sqs, remember};

const ID: &str = "Ab+/9==";
const ADDRESS: &str = "callback:Ab+/9==";

#[derive(Default)]
struct Lambda {
    succeeded: Seen<SendDurableExecutionCallbackSuccessInput>,
    failed: Seen<SendDurableExecutionCallbackFailureInput>,
}

impl Lambda {
    /// Ends every callback, or answers each call with this error.
    fn clients(&self, aws: &Aws, refusal: Option<&'static str>) -> Clients {
        let mut rules = Vec::new();
        if let Some(code) = refusal {
            let words = "Callback not found: Ab+/9==";
            rules.push(
                mock!(Client::send_durable_execution_callback_success)
                    .then_error(move || SendDurableExecutionCallbackSuccessError::generic(error(code, words))),
            );
            rules.push(
                mock!(Client::send_durable_execution_callback_failure)
                    .then_error(move || SendDurableExecutionCallbackFailureError::generic(error(code, words))),
            );
        }
        let seen = self.succeeded.clone();
        rules.push(mock!(Client::send_durable_execution_callback_success).then_compute_output(move |input| {
            remember(&seen, input.clone());
            SendDurableExecutionCallbackSuccessOutput::builder().build()
        }));
        let seen = self.failed.clone();
        rules.push(mock!(Client::send_durable_execution_callback_failure).then_compute_output(move |input| {
            remember(&seen, input.clone());
            SendDurableExecutionCallbackFailureOutput::builder().build()
        }));
        let rules: Vec<_> = rules.iter().collect();
        let client = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, &rules, |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Clients { lambda: Arc::new(lazy(client)), ..only_sqs(aws.sqs()) }
    }

    fn result(&self) -> Vec<u8> {
        let succeeded = self.succeeded.lock().unwrap();
        let [input] = &succeeded[..] else { panic!("{} callbacks succeeded", succeeded.len()) };
        assert_eq!(input.callback_id(), Some(ID));
        input.result().unwrap().clone().into_inner()
    }

    fn error(&self) -> ErrorObject {
        let failed = self.failed.lock().unwrap();
        let [input] = &failed[..] else { panic!("{} callbacks failed", failed.len()) };
        assert_eq!(input.callback_id(), Some(ID));
        input.error().unwrap().clone()
    }
}

#[tokio::test]
async fn a_completed_inference_ends_its_callback_with_the_result_in_notification_format_and_nobody_else_gets_it() {
    for more in [&[][..], &RAW] {
        let (aws, notification) = completed(ADDRESS, "i", 5);
        let lambda = Lambda::default();
        let clients = lambda.clients(&aws, None);
        assert_eq!(returned(&aws, &clients, more, &[notification]).await, ids(&[]));
        let result: Value = serde_json::from_slice(&lambda.result()).unwrap();
        assert_is_the_callers(&result, "i");
        assert_eq!(result["responseBody"]["content"], "xxxxx");
        assert!(aws.sent().is_empty() && lambda.failed.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn any_other_status_fails_the_callback_with_the_reason_as_message_and_the_result_as_data() {
    let aws = Aws::default();
    let lambda = Lambda::default();
    let clients = lambda.clients(&aws, None);
    let notification = notification("failed-bare.json", ADDRESS, "i");
    assert_eq!(returned(&aws, &clients, &[], std::slice::from_ref(&notification)).await, ids(&[]));
    let error = lambda.error();
    assert_eq!(error.error_type(), Some("ModelError"));
    assert_eq!(error.error_message(), notification["failureReason"].as_str());
    assert_is_the_callers(&json_of(error.error_data().unwrap()), "i");
    assert!(aws.sent().is_empty());
}

#[tokio::test]
async fn a_failure_without_a_reason_says_its_name() {
    for reason in [json!(null), json!(""), json!({"code": 1})] {
        let aws = Aws::default();
        let lambda = Lambda::default();
        let clients = lambda.clients(&aws, None);
        let mut notification = notification("failed-bare.json", ADDRESS, "i");
        notification["failureReason"] = reason;
        assert_eq!(returned(&aws, &clients, &[], &[notification]).await, ids(&[]));
        assert_eq!(lambda.error().error_message(), Some("ModelError"));
    }
}

#[tokio::test]
async fn a_result_is_longer_than_262_144_bytes_only_without_the_response() {
    for (bytes, expected) in [(261_000, true), (262_144, false), (900_000, false)] {
        let (aws, notification) = completed(ADDRESS, "i", bytes);
        let lambda = Lambda::default();
        let clients = lambda.clients(&aws, None);
        assert_eq!(returned(&aws, &clients, &[LARGE], &[notification]).await, ids(&[]));
        let result = lambda.result();
        assert!(result.len() <= 262_144);
        let result: Value = serde_json::from_slice(&result).unwrap();
        assert_eq!(result.get("responseBody").is_some(), expected, "{bytes}");
        assert_eq!(result["responseParameters"]["contentLength"], bytes);
    }
}

#[tokio::test]
async fn the_fields_of_an_error_are_longer_than_262_144_bytes_together_only_without_the_response() {
    for (bytes, expected) in [(250_000, true), (261_000, false)] {
        let aws = Aws::default().with_object("s3://models-bucket/failure/9b1d-error.out", &vec![b'x'; bytes]);
        let lambda = Lambda::default();
        let clients = lambda.clients(&aws, None);
        let mut notification = notification("failed-with-location.json", ADDRESS, "i");
        notification["failureReason"] = json!("why ".repeat(300));
        assert_eq!(returned(&aws, &clients, &[LARGE], &[notification]).await, ids(&[]));
        let error = lambda.error();
        let fields = [error.error_type(), error.error_message(), error.error_data()];
        assert!(fields.into_iter().flatten().map(str::len).sum::<usize>() <= 262_144);
        assert_eq!(json_of(error.error_data().unwrap()).get("responseBody").is_some(), expected, "{bytes}");
    }
}

#[tokio::test]
async fn the_result_of_a_callback_that_no_longer_waits_is_on_the_results_queue_once() {
    for code in ["CallbackTimeoutException", "ResourceNotFoundException", "InvalidParameterValueException"] {
        let (aws, notification) = completed(ADDRESS, "i", 300_000);
        let clients = Lambda::default().clients(&aws, Some(code));
        assert_eq!(returned(&aws, &clients, &[LARGE], &[notification]).await, ids(&[]), "{code}");
        let [result] = &on_the_results_queue(&aws)[..] else { panic!("{code}: {}", aws.sent().len()) };
        assert_is_the_callers(result, "i");
        assert_eq!(result["responseBody"]["content"].as_str().unwrap().len(), 300_000);
    }
}

#[tokio::test]
async fn what_may_be_mended_comes_back_and_goes_nowhere_else() {
    for code in ["TooManyRequestsException", "AccessDeniedException", "ServiceException", "KMSDisabledException"] {
        let (aws, notification) = completed(ADDRESS, "i", 5);
        let clients = Lambda::default().clients(&aws, Some(code));
        assert_eq!(returned(&aws, &clients, &[], &[notification]).await, ids(&["i"]), "{code}");
        assert!(aws.sent().is_empty(), "{code}");
    }
}
