//! One orchestrator a graph: a kernel lock that dies with its holder.

mod file_system;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::owner::Owner;
pub use file_system::{FileSystem, Locks, file_system};

/// More of a lock file than this is not read: the text in it is ours and short.
const MAX_TEXT: u64 = 16 * 1024;
/// How often a lock is tried whose owner has ended: a child that it was just starting lets go of it in a moment.
const TRIES_AFTER_ITS_END: u32 = 100;
/// How often one is tried of which nobody is named: its owner may be about to write its name.
const TRIES_UNNAMED: u32 = 10;
/// How often any is tried: who only asks whether it is held has it for an instant.
const TRIES: u32 = 3;
/// The pause between tries.
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
    #[error("the file system of {path} ({name}) has no locks")]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// What it lies on.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file system has locks that need not hold against other machines.
    #[error("{path} lies on a network file system ({name}) whose locks do not hold between machines")]
    NotShared {
        /// The lock file.
        path: PathBuf,
        /// What it lies on.
        name: String,
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

impl LockError {
    /// The next thing to do, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some("laneway attach shows that run; laneway cancel stops it".to_owned()),
            Self::NotShared { name, .. } if name.starts_with("nfs") => Some(
                "clone the repository to a local disk, or mount this one without `nolock` and `local_lock`"
                    .to_owned(),
            ),
            Self::NotShared { name, .. } if name == "lustre" => {
                Some("clone the repository to a local disk, or mount this one with `flock`".to_owned())
            }
            Self::NotShared { .. } | Self::Unsupported { .. } => {
                Some("clone the repository to a local disk".to_owned())
            }
            Self::Io { .. } => None,
        }
    }
}

fn display_owner(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "a process that is not named in it".to_owned(), Owner::to_string)
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
    /// Takes the lock at `path`, whose directory exists, and writes [`Owner::current`] into it. Waits for moments only:
    /// where the owner has ended, a child that it was just starting keeps the lock until it executes its program.
    ///
    /// # Errors
    /// [`LockError::Held`] when it is taken, by another process or by this one; [`LockError::NotShared`] on a file
    /// system where to have it means little.
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
        let system = file_system(path).map_err(failed)?;
        if system.locks == Locks::Unsure {
            return Err(LockError::NotShared { path: path.to_owned(), name: system.name });
        }
        let mut tries = 1;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => {
                    // Whoever is named and has ended does not hold it, and is not to be blamed for it.
                    let named = Self::last_owner(path);
                    let ended = named.as_ref().is_some_and(|owner| owner.is_gone(&system));
                    let owner = named.filter(|_| !ended);
                    let most = match &owner {
                        Some(_) => TRIES,
                        None if ended => TRIES_AFTER_ITS_END,
                        None => TRIES_UNNAMED,
                    };
                    if tries >= most {
                        return Err(LockError::Held { path: path.to_owned(), owner: owner.map(Box::new) });
                    }
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(errno @ (Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK)) => {
                    let (path, name) = (path.to_owned(), system.name);
                    return Err(LockError::Unsupported { path, name, source: errno.into() });
                }
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        write_owner(&file, &Owner::current()).map_err(failed)?;
        Ok(RunLock { file, path: path.to_owned() })
    }

    /// Whether somebody has the lock at `path`, whoever and in whatever container. Nobody is kept from it: who takes
    /// it at the same instant tries more than once.
    ///
    /// # Errors
    /// The file is there and cannot be opened, or its file system has no locks.
    pub fn is_held(path: &Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        loop {
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => {
                    flock(&file, FlockOperation::Unlock)?;
                    return Ok(false);
                }
                Err(Errno::WOULDBLOCK) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Reads who holds, or last held, the lock at `path`, without touching it; `None` where the text does not tell.
    pub fn last_owner(path: &Path) -> Option<Owner> {
        read_owner(&File::open(path).ok()?)
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
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

#[cfg(test)]
mod tests;
