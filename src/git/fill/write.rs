//! The files themselves: directories first, then each blob once, into all the lanes.
//!
//! Everything is opened relative to a directory that is held open, never through a link, and only where nothing is yet.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use git2::Odb;
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};

use super::listing::{Dir, Kind, Listing};
use super::stat_index::Stat;
use super::{SET_BACK, below};
use crate::git::{GitError, Repo};

/// More threads than these are in each other's way in the file system.
const THREADS: usize = 8;
/// Files of a directory that one thread takes at a time.
const PIECE: usize = 256;

/// The stat data of a lane's files by entry, or what went wrong in that lane.
pub(super) type Written = std::io::Result<Vec<Stat>>;

/// Writes those entries that are `ours` into each of `roots`, which are empty but for `.git`.
pub(super) fn files(
    repo: &Repo,
    listing: &Listing,
    ours: &[bool],
    roots: &[&Path],
) -> Result<Vec<Written>, GitError> {
    let work = Work::new(listing, ours, roots);
    work.make_dirs();
    work.run(repo)
}

/// Writes those entries that are `ours` into `root`, where their directories are and they are not.
pub(super) fn missing(
    repo: &Repo,
    listing: &Listing,
    ours: &[bool],
    root: &Path,
) -> Result<Written, GitError> {
    Ok(Work::new(listing, ours, &[root]).run(repo)?.remove(0))
}

fn failed() -> impl FnOnce(git2::Error) -> GitError {
    GitError::library("reading a blob")
}

/// One lane that is being written.
struct Lane {
    root: std::io::Result<OwnedFd>,
    stats: Mutex<Written>,
}

impl Lane {
    fn open(root: &Path, entries: usize) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty()).map_err(Into::into);
        Self { root, stats: Mutex::new(Ok(vec![Stat::default(); entries])) }
    }

    /// Its root, as long as nothing has gone wrong.
    fn root(&self) -> Option<&OwnedFd> {
        let well = self.stats.lock().unwrap_or_else(PoisonError::into_inner).is_ok();
        self.root.as_ref().ok().filter(|_| well)
    }

    fn note(&self, stats: Vec<(usize, Stat)>) {
        if let Ok(all) = &mut *self.stats.lock().unwrap_or_else(PoisonError::into_inner) {
            for (entry, stat) in stats {
                all[entry] = stat;
            }
        }
    }

    fn give_up(&self, error: std::io::Error) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
    }

    fn into_stats(self) -> Written {
        self.root?;
        self.stats.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some files of one directory.
struct Piece<'a> {
    dir: &'a Dir,
    files: &'a [usize],
}

struct Work<'a> {
    listing: &'a Listing,
    ours: &'a [bool],
    lanes: Vec<Lane>,
    times: Timestamps,
    next: AtomicUsize,
}

impl<'a> Work<'a> {
    fn new(listing: &'a Listing, ours: &'a [bool], roots: &[&Path]) -> Self {
        let lanes = roots.iter().map(|root| Lane::open(root, listing.entries.len())).collect();
        Self { listing, ours, lanes, times: times(), next: AtomicUsize::new(0) }
    }

    /// Writes the files, by several threads.
    fn run(self, repo: &Repo) -> Result<Vec<Written>, GitError> {
        let pieces = self.pieces();
        let threads =
            std::thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(pieces.len());
        let outcome = std::thread::scope(|scope| {
            let one = || repo.with(|repo| self.write(&repo.odb().map_err(failed())?, &pieces));
            let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
            let mine = one();
            let theirs = helpers.into_iter().map(|helper| helper.join().expect("threads do not panic"));
            theirs.fold(mine, Result::and)
        });
        outcome?;
        Ok(self.lanes.into_iter().map(Lane::into_stats).collect())
    }

    fn pieces(&self) -> Vec<Piece<'a>> {
        let of_dir = |dir| Dir::files_of(dir).chunks(PIECE).map(move |files| Piece { dir, files });
        let dirs = self.listing.dirs.iter().filter(|dir| !dir.left_out);
        dirs.flat_map(of_dir).filter(|piece| piece.files.iter().any(|&number| self.ours[number])).collect()
    }

    /// Makes the directories, each lane by one thread. Git makes none for a tree that holds nothing.
    fn make_dirs(&self) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let share = self.lanes.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for lanes in self.lanes.chunks(share) {
                scope.spawn(|| lanes.iter().for_each(|lane| self.make_dirs_in(lane)));
            }
        });
    }

    fn make_dirs_in(&self, lane: &Lane) {
        let Some(root) = lane.root() else { return };
        for dir in self.listing.dirs.iter().skip(1).filter(|dir| !dir.left_out && dir.entries > 0) {
            if let Err(error) = rustix::fs::mkdirat(root, OsStr::from_bytes(&dir.path), Mode::from(0o777)) {
                return lane.give_up(error.into());
            }
        }
    }

    /// Takes pieces until there are none left.
    fn write(&self, odb: &Odb<'_>, pieces: &[Piece<'_>]) -> Result<(), GitError> {
        while let Some(piece) = pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.write_piece(odb, piece)?;
        }
        Ok(())
    }

    fn write_piece(&self, odb: &Odb<'_>, piece: &Piece<'_>) -> Result<(), GitError> {
        let mut open = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let Some(root) = lane.root() else { continue };
            match below::open(root, &piece.dir.path) {
                Ok(dir) => open.push((lane, dir, Vec::with_capacity(piece.files.len()))),
                Err(error) => lane.give_up(error.into()),
            }
        }
        for &number in piece.files.iter().filter(|&&number| self.ours[number]) {
            let entry = &self.listing.entries[number];
            let blob = odb.read(entry.id).map_err(failed())?;
            let name = entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            open.retain_mut(|(lane, dir, stats)| {
                match self.put(dir, OsStr::from_bytes(name), entry.kind, blob.data()) {
                    Ok(stat) => stats.push((number, stat)),
                    Err(error) => {
                        lane.give_up(error);
                        return false;
                    }
                }
                true
            });
        }
        for (lane, _, stats) in open {
            lane.note(stats);
        }
        Ok(())
    }

    /// Makes one file or link with its time set back.
    fn put(&self, dir: &OwnedFd, name: &OsStr, kind: Kind, bytes: &[u8]) -> std::io::Result<Stat> {
        let mode = match kind {
            Kind::Link => {
                rustix::fs::symlinkat(OsStr::from_bytes(bytes), dir, name)?;
                rustix::fs::utimensat(dir, name, &self.times, AtFlags::SYMLINK_NOFOLLOW)?;
                return Ok(stat_of(&rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?));
            }
            Kind::Executable => 0o777,
            Kind::File | Kind::Submodule => 0o666,
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(dir, name, flags, Mode::from(mode))?);
        file.write_all(bytes)?;
        rustix::fs::futimens(file.as_fd(), &self.times)?;
        Ok(stat_of(&rustix::fs::fstat(file.as_fd())?))
    }
}

/// The time that all the files get.
fn times() -> Timestamps {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let back = i64::try_from(SET_BACK.as_secs()).expect("seconds");
    let then = Timespec { tv_sec: now.tv_sec - back, tv_nsec: 0 };
    Timestamps { last_access: then, last_modification: then }
}

/// As git keeps it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "git compares the low 32 bits")]
fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        ctime: [stat.st_ctime as u32, stat.st_ctime_nsec as u32],
        mtime: [stat.st_mtime as u32, stat.st_mtime_nsec as u32],
        dev: stat.st_dev as u32,
        ino: stat.st_ino as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size as u32,
    }
}
