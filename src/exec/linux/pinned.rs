//! A process that is held by a pidfd after its identity was checked, so that no signal can reach a later one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, pidfd_send_signal, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::proc::{Seen, look};
use crate::exec::process::Exit;

#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) seen: Seen,
    fd: OwnedFd,
}

impl Pinned {
    /// Holds the process that was seen; `None` when it is gone or its pid belongs to another one by now.
    pub(super) fn open(seen: Seen) -> Result<Option<Self>, Errno> {
        let fd = match pidfd_open(raw(seen.pid), PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Read after the open: the process with this start time still had the pid, so it is the one we hold.
        Ok(look(seen.pid).filter(|now| now.start_time == seen.start_time).map(|seen| Self { seen, fd }))
    }

    /// Sends a signal; `false` when the process has ended.
    pub(super) fn signal(&self, signal: Signal) -> Result<bool, Errno> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until the process has ended, whether or not its exit has been collected.
    pub(super) async fn ended(&self) -> io::Result<()> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe; the descriptor outlives the registration here"
        )]
        let readiness = AsyncFd::with_interest(self.fd.as_fd(), Interest::READABLE)?;
        let _ready = readiness.readable().await?;
        Ok(())
    }

    /// Collects the exit if the process has ended and is our child.
    pub(super) fn collect(&self) -> Option<Exit> {
        // The only failure is ECHILD: its parent, or whoever waited first, was told.
        waitid(WaitId::PidFd(self.fd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
            .ok()
            .flatten()
            .map(|status| exit_of(&status))
    }
}

fn exit_of(status: &WaitIdStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

/// The pid as the system calls take it.
pub(super) fn raw(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).expect("a process id is not zero")
}
