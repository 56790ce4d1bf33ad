//! Processes where there is neither `/proc` nor a pidfd: the process group is all that is known of an attempt.
//!
//! What leaves the group is not seen, and nothing is adopted after a crash. A group is signalled only while this
//! process knows that it has started its leader.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::time::Instant;

use super::known::known;
use super::process::{
    EscapeReason, EscapedProcess, Exit, Leftovers, Listener, Manner, ProcessRef, Stopped, Vitals,
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
const KILL_WAIT: Duration = Duration::from_secs(5);

/// A live process of an earlier life. There is none here; see [`adopt`].
#[derive(Debug)]
pub enum Adopted {}

impl Adopted {
    /// Its identity.
    pub fn process(&self) -> &ProcessRef {
        match *self {}
    }

    /// Waits for its end.
    #[expect(clippy::unused_async, reason = "the same signature as where processes can be adopted")]
    pub async fn wait(&mut self) -> Exit {
        match *self {}
    }
}

/// Without a start time nothing proves that a pid still means the same process.
pub fn adopt(_process: &ProcessRef) -> Option<Adopted> {
    None
}

/// There are no subreapers here; orphans go to init.
pub fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// Nothing to do: another process cannot read this one's environment here without privileges.
pub fn harden() -> io::Result<()> {
    Ok(())
}

/// Empty: there is no use for it without start times.
pub fn boot_id() -> String {
    String::new()
}

/// `None`: nothing is counted here.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where processes can be looked at")]
pub fn vitals(_process: &ProcessRef) -> io::Result<Option<Vitals>> {
    Ok(None)
}

/// Zero: orphans never come to us.
pub fn collect_orphans() -> io::Result<usize> {
    Ok(0)
}

/// Zero: there is no such figure.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
pub(super) fn start_time(_pid: u32) -> io::Result<u64> {
    Ok(0)
}

/// Ends the process group of the attempt: TERM, and KILL after `grace`.
pub async fn stop(process: &ProcessRef, grace: Duration) -> Stopped {
    let gone = Stopped { manner: Manner::AlreadyGone, stopped: Vec::new(), remaining: Vec::new() };
    let Some(group) = group_of(process) else {
        return gone;
    };
    if test_kill_process_group(group).is_err() {
        return gone;
    }
    let manner = if !grace.is_zero() && end(group, Signal::TERM, grace).await {
        Manner::Asked
    } else {
        Manner::Killed
    };
    if manner == Manner::Killed && !end(group, Signal::KILL, KILL_WAIT).await {
        let why = EscapeReason::Unkillable;
        let left = EscapedProcess { pid: process.pid, start_time: 0, command: String::new(), why };
        return Stopped { manner, stopped: Vec::new(), remaining: vec![left] };
    }
    Stopped { manner, stopped: vec![process.pid], remaining: Vec::new() }
}

/// Ends what is left in the attempt's process group after its main process was waited for.
pub async fn reap_leftovers(process: &ProcessRef, grace: Duration) -> Leftovers {
    let Stopped { stopped, remaining, .. } = stop(process, grace).await;
    known().forget(process);
    Leftovers { stopped, escaped: remaining }
}

/// Nothing shows it without taking the port.
///
/// # Errors
/// Always.
pub fn is_port_taken(_port: u16) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nothing tells who it is.
pub fn listener(_port: u16) -> Option<Listener> {
    None
}

fn group_of(process: &ProcessRef) -> Option<Pid> {
    known().is_ours(process).then(|| Pid::from_raw(process.pid.cast_signed())).flatten()
}

/// Signals the group and looks until it is gone; `false` when it is not gone after `limit`. The system cannot tell us
/// of the end of a whole group, so this is the one place that has to look again and again.
async fn end(group: Pid, signal: Signal, limit: Duration) -> bool {
    if let Err(error) = kill_process_group(group, signal) {
        tracing::debug!(%error, "a process group could not be signalled");
    }
    let deadline = Instant::now() + limit;
    while test_kill_process_group(group).is_ok() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}
