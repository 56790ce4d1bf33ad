//! Pipes in a lane by the names of files that git reads (`.gitignore`, `.gitattributes`, what is in a nested `.git`).
//!
//! git opens such a name like any file, and waits for good when an agent has left a pipe there. No call is bounded by
//! time for that: in a large repository git may be at work for minutes. But when it takes long, somebody looks for such
//! pipes and takes them away, and git goes on as if the file were empty. A pipe holds nothing that could be lost.
#![expect(clippy::disallowed_methods, reason = "deletes pipes that git would wait for")]

#[cfg(target_os = "linux")]
mod listen;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use walkdir::WalkDir;

/// How long git may take before somebody looks; twice as long before the next look, and so on.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for the end of the git process `child`, which looks at the files of `lane`.
pub(super) fn wait_in(lane: &Path, child: Child) -> io::Result<Output> {
    #[cfg(target_os = "linux")]
    if let Ok(end) = listen::end_of(&child) {
        return listen::until(child, end, PATIENCE, || take_away(lane));
    }
    beside(lane, child)
}

/// The same with a thread that looks.
fn beside(lane: &Path, child: Child) -> io::Result<Output> {
    let (end, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut patience = PATIENCE;
            while ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                take_away(lane);
                patience *= 2;
            }
        });
        let output = child.wait_with_output();
        drop(end);
        output
    })
}

/// Takes the pipes away that git would wait for, and lets go whoever waits.
fn take_away(lane: &Path) {
    for pipe in pipes(lane) {
        // Opening the other end lets a waiting reader go on, and closing it is the end of the file. Without a reader it
        // fails, and there is nobody to let go. The name goes first, so that nobody comes to wait anew.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = rustix::fs::open(&pipe, flags, Mode::empty());
        match std::fs::remove_file(&pipe) {
            Ok(()) => tracing::warn!(pipe = %pipe.display(), "a pipe that git waited for was taken away"),
            Err(error) => tracing::warn!(pipe = %pipe.display(), %error, "git waits for a pipe that stays"),
        }
        drop(held);
    }
}

fn pipes(lane: &Path) -> Vec<PathBuf> {
    let is_pipe = |entry: &walkdir::DirEntry| entry.file_type().is_fifo();
    let below = WalkDir::new(lane).min_depth(1).into_iter().filter_map(Result::ok);
    let found = below.filter(is_pipe).map(walkdir::DirEntry::into_path);
    found.filter(|path| path.strip_prefix(lane).is_ok_and(|path| path.iter().any(is_of_git))).collect()
}

fn is_of_git(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".git")
}
