use std::borrow::Cow;
use std::collections::HashMap;

use super::*;
use crate::fault::FaultKind;

struct Attributes<'a>(HashMap<&'a str, &'a str>);

impl ParameterSource for Attributes<'_> {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        Ok(self.0.get(parameter.name).map(|value| Cow::Borrowed(*value)))
    }
}

fn read(attributes: &[(&str, &str)]) -> Result<Parameters, Fault> {
    let config = SubmitConfig::from_lookup(|name| match name {
        "BRIDGE_ENDPOINT_NAME" => Some("summarizer".to_owned()),
        "BRIDGE_ALLOWED_ENDPOINTS" => Some("asr".to_owned()),
        "BRIDGE_INPUT_LOCATION" => Some("s3://bucket/input/".to_owned()),
        "BRIDGE_REQUEST_TTL_SECONDS" => Some("600".to_owned()),
        _ => None,
    })
    .unwrap();
    Parameters::read(&Attributes(attributes.iter().copied().collect()), &config)
}

#[test]
fn a_request_without_parameters_gets_the_defaults() {
    let parameters = read(&[]).unwrap();
    assert_eq!(parameters.endpoint_name.as_str(), "summarizer");
    assert_eq!(parameters.content_type.as_str(), "application/json");
    assert_eq!(parameters.request_ttl_seconds, Some(600));
    assert_eq!(parameters.invocation_timeout_seconds, None);
    assert!(parameters.accept.is_none() && parameters.inference_id.is_none());
}

#[test]
fn values_at_their_bounds_pass() {
    let (c63, c64, c512, c1024) = ("e".repeat(63), "i".repeat(64), "p".repeat(512), "c".repeat(1024));
    let location = format!("s3://bucket/input/{}", "k".repeat(1024 - 18));
    let cases = [
        ("EndpointName", "asr"),
        ("ContentType", c1024.as_str()),
        ("Accept", "application/json;q=0.5, */*"),
        ("CustomAttributes", c1024.as_str()),
        ("InferenceId", c64.as_str()),
        ("InferenceId", "order 4711"),
        ("InputLocation", location.as_str()),
        ("InputLocation", "https://bucket.s3.eu-west-1.amazonaws.com/input/x"),
        ("InputLocation", "s3://bucket/input/a  käse 日本 %C3.wav"),
        ("S3OutputPathExtension", c512.as_str()),
        ("S3OutputPathExtension", "a/b!_.*'()-/"),
        ("Filename", "a1234567890123456789012345678.out"),
        ("RequestTTLSeconds", "60"),
        ("RequestTTLSeconds", "21600"),
        ("InvocationTimeoutSeconds", "1"),
        ("InvocationTimeoutSeconds", "3600"),
    ];
    for (name, value) in cases {
        let value = if name == "Filename" { &value[..32] } else { value };
        assert!(read(&[(name, value)]).is_ok(), "{name}={value}: {:?}", read(&[(name, value)]));
    }
    assert!(c63.parse::<EndpointName>().is_ok());
}

#[test]
fn values_past_their_bounds_are_refused_by_name() {
    let (c64, c65, c513, c1025) = ("e".repeat(64), "i".repeat(65), "p".repeat(513), "c".repeat(1025));
    let location = format!("s3://bucket/input/{}", "k".repeat(1025 - 18));
    let cases = [
        ("EndpointName", c64.as_str()),
        ("EndpointName", ""),
        ("EndpointName", "a_b"),
        ("EndpointName", "a-"),
        ("ContentType", c1025.as_str()),
        ("ContentType", "text/plain\r\nx: y"),
        ("Accept", "käse"),
        ("CustomAttributes", c1025.as_str()),
        ("InferenceId", c65.as_str()),
        ("InferenceId", " x"),
        ("InferenceId", ""),
        ("InferenceId", "a\tb"),
        ("InputLocation", location.as_str()),
        ("InputLocation", "ftp://bucket/input/x"),
        ("InputLocation", "s3://bucket/input/a\nb"),
        ("InputLocation", "s3://bucket/input/a "),
        ("S3OutputPathExtension", c513.as_str()),
        ("S3OutputPathExtension", "s3://other/x"),
        ("S3OutputPathExtension", "a b"),
        ("Filename", "a.tar.gz"),
        ("Filename", "-a"),
        ("Filename", "a/b"),
        ("RequestTTLSeconds", "59"),
        ("RequestTTLSeconds", "21601"),
        ("RequestTTLSeconds", "1m"),
        ("InvocationTimeoutSeconds", "0"),
        ("InvocationTimeoutSeconds", "3601"),
    ];
    for (name, value) in cases {
        let fault = read(&[(name, value)]).expect_err(name);
        assert_eq!(fault.kind(), FaultKind::Validation, "{name}={value}");
        assert!(fault.to_string().contains(&format!("{name} must")), "{fault}");
    }
}

#[test]
fn only_configured_endpoints_and_locations_may_be_named() {
    assert!(read(&[("EndpointName", "summarizer")]).is_ok(), "the default may be named too");
    for (name, value) in [
        ("EndpointName", "other"),
        ("EndpointName", "ASR"),
        ("InputLocation", "s3://bucket/inputs/x"),
        ("InputLocation", "s3://bucket/input/../x"),
        ("InputLocation", "https://other.s3.amazonaws.com/input/x"),
    ] {
        assert_eq!(read(&[(name, value)]).unwrap_err().kind(), FaultKind::AccessDenied, "{name}={value}");
    }
}
