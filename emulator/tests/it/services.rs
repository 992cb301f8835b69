//! Requests that were meant for another service.

use crate::running::Running;

impl Running {
    /// Status and text of the answer to a request that is signed for a service.
    async fn signed(&self, service: &str, header: (&str, &str), body: &str) -> (u16, String) {
        let signature =
            format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, Signature=0");
        let request = reqwest::Client::new().post(&self.url).header("authorization", signature);
        let answer = request.header(header.0, header.1).body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

#[tokio::test]
async fn the_query_protocol_is_answered_in_xml() {
    let running = Running::start(&[]).await;
    for (service, body, status, expected) in [
        ("sts", "Action=GetCallerIdentity&Version=2011-06-15", 200, "<Account>000000000000</Account>"),
        ("iam", "Action=GetRole&RoleName=My_Role", 200, "<Arn>arn:aws:iam::000000000000:role/My_Role</Arn>"),
        ("iam", "Action=GetRole&RoleName=%3Cb%3E", 400, "<Code>ValidationError</Code>"),
        ("iam", "Action=SimulatePrincipalPolicy", 403, "<Code>AccessDenied</Code>"),
        ("sns", "Action=Publish&Message=x", 400, "Set AWS_ENDPOINT_URL_SNS to"),
        ("sts", "Action=AssumeRole", 400, "Set AWS_ENDPOINT_URL_STS to"),
        ("a<b", "Action=%3Cb%3E", 400, "<Code>InvalidAction</Code>"),
    ] {
        let (answered, text) = running.signed(service, FORM, body).await;
        assert_eq!(answered, status, "{body} {text}");
        assert!(text.starts_with('<') && text.contains(expected) && !text.contains("<b>"), "{text} / {expected}");
    }
}

#[tokio::test]
async fn the_json_protocols_are_answered_in_json() {
    let running = Running::start(&[]).await;
    for (service, target, error_type, expected) in [
        ("logs", "Logs_20140328.FilterLogEvents", "ResourceNotFoundException", "log group does not exist"),
        (
            "logs",
            "Logs_20140328.CreateLogGroup",
            "UnknownOperationException",
            "Set AWS_ENDPOINT_URL_CLOUDWATCH_LOGS to",
        ),
        ("dynamodb", "DynamoDB_20120810.GetItem", "UnknownOperationException", "Set AWS_ENDPOINT_URL_DYNAMODB to"),
        ("sagemaker", "SageMaker.CreateTrainingJob", "UnknownOperationException", "`SageMaker.CreateTrainingJob`"),
    ] {
        let (status, text) = running.signed(service, ("x-amz-target", target), "{}").await;
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &body["__type"]), (400, &error_type.into()));
        assert!(body["message"].as_str().unwrap().contains(expected), "{text} / {expected}");
    }
}

#[tokio::test]
async fn s3_without_an_embedded_one_says_which_variable_to_set() {
    let running = Running::start(&[]).await;
    let s3 = sagemaker_async_emulator::aws::embedded_s3(&running.url);
    let error = s3.get_object().bucket("bucket").key("x").send().await.unwrap_err();
    let message = aws_sdk_s3::error::ProvideErrorMetadata::message(&error).unwrap().to_owned();
    assert!(message.contains("AWS_ENDPOINT_URL_S3"), "{message}");
}
