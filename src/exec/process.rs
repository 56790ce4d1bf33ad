//! What is known of a process, and how it ended. These values go into the journal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The environment variable that carries the tag of an attempt to all its processes.
pub const TAG_VARIABLE: &str = "LANEWAY_ATTEMPT_ID";

/// The identity of a process beyond its pid, so that it can be found again after a crash and never be mistaken.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessRef {
    /// The process id, which is also the id of its process group.
    pub pid: u32,
    /// When it started, in clock ticks since the boot (field 22 of `/proc/<pid>/stat`); 0 where the system has no such figure.
    pub start_time: u64,
    /// The boot in which `pid` and `start_time` mean something.
    pub boot_id: String,
    /// The value of [`TAG_VARIABLE`] in its environment, unique for each launch.
    pub tag: String,
}

/// What the processes of an attempt are at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vitals {
    /// CPU time that they and their children that have ended used, in milliseconds. It may shrink when one ends.
    pub cpu_ms: u64,
    /// How many there are.
    pub processes: u32,
    /// Sockets that they have open.
    pub sockets: u32,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It ended by itself with this code.
    Code(i32),
    /// A signal with this number ended it.
    Signal(i32),
    /// It has ended, and the system told somebody else how.
    Unknown,
}

impl Exit {
    /// Whether it is known that the process ended with code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("unknown exit"),
        }
    }
}

/// How the processes of an attempt were brought to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Nothing of the attempt was alive.
    AlreadyGone,
    /// All ended within the grace, after TERM.
    Asked,
    /// At least one had to be killed.
    Killed,
}

/// The outcome of [`stop`](super::stop).
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// What it took.
    pub manner: Manner,
    /// The processes that were signalled and have ended.
    pub stopped: Vec<u32>,
    /// Those that belong to the attempt and are alive all the same.
    pub remaining: Vec<EscapedProcess>,
}

/// The outcome of [`reap_leftovers`](super::reap_leftovers).
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// The processes that were signalled and have ended.
    pub stopped: Vec<u32>,
    /// Processes that live on, each told of once. They are for people to look at; they are never signalled.
    pub escaped: Vec<EscapedProcess>,
}

/// A process that lives on although its attempt is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EscapedProcess {
    /// Its process id.
    pub pid: u32,
    /// When it started, as in [`ProcessRef::start_time`].
    pub start_time: u64,
    /// Its command line, cleaned and cut, for people.
    pub command: String,
    /// Why it was let go.
    pub why: EscapeReason,
}

/// Why a process was let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscapeReason {
    /// An orphan that came to us and carries no tag. When several attempts live it is not known whose it was.
    NoTag,
    /// An orphan that came to us with the tag of an attempt that is not one of our live ones.
    OtherTag,
    /// It belongs to the attempt, but the system refused to reach it.
    Refused {
        /// The error number.
        errno: i32,
    },
    /// It belongs to the attempt and has not ended after KILL.
    Unkillable,
}

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its process id.
    pub pid: u32,
    /// The name of its program.
    pub name: String,
    /// The tag of the attempt that it belongs to, if it is one of ours.
    pub tag: Option<String>,
}
