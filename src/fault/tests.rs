use aws_sdk_sagemakerruntime::operation::invoke_endpoint_async::InvokeEndpointAsyncError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

use super::*;

fn answered(code: Option<&str>, status: u16) -> SdkError<InvokeEndpointAsyncError, HttpResponse> {
    let mut metadata = ErrorMetadata::builder().message("no");
    if let Some(code) = code {
        metadata = metadata.code(code);
    }
    let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
    SdkError::service_error(InvokeEndpointAsyncError::generic(metadata.build()), response)
}

#[test]
fn every_answer_of_aws_has_its_kind() {
    let cases = [
        (Some("ValidationError"), 400, FaultKind::Validation),
        (Some("ThrottlingException"), 400, FaultKind::Throttling),
        (Some("Throttling"), 400, FaultKind::Throttling),
        (Some("TooManyRequestsException"), 429, FaultKind::Throttling),
        (Some("SlowDown"), 503, FaultKind::Throttling),
        (None, 429, FaultKind::Throttling),
        (Some("ServiceUnavailable"), 503, FaultKind::ServiceUnavailable),
        (None, 502, FaultKind::ServiceUnavailable),
        (None, 504, FaultKind::ServiceUnavailable),
        (Some("RequestTimeout"), 400, FaultKind::ServiceUnavailable),
        (Some("InternalFailure"), 500, FaultKind::InternalFailure),
        (None, 500, FaultKind::InternalFailure),
        (Some("EntityTooLarge"), 400, FaultKind::PayloadTooLarge),
        (None, 413, FaultKind::PayloadTooLarge),
        (Some("AWS.SimpleQueueService.BatchRequestTooLong"), 400, FaultKind::PayloadTooLarge),
        (Some("AccessDeniedException"), 403, FaultKind::InternalFailure),
        (Some("ExpiredTokenException"), 403, FaultKind::InternalFailure),
        (Some("UnrecognizedClientException"), 403, FaultKind::InternalFailure),
        (Some("SomethingNewException"), 400, FaultKind::InternalFailure),
        (None, 404, FaultKind::InternalFailure),
    ];
    for (code, status, expected) in cases {
        let fault = Fault::from_invoke(answered(code, status));
        assert_eq!(fault.kind(), expected, "{code:?} {status}: {fault}");
    }
}

#[test]
fn what_never_reached_aws_or_got_no_answer_is_retryable() {
    type Error = SdkError<InvokeEndpointAsyncError, HttpResponse>;
    let response = || HttpResponse::new(StatusCode::try_from(202).unwrap(), SdkBody::empty());
    let cases: [(Error, FaultKind); 6] = [
        (SdkError::timeout_error("slow"), FaultKind::ServiceUnavailable),
        (SdkError::dispatch_failure(ConnectorError::io("reset".into())), FaultKind::ServiceUnavailable),
        (SdkError::dispatch_failure(ConnectorError::timeout("slow".into())), FaultKind::ServiceUnavailable),
        (SdkError::dispatch_failure(ConnectorError::user("bad".into())), FaultKind::ServiceUnavailable),
        (SdkError::construction_failure("no credentials"), FaultKind::InternalFailure),
        (SdkError::response_error("cut off", response()), FaultKind::InternalFailure),
    ];
    for (error, expected) in cases {
        let fault = Fault::from_invoke(error);
        assert_eq!(fault.kind(), expected, "{fault}");
        assert!(fault.kind().is_retryable());
    }
}

#[test]
fn modelled_errors_keep_their_names_and_validation_its_words() {
    use aws_sdk_sagemakerruntime::types::error::{InternalFailure, ServiceUnavailable, ValidationError};
    let response = || HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
    let words = "One of Body and InputLocation must be provided.";
    let meta = ErrorMetadata::builder().code("ValidationError").message(words).build();
    let error = ValidationError::builder().message(words).meta(meta).build();
    let error = InvokeEndpointAsyncError::ValidationError(error);
    let fault = Fault::from_invoke(SdkError::service_error(error, response()));
    assert_eq!(fault.to_string(), format!("ValidationError: {words}"));
    assert!(!fault.kind().is_retryable());

    let error = InvokeEndpointAsyncError::InternalFailure(InternalFailure::builder().build());
    let fault = Fault::from_invoke(SdkError::service_error(error, response()));
    assert_eq!(fault.kind(), FaultKind::InternalFailure);
    let error = InvokeEndpointAsyncError::ServiceUnavailable(ServiceUnavailable::builder().build());
    let fault = Fault::from_invoke(SdkError::service_error(error, response()));
    assert_eq!(fault.kind(), FaultKind::ServiceUnavailable);
}

fn refused(words: &str) -> Fault {
    let metadata = ErrorMetadata::builder().code("ValidationError").message(words).build();
    let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
    Fault::from_invoke(SdkError::service_error(InvokeEndpointAsyncError::generic(metadata), response))
}

#[test]
fn a_validation_error_that_speaks_of_the_endpoint_is_retried_and_says_who_has_to_fix_it() {
    let cases = [
        ("Endpoint summarizer of account 123456789012 not found.", "does not exist, or is not in service"),
        ("endpoint huggingface-****** of account ******* Not Found", "does not exist, or is not in service"),
        ("Endpoint summarizer does not support this inference type.", "is not asynchronous"),
        (
            "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress \
             (if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API.",
            "no instances",
        ),
        (
            "Inference Component Name header is required for endpoints to which you plan to deploy inference \
             components. Please include Inference Component Name header or consider using SageMaker models.",
            "serves inference components",
        ),
    ];
    for (words, expected) in cases {
        let fault = refused(words);
        assert_eq!(fault.kind(), FaultKind::ServiceUnavailable, "{words}");
        let message = fault.message();
        assert!(message.contains(expected) && message.contains("its operator has to fix that"), "{message}");
        assert!(!message.contains("123456789012"), "no caller needs the account: {message}");
        assert!(fault.details().contains(words), "the log has SageMaker's own words: {}", fault.details());
    }
}

#[test]
fn a_validation_error_that_repeats_such_words_of_a_caller_stays_the_callers() {
    let of_callers = [
        "1 validation error detected: Value 'Endpoint x of account y not found.' at 'filename' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: ^(?!.*\\..*\\.)[a-zA-Z0-9][a-zA-Z0-9-_\\.]*$",
        "InferenceId Endpoint x of account y not found. is not allowed",
        "Endpoint x of account y not found. is no content type that the model takes",
        "Endpoint x y of account z not found.",
        "Endpoint x does not support this inference type. of content",
        "Endpoint x does not support the content type text/csv.",
        "Accept: Inference Component has no capacity to process this request.",
        "Endpoint",
        "",
        "…",
    ];
    for words in of_callers {
        let fault = refused(words);
        assert_eq!((fault.kind(), fault.message()), (FaultKind::Validation, words));
    }
}

#[test]
fn words_of_another_error_than_a_validation_error_change_nothing() {
    let words = "Endpoint summarizer of account 123456789012 not found.";
    let metadata = ErrorMetadata::builder().code("ThrottlingException").message(words).build();
    let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
    let error = SdkError::service_error(InvokeEndpointAsyncError::generic(metadata), response);
    assert_eq!(Fault::from_invoke(error).kind(), FaultKind::Throttling);
}

#[test]
fn details_name_every_cause_and_hold_no_raw_response() {
    let response = HttpResponse::new(StatusCode::try_from(403).unwrap(), SdkBody::from("the body"));
    let meta = ErrorMetadata::builder().code("AccessDeniedException").message("not authorized to perform x").build();
    let error = SdkError::service_error(InvokeEndpointAsyncError::generic(meta), response);
    let details = Fault::from_invoke(error).details();
    assert!(details.contains("AccessDeniedException") && details.contains("not authorized to perform x"), "{details}");
    assert!(!details.contains("the body"), "{details}");
}

#[test]
fn a_json_problem_repeats_nothing_of_the_text() {
    for (text, expected) in
        [(r#""secret""#, "different structure"), (r#"{"a":"secret"#, "incomplete"), ("secret", "not JSON")]
    {
        let error = serde_json::from_str::<std::collections::HashMap<String, String>>(text).unwrap_err();
        let problem = json_problem(&error);
        assert!(problem.contains(expected) && !problem.contains("secret"), "{text}: {problem}");
    }
}

#[test]
fn only_what_can_never_succeed_is_permanent() {
    use FaultKind::{AccessDenied, InternalFailure, PayloadTooLarge, ServiceUnavailable, Throttling, Validation};
    let kinds = [Validation, AccessDenied, PayloadTooLarge, Throttling, ServiceUnavailable, InternalFailure];
    let permanent: Vec<_> = kinds.into_iter().filter(|kind| !kind.is_retryable()).collect();
    assert_eq!(permanent, [Validation, AccessDenied, PayloadTooLarge]);
}

#[test]
fn what_is_secret_is_in_no_part_of_a_fault() {
    let metadata = ErrorMetadata::builder().code("SomethingNew").message("no such callback: Ab+/9==").build();
    let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
    let fault = Fault::from_aws("Send", SdkError::service_error(InvokeEndpointAsyncError::generic(metadata), response));
    assert!(fault.details().contains("Ab+/9=="), "{}", fault.details());
    let hidden = fault.without_secret("Ab+/9==");
    assert_eq!(hidden.kind(), fault.kind());
    assert!(hidden.details().contains("no such callback: …"), "{}", hidden.details());
    for text in [hidden.details(), hidden.to_string(), format!("{hidden:?}")] {
        assert!(!text.contains("Ab+/9=="), "{text}");
    }
}

#[test]
fn an_entry_that_a_service_refuses_has_the_kind_of_its_code() {
    let kinds = ["ThrottlingException", "InternalError", "NotAuthorizedForSourceException"]
        .map(|code| Fault::refused(code, "no".to_owned()).kind());
    assert_eq!(kinds, [FaultKind::Throttling, FaultKind::InternalFailure, FaultKind::InternalFailure]);
}
