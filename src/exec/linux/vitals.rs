//! What the processes of an attempt are at, as far as the kernel counts it.

use std::fs;
use std::io;

use super::boot_id;
use super::membership::members;
use super::proc::cpu_ticks;
use crate::exec::process::{ProcessRef, Vitals};

/// Milliseconds of a tick in `/proc`: they are hundredths of a second on every Linux.
const TICK_MS: u64 = 10;

/// Looks at every process of the attempt; `None` where none can be seen.
///
/// # Errors
/// `/proc` cannot be read.
pub fn vitals(process: &ProcessRef) -> io::Result<Option<Vitals>> {
    if process.boot_id != boot_id() {
        return Ok(None);
    }
    let living = members(process)?;
    if living.is_empty() {
        return Ok(None);
    }
    let mut vitals = Vitals { cpu_ms: 0, processes: 0, sockets: 0 };
    for one in &living {
        vitals.processes += 1;
        vitals.cpu_ms += cpu_ticks(one.pid).unwrap_or(0) * TICK_MS;
        vitals.sockets += sockets(one.pid);
    }
    Ok(Some(vitals))
}

/// Those of another user's process cannot be seen; it has none then.
fn sockets(pid: u32) -> u32 {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let is_socket = |entry: &fs::DirEntry| {
        fs::read_link(entry.path())
            .is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    let count = descriptors.flatten().filter(is_socket).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
