//! The short locks that serialise worktree administration and the use of a lane's private index.
#![expect(
    clippy::disallowed_methods,
    reason = "lock files are opened here, and waiting is bounded by a clock"
)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::GitError;

/// How long a lock is waited for. Holders keep it for milliseconds; a private index up to one checkout.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// An exclusive `flock` on a file that is never unlinked. The kernel lets go of it when the holder dies.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct RepoLock {
    _file: File,
}

impl RepoLock {
    /// Takes the lock at `path`, creating the file and its directory where needed.
    ///
    /// Waits at most two minutes, then fails with [`GitError::LockBusy`].
    pub fn acquire(path: &Path) -> Result<Self, GitError> {
        let file = open(path)?;
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(GitError::LockBusy { path: path.to_owned(), seconds: PATIENCE.as_secs() });
                }
                Err(errno) => return Err(GitError::io("locked", path)(io::Error::from(errno))),
            }
        }
    }

    /// Takes the lock at `path` where nobody has it; for locks that are held as long as somebody's command runs.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, GitError> {
        let file = open(path)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(GitError::io("locked", path)(io::Error::from(errno))),
            }
        }
    }
}

fn open(path: &Path) -> Result<File, GitError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(GitError::io("created", parent))?;
    }
    // std opens with O_CLOEXEC, so no child inherits the lock.
    let file = File::options().create(true).truncate(false).write(true).open(path);
    file.map_err(GitError::io("opened", path))
}
