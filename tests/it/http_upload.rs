//! `submit` on `POST /uploads`, and on what was uploaded.

use serde_json::json;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::bucket::Bucket;
use crate::http_answers::{answer, body, handler, post};
use crate::sample;

#[tokio::test]
async fn an_upload_is_presigned_for_one_new_object_and_can_then_be_invoked() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    let created = answer(&submit, &sample("submit/http-api-upload.json")).await;
    assert_eq!(created["statusCode"], 201, "{created}");
    let upload = body(&created);
    let name = "JKJaXmPLvHcESHA=-c6af9ac6-7b61-11e6-9a41-93e8deadbeef";
    assert_eq!(upload["InputLocation"], format!("s3://models-bucket/input/uploads/{name}"));
    assert_eq!(upload["ExpiresIn"], 900);
    let url = upload["UploadUrl"].as_str().unwrap();
    for part in ["/input/uploads/", "X-Amz-Expires=900", "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost"] {
        assert!(url.contains(part), "{url} / {part}");
    }
    let location = upload["InputLocation"].as_str().unwrap();
    bucket.put(location, b"RIFF", "audio/wav", Instant::now());
    let invoked = answer(&submit, &post("", &[("x-amzn-sagemaker-inputlocation", location)])).await;
    assert_eq!(invoked["statusCode"], 202, "{invoked}");
    assert_eq!(aws.invoked()[0].input_location(), Some(location));
}

#[tokio::test]
async fn an_upload_that_is_not_there_or_too_large_is_not_invoked() {
    let location = "s3://models-bucket/input/uploads/x";
    for (bucket, status, message) in [
        (Bucket::default(), 400, "an upload that was not put there"),
        (Bucket::default().with_unreadable(location, 1_073_741_825), 413, "the upload has 1073741825 bytes"),
        (Bucket::default().with_unreadable(location, 1_073_741_824), 202, ""),
    ] {
        let aws = Aws::default();
        let submit = handler(&aws, &bucket, &[]);
        let refused = answer(&submit, &post("", &[("x-amzn-sagemaker-inputlocation", location)])).await;
        assert_eq!(refused["statusCode"], status, "{refused}");
        assert!(body(&refused)["Message"].as_str().unwrap_or_default().contains(message), "{refused}");
        assert_eq!(aws.invoked().len(), usize::from(status == 202));
    }
}

#[tokio::test]
async fn an_upload_is_bound_to_what_was_announced() {
    let submit = handler(&Aws::default(), &Bucket::default(), &[]);
    for (headers, signed) in [
        (&["content-type", "x-upload-content-length"][..], "content-length%3Bcontent-type%3Bhost"),
        (&["content-type"], "content-type%3Bhost"),
        (&[], "host"),
    ] {
        let mut request = sample("submit/http-api-upload.json");
        request["headers"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name == "host" || headers.contains(&name.as_str()));
        let url = body(&answer(&submit, &request).await)["UploadUrl"].as_str().unwrap().to_owned();
        assert!(url.contains(&format!("X-Amz-SignedHeaders={signed}&")), "{url} / {signed}");
    }
}

#[tokio::test]
async fn an_upload_that_could_never_be_invoked_is_refused() {
    let submit = handler(&Aws::default(), &Bucket::default(), &[]);
    for (length, status, message) in [
        ("1073741824", 201, ""),
        ("1073741825", 413, "SageMaker takes at most 1073741824"),
        ("0", 400, "X-Upload-Content-Length must be"),
        ("-1", 400, "X-Upload-Content-Length must be"),
        ("many", 400, "X-Upload-Content-Length must be"),
    ] {
        let mut request = sample("submit/http-api-upload.json");
        request["headers"]["x-upload-content-length"] = json!(length);
        let answer = answer(&submit, &request).await;
        assert_eq!(answer["statusCode"], status, "{answer}");
        assert!(body(&answer)["Message"].as_str().unwrap_or_default().contains(message), "{answer}");
    }
    let mut request = sample("submit/http-api-upload.json");
    request["headers"]["content-type"] = json!("käse");
    assert_eq!(answer(&submit, &request).await["statusCode"], 400);
}
