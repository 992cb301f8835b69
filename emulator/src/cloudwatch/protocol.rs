//! The three protocols that CloudWatch's clients speak: CBOR (boto3 and the AWS CLI since 2025), JSON and query (before that).
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>,
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

use super::answer::{Answer, EPOCH_TAG, escaped};
use super::error::CloudWatchError;
use super::query;

const XML_NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// How a request was written, and its answer will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Cbor,
    Json,
    Query,
}

/// A request.
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) members: Map<String, Value>,
}

impl Protocol {
    /// Reads a request; a form names its operation itself.
    pub(super) fn read(self, operation: &str, body: &[u8]) -> Result<Call, CloudWatchError> {
        let (operation, members) = match self {
            Self::Query => query::read(body)?,
            _ if body.is_empty() => (operation.to_owned(), Map::new()),
            Self::Json => {
                let members = serde_json::from_slice(body).map_err(|error| {
                    let (line, column) = (error.line(), error.column());
                    CloudWatchError::unreadable(format!(
                        "the request is not a JSON object: line {line}, column {column}"
                    ))
                })?;
                (operation.to_owned(), members)
            }
            Self::Cbor => {
                let unreadable = || CloudWatchError::unreadable("the request is not a map in CBOR");
                let value: Cbor = ciborium::from_reader(body).map_err(|_| unreadable())?;
                match json(value) {
                    Some(Value::Object(members)) => (operation.to_owned(), members),
                    _ => return Err(unreadable()),
                }
            }
        };
        Ok(Call { operation, members })
    }

    pub(super) fn answer(self, operation: &str, answer: &Answer) -> Response {
        match self {
            Self::Json => self.response(StatusCode::OK, answer.json().to_string().into_bytes()),
            Self::Cbor => self.response(StatusCode::OK, cbor_bytes(&answer.cbor())),
            Self::Query => {
                let text = format!(
                    "<{operation}Response xmlns=\"{XML_NAMESPACE}\"><{operation}Result>{}</{operation}Result>\
                     <ResponseMetadata/></{operation}Response>",
                    answer.xml()
                );
                self.response(StatusCode::OK, text.into_bytes())
            }
        }
    }

    pub(super) fn refusal(self, error: &CloudWatchError) -> Response {
        let body = Answer::of([
            ("__type", Some(Answer::text(error.shape))),
            ("message", Some(Answer::text(error.message.clone()))),
        ]);
        let bytes = match self {
            Self::Json => body.json().to_string().into_bytes(),
            Self::Cbor => cbor_bytes(&body.cbor()),
            Self::Query => format!(
                "<ErrorResponse xmlns=\"{XML_NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
                 </ErrorResponse>",
                error.code,
                escaped(&error.message)
            )
            .into_bytes(),
        };
        let mut response = self.response(error.status, bytes);
        // Clients that knew the query protocol's codes go on to see them.
        if let Ok(value) = HeaderValue::from_str(&format!("{};Sender", error.code)) {
            response.headers_mut().insert(QUERY_ERROR, value);
        }
        response
    }

    fn response(self, status: StatusCode, body: Vec<u8>) -> Response {
        let content_type = match self {
            Self::Cbor => "application/cbor",
            Self::Json => "application/x-amz-json-1.0",
            Self::Query => "text/xml",
        };
        let mut response = (status, [(CONTENT_TYPE, content_type)], body).into_response();
        if self == Self::Cbor {
            response.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        response
    }
}

/// Writing to a vector never fails.
fn cbor_bytes(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

/// What CBOR says, as JSON has it; `None` for what no request of CloudWatch's holds. ciborium bounds the depth.
fn json(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Text(text) => text.into(),
        Cbor::Bool(flag) => flag.into(),
        Cbor::Null => Value::Null,
        Cbor::Float(number) => Value::Number(Number::from_f64(number)?),
        Cbor::Integer(number) => match u64::try_from(number) {
            Ok(number) => number.into(),
            Err(_) => i64::try_from(number).ok()?.into(),
        },
        Cbor::Tag(EPOCH_TAG, seconds) => json(*seconds)?,
        Cbor::Array(list) => list.into_iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Cbor::Map(members) => {
            let member = |(name, value): (Cbor, Cbor)| Some((name.into_text().ok()?, json(value)?));
            members.into_iter().map(member).collect::<Option<Map<_, _>>>()?.into()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ciborium::cbor;

    use super::*;

    #[test]
    fn cbor_becomes_what_json_would_have_said() {
        let time = Cbor::Tag(1, Box::new(5.into()));
        let request = cbor!({"Namespace" => "N", "MetricData" => [{"Value" => 1.5, "Count" => -1}], "Time" => time});
        let call = Protocol::Cbor.read("PutMetricData", &cbor_bytes(&request.unwrap())).unwrap();
        let expected = serde_json::json!({"Namespace": "N", "MetricData": [{"Value": 1.5, "Count": -1}], "Time": 5});
        assert_eq!((call.operation.as_str(), Value::Object(call.members)), ("PutMetricData", expected));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let deep = vec![0x81; 100_000];
        for body in [&b"\xff"[..], b"\x01", b"\xa1\x41\x00\x00", b"\xa1\x61a\xf9\x7e\x00", b"\xbf\x61", &deep] {
            let Err(error) = Protocol::Cbor.read("PutMetricData", body) else { panic!("{body:?}") };
            assert_eq!(error.message, "the request is not a map in CBOR");
        }
        assert!(Protocol::Json.read("PutMetricData", b"[1]").is_err());
        assert!(Protocol::Json.read("PutMetricData", b"").unwrap_or_else(|_| panic!()).members.is_empty());
    }
}
