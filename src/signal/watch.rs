//! Wakes the loop when something changes on the noticeboard.
//!
//! The order that loses nothing: create the directories, watch them, then list them. A file that came before the
//! watch is found by listing, one that came after raises a notice. [`Watcher::watch`] helps: each directory that it
//! newly watches raises a notice at once, so that whoever follows notices lists it. A notice says only *that*
//! something changed and which files are known to be complete; what there is, the reader finds by listing.
//!
//! Notices about one key are coalesced: there is at most one that was not taken. Where the system drops events
//! there is one [`Notice::Overflow`], after which everything has to be listed.
#![expect(clippy::disallowed_methods, reason = "signal is an IO module")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::UnboundedSender;

use super::kind::Folder;
use super::notice::{Notice, Registry, Spot, WatchKey, Watched, handle, lock, raise};
use crate::id::TaskId;

/// Directories below `notes/` that are watched; more are found by the rescan.
const NOTE_DIRS: usize = 64;

/// Why the noticeboard cannot be watched. The run can go on with rescans only, and says so.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// No watcher could be made; commonly too many are open.
    #[error("failed to start watching (on Linux see the sysctl fs.inotify.max_user_instances)")]
    Start {
        /// What the system said.
        #[source]
        source: notify::Error,
    },
    /// The system takes no more directories.
    #[error(
        "too many directories are watched to add {} (on Linux see the sysctl fs.inotify.max_user_watches)",
        dir.display()
    )]
    Full {
        /// The directory.
        dir: PathBuf,
    },
    /// A directory is not there: put the board up and watch again.
    #[error("{} is not there or is no directory", dir.display())]
    Gone {
        /// The directory.
        dir: PathBuf,
    },
    /// The system refused.
    #[error("failed to watch {}", dir.display())]
    Refused {
        /// The directory.
        dir: PathBuf,
        /// What it said.
        #[source]
        source: notify::Error,
    },
}

/// The one watcher of a run.
pub struct Watcher {
    inner: RecommendedWatcher,
    registry: Arc<Mutex<Registry>>,
    tx: UnboundedSender<Notice>,
}

impl Watcher {
    /// A watcher whose notices go to `tx`. It ends with the value.
    pub fn new(tx: UnboundedSender<Notice>) -> Result<Self, WatchError> {
        let registry = Arc::new(Mutex::new(Registry::new()));
        let (shared, out) = (Arc::clone(&registry), tx.clone());
        let inner = notify::recommended_watcher(move |event| handle(&shared, &out, event))
            .map_err(|source| WatchError::Start { source })?;
        Ok(Self { inner, registry, tx })
    }

    /// Watches `root` and, for signals, the directories of the protocol in it. Doing it again is cheap; it adds
    /// directories that came since (`notes/<task>/`) and those that were replaced. Each that is new raises a notice.
    pub fn watch(&mut self, key: &WatchKey, root: &Path) -> Result<(), WatchError> {
        let spot = self.spot(key, root);
        let mut news = self.watch_one(&spot, root)?;
        if matches!(key, WatchKey::Signals { .. }) {
            for dir in inner_dirs(root) {
                match self.watch_one(&spot, &dir) {
                    Ok(new) => news |= new,
                    // Deleted since it was listed; its parent, which is watched, raises the notice.
                    Err(WatchError::Gone { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if news {
            raise(&spot, &self.tx);
        }
        Ok(())
    }

    /// Stops watching the directories of `key`.
    pub fn unwatch(&mut self, key: &WatchKey) {
        let dirs: Vec<PathBuf> = {
            let mut registry = lock(&self.registry);
            let dirs = registry.iter().filter(|(_, w)| w.spot.key == *key).map(|(dir, _)| dir.clone());
            let dirs: Vec<PathBuf> = dirs.collect();
            for dir in &dirs {
                registry.remove(dir);
            }
            dirs
        };
        for dir in dirs {
            // A directory that is gone is not watched any more, which is what is wanted.
            _ = self.inner.unwatch(&dir);
        }
    }

    /// Watched directories that are no longer what was watched, because something above them was renamed or because
    /// a deletion has not been told. For the slow rescan, which is the backstop.
    pub fn stale(&self) -> Vec<(WatchKey, PathBuf)> {
        let registry = lock(&self.registry);
        let stale = registry.iter().filter(|(dir, watched)| identity(dir) != Some(watched.identity));
        stale.map(|(dir, watched)| (watched.spot.key.clone(), dir.clone())).collect()
    }

    fn spot(&self, key: &WatchKey, root: &Path) -> Arc<Spot> {
        let known = |w: &&Watched| w.spot.key == *key && w.spot.root == root;
        lock(&self.registry).values().find(known).map_or_else(
            || Arc::new(Spot { key: key.clone(), root: root.to_path_buf(), state: Mutex::default() }),
            |watched| Arc::clone(&watched.spot),
        )
    }

    /// Watches one directory; says whether it was not watched before.
    fn watch_one(&mut self, spot: &Arc<Spot>, dir: &Path) -> Result<bool, WatchError> {
        // Asked before watching: where it is replaced in between, `stale` tells.
        let Some(identity) = identity(dir) else {
            return Err(WatchError::Gone { dir: dir.to_path_buf() });
        };
        let watched = Watched { spot: Arc::clone(spot), identity };
        // The lock is not held while the watcher is called: its thread may be waiting for it in `handle`.
        let before = lock(&self.registry).insert(dir.to_path_buf(), watched);
        if before.is_some_and(|old| old.identity == identity) {
            return Ok(false);
        }
        forget(spot, dir);
        // A watch on a renamed directory goes on under the old path until it is removed.
        _ = self.inner.unwatch(dir);
        if let Err(source) = self.inner.watch(dir, RecursiveMode::NonRecursive) {
            lock(&self.registry).remove(dir);
            let dir = dir.to_path_buf();
            return Err(match source.kind {
                notify::ErrorKind::MaxFilesWatch => WatchError::Full { dir },
                notify::ErrorKind::PathNotFound => WatchError::Gone { dir },
                _ => WatchError::Refused { dir, source },
            });
        }
        Ok(true)
    }
}

/// Forgets what is known of the files of a directory that may have been replaced by another.
fn forget(spot: &Spot, dir: &Path) {
    let below = dir.strip_prefix(&spot.root).unwrap_or(dir);
    lock(&spot.state).closed.retain(|name| Path::new(name).parent() != Some(below));
}

/// The directories of the protocol in a signal directory, as far as a change in them has to wake us.
fn inner_dirs(root: &Path) -> Vec<PathBuf> {
    let fixed = Folder::ALL.into_iter().filter(|folder| *folder != Folder::Artifacts);
    let mut dirs: Vec<PathBuf> = fixed.map(|folder| root.join(folder.name())).collect();
    dirs.retain(|dir| identity(dir).is_some());
    if let Ok(entries) = fs::read_dir(root.join(Folder::Notes.name())) {
        let tasks = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(|n| TaskId::new(n).is_ok()));
        dirs.extend(tasks.map(|entry| entry.path()).filter(|dir| identity(dir).is_some()).take(NOTE_DIRS));
    }
    dirs
}

/// Device and inode of a directory; `None` for anything else.
fn identity(dir: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(dir).ok().filter(fs::Metadata::is_dir).map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests;
