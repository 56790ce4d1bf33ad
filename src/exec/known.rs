//! The children that this operating system process has started, by pid.
//!
//! The kernel's list of our children is one per process, and so is this one: it tells an attempt's live main process
//! from an orphan that came to us, without reading anything from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::process::ProcessRef;

static KNOWN: Mutex<Known> = Mutex::new(Known { launched: BTreeMap::new(), told: BTreeSet::new() });

#[derive(Debug)]
struct Launched {
    start_time: u64,
    tag: String,
    ended: bool,
}

#[derive(Debug)]
pub(super) struct Known {
    launched: BTreeMap<u32, Launched>,
    told: BTreeSet<(u32, u64)>,
}

/// The one table. Every change to it is a single map operation, so a panic elsewhere leaves it usable.
pub(super) fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    pub(super) fn launched(&mut self, process: &ProcessRef) {
        let entry = Launched { start_time: process.start_time, tag: process.tag.clone(), ended: false };
        self.launched.insert(process.pid, entry);
    }

    /// The main process has been waited for; its pid may be given out again.
    pub(super) fn ended(&mut self, process: &ProcessRef) {
        if let Some(entry) = self.launched.get_mut(&process.pid)
            && entry.start_time == process.start_time
        {
            entry.ended = true;
        }
    }

    /// Everything that was left of the attempt is gone.
    pub(super) fn forget(&mut self, process: &ProcessRef) {
        if self.is_ours(process) && self.launched[&process.pid].ended {
            self.launched.remove(&process.pid);
        }
    }

    /// Whether this process launched it, and so whether every orphan of it comes to us.
    pub(super) fn is_ours(&self, process: &ProcessRef) -> bool {
        self.launched.get(&process.pid).is_some_and(|entry| entry.start_time == process.start_time)
    }

    /// Whether `pid` is the main process of an attempt that nobody has waited for yet.
    #[cfg(target_os = "linux")]
    pub(super) fn is_live_main(&self, pid: u32) -> bool {
        self.launched.get(&pid).is_some_and(|entry| !entry.ended)
    }

    /// Whether an attempt with this tag will still be cleaned up after.
    #[cfg(target_os = "linux")]
    pub(super) fn has_tag(&self, tag: &[u8]) -> bool {
        self.launched.values().any(|entry| entry.tag.as_bytes() == tag)
    }

    /// Marks an escaped process as told of; `false` if it already was.
    #[cfg(target_os = "linux")]
    pub(super) fn tell(&mut self, pid: u32, start_time: u64) -> bool {
        self.told.insert((pid, start_time))
    }

    /// Whether it was judged to have escaped, and told of.
    #[cfg(target_os = "linux")]
    pub(super) fn is_told(&self, pid: u32, start_time: u64) -> bool {
        self.told.contains(&(pid, start_time))
    }
}
