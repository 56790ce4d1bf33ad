//! Directories below one that is held open: no link on the way is ever followed.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

#[cfg(target_os = "linux")]
use rustix::fs::ResolveFlags;
use rustix::fs::{Mode, OFlags, openat};
#[cfg(target_os = "linux")]
use rustix::io::Errno;
use rustix::io::Result;

/// How directories are opened.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the directory at `path`, which is `root` itself where that is empty.
pub(super) fn open(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    match at_once(root, path) {
        // A system that does not know the call, or a sandbox that forbids it.
        Err(Errno::NOSYS | Errno::PERM) => {}
        opened => return opened,
    }
    let mut names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    let first = step(root, names.next().unwrap_or(b"."))?;
    names.try_fold(first, step)
}

/// The same by one call, where the system has it.
#[cfg(target_os = "linux")]
fn at_once(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let path = OsStr::from_bytes(if path.is_empty() { b"." } else { path });
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    rustix::fs::openat2(root, path, DIRECTORY, Mode::empty(), resolve)
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
    openat(dir, OsStr::from_bytes(name), DIRECTORY, Mode::empty())
}
