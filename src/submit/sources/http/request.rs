//! A request as API Gateway (payload formats 1.0 and 2.0) and function URLs hand it to a function.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

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

/// How long an HTTP API waits for a function; a function URL would for longer.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const HTTP_API_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a REST API does unless its quota was raised.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
const REST_API_TIMEOUT: Duration = Duration::from_secs(29);

/// The fields of payload formats 1.0 and 2.0 that matter here. The two differ in where method, path and caller are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
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
        self.header_or_empty(name).filter(|value| !value.is_empty())
    }

    /// The value of a header, by its lower-case name, also an empty one.
    pub(super) fn header_or_empty(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name)?.as_deref().map(str::trim)
    }

    /// How long the gateway goes on waiting for the answer: it began when it took the request.
    pub(super) fn time_left(&self) -> Duration {
        let is_rest = self.raw_path.is_none();
        let limit = if is_rest { REST_API_TIMEOUT } else { HTTP_API_TIMEOUT };
        let began =
            ["/timeEpoch", "/requestTimeEpoch"].iter().find_map(|name| self.request_context.pointer(name)?.as_u64());
        let began = began.map(|began| SystemTime::UNIX_EPOCH + Duration::from_millis(began));
        let gone = began.and_then(|began| SystemTime::now().duration_since(began).ok());
        // A clock that is off by more than the whole time tells nothing.
        limit - gone.filter(|gone| *gone < limit).unwrap_or_default()
    }

    /// Where callers reach the API's root: `configured`, or the gateway's own address and what of the path comes before the
    /// routes (`prefix`). Gateways speak HTTPS only. `None` where nobody tells.
    ///
    /// Under a custom domain an HTTP API's path has the stage in it, which the caller's has not, and lacks the API mapping, which
    /// only `configured` can tell:
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
    pub(super) fn base_url(&self, prefix: &str, configured: Option<&HttpUrl>) -> Option<String> {
        if let Some(url) = configured {
            return Some(url.to_string());
        }
        let host = self.context("/domainName")?;
        let is_own = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"].iter().any(|suffix| host.ends_with(suffix));
        let is_stage = prefix.strip_prefix('/').is_some_and(|prefix| self.context("/stage") == Some(prefix));
        let prefix = if self.raw_path.is_some() && !is_own && is_stage { "" } else { prefix };
        Some(format!("https://{host}{prefix}"))
    }

    /// Who calls, as the gateway found out: the identity of a Cognito pool, the IAM principal without its session, so that another
    /// session of the same role is the same caller, or the subject of a token. Empty where the API asks nobody, or in words of
    /// its own (a Lambda authorizer): then all callers are one.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
    pub(super) fn caller(&self) -> String {
        let cognito = self.context("/authorizer/iam/cognitoIdentity/identityId");
        if let Some(identity) = cognito.or_else(|| self.context("/identity/cognitoIdentityId")) {
            return identity.to_owned();
        }
        let iam = self.context("/authorizer/iam/callerId").or_else(|| self.context("/identity/caller"));
        if let Some(principal) = iam.and_then(|caller| caller.split(':').next()) {
            return principal.to_owned();
        }
        for claims in ["/authorizer/jwt/claims", "/authorizer/claims"] {
            let claim = |name: &str| self.context(&format!("{claims}/{name}"));
            if let Some(subject) = claim("sub").or_else(|| claim("client_id")).or_else(|| claim("azp")) {
                return format!("{} {subject}", claim("iss").unwrap_or_default());
            }
        }
        self.context("/authorizer/principalId").unwrap_or_default().to_owned()
    }

    pub(super) fn has_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_empty())
    }

    /// Takes the body out, decoded.
    ///
    /// # Errors
    /// A [`Fault`] when it is too large, or no base64 where the gateway says so.
    pub(super) fn take_payload(&mut self) -> Result<Vec<u8>, Fault> {
        let body = self.body.take().unwrap_or_default();
        if body.len() > REQUEST_LIMIT_BYTES {
            return Err(Fault::payload_too_large(format!(
                "the request's body has {} bytes as it came from the gateway; the limit is {REQUEST_LIMIT_BYTES}: put the \
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
            (json!({"authorizer": {"jwt": {"claims": {"iss": "https://i", "client_id": "c"}}}}), "https://i c"),
            (json!({"authorizer": {"principalId": "p"}}), "p"),
            (
                json!({"authorizer": {"iam": {"callerId": "AROAX:Cognito", "cognitoIdentity": {"identityId": "eu:1"}}}}),
                "eu:1",
            ),
            (json!({"identity": {"cognitoIdentityId": "eu:2", "caller": "AROAX:s"}}), "eu:2"),
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

    #[test]
    fn under_a_custom_domain_the_stage_is_no_part_of_the_url() {
        let request = |domain: &str| -> Request {
            let context = json!({"domainName": domain, "stage": "live"});
            serde_json::from_value(json!({"rawPath": "/live/invocations", "requestContext": context})).unwrap()
        };
        assert_eq!(request("api.example.com").base_url("/live", None).as_deref(), Some("https://api.example.com"));
        let own = "x.execute-api.eu-west-1.amazonaws.com";
        assert_eq!(request(own).base_url("/live", None), Some(format!("https://{own}/live")));
    }

    #[test]
    fn the_gateway_waits_from_when_it_took_the_request() {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let request = |more: Value| -> Request { serde_json::from_value(more).unwrap() };
        let began = now() - Duration::from_secs(5);
        let at = u64::try_from(began.as_millis()).unwrap();
        for (limit, event) in [
            (HTTP_API_TIMEOUT, json!({"rawPath": "/", "requestContext": {"timeEpoch": at}})),
            (REST_API_TIMEOUT, json!({"requestContext": {"requestTimeEpoch": at}})),
        ] {
            let left = request(event).time_left();
            // Some of it may have passed while the test ran.
            let least = limit.saturating_sub(now() - began + Duration::from_millis(1));
            assert!((least..=limit - Duration::from_secs(5)).contains(&left), "{left:?}");
        }
        let off = json!({"rawPath": "/", "requestContext": {"timeEpoch": at - 3_600_000}});
        assert_eq!(request(off).time_left(), HTTP_API_TIMEOUT, "a clock that is off");
        assert_eq!(request(json!({"requestContext": {}})).time_left(), REST_API_TIMEOUT);
    }
}
