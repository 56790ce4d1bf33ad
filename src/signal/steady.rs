//! Opens and reads files that somebody else may be changing, replacing or setting as traps.
//!
//! Every name is opened relative to an open directory, never through a symbolic link, without blocking on a pipe
//! and without touching a device; a file that was changed while it was read is told apart from one that was not.

use std::convert::Infallible;
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::board::{BoardError, Deed};
use super::digest::hex;
use super::reject::{NodeKind, RejectReason};

/// Why a name was not opened.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is not there any more.
    Vanished,
    /// It is not what it should be.
    Refused(RejectReason),
}

/// The names in a directory, in order of bytes.
pub(super) struct Listing {
    pub(super) names: Vec<OsString>,
    /// Whether there are more than were asked for.
    pub(super) cut: bool,
}

/// A directory held open.
pub(super) struct SteadyDir {
    fd: OwnedFd,
    path: PathBuf,
}

const DIR_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

impl SteadyDir {
    /// Opens `path`, whose last part must not be a symbolic link. What leads to it is Laneway's own and trusted.
    pub(super) fn open(path: &Path) -> Result<Self, BoardError> {
        match rustix::fs::open(path, DIR_FLAGS, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_path_buf() }),
            Err(Errno::NOENT) => Err(BoardError::Gone { path: path.to_path_buf() }),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(BoardError::InTheWay { path: path.to_path_buf() }),
            Err(error) => Err(BoardError::io(Deed::Read, path, error)),
        }
    }

    /// The path it was opened by.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory `name` in this one.
    pub(super) fn dir(&self, name: &OsStr) -> Result<Self, Refusal> {
        match rustix::fs::openat(&self.fd, name, DIR_FLAGS, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: self.path.join(name) }),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let (found, _) = self.look(name)?;
                Err(Refusal::Refused(RejectReason::NotADirectory { found }))
            }
            Err(error) => Err(refusal(error)),
        }
    }

    /// What stands at `name`, and when it was last changed in any way.
    pub(super) fn look(&self, name: &OsStr) -> Result<(NodeKind, SystemTime), Refusal> {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(refusal)?;
        let found = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => NodeKind::File,
            FileType::Directory => NodeKind::Directory,
            FileType::Symlink => NodeKind::Symlink,
            FileType::Fifo => NodeKind::Fifo,
            FileType::Socket => NodeKind::Socket,
            _ => NodeKind::Device,
        };
        let nanos = u32::try_from(stat.st_ctime_nsec).unwrap_or_default();
        #[expect(clippy::useless_conversion, reason = "the width of the field differs between systems")]
        Ok((found, time(i64::from(stat.st_ctime), nanos)))
    }

    /// Opens the regular file `name` in this directory.
    pub(super) fn file(&self, name: &OsStr) -> Result<SteadyFile, Refusal> {
        // Asked before opening, because opening a device can set something going.
        let (found, _) = self.look(name)?;
        if found != NodeKind::File {
            return Err(Refusal::Refused(RejectReason::NotAFile { found }));
        }
        let file = match rustix::fs::openat(&self.fd, name, FILE_FLAGS, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP) => {
                return Err(Refusal::Refused(RejectReason::NotAFile { found: NodeKind::Symlink }));
            }
            Err(error) => return Err(refusal(error)),
        };
        let meta = file.metadata().map_err(|e| unreadable(&e))?;
        if !meta.is_file() {
            // Swapped between the look and the open.
            return Err(Refusal::Vanished);
        }
        Ok(SteadyFile { stamp: Stamp::of(&meta), file })
    }

    /// Removes the name `name` if it is no directory; what a link leads to is not touched. Says whether it did.
    pub(super) fn remove(&self, name: &OsStr) -> bool {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).is_ok()
    }

    /// At most `cap` names.
    pub(super) fn list(&self, cap: usize) -> Result<Listing, BoardError> {
        let failed = |error: Errno| BoardError::io(Deed::Read, &self.path, error);
        let mut names = Vec::new();
        let mut cut = false;
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name: &CStr = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if names.len() == cap {
                cut = true;
                break;
            }
            names.push(OsString::from_vec(name.to_bytes().to_vec()));
        }
        names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        Ok(Listing { names, cut })
    }
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    /// Names; none is left once the file was replaced, even within one tick of the clock.
    links: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            links: meta.nlink(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// A regular file held open.
pub(super) struct SteadyFile {
    file: File,
    stamp: Stamp,
}

/// What was read of a file.
#[derive(Debug)]
pub(super) struct Content {
    /// SHA-256 of all of it.
    pub(super) digest: String,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// How reading ended.
#[derive(Debug)]
pub(super) enum Reading {
    /// All of it was read, and nobody changed it meanwhile.
    Whole(Content),
    /// It was changed or replaced meanwhile.
    Unsettled,
    /// It is not taken.
    Refused(RejectReason),
}

impl SteadyFile {
    /// When it was last changed: written, renamed, or anything else that a writer cannot hide.
    pub(super) fn changed(&self) -> SystemTime {
        time(self.stamp.changed.0, u32::try_from(self.stamp.changed.1).unwrap_or_default())
    }

    /// Reads at most `limit` bytes into memory.
    pub(super) fn bytes(self, limit: u64) -> (Reading, Vec<u8>) {
        let mut bytes = Vec::new();
        let Ok(reading) = self.read(limit, |part| {
            bytes.extend_from_slice(part);
            Ok::<(), Infallible>(())
        });
        (reading, bytes)
    }

    /// Reads at most `limit` bytes and keeps nothing but their digest.
    pub(super) fn hash(self, limit: u64) -> Reading {
        let Ok(reading) = self.read(limit, |_| Ok::<(), Infallible>(()));
        reading
    }

    /// Reads at most `limit` bytes into `sink`.
    pub(super) fn read<E>(
        mut self,
        limit: u64,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Reading, E> {
        if self.stamp.size > limit {
            return Ok(Reading::Refused(RejectReason::TooLarge { size: self.stamp.size, limit }));
        }
        let mut hasher = Sha256::new();
        let mut size = 0_u64;
        let mut buffer = vec![0; buffer_size(self.stamp.size)];
        loop {
            let count = match self.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Ok(Reading::Refused(RejectReason::Unreadable { error: error.kind() }));
                }
            };
            size += count as u64;
            if size > limit {
                return Ok(Reading::Unsettled);
            }
            hasher.update(&buffer[..count]);
            sink(&buffer[..count])?;
        }
        let after = self.file.metadata().map(|meta| Stamp::of(&meta));
        if size != self.stamp.size || !after.is_ok_and(|now| now == self.stamp) {
            return Ok(Reading::Unsettled);
        }
        Ok(Reading::Whole(Content { digest: hex(hasher), size }))
    }
}

fn buffer_size(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX).clamp(1, 64 * 1024 - 1) + 1
}

fn refusal(error: Errno) -> Refusal {
    match error {
        Errno::NOENT => Refusal::Vanished,
        other => unreadable(&other.into()),
    }
}

fn unreadable(error: &io::Error) -> Refusal {
    Refusal::Refused(RejectReason::Unreadable { error: error.kind() })
}

fn time(seconds: i64, nanos: u32) -> SystemTime {
    let magnitude = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(magnitude)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(magnitude)
    };
    base.unwrap_or(SystemTime::UNIX_EPOCH) + Duration::from_nanos(u64::from(nanos))
}

#[cfg(test)]
mod tests;
