//! Finding a process of an earlier life of the orchestrator again.

use super::boot_id;
use super::pinned::Pinned;
use super::proc::{Tag, look, tag};
use crate::exec::process::{Exit, ProcessRef};

/// A live process that was proven to be the one of a [`ProcessRef`].
#[derive(Debug)]
pub struct Adopted {
    process: ProcessRef,
    pinned: Pinned,
}

impl Adopted {
    /// Its identity.
    pub fn process(&self) -> &ProcessRef {
        &self.process
    }

    /// Waits for its end. The exit is [`Exit::Unknown`] unless it is our child. Waits must not overlap.
    pub async fn wait(&mut self) -> Exit {
        if let Err(error) = self.pinned.ended().await {
            tracing::error!(pid = self.process.pid, %error, "an adopted process cannot be waited for");
        }
        self.pinned.collect().unwrap_or(Exit::Unknown)
    }
}

/// Takes over a process if it is alive and proven to be the one meant: same boot, same start time, same tag in its
/// environment. `None` otherwise, also when the proof cannot be read.
pub fn adopt(process: &ProcessRef) -> Option<Adopted> {
    if process.boot_id.is_empty() || process.boot_id != boot_id() {
        return None;
    }
    let seen = look(process.pid).filter(|seen| seen.start_time == process.start_time)?;
    let pinned = Pinned::open(seen)
        .inspect_err(|error| tracing::warn!(pid = process.pid, %error, "a process cannot be held"))
        .ok()??;
    let proven = !pinned.seen.is_zombie()
        && matches!(tag(process.pid), Tag::Found(found) if found == process.tag.as_bytes())
        // The tag was read by pid, so the pid must still have been the held process's when it was.
        && look(process.pid).is_some_and(|now| now.start_time == process.start_time);
    proven.then(|| Adopted { process: process.clone(), pinned })
}
