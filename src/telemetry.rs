//! Logs: one JSON line per outcome on standard output, in the shape that Lambda's JSON log format passes through.
//!
//! `AWS_LAMBDA_LOG_LEVEL`, or else `RUST_LOG`, sets the level of the bridge's own lines. The SDK's come at `warn` and
//! above only: below that they would hold requests, and with them payloads and tokens. Release builds have nothing below
//! `info` (`release_max_level_info` in Cargo.toml): some 650 places of the SDK alone, which took space and time to load.

use std::str::FromStr;

use tokio::time::Instant;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Installs the log for this process; a second call changes nothing.
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"].iter().find_map(|name| std::env::var(name).ok());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    // An error means that a log is installed already, as in a test.
    let _ = tracing_subscriber::registry().with(lines).with(filter(level.as_deref())).try_init();
}

/// What a log line gives as `duration_ms`.
pub(crate) fn milliseconds_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// An unknown level counts as `info`: a log setting is no reason not to start.
fn filter(level: Option<&str>) -> Targets {
    let level = match level {
        Some("FATAL" | "fatal") => LevelFilter::ERROR,
        other => other.and_then(|text| LevelFilter::from_str(text).ok()).unwrap_or(LevelFilter::INFO),
    };
    // The runtime logs what a handler returns; the handlers have done so already, with their fields.
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("lambda_runtime", LevelFilter::OFF)
        .with_target("sagemaker_async_bridge", level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn the_level_is_the_bridges_own_and_never_opens_the_sdks_debug_lines() {
        let filter = filter(Some("DEBUG"));
        assert!(filter.would_enable("sagemaker_async_bridge::submit", &Level::DEBUG));
        assert!(filter.would_enable("aws_smithy_runtime", &Level::WARN));
        assert!(!filter.would_enable("aws_smithy_runtime", &Level::INFO));
        assert!(!filter.would_enable("lambda_runtime::layers", &Level::ERROR));
    }

    #[test]
    fn an_unknown_level_counts_as_info() {
        for level in [None, Some("loud")] {
            let filter = filter(level);
            assert!(filter.would_enable("sagemaker_async_bridge", &Level::INFO));
            assert!(!filter.would_enable("sagemaker_async_bridge", &Level::DEBUG));
        }
    }
}
