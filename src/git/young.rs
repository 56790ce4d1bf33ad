//! Edits in the very second in which a lane's files were made.
//!
//! git compares times in whole seconds, and looks into files that are as young as its index. Files of a new lane are made to look
//! older ([`fill`](super::fill)), so an edit that keeps the size and puts the old time back (as `touch -r`, archives and hostile
//! agents do) would be missed until the second is over; after it the change time tells, which nobody can set. As long as that can be, the
//! index is compared with the files to the nanosecond before it is used.
#![expect(clippy::disallowed_methods, reason = "keeps a mark in the private git directory of a lane")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, statat};
use rustix::time::{ClockId, clock_gettime};
use sha1::{Digest, Sha1};

use super::GitError;
use super::custody::GITLINK;
use super::private::{Private, remove_file};

const MARK: &str = "young";

pub(super) fn is_marked(private: &Path) -> bool {
    private.join(MARK).exists()
}

/// Before the first file is made. It is not synced: after a power cut the index does not count anyway.
pub(super) fn mark(private: &Path) -> Result<(), GitError> {
    let path = private.join(MARK);
    std::fs::File::create(&path).map(drop).map_err(GitError::io("written", &path))
}

/// Where no edit can have the time of the making.
pub(super) fn unmark(private: &Path) -> Result<(), GitError> {
    remove_file(&private.join(MARK))
}

/// Whether some file was changed in a way that git would not see. Takes the mark away once that cannot be any more.
pub(super) fn hides_an_edit(private: &Private<'_>) -> Result<bool, GitError> {
    let path = private.index();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(GitError::io("read", &path)(error)),
    };
    if !is_whole(&bytes) {
        // git makes it again, without what it said of the files.
        return Ok(true);
    }
    // Before the files are looked at: what is changed while we look is younger than this.
    let now = clock_gettime(ClockId::Realtime);
    let index = git2::Index::open(&path).map_err(GitError::library("reading an index"))?;
    let mut youngest = 0;
    // Of a submodule git compares the commit, never the folder.
    for entry in index.iter().filter(|entry| entry.mode != GITLINK) {
        let made = (i64::from(entry.ctime.seconds()), i64::from(entry.ctime.nanoseconds()));
        youngest = youngest.max(made.0);
        let path = private.root().join(OsStr::from_bytes(&entry.path));
        let Ok(found) = statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let seen = (found.st_ctime, found.st_ctime_nsec.cast_signed());
        let same = i64::from(entry.mtime.seconds()) == found.st_mtime
            && i64::from(entry.file_size) == (found.st_size & i64::from(u32::MAX));
        if same && made.0 == seen.0 && made.1 != seen.1 {
            return Ok(true);
        }
    }
    if now.tv_sec > youngest {
        unmark(private.dir())?;
    }
    Ok(false)
}

/// Whether the sum at the end fits; libgit2 believes the counts of a torn index and asks for memory for them.
pub(super) fn is_whole(index: &[u8]) -> bool {
    index.split_last_chunk::<20>().is_some_and(|(content, sum)| Sha1::digest(content)[..] == *sum)
}

/// Waits until a change gets another time than what was written before: at most one tick of the kernel.
pub(super) fn wait_for_next_tick() {
    #[cfg(target_os = "linux")]
    const TICKS: ClockId = ClockId::RealtimeCoarse;
    #[cfg(not(target_os = "linux"))]
    const TICKS: ClockId = ClockId::Realtime;
    let last = clock_gettime(TICKS);
    // A clock that is set back meanwhile has moved on as well.
    while clock_gettime(TICKS) == last {
        std::thread::sleep(std::time::Duration::from_micros(500));
    }
}
