//! What the watcher says, and how an event of the system becomes a notice.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind};
use tokio::sync::mpsc::UnboundedSender;

use super::kind;
use crate::id::{LaneId, TaskId};

/// Names of complete files that are remembered for one key; beyond it files settle by being left alone.
const CLOSED: usize = 4096;

/// Where the system has no event for closing a file, each write has to wake us.
const WRITES_WAKE: bool = !cfg!(target_os = "linux");

/// What a watched directory is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchKey {
    /// A lane's status files.
    Lane(LaneId),
    /// The signals of an attempt.
    Signals {
        /// Its task.
        task: TaskId,
        /// Its number, from 1.
        attempt: u32,
    },
    /// The requests.
    Control,
    /// The board itself, or another directory whose removal matters.
    Board,
}

/// What a watcher says.
#[derive(Debug)]
pub enum Notice {
    /// Something changed in the directories of a key.
    Changed(Changed),
    /// A watched directory was removed or renamed: put the board up, watch again, list.
    Gone {
        /// Its key.
        key: WatchKey,
        /// The directory.
        dir: PathBuf,
    },
    /// Events were dropped: list everything.
    Overflow,
    /// Watching failed in some way; a rescan is due.
    Error {
        /// What the system said.
        source: notify::Error,
    },
}

/// A change that was not looked at yet: take it, [`super::Watcher::watch`] its key again (a directory may have come or been
/// replaced), then list. Further changes of the same key raise no notice until it is taken or dropped.
#[derive(Debug)]
pub struct Changed {
    spot: Arc<Spot>,
}

impl Changed {
    /// What it is about.
    pub fn key(&self) -> &WatchKey {
        &self.spot.key
    }

    /// Takes the notice, so that any later change raises a new one, and returns the names, relative to the watched
    /// root, of the files that are known to be complete ([`super::Settle::Live`]). List *after* this.
    pub fn take(self) -> BTreeSet<String> {
        let mut state = lock(&self.spot.state);
        state.pending = false;
        state.closed.clone()
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        lock(&self.spot.state).pending = false;
    }
}

#[derive(Debug)]
pub(super) struct Spot {
    pub(super) key: WatchKey,
    pub(super) root: PathBuf,
    pub(super) state: Mutex<SpotState>,
}

#[derive(Debug, Default)]
pub(super) struct SpotState {
    pending: bool,
    pub(super) closed: BTreeSet<String>,
}

impl SpotState {
    fn remember(&mut self, name: &str, touch: Touch) {
        match touch {
            Touch::Complete if self.closed.len() < CLOSED => {
                self.closed.insert(name.to_owned());
            }
            Touch::Complete | Touch::Described => {}
            Touch::Appeared | Touch::Written | Touch::Removed => {
                self.closed.remove(name);
            }
        }
    }
}

/// The watched directories, by path.
pub(super) type Registry = HashMap<PathBuf, Watched>;

#[derive(Debug)]
pub(super) struct Watched {
    pub(super) spot: Arc<Spot>,
    /// Device and inode when it was watched.
    pub(super) identity: (u64, u64),
}

/// What happened to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It is complete: closed by its writer, or renamed into place.
    Complete,
    /// It was made.
    Appeared,
    /// Its permissions or times changed, which may make it readable.
    Described,
    /// It was written to.
    Written,
    /// It is not there any more.
    Removed,
}

fn touch_of(kind: EventKind) -> Option<Touch> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Touch::Complete),
        EventKind::Create(_) => Some(Touch::Appeared),
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(Touch::Described),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Touch::Removed),
        // Of a rename each half has been told by itself; opening and reading change nothing.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both))
        | EventKind::Any
        | EventKind::Access(_)
        | EventKind::Other => None,
        EventKind::Modify(_) => Some(Touch::Written),
    }
}

/// Runs on the watcher's own thread: bookkeeping and sends, nothing that waits.
pub(super) fn handle(registry: &Mutex<Registry>, tx: &UnboundedSender<Notice>, event: notify::Result<Event>) {
    let event = match event {
        Ok(event) => event,
        Err(source) => return send(tx, Notice::Error { source }),
    };
    if event.need_rescan() {
        for watched in lock(registry).values() {
            lock(&watched.spot.state).closed.clear();
        }
        return send(tx, Notice::Overflow);
    }
    let Some(touch) = touch_of(event.kind) else { return };
    for path in &event.paths {
        on_path(registry, tx, path, touch);
    }
}

fn on_path(registry: &Mutex<Registry>, tx: &UnboundedSender<Notice>, path: &Path, touch: Touch) {
    let (gone, spot) = {
        let mut registry = lock(registry);
        let gone = if touch == Touch::Removed { registry.remove(path) } else { None };
        let spot = path.parent().and_then(|dir| registry.get(dir)).map(|watched| Arc::clone(&watched.spot));
        (gone, spot)
    };
    if let Some(watched) = gone {
        send(tx, Notice::Gone { key: watched.spot.key.clone(), dir: path.to_path_buf() });
    }
    let Some(spot) = spot else { return };
    let private = path.file_name().is_none_or(|name| kind::is_private(name.as_encoded_bytes()));
    if private {
        return;
    }
    let name = path.strip_prefix(&spot.root).ok().and_then(Path::to_str);
    notify(&spot, tx, |state| {
        if let Some(name) = name {
            state.remember(name, touch);
        }
        touch != Touch::Written || WRITES_WAKE
    });
}

/// Sends a notice about `spot` unless one is waiting.
pub(super) fn raise(spot: &Arc<Spot>, tx: &UnboundedSender<Notice>) {
    notify(spot, tx, |_| true);
}

/// Changes what is known about `spot` and, where that has to wake somebody, sends a notice unless one is waiting.
/// One step, so that whoever takes a notice knows all that raised it.
fn notify(spot: &Arc<Spot>, tx: &UnboundedSender<Notice>, change: impl FnOnce(&mut SpotState) -> bool) {
    let fresh = {
        let mut state = lock(&spot.state);
        change(&mut state) && !std::mem::replace(&mut state.pending, true)
    };
    if fresh {
        send(tx, Notice::Changed(Changed { spot: Arc::clone(spot) }));
    }
}

fn send(tx: &UnboundedSender<Notice>, notice: Notice) {
    // Without a receiver the run is ending and nobody needs to know.
    _ = tx.send(notice);
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is valid after every single step, so a panic elsewhere does not make it wrong.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
