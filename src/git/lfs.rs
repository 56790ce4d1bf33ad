//! Files in LFS: git-lfs writes their contents where it is set up, and where it is not they are pointers that builds trip over.
#![expect(
    clippy::disallowed_methods,
    reason = "reads files of lanes, and notes what was found in their private git directories"
)]

use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::command::Git;
use super::private::Private;
use super::repo::replace_file;
use super::{GitError, Repo, Worktree};
use crate::graph::Lfs;

/// Config under which files in LFS are what they are, whether git-lfs is there or not: pointers stay pointers, and are as the commit has them.
pub(super) const KEEP_POINTERS: &[&str] =
    &["filter.lfs.smudge=", "filter.lfs.clean=", "filter.lfs.process=", "filter.lfs.required=false"];
/// How every pointer begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Where it is noted which files are pointers though their contents were wanted.
const FILE: &str = "pointers";

/// What a failure to write a file in LFS comes to.
pub(super) fn failure(error: GitError) -> GitError {
    match error {
        GitError::Failed { stderr, .. } => GitError::Lfs { detail: stderr },
        other => other,
    }
}

/// Notes which files of a new lane are pointers though nobody asked for that: git-lfs is not set up.
pub(super) fn note_pointers(private: &Private<'_>) -> Result<(), GitError> {
    if private.shape().lfs == Lfs::Skip {
        return Ok(());
    }
    let answer = Git::new(private.scope(), "ls-files").args(["-z", "--", ":(attr:filter=lfs)"]).run()?;
    let mut pointers = Vec::new();
    for name in answer.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if is_pointer(&private.root().join(OsStr::from_bytes(name)))? {
            pointers.extend_from_slice(name);
            pointers.push(0);
        }
    }
    if pointers.is_empty() { Ok(()) } else { replace_file(&private.dir().join(FILE), &pointers) }
}

fn is_pointer(path: &Path) -> Result<bool, GitError> {
    let is_file = |found: std::io::Result<std::fs::Metadata>| found.is_ok_and(|found| found.is_file());
    if !is_file(path.symlink_metadata()) {
        return Ok(false);
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        let length = u64::try_from(POINTER.len()).expect("a few bytes");
        file.take(length).read_to_end(&mut start)
    });
    read.map_err(GitError::io("read", path))?;
    Ok(start == POINTER)
}

impl Repo {
    /// The files that were pointers when the lane was made though their contents were wanted, since git-lfs is not set up here.
    pub fn pointers(&self, worktree: &Worktree) -> Result<Vec<String>, GitError> {
        let path = worktree.private(self).join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }
}
