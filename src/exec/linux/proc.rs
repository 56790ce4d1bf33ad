//! What `/proc` says of a process.

use std::fs::{self, File};
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use anstream::adapter::strip_str;
use rustix::process::getpid;

use crate::exec::process::{EscapeReason, EscapedProcess, TAG_VARIABLE};

/// How much of a command line is shown to people, in characters.
const COMMAND_SHOWN: usize = 200;
/// How often a process in the middle of an exec is looked at again, and the pause between.
const EXEC_LOOKS: usize = 50;
const EXEC_PAUSE: Duration = Duration::from_millis(1);
/// How often an environment has to be seen empty to be taken for empty.
const EMPTY_LOOKS: usize = 3;
/// How much of an environment is read with one call; few are larger.
const ENVIRONMENT_READ: usize = 256 << 10;
/// How often a list that changes while it is read is read again.
const LIST_READS: usize = 8;
/// The flag of the kernel's own threads in `/proc/<pid>/stat`.
const PF_KTHREAD: u64 = 0x0020_0000;

/// One reading of `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) start_time: u64,
    state: u8,
    threads: u32,
    /// Whether it is a thread of the kernel, which has neither a command line nor an environment.
    pub(super) is_kernel: bool,
}

impl Seen {
    /// Whether it has ended and only its exit is left to be collected. A process whose first thread has ended while
    /// others go on reads as a zombie too, and is none.
    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }

    /// Whether it is stopped, by a signal or a tracer, and will not act on TERM before it goes on.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    pub(super) fn escaped(&self, why: EscapeReason) -> EscapedProcess {
        EscapedProcess { pid: self.pid, start_time: self.start_time, command: command(self.pid), why }
    }
}

/// The tag in the environment that a process was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag {
    Found(Vec<u8>),
    Absent,
    /// The process is another user's, protected, or gone.
    Unreadable,
}

/// Looks at one process; `None` when there is none with this pid.
pub(super) fn look(pid: u32) -> Option<Seen> {
    // The only failures are "no such process", before or during the read.
    parse_stat(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Looks at every process that can be seen.
pub(super) fn all() -> io::Result<Vec<Seen>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(seen) = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(look) {
            found.push(seen);
        }
    }
    Ok(found)
}

/// When process `pid` started, in clock ticks since the boot.
pub(in crate::exec) fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat"))?;
    parse_stat(pid, &stat).map(|seen| seen.start_time).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// CPU time of process `pid` and of its children that it has waited for, in clock ticks.
pub(super) fn cpu_ticks(pid: u32) -> Option<u64> {
    parse_cpu(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_cpu(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 2..)?).ok()?;
    // Fields 14 to 17: its own time in user and kernel mode, and that of its children.
    let times = rest.split_ascii_whitespace().skip(11).take(4).map(|field| field.parse::<u64>().ok());
    times.sum()
}

/// The tag of process `pid`.
///
/// In the middle of an exec the old environment is gone and the new one is not there yet; for a moment it reads as
/// empty. So an empty one has to stay empty: taking it at its word would let a process of ours go.
pub(super) fn tag(pid: u32) -> Tag {
    let mut empty = 0;
    for _ in 0..EXEC_LOOKS {
        let Ok(environment) = read_environment(pid) else {
            return Tag::Unreadable;
        };
        if !environment.is_empty() {
            return find_tag(&environment);
        }
        if look(pid).is_none_or(|seen| seen.is_zombie() || seen.is_kernel) {
            break;
        }
        empty = if has_command_line(pid) { empty + 1 } else { 0 };
        if empty == EMPTY_LOOKS {
            return Tag::Absent;
        }
        thread::sleep(EXEC_PAUSE);
    }
    Tag::Unreadable
}

/// Reads it with one call, because what a second call would read may be gone by then.
fn read_environment(pid: u32) -> io::Result<Vec<u8>> {
    let mut file = File::open(format!("/proc/{pid}/environ"))?;
    let mut environment = vec![0; ENVIRONMENT_READ];
    let length = file.read(&mut environment)?;
    environment.truncate(length);
    if length == ENVIRONMENT_READ {
        file.read_to_end(&mut environment)?;
    }
    Ok(environment)
}

fn has_command_line(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn find_tag(environment: &[u8]) -> Tag {
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(TAG_VARIABLE.as_bytes())?.strip_prefix(b"="))
        .map_or(Tag::Absent, |tag| Tag::Found(tag.to_vec()))
}

/// The children of our main thread. Orphans that come to a subreaper are put there. `None` when the list keeps
/// changing: the kernel may leave out a child when another one is collected during the reading.
pub(super) fn children_of_main_thread() -> io::Result<Option<Vec<u32>>> {
    let us = getpid().as_raw_nonzero();
    let path = format!("/proc/{us}/task/{us}/children");
    let mut before = fs::read_to_string(&path)?;
    for _ in 0..LIST_READS {
        let list = fs::read_to_string(&path)?;
        if list == before {
            return Ok(Some(list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()));
        }
        before = list;
    }
    Ok(None)
}

fn command(pid: u32) -> String {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&line).replace('\0', " ");
    let plain = strip_str(text.trim_end()).to_string();
    plain.chars().filter(|c| !c.is_control()).take(COMMAND_SHOWN).collect()
}

/// The name in parentheses may hold anything, blanks and parentheses too, so the fields are counted after the last `)`.
pub(super) fn parse_stat(pid: u32, stat: &[u8]) -> Option<Seen> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 2..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let flags: u64 = fields.nth(2)?.parse().ok()?;
    let threads = fields.nth(10)?.parse().ok()?;
    let start_time = fields.nth(1)?.parse().ok()?;
    let is_kernel = flags & PF_KTHREAD != 0;
    Some(Seen { pid, parent, group, session, start_time, state, threads, is_kernel })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_the_fields() {
        let line = b"7 (a) Z 1 (b)) S 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 6 0 4242 0 0\n";
        let seen = parse_stat(7, line).expect("a whole line");
        assert_eq!((seen.parent, seen.group, seen.session, seen.start_time), (3, 4, 5, 4242));
        assert_eq!((seen.state, seen.threads, seen.is_kernel, seen.is_zombie()), (b'S', 6, false, false));
        assert_eq!(parse_stat(7, b"7 (a) S 3 4"), None);
        let line = b"7 (a) Z 1 (b)) S 3 4 5 0 -1 0 0 0 0 0 10 20 3 4 20 0 6 0 4242 0 0\n";
        assert_eq!(parse_cpu(line), Some(37));
    }

    #[test]
    fn our_own_process_is_seen_as_the_system_says() {
        let us = std::process::id();
        let seen = look(us).expect("we live");
        assert_eq!(seen.parent, std::os::unix::process::parent_id());
        assert_eq!(start_time(us).expect("we live"), seen.start_time);
        assert!(all().expect("/proc").contains(&Seen { state: seen.state, ..seen }) || !seen.is_zombie());
    }
}
