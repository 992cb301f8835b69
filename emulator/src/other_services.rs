//! Other AWS services, for clients that were sent here with them by one `AWS_ENDPOINT_URL` for all. Those that SageMaker's own clients
//! ask on the way are answered as far as that takes; any other gets an error that its client can read, and that says what to set.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use crate::account::Account;
use crate::control::call::Scope;

/// AWS's clients read the address of a service from a variable named after its service id, which is not always what they sign for.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html>
const SERVICE_IDS: [(&str, &str); 8] = [
    ("elasticloadbalancing", "ELASTIC_LOAD_BALANCING_V2"),
    ("email", "SES"),
    ("events", "EVENTBRIDGE"),
    ("execute-api", "API_GATEWAY"),
    ("logs", "CLOUDWATCH_LOGS"),
    ("secretsmanager", "SECRETS_MANAGER"),
    ("states", "SFN"),
    ("tagging", "RESOURCE_GROUPS_TAGGING_API"),
];

/// What to do about a request that was meant for another service.
fn advice(service: &str) -> String {
    let id = SERVICE_IDS.iter().find(|(signed, _)| *signed == service).map(|(_, id)| (*id).to_owned());
    let id = id.unwrap_or_else(|| service.to_ascii_uppercase().replace('-', "_"));
    format!(
        "this is the SageMaker emulator, which stands in for no `{service}`. Set AWS_ENDPOINT_URL_{id} to where it is; \
         AWS_ENDPOINT_URL_SAGEMAKER and AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME are what the emulator needs"
    )
}

/// Answers a `POST /` that is not one of SageMaker's operations.
pub(crate) fn answer(headers: &HeaderMap, target: &str, body: &[u8], account: &Account) -> Response {
    let service = Scope::of(headers).map(|scope| scope.service);
    if !target.is_empty() {
        return json_answer(service, target);
    }
    let form: Vec<_> = form_urlencoded::parse(body).collect();
    let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
    match value("Action") {
        Some(action) => query_answer(service.unwrap_or_default(), action, &value, account),
        None => unknown_operation(StatusCode::BAD_REQUEST, "no operation: neither X-Amz-Target nor Action"),
    }
}

/// The JSON protocols.
fn json_answer(service: Option<&str>, target: &str) -> Response {
    let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
    if prefix == "Logs_20140328" && ["FilterLogEvents", "GetLogEvents", "DescribeLogStreams"].contains(&operation) {
        // As of an endpoint whose container has written nothing yet.
        return json_error(
            StatusCode::BAD_REQUEST,
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        );
    }
    let message = match service.filter(|service| *service != "sagemaker") {
        Some(service) => format!("the emulator has no operation `{target}`: {}", advice(service)),
        None => format!("the emulator has no operation `{target}`"),
    };
    unknown_operation(StatusCode::BAD_REQUEST, &message)
}

/// The query protocol, whose answers are XML.
fn query_answer<'a>(
    service: &str,
    action: &str,
    value: &dyn Fn(&str) -> Option<&'a str>,
    account: &Account,
) -> Response {
    let id = &account.id;
    match (service, action) {
        // An assumed role, because the SageMaker SDK's get_execution_role asks for one.
        (_, "GetCallerIdentity") => xml_answer(
            "https://sts.amazonaws.com/doc/2011-06-15/",
            action,
            &format!(
                "<Arn>arn:aws:sts::{id}:assumed-role/emulator/session</Arn><UserId>AROAEMULATOR:session</UserId>\
                 <Account>{id}</Account>"
            ),
        ),
        ("iam", "GetRole") => match value("RoleName").filter(|name| is_role_name(name)) {
            Some(name) => xml_answer(
                "https://iam.amazonaws.com/doc/2010-05-08/",
                action,
                &format!(
                    "<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROAEMULATOR</RoleId>\
                     <Arn>arn:aws:iam::{id}:role/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
                ),
            ),
            None => xml_error(
                StatusCode::BAD_REQUEST,
                "ValidationError",
                "RoleName must have 1 to 64 letters, digits and _+=,.@-",
            ),
        },
        ("iam", _) => xml_error(StatusCode::FORBIDDEN, "AccessDenied", &advice("iam")),
        ("", _) => xml_error(
            StatusCode::BAD_REQUEST,
            "InvalidAction",
            "this is the SageMaker emulator, which has no such action",
        ),
        (service, _) => xml_error(StatusCode::BAD_REQUEST, "InvalidAction", &advice(service)),
    }
}

fn is_role_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// A path or a method that nothing answers.
pub(crate) fn unknown_path(headers: &HeaderMap, status: StatusCode) -> Response {
    match Scope::of(headers).map(|scope| scope.service).filter(|service| *service != "sagemaker") {
        Some("s3") => s3_error(),
        Some(service) => unknown_operation(status, &advice(service)),
        None => unknown_operation(status, "the emulator has nothing at this path for this method"),
    }
}

/// What was created cannot be written down. Clients try again.
pub(crate) fn not_kept() -> Response {
    let message = "the emulator cannot write down what the request has changed: its log says why";
    json_error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
}

fn unknown_operation(status: StatusCode, message: &str) -> Response {
    json_error(status, "UnknownOperationException", message)
}

fn json_error(status: StatusCode, error_type: &str, message: &str) -> Response {
    // The one protocol reads `message`, the other `Message`.
    let body = json!({"__type": error_type, "message": message, "Message": message}).to_string();
    let headers = [("x-amzn-errortype", error_type), ("content-type", "application/json")];
    (status, headers, body).into_response()
}

fn s3_error() -> Response {
    let message = "the emulator has an S3 of its own only with --embedded. Set AWS_ENDPOINT_URL_S3 to where yours is";
    let body = format!("<Error><Code>NotImplemented</Code><Message>{message}</Message></Error>");
    (StatusCode::NOT_FOUND, [("content-type", "application/xml")], body).into_response()
}

fn xml_answer(namespace: &str, action: &str, result: &str) -> Response {
    let id = Uuid::new_v4();
    let body = format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
    );
    ([("content-type", "text/xml")], body).into_response()
}

/// The message is the emulator's own: nothing in it has to be escaped.
fn xml_error(status: StatusCode, code: &str, message: &str) -> Response {
    let id = Uuid::new_v4();
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{id}</RequestId></ErrorResponse>"
    );
    (status, [("content-type", "text/xml")], body).into_response()
}
