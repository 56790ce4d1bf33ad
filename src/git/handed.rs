//! The indexes that lanes were handed out with.
//!
//! Most agents and commands change none, and then what their index holds is known, without reading an entry for each file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::id::Sha;

/// How long the digest is with which an index ends.
const SUM: usize = 20;

/// For each git directory of a lane, the index that was put there last.
#[derive(Default)]
pub(super) struct HandedOut {
    known: Mutex<HashMap<PathBuf, (Print, Sha)>>,
}

/// What tells an index from another: its size and its own digest of itself. One with another digest than its content has
/// is no index to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    len: u64,
    sum: [u8; SUM],
}

impl Print {
    fn of(mut index: &File) -> io::Result<Self> {
        let len = index.metadata()?.len();
        let mut sum = [0; SUM];
        index.seek(SeekFrom::Start(len.saturating_sub(SUM as u64)))?;
        index.read_exact(&mut sum)?;
        Ok(Self { len, sum })
    }
}

impl HandedOut {
    /// Remembers `index`, which holds `tree`, as that of the lane whose git directory is `admin`.
    pub(super) fn note(&self, admin: &Path, index: &File, tree: Sha) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match Print::of(index) {
            Ok(print) => known.insert(admin.to_owned(), (print, tree)),
            // What is not known is read.
            Err(_) => known.remove(admin),
        };
    }

    /// The tree that `index`, found in `admin`, holds; `None` where it is not the one that was put there.
    pub(super) fn tree(&self, admin: &Path, index: &File) -> Option<Sha> {
        let (print, tree) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(admin).cloned()?;
        // One that cannot be read so is read in full, and what is wrong with it said then.
        (Print::of(index).ok()? == print).then_some(tree)
    }
}
