//! SHA-256 as lower-case hex: the name of a content.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of `bytes` as 64 lower-case hex digits.
pub fn digest(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// Ends `hasher` and returns its value as lower-case hex.
pub(super) fn hex(hasher: Sha256) -> String {
    let mut out = String::with_capacity(64);
    for byte in hasher.finalize() {
        write!(out, "{byte:02x}").expect("a String takes every write");
    }
    out
}
