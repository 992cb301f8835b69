//! SHA-256 and hexadecimals.

use sha2::{Digest, Sha256};

/// The SHA-256 of a text in lower-case hexadecimals, 64 characters.
#[must_use]
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hexadecimals.
#[must_use]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
