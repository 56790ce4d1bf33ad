//! Lock files of refs that a killed process has left: found, proven to be nobody's, removed.
#![expect(clippy::disallowed_methods, reason = "looks at lock files and at who has them open")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use git2::Repository;

use super::lock::RepoLock;
use super::repo::oid;
use crate::id::Sha;
use crate::plain_file;

/// A lock younger than this may belong to somebody who has closed it and is about to rename it.
const AGE: Duration = Duration::from_secs(1);
/// What stands in the message of every commit that Laneway makes.
const TRAILER: &str = "\nLaneway-Run: ";

/// Removes the lock of `name`, and that of the packed refs, where a killed process left it. Says whether one was.
///
/// Whoever locks a ref has the file open as long as it is empty, so an empty one that nobody has open is nobody's. One
/// with content counts only where that is a move of Laneway's: to `wanted`, or to a commit that Laneway made.
pub(super) fn clear(repo: &Repository, name: &str, wanted: Option<&Sha>) -> bool {
    let common = repo.commondir();
    // Two that clear at once could remove the lock that a third has just taken.
    let Ok(_turn) = RepoLock::acquire(&common.join("laneway/stale-locks")) else {
        return false;
    };
    let mut cleared = false;
    for lock in [common.join(format!("{name}.lock")), common.join("packed-refs.lock")] {
        if is_stale(repo, &lock, wanted) && fs::remove_file(&lock).is_ok() {
            tracing::warn!(lock = %lock.display(), "removed a lock that a killed process had left");
            cleared = true;
        }
    }
    cleared
}

fn is_stale(repo: &Repository, lock: &Path, wanted: Option<&Sha>) -> bool {
    let Ok(before) = fs::metadata(lock) else { return false };
    // One that is of a later time is of before the clock was set back.
    let apart = |at| SystemTime::now().duration_since(at).unwrap_or_else(|ahead| ahead.duration());
    let age = before.modified().ok().map(apart);
    let is_mine = before.uid() == rustix::process::geteuid().as_raw();
    if !before.is_file() || !is_mine || age.is_none_or(|age| age < AGE) {
        return false;
    }
    let Ok(text) = plain_file::read_text(lock, plain_file::MOST_BYTES) else { return false };
    if !is_ours(repo, text.trim_end(), wanted) || !nobody_has_open(&before) {
        return false;
    }
    let same = |now: fs::Metadata| (now.ino(), now.mtime(), now.mtime_nsec(), now.len());
    fs::metadata(lock).is_ok_and(|now| same(now) == same(before))
}

fn is_ours(repo: &Repository, text: &str, wanted: Option<&Sha>) -> bool {
    if text.is_empty() {
        return true;
    }
    let Ok(target) = Sha::new(text) else { return false };
    let made_by_us = |target| {
        let commit = repo.find_commit(oid(target).ok()?).ok()?;
        Some(commit.message().unwrap_or_default().contains(TRAILER))
    };
    wanted == Some(&target) || made_by_us(&target).unwrap_or(false)
}

/// Whether no process has the file open. `false` where that cannot be told.
fn nobody_has_open(file: &fs::Metadata) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let own_name = fs::read("/proc/self/comm").unwrap_or_default();
    processes.flatten().filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit()).all(
        |entry| {
            match fs::read_dir(entry.path().join("fd")) {
                Ok(mut open) => !open.any(|fd| {
                    let there = fd.and_then(|fd| fs::metadata(fd.path()));
                    there.is_ok_and(|there| (there.dev(), there.ino()) == (file.dev(), file.ino()))
                }),
                // An orchestrator does not let itself be looked into; other people's processes do not own our locks.
                Err(_) => fs::read(entry.path().join("comm")).map_or(true, |name| name != own_name),
            }
        },
    )
}
