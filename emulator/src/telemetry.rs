//! Log lines on standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// From now on.
pub fn init() {
    // s3s puts whole requests into its spans.
    let levels = ["s3s", "s3s_fs"].map(|target| (target, LevelFilter::WARN));
    let levels = Targets::new().with_default(LevelFilter::INFO).with_targets(levels);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(levels).with(lines).init();
}
