//! The indexes that lanes were handed out with.
//!
//! Most agents and commands change none, and then what their index holds is known, without reading an entry for each file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha1::{Digest as _, Sha1};

use crate::id::Sha;

/// For each git directory of a lane, the index that was put there last.
#[derive(Default)]
pub(super) struct HandedOut {
    known: Mutex<HashMap<PathBuf, (Print, Sha)>>,
}

/// The digest of all bytes of an index. The one that it ends with proves nothing: git reads an index without looking whether
/// it fits, so an entry can be another while that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    len: u64,
    sum: [u8; 20],
}

impl Print {
    fn of(mut index: &File) -> io::Result<Self> {
        let len = index.metadata()?.len();
        index.rewind()?;
        // One that grows meanwhile has an end too.
        let mut left = index.take(len);
        let mut digest = Sha1::new();
        let mut some = vec![0; 64 * 1024];
        loop {
            match left.read(&mut some) {
                Ok(0) => return Ok(Self { len, sum: digest.finalize().into() }),
                Ok(read) => digest.update(&some[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
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
        // One that cannot be read so is read in full, and what is wrong with it said then. Of one that has another size no byte
        // counts, which may be many.
        (index.metadata().ok()?.len() == print.len && Print::of(index).ok()? == print).then_some(tree)
    }
}
