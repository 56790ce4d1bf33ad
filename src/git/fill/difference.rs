//! What turns the files of one tree into those of another.
//!
//! Both are written as the bytes of their blobs, whatever attributes say of them: else the one were not there, and the other
//! not asked for. So what has the same path, kind and blob in both is the same file, also where a `.gitattributes` has changed.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use git2::{Index, IndexEntry};
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, unlinkat};

use super::listing::Listing;
use super::stat_index::Stat;
use super::{below, write};
use crate::git::{GitError, Repo};

/// What is to be done to files that an index describes.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    listing: &'a Listing,
    /// Of each entry the stat data of its file; `None` where it is to be written.
    kept: Vec<Option<Stat>>,
    /// Files that go, some of them to be written anew: nothing is ever written in place.
    gone: Vec<Vec<u8>>,
    /// Directories that then hold nothing.
    gone_dirs: BTreeSet<Vec<u8>>,
    new_dirs: BTreeSet<Vec<u8>>,
}

impl<'a> Difference<'a> {
    /// Between the files of `index` and those of `listing`.
    pub(super) fn new(index: &Index, listing: &'a Listing) -> Self {
        let there: Vec<IndexEntry> = index.iter().collect();
        let (mut kept, mut gone) = (Vec::with_capacity(listing.entries.len()), Vec::new());
        let mut rest = there.iter().peekable();
        for entry in &listing.entries {
            while let Some(old) = rest.next_if(|old| old.path < entry.path) {
                gone.push(old.path.clone());
            }
            let old = rest.next_if(|old| old.path == entry.path);
            let is_same = |old: &&IndexEntry| old.mode == entry.kind.mode() && old.id == entry.id;
            kept.push(old.filter(is_same).map(Stat::from));
            gone.extend(old.filter(|old| !is_same(old)).map(|old| old.path.clone()));
        }
        gone.extend(rest.map(|old| old.path.clone()));
        let new = listing.entries.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
        let new_dirs = dirs_of(new.map(|(entry, _)| &entry.path[..]));
        let gone_dirs = dirs_of(gone.iter().map(|path| &path[..]));
        let had = |dir: &[u8]| holds(&there, |entry| &entry.path, dir);
        let has = |dir: &[u8]| holds(&listing.entries, |entry| &entry.path, dir);
        Self {
            listing,
            kept,
            gone_dirs: gone_dirs.into_iter().filter(|dir| !has(dir)).map(<[u8]>::to_vec).collect(),
            new_dirs: new_dirs.into_iter().filter(|dir| !had(dir)).map(<[u8]>::to_vec).collect(),
            gone,
        }
    }

    /// Does it in `root`, and returns the stat data of all files there by entry, or what went wrong.
    pub(super) fn apply(&self, repo: &Repo, root: &Path) -> Result<write::Written, GitError> {
        if let Err(error) = self.make_way(root) {
            return Ok(Err(error.into()));
        }
        let ours: Vec<bool> = self.kept.iter().map(Option::is_none).collect();
        let written = write::missing(repo, self.listing, &ours, root)?;
        Ok(written.map(|new| self.kept.iter().zip(new).map(|(kept, new)| kept.unwrap_or(new)).collect()))
    }

    /// Removes what goes, and makes the directories for what comes. Directories that should be empty and are not are an error.
    fn make_way(&self, root: &Path) -> rustix::io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        let remove = |root: &OwnedFd, path: &[u8], flags| {
            let (dir, name) = below::open_parent(root, path)?;
            unlinkat(dir, name, flags)
        };
        for path in &self.gone {
            remove(&root, path, AtFlags::empty())?;
        }
        // Sorted, a directory stands before those in it.
        for path in self.gone_dirs.iter().rev() {
            remove(&root, path, AtFlags::REMOVEDIR)?;
        }
        for path in &self.new_dirs {
            let (dir, name) = below::open_parent(&root, path)?;
            mkdirat(dir, name, Mode::from(0o777))?;
        }
        Ok(())
    }
}

/// All directories on the way to `paths`.
fn dirs_of<'p>(paths: impl Iterator<Item = &'p [u8]>) -> BTreeSet<&'p [u8]> {
    let mut dirs = BTreeSet::new();
    for mut path in paths {
        while let Some(dir) = below::parent(path) {
            if !dirs.insert(dir) {
                break;
            }
            path = dir;
        }
    }
    dirs
}

/// Whether any of `entries`, which are sorted by their path, is below `dir`.
fn holds<T>(entries: &[T], path: impl Fn(&T) -> &Vec<u8>, dir: &[u8]) -> bool {
    let below = [dir, b"/"].concat();
    let first = entries.partition_point(|entry| path(entry) < &below);
    entries.get(first).is_some_and(|entry| path(entry).starts_with(&below))
}
