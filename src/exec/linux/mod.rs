//! Processes on Linux: `/proc`, pidfds and the child subreaper.

mod adoption;
mod ending;
mod listener;
mod membership;
mod orphans;
mod pinned;
mod proc;
mod vitals;

use std::fs;
use std::io;
use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};

use crate::failpoint;

pub use adoption::{Adopted, adopt};
pub use ending::{reap_leftovers, stop};
pub use listener::{is_port_taken, listener};
pub use orphans::collect_orphans;
pub use vitals::vitals;

#[cfg(test)]
pub(super) use orphans::{nothing_left, overlooked};
pub(super) use proc::start_time;

/// Makes orphans of attempts our children instead of init's, so that none is lost from sight.
///
/// # Errors
/// The kernel refuses only where it is older than 3.4.
pub fn become_subreaper() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Keeps other processes of the same user from reading this one's memory and environment, where tokens may be.
///
/// # Errors
/// None that is known of.
pub fn harden() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Names this boot of the machine. Empty where the kernel does not say; then no process is ever adopted.
pub fn boot_id() -> String {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    let read = || match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(text) => text.trim().to_owned(),
        Err(error) => {
            tracing::warn!(%error, "the boot has no id: processes of an earlier run cannot be adopted");
            String::new()
        }
    };
    BOOT_ID.get_or_init(|| failpoint::boot_id().map_or_else(read, str::to_owned)).clone()
}
