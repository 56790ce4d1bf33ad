//! Where an attempt runs: a local process group, from its start to the last process that is left of it.
//!
//! ```text
//! Launch --spawn--> Running --wait--> Exit          the main process, our child
//!                      |                            its identity is a ProcessRef, kept in the journal
//! ProcessRef --adopt--> Adopted --wait--> Exit      the same process, found again after a crash
//! ProcessRef --stop--> Stopped                      TERM, grace, KILL: the whole attempt
//! ProcessRef --reap_leftovers--> Leftovers          what the main process left behind
//! ```
//!
//! Three rules hold everywhere. Output goes to the log by an `O_APPEND` descriptor and never through a pipe of ours,
//! so that an orphan survives us. A process starts by `posix_spawn`: no `pre_exec`, no copy of a large parent. A
//! signal goes through a pidfd to a process that is proven to belong to the attempt, and to no other; a group that
//! multiplies faster than it can be listed is killed as one, while its number is provably its own.
//!
//! A process belongs to an attempt when it is the attempt's main process (pid and start time), carries the attempt's
//! tag in its environment, is in the process group of the main process, descends from a process that belongs, or is
//! in a group or session that such a process leads. One that carries another attempt's tag never belongs.
#![expect(
    clippy::disallowed_methods,
    reason = "this layer starts processes, writes their logs and reads /proc"
)]

mod bounded;
mod clock;
mod command;
mod known;
mod launch;
mod log;
mod process;
mod program;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod os;

pub use bounded::{Bounded, run_bounded};
pub use clock::{monotonic_ms, uptime_ms};
pub use command::shell_argv;
pub use launch::{Launch, Running, SpawnError, StdinFrom, spawn};
pub use log::{LogAction, LogError, LogLimit, LogSize, bound_log, last_line, tail_lines, trim_live};
pub use os::{
    Adopted, adopt, become_subreaper, boot_id, collect_orphans, harden, is_port_taken, listener,
    reap_leftovers, stop, vitals,
};
pub use process::{
    EscapeReason, EscapedProcess, Exit, Leftovers, Listener, Manner, ProcessRef, Stopped, TAG_VARIABLE,
    Vitals,
};
pub use program::{ProgramError, find_program};

#[cfg(all(test, target_os = "linux"))]
mod tests;
