//! How much lies in a directory.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The bytes on disk of everything below `path`. What cannot be looked at, or is just going away, counts for nothing.
pub(super) fn of(path: &Path) -> u64 {
    let entries = walkdir::WalkDir::new(path).into_iter().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.blocks() * 512).sum()
}
