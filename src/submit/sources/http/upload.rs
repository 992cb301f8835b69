//! `POST /uploads`: a presigned URL to which a caller puts a payload that no gateway takes.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use serde::Serialize;

use super::request::Request;
use super::response::Response;
use crate::fault::Fault;
use crate::parameter::{CONTENT_TYPE, HeaderText};
use crate::submit::Submit;
use crate::submit::invoke::INPUT_LIMIT_BYTES;

/// How long an upload may take to begin; one that has begun is not cut off.
const UPLOAD_EXPIRES: Duration = Duration::from_secs(900);
/// How a caller tells the length of what it is going to upload: no header of HTTP or AWS has that meaning, so the name is that
/// of Google's resumable uploads. <https://cloud.google.com/storage/docs/json_api/v1/parameters#xuploadcontentlength>
const LENGTH_HEADER: &str = "x-upload-content-length";

/// The body of a 201.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Upload<'a> {
    input_location: String,
    upload_url: &'a str,
    /// What the PUT must send: the headers that were signed, without `Host`, which every client sends by itself.
    upload_headers: BTreeMap<&'a str, &'a str>,
    /// Seconds.
    expires_in: u64,
}

impl Submit {
    /// Presigns a PUT of one new object called `name`. S3 holds the caller to the content type and the length that it announces,
    /// since both are signed; what was not announced is looked at when the upload is invoked.
    ///
    /// HTTP's own `Content-Type` announces nothing: the body is empty, and an HTTP API makes one up for it.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
    pub(super) async fn answer_upload(&self, request: &Request, name: &str) -> Result<Response, Fault> {
        if request.has_body() {
            return Err(Fault::validation(
                "POST /uploads takes no body: PUT the payload to the UploadUrl in its response",
            ));
        }
        let content_type = request.header(CONTENT_TYPE.header).map(HeaderText::from_str).transpose();
        let content_type = content_type.map_err(|error| Fault::validation(format!("{} {error}", CONTENT_TYPE.name)))?;
        let length = request.header(LENGTH_HEADER).map(length).transpose()?;
        let location = self.config.upload_location.join(name).map_err(|error| {
            Fault::internal(format!(
                "the upload's location {error}; BRIDGE_INPUT_LOCATION is {}",
                self.config.input_location
            ))
        })?;
        let expires = PresigningConfig::expires_in(UPLOAD_EXPIRES)
            .map_err(|error| Fault::internal(format!("could not create a presigned URL: {error}")))?;
        let call = self.s3.put_object().bucket(location.bucket()).key(location.key());
        let call = call.set_content_type(content_type.map(String::from)).set_content_length(length);
        let presigned = call.presigned(expires).await.map_err(|error| Fault::from_aws("PutObject", error))?;
        tracing::info!(input.location = %location, content_length = length, "upload prepared");
        let upload = Upload {
            input_location: location.to_string(),
            upload_url: presigned.uri(),
            upload_headers: presigned.headers().collect(),
            expires_in: UPLOAD_EXPIRES.as_secs(),
        };
        Ok(Response::json(201, &upload).with("cache-control", Some("no-store")))
    }
}

fn length(text: &str) -> Result<i64, Fault> {
    match text.parse::<i64>() {
        Ok(length) if length.unsigned_abs() > INPUT_LIMIT_BYTES && length > 0 => Err(Fault::payload_too_large(
            format!("the payload has {length} bytes; SageMaker takes at most {INPUT_LIMIT_BYTES}"),
        )),
        Ok(length) if length > 0 => Ok(length),
        _ => Err(Fault::validation(format!(
            "X-Upload-Content-Length must be the payload's length, a whole number from 1 to {INPUT_LIMIT_BYTES}"
        ))),
    }
}
