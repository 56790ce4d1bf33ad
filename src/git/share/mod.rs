//! Lanes that are snapshots: on btrfs the files of a commit are written once, into a *base*, and each lane begins as a
//! snapshot of it, which shares every block until one of the two is changed.
//!
//! ```text
//! <common>/laneway/bases/
//!     lock           for everything in here
//!     <key>/files    a subvolume with the files of one tree, written as lanes are
//!     <key>/index    an index with their stat data
//!     <key>/tree     the name of the tree
//!     new-*          what is being made or removed; under the lock, the rest of somebody who was killed
//! ```
//!
//! **What a base stands for** is in its key: the tree, all that says which files git converts, the user, the mask of modes, and the
//! boot of the machine, as nothing in it is synced. It gets its name when it is complete. A process looks a base through,
//! every file against the index, before it uses it for the first time.
//!
//! **A base can be made from a near one**: where there is one of the same surroundings whose tree differs in few paths, the new base is
//! a snapshot of it in which what differs is removed and written anew. All other files keep number and times, so the new index has
//! their stat data from the old one. Whatever is not as expected ends that, and the base is written whole.
//!
//! **The index is right in every snapshot**: number, times and size of a file are those of the base, and only the device is
//! another, which git does not compare. So the first `git status` in a lane opens nothing.
//!
//! **A lane appears by one step**: the snapshot is made aside, gets the lane's `.git`, and changes places with the directory that
//! git knows already. Whatever goes wrong before, the lane is written like any other; a crash after it is finished like any other.
//!
//! Bases are not marked read-only, which `rm -rf` of a whole clone would stumble over, file by file. There is no system call for
//! snapshots that needs no `unsafe`, so the program `btrfs` makes them. Only where all that applies do lanes share.
#![expect(clippy::disallowed_methods, reason = "makes and removes trees of files that lanes share")]

mod bases;
mod btrfs;
mod error;
mod near;

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

pub(super) use bases::{Age, Base, Bases, Empty};
pub use error::NotShared;

use super::{GitError, Repo, RepoLock};

/// The keys of the bases that this process has made or looked through.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<HashSet<String>>);

impl Verified {
    fn has(&self, key: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn add(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    }
}

/// A base, or what an interrupted making of one has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBase {
    /// Where it is.
    pub path: PathBuf,
    /// When a lane was last made of it.
    pub used: SystemTime,
}

impl Repo {
    /// Whether lanes below `worktrees`, which is there, can be snapshots.
    ///
    /// # Errors
    /// What is in the way.
    pub fn can_share(&self, worktrees: &Path) -> Result<(), NotShared> {
        let record = self.common_dir();
        ensure_together(record, worktrees)?;
        btrfs::ensure_program()
    }

    /// What lanes share, and what is left of it.
    pub fn bases(&self) -> Result<Vec<KeptBase>, GitError> {
        let dir = self.bases_dir();
        let mut found = Vec::new();
        for path in bases::entries(&dir).map_err(GitError::io("read", &dir))? {
            let used = std::fs::metadata(&path).and_then(|meta| meta.modified());
            found.push(KeptBase { used: used.map_err(GitError::io("read", &path))?, path });
        }
        Ok(found)
    }

    /// Removes one of [`Repo::bases`]. Lanes that were made of it keep their files.
    pub fn drop_base(&self, base: &KeptBase) -> Result<(), GitError> {
        let dir = self.bases_dir();
        let _lock = RepoLock::acquire(&bases::lock_path(&dir))?;
        bases::discard(&dir, &base.path).map_err(GitError::io("removed", &base.path))
    }

    fn bases_dir(&self) -> PathBuf {
        self.record_dir().join("bases")
    }
}

/// Removes the files of a lane in one step, where they are a snapshot and the system lets us; `false` where they still stand.
pub(super) fn removed_at_once(files: &Path) -> bool {
    btrfs::is_subvolume(files) && btrfs::delete(files).is_ok()
}

/// Checks that snapshots of what is below one can appear below the other.
fn ensure_together(record: &Path, lanes: &Path) -> Result<(), NotShared> {
    if !btrfs::is_at(record) || !btrfs::is_at(lanes) {
        return Err(NotShared::FileSystem);
    }
    let device = |path: &Path| {
        let found = std::fs::metadata(path);
        found.map(|found| found.dev()).map_err(NotShared::io("read", path))
    };
    if device(record)? == device(lanes)? { Ok(()) } else { Err(NotShared::Apart) }
}

#[cfg(test)]
mod tests;
