//! One orchestrator a graph: a kernel lock that dies with its holder.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::owner::Owner;

/// More of a lock file than this is not read: the text in it is ours and short.
const MAX_TEXT: u64 = 16 * 1024;
/// How often a lock is tried whose owner has ended.
const TRIES: u32 = 100;
/// The pause between such tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("{path} is held by {}", display_owner(owner.as_deref()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who has it, where the text in the file tells.
        owner: Option<Box<Owner>>,
    },
    /// The file system has no locks.
    #[error("the file system of {path} ({kind}) has no locks")]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// What it lies on.
        kind: FsKind,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Opening, locking or writing the file failed.
    #[error("the lock {path} cannot be taken")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn display_owner(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "an unknown process".to_owned(), Owner::to_string)
}

/// The right to run a graph, for as long as this value lives.
///
/// The kernel frees it when the process ends, however it ends. Child processes do not inherit it. The file is
/// never deleted: two processes could then each hold a lock on a file of that name.
#[derive(Debug)]
#[must_use = "the lock is free again as soon as this is dropped"]
pub struct RunLock {
    file: File,
    path: PathBuf,
}

impl RunLock {
    /// Takes the lock at `path`, whose directory exists, and writes [`Owner::current`] into it. Waits only where the
    /// owner has ended: a child that it was just starting keeps the lock until it executes its program.
    ///
    /// # Errors
    /// [`LockError::Held`] when it is taken, by another process or by this one.
    pub fn try_acquire(path: &Path) -> Result<RunLock, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(path)
            .map_err(failed)?;
        let mut tries = 1;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) => {
                    let owner = Self::last_owner(path);
                    if tries == TRIES || !owner.as_ref().is_some_and(Owner::is_gone) {
                        return Err(LockError::Held { path: path.to_owned(), owner: owner.map(Box::new) });
                    }
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(errno @ (Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK)) => {
                    let kind = fs_kind(path).map_err(failed)?;
                    return Err(LockError::Unsupported { path: path.to_owned(), kind, source: errno.into() });
                }
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        write_owner(&file, &Owner::current()).map_err(failed)?;
        Ok(RunLock { file, path: path.to_owned() })
    }

    /// Reads who holds, or last held, the lock at `path`, without touching it; `None` where the text does not tell.
    pub fn last_owner(path: &Path) -> Option<Owner> {
        read_owner(&File::open(path).ok()?)
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the lock file lies on.
    pub fn fs_kind(&self) -> io::Result<FsKind> {
        Ok(kind_of(rustix::fs::fstatfs(&self.file)?.f_type))
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Closing would do, but not at once: a child that another thread is just starting has a copy of the
        // descriptor until it executes its program. Should this fail, the closing follows.
        _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// The text is one line. The new line is written before the rest of an older one is cut, so that a reader in
/// between gets an owner.
fn write_owner(file: &File, owner: &Owner) -> io::Result<()> {
    let mut text = serde_json::to_vec(owner)?;
    text.push(b'\n');
    file.write_all_at(&text, 0)?;
    file.set_len(text.len() as u64)
}

/// Anything can be in the file; what is not an owner is none.
fn read_owner(file: &File) -> Option<Owner> {
    let mut text = Vec::new();
    file.take(MAX_TEXT).read_to_end(&mut text).ok()?;
    let line = text.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(line).ok()
}

/// What a lock file lies on. None is refused so far: flock holds on all of these between processes of one
/// machine. Between machines it holds on NFS from Linux 2.6.12 on unless it is mounted with `local_lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsKind {
    /// A disk of this machine, or memory.
    Local,
    /// NFS.
    Nfs,
    /// SMB or CIFS.
    Smb,
    /// 9p, as used for folders shared with a virtual machine.
    NineP,
    /// A file system in user space, which may do as it likes.
    Fuse,
}

impl fmt::Display for FsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FsKind::Local => "local",
            FsKind::Nfs => "nfs",
            FsKind::Smb => "smb",
            FsKind::NineP => "9p",
            FsKind::Fuse => "fuse",
        })
    }
}

/// Tells what `path` lies on.
pub fn fs_kind(path: &Path) -> io::Result<FsKind> {
    Ok(kind_of(rustix::fs::statfs(path)?.f_type))
}

/// The numbers are those of Linux (`statfs(2)`); elsewhere everything counts as local.
fn kind_of(magic: rustix::fs::FsWord) -> FsKind {
    if !cfg!(target_os = "linux") {
        return FsKind::Local;
    }
    match magic {
        0x6969 => FsKind::Nfs,
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => FsKind::Smb,
        0x0102_1997 => FsKind::NineP,
        0x6573_5546 => FsKind::Fuse,
        _ => FsKind::Local,
    }
}

#[cfg(test)]
mod tests;
