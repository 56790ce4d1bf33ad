//! Who holds a lock, as told by the text in the lock file.

use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};

use super::lock::{FileSystem, Locks};

/// The longest command line that is kept, in characters.
const MAX_COMMAND: usize = 400;

/// The process that holds, or last held, a lock. It only informs: the lock itself is the kernel's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process id, as the owner itself sees it.
    pub pid: u32,
    /// When the process started, in clock ticks since boot; with `pid` and `boot_id` it names one process.
    pub start_ticks: Option<u64>,
    /// Which boot of the machine.
    pub boot_id: Option<String>,
    /// The namespace that `pid` counts in: in another one the number means nothing.
    pub pid_namespace: Option<String>,
    /// The machine.
    pub host: String,
    /// The command line.
    pub command: String,
}

impl Owner {
    /// This process. What the platform does not tell is `None`.
    pub fn current() -> Owner {
        let command: Vec<String> =
            std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        Owner {
            pid: std::process::id(),
            start_ticks: fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(start_ticks),
            boot_id: boot_id(),
            pid_namespace: pid_namespace(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            command: command.join(" ").chars().take(MAX_COMMAND).collect(),
        }
    }

    /// Whether `pid` means the same process here: same machine, same boot, same namespace.
    pub fn is_visible_here(&self) -> bool {
        self.boot_id == boot_id() && self.pid_namespace == pid_namespace()
    }

    /// Whether the process is known to have ended, as seen by who finds its name on `system`. Never of one that cannot
    /// be seen from here; but where only this machine has the files, one of an earlier boot is gone.
    pub fn is_gone(&self, system: &FileSystem) -> bool {
        if self.boot_id != boot_id() {
            return system.locks == Locks::Here && self.boot_id.is_some();
        }
        if self.start_ticks.is_none() || !self.is_visible_here() {
            return false;
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok();
        stat.as_deref().and_then(start_ticks) != self.start_ticks || stat.as_deref().is_some_and(is_zombie)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)?;
        if self.boot_id != boot_id() {
            f.write_str(" (another machine, or an earlier boot of this one)")?;
        } else if !self.is_visible_here() {
            f.write_str(" (another pid namespace, such as a container's: the number is not one of ours)")?;
        }
        write!(f, ": {}", self.command)
    }
}

fn boot_id() -> Option<String> {
    if let Some(id) = crate::failpoint::boot_id() {
        return Some(id.to_owned());
    }
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

fn pid_namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

fn is_zombie(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('Z'))
}

/// Takes field 22 out of `/proc/<pid>/stat`. The second field is a name in brackets that can hold anything.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}
