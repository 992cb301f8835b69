//! The ways in, a file each. docs/design.md says what belongs into one, CONTRIBUTING.md how to add one.

pub(super) mod direct;
pub(super) mod http;
pub(super) mod sqs;

use super::Submit;
use crate::event::Source;

/// All of them. An event goes to the first one that recognises it.
pub(super) const SOURCES: &[&dyn Source<Submit>] = &[&sqs::Sqs, &http::Http, &direct::Direct];
