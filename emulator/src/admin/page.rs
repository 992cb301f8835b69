//! The page at `/`: one document, without assets.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = concat!(include_str!("page/page.js"), include_str!("page/chart.js"));

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = include_str!("page.html").replace("<style></style>", &format!("<style>{STYLE}</style>"));
    page.replace("<script></script>", &format!("<script>{SCRIPT}</script>"))
});

/// The page's own script and style and nothing else may run, whatever a caller smuggles into a name or an output.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; connect-src 'self'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// `GET /`.
pub(crate) async fn get() -> Response {
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", POLICY.as_str()),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
    ];
    (headers, PAGE.as_str()).into_response()
}
