//! What a path asks for.

use super::response::Response;

/// What a path asks for.
#[derive(Clone, Copy)]
pub(super) enum Route<'a> {
    /// Invocations of the named endpoint, or of the default one.
    Invocations(Option<&'a str>),
    /// One invocation, by its token.
    Invocation(&'a str),
    Uploads,
}

pub(super) const UNKNOWN_PATH: &str = "the path must be /invocations, /invocations/{token}, /endpoints/{EndpointName}/async-invocations or \
                            /uploads";

/// Matches a path's last segments, and gives what comes before them: a stage or a custom domain's mapping.
pub(super) fn route(path: &str) -> Option<(&str, Route<'_>)> {
    let mut segments = path.rsplit('/');
    let last = [segments.next(), segments.next(), segments.next(), segments.next()];
    let (route, taken) = match last {
        // SageMaker's synchronous path: the endpoint that it names must not silently become the default one.
        [Some("invocations"), Some(_), Some("endpoints"), _] | [_, Some("invocations"), Some(_), Some("endpoints")] => {
            return None;
        }
        [Some("async-invocations"), Some(endpoint), Some("endpoints"), Some(_)] => {
            (Route::Invocations(Some(endpoint)), 3)
        }
        [Some("invocations"), Some(_), ..] => (Route::Invocations(None), 1),
        [Some(token), Some("invocations"), Some(_), _] => (Route::Invocation(token), 2),
        [Some("uploads"), Some(_), ..] => (Route::Uploads, 1),
        _ => return None,
    };
    let end = path.rmatch_indices('/').nth(taken - 1)?.0;
    Some((path.get(..end)?, route))
}

impl Route<'_> {
    pub(super) const fn allow(self) -> &'static str {
        match self {
            Self::Invocations(_) | Self::Uploads => "POST, OPTIONS",
            Self::Invocation(_) => "GET, HEAD, OPTIONS",
        }
    }

    pub(super) fn method_not_allowed(self) -> Response {
        let message = match self {
            Self::Invocations(_) | Self::Uploads => "the method must be POST",
            Self::Invocation(_) => {
                "the method must be GET or HEAD; SageMaker has no way to cancel an accepted invocation"
            }
        };
        Response::error(405, "MethodNotAllowedException", message).with("allow", Some(self.allow()))
    }
}
