//! The ways in, a file each. docs/design.md says what belongs into one, CONTRIBUTING.md how to add one.

mod schedule;
mod sns;
mod sqs;

use super::Collect;
use crate::event::Source;

/// All of them. An event goes to the first one that recognises it.
pub(super) const SOURCES: &[&dyn Source<Collect>] = &[&sqs::Sqs, &sns::Sns, &schedule::Schedule];
