//! An `InputLocation` whose key has characters beyond ASCII: raw, as keys are, in the header that AWS's SDKs send.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use sagemaker_async_bridge::submit::Submit;
use serde_json::json;

use crate::aws::{Aws, only_sqs};
use crate::bucket::Bucket;
use crate::http_answers::{answer, body, handler, post};
use crate::{http_client, sample, submit_sqs};

const LOCATION: &str = "s3://models-bucket/input/käse 日本.wav";

async fn unreadable() -> HttpResponse {
    let message = r#"{"message": "The request signature we calculated does not match the signature you provided."}"#;
    let mut response = HttpResponse::new(StatusCode::try_from(403).unwrap(), SdkBody::from(message));
    response.headers_mut().insert("x-amzn-errortype", "InvalidSignatureException");
    response
}

#[tokio::test]
async fn a_key_beyond_ascii_goes_to_sagemaker_as_it_is() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    let accepted = answer(&submit, &post("", &[("x-amzn-sagemaker-inputlocation", LOCATION)])).await;
    assert_eq!(accepted["statusCode"], 202, "{accepted}");
    assert_eq!(aws.invoked()[0].input_location(), Some(LOCATION));
}

#[tokio::test]
async fn a_key_beyond_ascii_whose_signature_sagemaker_does_not_read_is_rejected_for_good_and_any_other_is_not() {
    for (location, status, retried) in [(LOCATION, 400, 0), ("s3://models-bucket/input/cheese.wav", 500, 1)] {
        let (bucket, calls) = (Bucket::default(), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&calls);
        let sagemaker = http_client::sagemaker(move |_| {
            *counted.lock().unwrap() += 1;
            unreadable()
        });
        let aws = Aws::default();
        let submit = Submit::with_clients(submit_sqs::config(&[]), sagemaker, bucket.client(), &only_sqs(aws.sqs()));
        let refused = answer(&submit, &post("", &[("x-amzn-sagemaker-inputlocation", location)])).await;
        assert_eq!((&refused["statusCode"], *calls.lock().unwrap()), (&json!(status), 1), "{refused}");
        let message = body(&refused)["Message"].as_str().unwrap().to_owned();
        assert_eq!(message.contains("beyond ASCII: copy the object"), retried == 0, "{message}");

        let mut batch = sample("submit/sqs-input-location.json");
        batch["Records"][0]["messageAttributes"]["InputLocation"]["stringValue"] = json!(location);
        submit.handle(crate::event(&batch)).await.unwrap();
        assert_eq!(aws.sent().len(), 1 - retried, "its sender is told: {location}");
    }
}
