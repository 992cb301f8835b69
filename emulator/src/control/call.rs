//! A call of the control plane: the emulator, as seen from the region that the caller signed for.

use std::ops::Deref;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::Emulator;
use crate::account::Account;

/// A call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    emulator: &'a Emulator,
    /// With the region of the call, which ARNs are told in.
    pub(crate) account: Account,
}

impl<'a> Call<'a> {
    pub(crate) fn new(emulator: &'a Emulator, headers: &HeaderMap) -> Self {
        let own = emulator.account();
        let region = Scope::of(headers).map_or(own.region.as_str(), |scope| scope.region);
        Self { emulator, account: Account { region: region.to_owned(), ..own.clone() } }
    }

    pub(super) fn arn(&self, kind: &str, name: &str) -> String {
        self.account.arn(kind, name)
    }
}

impl Deref for Call<'_> {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        self.emulator
    }
}

/// What a request is signed for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

impl<'a> Scope<'a> {
    /// That of a request's signature, if it has one.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (_, scope) = signature.split_once("Credential=")?;
        let mut parts = scope.split(',').next()?.split('/').skip(2);
        let scope = Self { region: parts.next()?, service: parts.next()? };
        let is_word =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (is_word(scope.region) && is_word(scope.service)).then_some(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_service_are_those_of_the_signature() {
        let scope = |value: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
            Scope::of(&headers).map(|scope| (scope.region.to_owned(), scope.service.to_owned()))
        };
        let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(scope(signed), Some(("eu-west-1".to_owned(), "sagemaker".to_owned())));
        for other in ["Bearer x", "AWS4-HMAC-SHA256 Credential=test", "AWS4-HMAC-SHA256 Credential=a/b/<x>/c/d"] {
            assert_eq!(scope(other), None, "{other}");
        }
    }
}
