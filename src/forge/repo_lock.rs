//! The short lock of the repository, shared with worktree administration.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::ForgeError;

/// Held while one change of the forge is made. Closing the file frees it; it is never deleted.
#[derive(Debug)]
#[must_use = "the lock is free again as soon as this is dropped"]
pub(super) struct RepoGuard {
    _file: File,
}

impl RepoGuard {
    /// Waits for the lock at `path`. Holders keep it for milliseconds, and a dead one loses it.
    pub(super) fn acquire(path: &Path) -> Result<RepoGuard, ForgeError> {
        let failed = |source| ForgeError::Lock { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
            .map_err(|errno| failed(errno.into()))?;
        Ok(RepoGuard { _file: file })
    }
}
