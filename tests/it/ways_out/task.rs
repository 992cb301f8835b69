//! Tasks of Step Functions.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::send_task_failure::{SendTaskFailureError, SendTaskFailureInput, SendTaskFailureOutput};
use aws_sdk_sfn::operation::send_task_success::{SendTaskSuccessError, SendTaskSuccessInput, SendTaskSuccessOutput};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use sagemaker_async_bridge::submit::Submit;

use super::*;
use crate::aws::{Seen, lazy, only_sqs, remember};
use crate::submit_sqs;

/// The token has all that its type allows.
const TOKEN: &str = "AAAAKgAAAAIA%2C;+/=,\"x\\";
/// It as `submit` writes it.
const ADDRESS: &str = "task:AAAAKgAAAAIA%252C%3B+/=%2C%22x%5C";

#[derive(Default)]
struct StepFunctions {
    succeeded: Seen<SendTaskSuccessInput>,
    failed: Seen<SendTaskFailureInput>,
}

impl StepFunctions {
    /// Ends every task, or answers each call with this error.
    fn clients(&self, aws: &Aws, refusal: Option<&'static str>) -> Clients {
        let mut rules = Vec::new();
        if let Some(code) = refusal {
            let words = "Task Timed Out: 'Provided task does not exist anymore'";
            rules.push(
                mock!(Client::send_task_success).then_error(move || SendTaskSuccessError::generic(error(code, words))),
            );
            rules.push(
                mock!(Client::send_task_failure).then_error(move || SendTaskFailureError::generic(error(code, words))),
            );
        }
        let seen = self.succeeded.clone();
        rules.push(mock!(Client::send_task_success).then_compute_output(move |input| {
            remember(&seen, input.clone());
            SendTaskSuccessOutput::builder().build()
        }));
        let seen = self.failed.clone();
        rules.push(mock!(Client::send_task_failure).then_compute_output(move |input| {
            remember(&seen, input.clone());
            SendTaskFailureOutput::builder().build()
        }));
        let rules: Vec<_> = rules.iter().collect();
        let client = mock_client!(aws_sdk_sfn, RuleMode::MatchAny, &rules, |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Clients { sfn: Arc::new(lazy(client)), ..only_sqs(aws.sqs()) }
    }

    fn output(&self) -> Value {
        let succeeded = self.succeeded.lock().unwrap();
        let [input] = &succeeded[..] else { panic!("{} tasks succeeded", succeeded.len()) };
        assert_eq!(input.task_token(), Some(TOKEN));
        json_of(input.output().unwrap())
    }

    /// Error and cause.
    fn failure(&self) -> (String, Value) {
        let failed = self.failed.lock().unwrap();
        let [input] = &failed[..] else { panic!("{} tasks failed", failed.len()) };
        assert_eq!(input.task_token(), Some(TOKEN));
        (input.error().unwrap().to_owned(), json_of(input.cause().unwrap()))
    }
}

#[tokio::test]
async fn a_completed_inference_ends_its_task_with_the_result_in_notification_format_and_nobody_else_gets_it() {
    for more in [&[][..], &RAW] {
        let (aws, notification) = completed(ADDRESS, "i", 5);
        let step_functions = StepFunctions::default();
        let clients = step_functions.clients(&aws, None);
        assert_eq!(returned(&aws, &clients, more, &[notification]).await, ids(&[]));
        let output = step_functions.output();
        assert_is_the_callers(&output, "i");
        assert_eq!(output["responseBody"], json!({"content": "xxxxx", "encoding": "UTF8"}));
        assert!(aws.sent().is_empty() && step_functions.failed.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn any_other_status_fails_the_task_with_model_error_and_the_result_as_cause() {
    for file in ["failed-bare.json", "unknown-status.json"] {
        let aws = Aws::default();
        let step_functions = StepFunctions::default();
        let clients = step_functions.clients(&aws, None);
        let notification = notification(file, ADDRESS, "i");
        assert_eq!(returned(&aws, &clients, &[], std::slice::from_ref(&notification)).await, ids(&[]));
        let (error, cause) = step_functions.failure();
        assert_eq!(error, "ModelError");
        assert_is_the_callers(&cause, "i");
        assert_eq!(cause["failureReason"], notification["failureReason"]);
        assert!(aws.sent().is_empty());
    }
}

#[tokio::test]
async fn an_output_is_longer_than_262_144_bytes_only_without_the_response() {
    for (bytes, expected) in [(261_000, true), (262_144, false), (900_000, false)] {
        let (aws, notification) = completed(ADDRESS, "i", bytes);
        let step_functions = StepFunctions::default();
        let clients = step_functions.clients(&aws, None);
        assert_eq!(returned(&aws, &clients, &[LARGE], &[notification]).await, ids(&[]));
        let output = step_functions.output();
        assert_eq!(output.get("responseBody").is_some(), expected, "{bytes}");
        assert_eq!(output["responseParameters"]["contentLength"], bytes);
        assert!(step_functions.succeeded.lock().unwrap()[0].output().unwrap().len() <= 262_144);
    }
}

#[tokio::test]
async fn a_cause_is_longer_than_32_768_bytes_only_without_the_response() {
    for (bytes, expected) in [(31_000, true), (32_768, false)] {
        let aws = Aws::default().with_object("s3://models-bucket/failure/9b1d-error.out", &vec![b'x'; bytes]);
        let step_functions = StepFunctions::default();
        let clients = step_functions.clients(&aws, None);
        let notification = notification("failed-with-location.json", ADDRESS, "i");
        assert_eq!(returned(&aws, &clients, &[], &[notification]).await, ids(&[]));
        let (_, cause) = step_functions.failure();
        assert_eq!(cause.get("responseBody").is_some(), expected, "{bytes}");
        assert_eq!(cause["responseParameters"]["contentLength"], bytes);
    }
}

#[tokio::test]
async fn the_result_of_a_task_that_no_longer_waits_is_on_the_results_queue_once() {
    for code in ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"] {
        // More than a task takes, and less than a queue does.
        let (aws, notification) = completed(ADDRESS, "i", 300_000);
        let clients = StepFunctions::default().clients(&aws, Some(code));
        assert_eq!(returned(&aws, &clients, &[LARGE], &[notification]).await, ids(&[]), "{code}");
        let [result] = &on_the_results_queue(&aws)[..] else { panic!("{code}: {}", aws.sent().len()) };
        assert_is_the_callers(result, "i");
        assert_eq!(result["responseBody"]["content"].as_str().unwrap().len(), 300_000);
    }
    let aws = Aws::default();
    let clients = StepFunctions::default().clients(&aws, Some("TaskTimedOut"));
    let failed = notification("failed-bare.json", ADDRESS, "i");
    assert_eq!(returned(&aws, &clients, &[], &[failed]).await, ids(&[]));
    assert_eq!(on_the_results_queue(&aws)[0]["invocationStatus"], "Failed");
}

#[tokio::test]
async fn on_a_raw_results_queue_such_a_result_is_raw() {
    let (aws, notification) = completed(ADDRESS, "i", 5);
    let clients = StepFunctions::default().clients(&aws, Some("TaskTimedOut"));
    assert_eq!(returned(&aws, &clients, &RAW, &[notification]).await, ids(&[]));
    assert_eq!(aws.sent()[0].message_body(), "xxxxx");
}

#[tokio::test]
async fn what_may_be_mended_comes_back_and_goes_nowhere_else() {
    for code in ["ThrottlingException", "AccessDeniedException", "KmsThrottlingException", "SomethingNew"] {
        let (aws, notification) = completed(ADDRESS, "i", 5);
        let clients = StepFunctions::default().clients(&aws, Some(code));
        assert_eq!(returned(&aws, &clients, &[], &[notification]).await, ids(&["i"]), "{code}");
        assert!(aws.sent().is_empty(), "{code}");
    }
}

#[tokio::test]
async fn a_rejected_request_fails_its_task_by_the_faults_name_or_is_told_of_on_the_results_queue() {
    let string = |value: &str| json!({"stringValue": value, "dataType": "String"});
    let attributes = json!({"TaskToken": string(TOKEN), "ContentEncoding": string("gzip")});
    let record = json!({"messageId": "m", "body": "{}", "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": attributes, "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:requests"});
    for refusal in [None, Some("TaskTimedOut")] {
        let (aws, step_functions) = (Aws::default(), StepFunctions::default());
        let config = submit_sqs::config(submit_sqs::WITH_DEAD_LETTERS);
        let clients = step_functions.clients(&aws, refusal);
        let submit = Submit::with_clients(config, aws.sagemaker(), aws.s3(), &clients);
        let batch = json!({"Records": [record.clone()]});
        assert!(submit_sqs::returned(&submit, &batch).await.is_empty());
        let told = if refusal.is_none() {
            assert!(aws.sent().is_empty());
            let (error, cause) = step_functions.failure();
            assert_eq!(error, "ValidationError");
            vec![cause]
        } else {
            on_the_results_queue(&aws)
        };
        let [rejected] = &told[..] else { panic!("told {} times", told.len()) };
        assert_eq!((&rejected["invocationStatus"], &rejected["inferenceId"]), (&json!("Rejected"), &json!("m")));
    }
}
