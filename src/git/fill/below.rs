//! Directories below one that is held open, reached name by name: no link on the way is ever followed.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Result;

/// Opens the directory at `path`, which is `root` itself where that is empty.
pub(super) fn open(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let mut names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    let first = step(root, names.next().unwrap_or(b"."))?;
    names.try_fold(first, step)
}

/// Opens the directory that holds what is at `path`, and says what it is called there.
pub(super) fn open_parent<'a>(root: &OwnedFd, path: &'a [u8]) -> Result<(OwnedFd, &'a OsStr)> {
    let (dir, name) = parent(path).map_or((&[][..], path), |dir| (dir, &path[dir.len() + 1..]));
    Ok((open(root, dir)?, OsStr::from_bytes(name)))
}

/// The path of the directory that holds what is at `path`; `None` right in the root.
pub(super) fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|slash| &path[..slash])
}

fn step(dir: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, OsStr::from_bytes(name), flags, Mode::empty())
}
