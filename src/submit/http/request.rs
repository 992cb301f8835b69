//! A request as API Gateway (payload formats 1.0 and 2.0) and function URLs hand it to a function.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::config::HttpUrl;
use crate::fault::Fault;

/// Largest request that Lambda takes from a gateway, in bytes, the envelope around the body included. API Gateway answers a
/// larger one with a 413 of its own; a gateway with a higher limit gets this bridge's.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const REQUEST_LIMIT_BYTES: usize = 6_291_456;

/// The fields of payload formats 1.0 and 2.0 that matter here. The two differ in where method, path and caller are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    raw_path: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    headers: Option<BTreeMap<String, Option<String>>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Value,
}

impl Request {
    /// Format 1.0 keeps the case that the caller wrote headers in. Of two spellings of a name the one with the later letters in
    /// ASCII's order wins, so that the same request is always read in the same way.
    pub(super) fn with_lower_case_headers(mut self) -> Self {
        let headers = self.headers.take().unwrap_or_default();
        self.headers = Some(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect());
        self
    }

    fn context(&self, pointer: &str) -> Option<&str> {
        self.request_context.pointer(pointer)?.as_str()
    }

    /// The path with the stage in it, if the caller's URL has one.
    pub(super) fn path(&self) -> &str {
        let raw = self.raw_path.as_deref().or_else(|| self.context("/path"));
        raw.or(self.path.as_deref()).unwrap_or_default()
    }

    pub(super) fn method(&self) -> &str {
        self.context("/http/method").or(self.http_method.as_deref()).unwrap_or_default()
    }

    /// The gateway's own id of this request.
    pub(super) fn id(&self) -> Option<&str> {
        self.context("/requestId")
    }

    /// The value of a header, by its lower-case name; an empty one counts as none.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name)?.as_deref().map(str::trim).filter(|value| !value.is_empty())
    }

    /// Where callers reach the API's root: `configured`, or the gateway's own address and what of the path comes before the
    /// routes (`prefix`). Both kinds of gateway speak HTTPS only. `None` where nobody tells.
    pub(super) fn base_url(&self, prefix: &str, configured: Option<&HttpUrl>) -> Option<String> {
        match configured {
            Some(url) => Some(url.to_string()),
            None => Some(format!("https://{}{prefix}", self.context("/domainName")?)),
        }
    }

    /// Who calls, as the gateway found out: the IAM principal without its session, so that another session of the same role is
    /// the same caller, or the subject of a token. Empty for everybody where the API asks nobody.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
    pub(super) fn caller(&self) -> String {
        let iam = self.context("/authorizer/iam/callerId").or_else(|| self.context("/identity/caller"));
        if let Some(principal) = iam.and_then(|caller| caller.split(':').next()) {
            return principal.to_owned();
        }
        ["/authorizer/jwt/claims", "/authorizer/claims"]
            .iter()
            .find_map(|claims| {
                let claim = |name: &str| self.context(&format!("{claims}/{name}"));
                Some(format!("{} {}", claim("iss").unwrap_or_default(), claim("sub")?))
            })
            .or_else(|| self.context("/authorizer/principalId").map(str::to_owned))
            .unwrap_or_default()
    }

    /// Takes the body out, decoded.
    ///
    /// # Errors
    /// A [`Fault`] when it is too large, or no base64 where the gateway says so.
    pub(super) fn take_payload(&mut self) -> Result<Vec<u8>, Fault> {
        let body = self.body.take().unwrap_or_default();
        if body.len() > REQUEST_LIMIT_BYTES {
            return Err(Fault::payload_too_large(format!(
                "the request's body has {} bytes as it came from the gateway, at most {REQUEST_LIMIT_BYTES} are taken: put the \
                 payload into S3 (POST /uploads) and give its InputLocation",
                body.len()
            )));
        }
        if self.is_base64_encoded.unwrap_or(false) {
            let bad = |error| Fault::validation(format!("the gateway's base64 body cannot be decoded: {error}"));
            return BASE64_STANDARD.decode(body).map_err(bad);
        }
        Ok(body.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(context: Value) -> Request {
        serde_json::from_value(json!({"requestContext": context})).unwrap()
    }

    #[test]
    fn a_caller_is_a_principal_without_its_session_or_the_subject_of_a_token() {
        for (context, caller) in [
            (json!({"authorizer": {"iam": {"callerId": "AROAX:session-1"}}}), "AROAX"),
            (json!({"authorizer": {"iam": {"callerId": "AIDAX"}}}), "AIDAX"),
            (json!({"identity": {"caller": "AROAX:s"}}), "AROAX"),
            (json!({"authorizer": {"jwt": {"claims": {"iss": "https://i", "sub": "s"}}}}), "https://i s"),
            (json!({"authorizer": {"claims": {"sub": "s"}}}), " s"),
            (json!({"authorizer": {"principalId": "p"}}), "p"),
            (json!({"authorizer": null, "identity": {"caller": null}}), ""),
            (json!({"authorizer": {"iam": {"callerId": 1}}}), ""),
        ] {
            assert_eq!(request(context.clone()).caller(), caller, "{context}");
        }
    }

    #[test]
    fn the_base_url_is_the_configured_one_or_the_gateways() {
        let own = request(json!({"domainName": "x.execute-api.eu-west-1.amazonaws.com"}));
        let expected = "https://x.execute-api.eu-west-1.amazonaws.com/live";
        assert_eq!(own.base_url("/live", None).as_deref(), Some(expected));
        let configured = "https://api.example.com/models/".parse().unwrap();
        assert_eq!(own.base_url("", Some(&configured)).as_deref(), Some("https://api.example.com/models"));
        assert_eq!(request(json!({})).base_url("", None), None);
    }
}
