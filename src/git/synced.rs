//! Which loose objects are durable already.
//!
//! A landing syncs what it brings, most of which was synced when it was written, or when the work was collected. A sync of
//! what is on the disk still has the disk write its cache. So it is remembered which *file* was synced: one that was
//! written anew since, by whomever, is another. (Its times do not tell: git sets those of what it would write anew.)
#![expect(clippy::disallowed_methods, reason = "looks at the files of loose objects")]

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use git2::Oid;

/// So many are remembered; those of a landing are seldom more than a few, and forgetting costs a sync.
const MOST: usize = 4096;

/// The objects whose files and names have been synced.
#[derive(Default)]
pub(super) struct Synced {
    known: Mutex<HashMap<Oid, FileId>>,
}

/// What no other file has, of now or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    place: (u64, u64),
    born: SystemTime,
}

impl FileId {
    /// `None` where the file system does not know when a file was made.
    pub(super) fn of(found: &Metadata) -> Option<Self> {
        Some(Self { place: (found.dev(), found.ino()), born: found.created().ok()? })
    }

    /// That of the file at `path`; `None` where there is none.
    pub(super) fn at(path: &Path) -> Option<Self> {
        std::fs::symlink_metadata(path).ok().as_ref().and_then(Self::of)
    }
}

impl Synced {
    /// Whether the file at `path`, of the object `id`, has been synced with its name.
    pub(super) fn has(&self, id: Oid, path: &Path) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        known.is_some() && known == FileId::at(path)
    }

    /// Remembers files that have been synced, and their names with them.
    pub(super) fn add(&self, synced: impl IntoIterator<Item = (Oid, FileId)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.extend(synced);
    }
}
