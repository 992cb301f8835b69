//! The ways in, a file each. docs/design.md says what belongs into one, CONTRIBUTING.md how to add one.

pub(super) mod direct;
mod eventbridge;
pub(super) mod http;
mod s3;
mod sns;
pub(super) mod sqs;

use super::Submit;
use crate::event::Source;

/// All of them. An event goes to the first one that recognises it.
pub(super) const SOURCES: &[&dyn Source<Submit>] =
    &[&sqs::Sqs, &s3::S3, &sns::Sns, &http::Http, &eventbridge::EventBridge, &direct::Direct];
