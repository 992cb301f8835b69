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
    assert_eq!(upload["UploadHeaders"], json!({"content-type": "audio/wav", "content-length": "200000000"}));
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
        (Bucket::default(), 400, "an upload that does not exist"),
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
async fn an_upload_must_send_the_headers_that_were_signed_and_is_told_them() {
    let submit = handler(&Aws::default(), &Bucket::default(), &[]);
    let (length, content_type) = ("x-upload-content-length", "x-amzn-sagemaker-content-type");
    for (headers, signed, to_be_sent) in [
        (
            &[content_type, length, "content-type"][..],
            "content-length%3Bcontent-type%3Bhost",
            json!({"content-type": "audio/wav", "content-length": "200000000"}),
        ),
        (&[content_type], "content-type%3Bhost", json!({"content-type": "audio/wav"})),
        (&[length], "content-length%3Bhost", json!({"content-length": "200000000"})),
        (&["content-type"], "host", json!({})),
        (&[], "host", json!({})),
    ] {
        let mut request = sample("submit/http-api-upload.json");
        let given = request["headers"].as_object_mut().unwrap();
        // An HTTP API makes up a type for a request without a body.
        given.insert("content-type".to_owned(), json!("application/octet-stream"));
        given.retain(|name, _| headers.contains(&name.as_str()));
        let upload = body(&answer(&submit, &request).await);
        assert_eq!(upload["UploadHeaders"], to_be_sent, "{headers:?}");
        let url = upload["UploadUrl"].as_str().unwrap();
        assert!(url.contains(&format!("X-Amz-SignedHeaders={signed}&")), "{url} / {signed}");
    }
}

#[tokio::test]
async fn a_payload_sent_to_uploads_is_told_where_to_go() {
    let submit = handler(&Aws::default(), &Bucket::default(), &[]);
    let mut request = sample("submit/http-api-upload.json");
    request["body"] = json!("RIFF");
    let refused = answer(&submit, &request).await;
    assert_eq!(refused["statusCode"], 400);
    assert!(body(&refused)["Message"].as_str().unwrap().contains("PUT the payload to the UploadUrl"), "{refused}");
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
    request["headers"]["x-amzn-sagemaker-content-type"] = json!("käse");
    let refused = answer(&submit, &request).await;
    assert_eq!(refused["statusCode"], 400);
    assert!(body(&refused)["Message"].as_str().unwrap().starts_with("ContentType must be"), "{refused}");
}
