//! Making bases, finding them, and making lanes of them.

use std::fmt::Write as _;
use std::fs::{File, FileTimes};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::{getegid, geteuid};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::{NotShared, btrfs, ensure_together};
use crate::failpoint::{self, Point};
use crate::git::fill::Sources;
use crate::git::private::this_boot;
use crate::git::unlink::remove_tree;
use crate::git::{GitError, Repo, RepoLock, young};
use crate::id::Sha;
use crate::plain_file;

/// The most bases that are kept; the one that was not used for the longest time goes.
const MOST: usize = 4;
/// How names of what is not complete begin.
const ASIDE: &str = "new-";

/// The bases of a repository, locked for as long as this lives.
pub(in crate::git) struct Bases<'a> {
    pub(super) repo: &'a Repo,
    pub(super) dir: PathBuf,
    /// What all keys begin with before they are digested.
    surroundings: Vec<u8>,
    _lock: RepoLock,
}

/// The files of one tree.
#[derive(Debug)]
pub(in crate::git) struct Base {
    pub(super) dir: PathBuf,
    pub(super) files: PathBuf,
    pub(super) index: PathBuf,
    /// A file that names the tree, for whoever makes another base from this one.
    pub(super) tree: PathBuf,
}

/// How old the files of a new lane are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::git) enum Age {
    /// An edit can have the time of their making.
    Young,
    /// No edit can.
    Grown,
}

/// A lane that holds nothing but `.git`.
#[derive(Debug, Clone, Copy)]
pub(in crate::git) struct Empty<'a> {
    /// Its directory.
    pub(in crate::git) root: &'a Path,
    /// Where its private index goes.
    pub(in crate::git) index: &'a Path,
}

impl<'a> Bases<'a> {
    /// Opens them for lanes whose files depend on `sources`.
    pub(in crate::git) fn open(repo: &'a Repo, sources: &Sources) -> Result<Self, NotShared> {
        if !btrfs::is_at(&repo.record_dir()) {
            return Err(NotShared::FileSystem);
        }
        let surroundings = surroundings(sources).ok_or(NotShared::Unknown)?;
        let dir = repo.bases_dir();
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(NotShared::io("created", &dir))?;
        let lock = RepoLock::acquire(&lock_path(&dir))?;
        let bases = Self { repo, dir, surroundings, _lock: lock };
        for path in entries(&bases.dir).map_err(NotShared::io("read", &bases.dir))? {
            if is_aside(&path) {
                discard(&bases.dir, &path).map_err(NotShared::io("removed", &path))?;
            }
        }
        Ok(bases)
    }

    /// Whether there is one of `tree`, as far as one can tell without looking it through. Nothing is locked.
    pub(in crate::git) fn has(repo: &Repo, sources: &Sources, tree: &Sha) -> bool {
        surroundings(sources).is_some_and(|around| repo.bases_dir().join(key(&around, tree)).is_dir())
    }

    pub(super) fn key(&self, tree: &Sha) -> String {
        key(&self.surroundings, tree)
    }

    /// The base of `tree`, if there is one that is as it was made.
    pub(in crate::git) fn find(&self, tree: &Sha) -> Result<Option<Base>, NotShared> {
        let Some(base) = self.as_made(&self.key(tree))? else { return Ok(None) };
        let path = &base.dir;
        let now = FileTimes::new().set_modified(SystemTime::now());
        let touched = File::open(path).and_then(|dir| dir.set_times(now));
        touched.map_err(NotShared::io("written", path))?;
        Ok(Some(base))
    }

    /// The base of that key, looked through by this process or made by it. One that somebody has changed is removed.
    pub(super) fn as_made(&self, key: &str) -> Result<Option<Base>, NotShared> {
        let path = self.dir.join(key);
        if !path.is_dir() {
            return Ok(None);
        }
        let base = Base::in_dir(&path);
        if !self.repo.verified().has(key) {
            if !base.is_as_made()? {
                tracing::warn!(base = %path.display(), "somebody has changed it, so it is made anew");
                discard(&self.dir, &path).map_err(NotShared::io("removed", &path))?;
                return Ok(None);
            }
            self.repo.verified().add(key);
        }
        Ok(Some(base))
    }

    /// Makes the base of `tree`: `write` gets an empty directory to write files to, and the path of the index.
    pub(in crate::git) fn make(
        &self,
        tree: &Sha,
        write: impl FnOnce(&Path, &Path) -> Result<(), NotShared>,
    ) -> Result<Base, NotShared> {
        self.make_room(None)?;
        self.put(tree, |new| {
            btrfs::create(&new.files)?;
            write(&new.files, &new.index)
        })
    }

    /// The same, where `write` gets the files of `near`, to change those that differ. Nothing that it does is seen in `near`.
    pub(in crate::git) fn make_from(
        &self,
        near: &Base,
        tree: &Sha,
        write: impl FnOnce(&Path, &Path) -> Result<(), NotShared>,
    ) -> Result<Base, NotShared> {
        self.make_room(Some(near))?;
        self.put(tree, |new| {
            btrfs::snapshot(&near.files, &new.files)?;
            // What somebody has put there since it was looked through would be in this one, and in all that are made from it.
            if !near.describes(&new.files)? {
                discard(&self.dir, &near.dir).map_err(NotShared::io("removed", &near.dir))?;
                return Err(NotShared::Changed { path: near.dir.clone() });
            }
            failpoint::write(Point::BaseChange).map_err(NotShared::io("written", &new.files))?;
            write(&new.files, &new.index)
        })
    }

    /// Has the base of `tree` made aside, and gives it its name.
    fn put(&self, tree: &Sha, make: impl FnOnce(&Base) -> Result<(), NotShared>) -> Result<Base, NotShared> {
        let aside = self.aside()?;
        let key = self.key(tree);
        let path = self.dir.join(&key);
        let fill = || {
            let new = Base::in_dir(&aside);
            failpoint::write(Point::BaseMake).map_err(NotShared::io("created", &new.files))?;
            make(&new)?;
            std::fs::write(&new.tree, format!("{tree}\n")).map_err(NotShared::io("written", &new.tree))?;
            failpoint::pass(Point::BaseWritten);
            std::fs::rename(&aside, &path).map_err(NotShared::io("written", &path))
        };
        if let Err(error) = fill() {
            discard(&self.dir, &aside).map_err(NotShared::io("removed", &aside))?;
            return Err(error);
        }
        failpoint::pass(Point::BaseMade);
        self.repo.verified().add(&key);
        Ok(Base::in_dir(&path))
    }

    /// Checks that a lane there can be a snapshot.
    ///
    /// # Errors
    /// What is in the way.
    pub(in crate::git) fn ensure_suits(&self, lane: Empty<'_>) -> Result<(), NotShared> {
        ensure_together(&self.dir, lane.root)?;
        ensure_passes_nothing_on(lane.root)
    }

    /// Makes an empty lane one with the files of `base`. An error leaves it empty.
    pub(in crate::git) fn take(&self, base: &Base, lane: Empty<'_>) -> Result<Age, NotShared> {
        self.ensure_suits(lane)?;
        std::fs::copy(&base.index, lane.index).map_err(NotShared::io("written", lane.index))?;
        let aside = self.aside()?;
        let snapshot = aside.join("files");
        let appear = || {
            failpoint::write(Point::SnapshotMake).map_err(NotShared::io("created", &snapshot))?;
            btrfs::snapshot(&base.files, &snapshot)?;
            failpoint::pass(Point::SnapshotMade);
            change_places(&snapshot, lane.root)
        };
        let appeared = appear();
        discard(&self.dir, &aside).map_err(NotShared::io("removed", &aside))?;
        appeared?;
        failpoint::pass(Point::SnapshotTaken);
        Ok(if seconds_now() > base.made_at()? { Age::Grown } else { Age::Young })
    }

    fn aside(&self) -> Result<PathBuf, NotShared> {
        let made = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&self.dir);
        made.map(tempfile::TempDir::keep).map_err(NotShared::io("created", &self.dir))
    }

    /// Removes the bases that were not used for the longest time, so that one more may be there. `needed` stays.
    fn make_room(&self, needed: Option<&Base>) -> Result<(), NotShared> {
        let mut found = self.repo.bases()?;
        found.sort_by_key(|base| base.used);
        let too_many = (found.len() + 1).saturating_sub(MOST);
        let may_go = found.iter().filter(|base| needed.is_none_or(|needed| needed.dir != base.path));
        for base in may_go.take(too_many) {
            discard(&self.dir, &base.path).map_err(NotShared::io("removed", &base.path))?;
        }
        Ok(())
    }
}

impl Base {
    pub(super) fn in_dir(dir: &Path) -> Self {
        let [files, index, tree] = ["files", "index", "tree"].map(|name| dir.join(name));
        Self { dir: dir.to_owned(), files, index, tree }
    }

    /// The index; `None` where it is not whole.
    pub(in crate::git) fn read_index(&self) -> Result<Option<git2::Index>, NotShared> {
        let bytes = std::fs::read(&self.index).map_err(NotShared::io("read", &self.index))?;
        if !young::is_whole(&bytes) {
            return Ok(None);
        }
        Ok(Some(git2::Index::open(&self.index).map_err(GitError::library("reading an index"))?))
    }

    /// When its index was made, in seconds; no file of it is younger.
    pub(super) fn made_at(&self) -> Result<i64, NotShared> {
        Ok(std::fs::metadata(&self.index).map_err(NotShared::io("read", &self.index))?.mtime())
    }

    /// Whether every file is the one that the index knows, and no other is there.
    pub(super) fn is_as_made(&self) -> Result<bool, NotShared> {
        self.describes(&self.files)
    }

    /// Whether every file in `root`, its own directory or a snapshot of it, is the one that the index knows, and no other is there.
    fn describes(&self, root: &Path) -> Result<bool, NotShared> {
        let Some(index) = self.read_index()? else { return Ok(false) };
        let mut files = 0;
        for entry in WalkDir::new(root).follow_links(false) {
            let Ok(entry) = entry else { return Ok(false) };
            if entry.file_type().is_dir() {
                continue;
            }
            files += 1;
            let path = entry.path().strip_prefix(root).expect("the walk stays below its root");
            let (Some(known), Ok(found)) = (index.get_path(path, 0), entry.path().symlink_metadata()) else {
                return Ok(false);
            };
            let times = |time: git2::IndexTime| (i64::from(time.seconds()), i64::from(time.nanoseconds()));
            let same = times(known.ctime) == (found.ctime(), found.ctime_nsec())
                && times(known.mtime) == (found.mtime(), found.mtime_nsec())
                && u64::from(known.file_size) == found.size() & u64::from(u32::MAX)
                && u64::from(known.ino) == found.ino() & u64::from(u32::MAX);
            if !same {
                return Ok(false);
            }
        }
        Ok(files == index.len())
    }
}

fn key(surroundings: &[u8], tree: &Sha) -> String {
    let mut digest = Sha256::new();
    digest.update(surroundings);
    digest.update(tree.as_str());
    digest.finalize().iter().take(16).fold(String::new(), |mut key, byte| {
        // Writing to a string cannot fail.
        _ = write!(key, "{byte:02x}");
        key
    })
}

pub(super) fn seconds_now() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
}

/// All that the files of a tree depend on beside it.
fn surroundings(sources: &Sources) -> Option<Vec<u8>> {
    let boot = Some(this_boot()).filter(|boot| !boot.is_empty())?;
    let status = plain_file::read_text(Path::new("/proc/self/status"), plain_file::MOST_BYTES).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?.trim();
    let mut all = format!("1 {boot} {mask} {} {} ", geteuid().as_raw(), getegid().as_raw()).into_bytes();
    all.extend(sources.digest()?);
    Some(all)
}

/// Gives the snapshot the lane's `.git`, and puts it in the place of the lane's directory, which is empty but for that.
fn change_places(snapshot: &Path, root: &Path) -> Result<(), NotShared> {
    let occupied = || NotShared::Occupied { path: root.to_owned() };
    let gitfile = root.join(".git");
    let line = plain_file::read(&gitfile, plain_file::MOST_BYTES).map_err(NotShared::io("read", &gitfile))?;
    if !holds_only_git(root).map_err(NotShared::io("read", root))? {
        return Err(occupied());
    }
    let new = snapshot.join(".git");
    let written = File::create_new(&new).and_then(|mut file| file.write_all(&line));
    written.map_err(NotShared::io("written", &new))?;
    let exchange = || {
        let done = renameat_with(CWD, snapshot, CWD, root, RenameFlags::EXCHANGE);
        done.map_err(|errno| NotShared::io("put into place", root)(errno.into()))
    };
    exchange()?;
    // Somebody may have put something there in between, and that is theirs.
    if !holds_only_git(snapshot).map_err(NotShared::io("read", snapshot))? {
        exchange()?;
        return Err(occupied());
    }
    Ok(())
}

fn holds_only_git(dir: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(dir)? {
        if entry?.file_name() != ".git" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is made in the lane's folder would get its group, or access rights, from it.
fn ensure_passes_nothing_on(root: &Path) -> Result<(), NotShared> {
    const SETGID: u32 = 0o2000;
    let mode = std::fs::metadata(root).map_err(NotShared::io("read", root))?.mode();
    let listed = rustix::fs::getxattr(root, "system.posix_acl_default", &mut [0_u8; 0]);
    if mode & SETGID != 0 || listed.is_ok_and(|bytes| bytes > 0) {
        return Err(NotShared::Inherited { path: root.to_owned() });
    }
    Ok(())
}

pub(super) fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// The directories in there.
pub(super) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn is_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(ASIDE.as_bytes()))
}

/// Removes a base or what is aside. Under another name first, so that nobody ever finds half of one.
pub(super) fn discard(dir: &Path, path: &Path) -> io::Result<()> {
    let mut place = path.to_owned();
    if !is_aside(path) {
        place = tempfile::Builder::new().prefix(ASIDE).tempdir_in(dir)?.keep();
        match std::fs::rename(path, &place) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    super::removed_at_once(&place.join("files"));
    match remove_tree(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
