//! Bringing the processes of an attempt to their end: TERM, a grace, KILL.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Signal, kill_process_group};
use tokio::time::{Instant, timeout_at};

use super::boot_id;
use super::membership::{is_foreign, members};
use super::orphans::{collect_orphans, escaped, group_exists, nothing_left, overlooked};
use super::pinned::{Pinned, raw};
use super::proc::{Seen, Tag, all, tag};
use crate::exec::known::known;
use crate::exec::process::{EscapeReason, EscapedProcess, Leftovers, Manner, ProcessRef, Stopped};

/// How long processes that were asked to end are waited for before a look at what they have started since. The ends of
/// known processes wake us at once; of new ones nothing does, and a shell may wait for just such a child.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// What the pause grows to.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long the kernel gets to end a process that was killed: one in the middle of IO may take a while.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// How many times new processes may turn up after the grace; each round kills all that can be seen.
const KILL_ROUNDS: usize = 50;
/// After how many of these rounds what still turns up is taken to multiply faster than it is seen.
const ROUNDS_ONE_BY_ONE: usize = 3;
/// How many more looks it takes where nothing is seen and the group is there all the same, be it by an exit that is
/// still to be collected.
const EMPTY_LOOKS: usize = 2;
/// How many more times all is looked through for an orphan that could not be told from others at first.
const LATE_LOOKS: usize = 4;

/// Ends every process of the attempt: TERM to each, and KILL to those that are left after `grace`. Returns as soon
/// as all have ended. A `grace` of zero kills at once. The exit of the main process stays with whoever waits for it.
pub async fn stop(process: &ProcessRef, grace: Duration) -> Stopped {
    let mut end = End::default();
    if is_this_boot(process) {
        end.run(process, grace).await;
    }
    let manner = match (end.killed, end.stopped.is_empty() && end.remaining.is_empty()) {
        (true, _) => Manner::Killed,
        (false, true) => Manner::AlreadyGone,
        (false, false) => Manner::Asked,
    };
    Stopped {
        manner,
        stopped: end.stopped.into_iter().collect(),
        remaining: end.remaining.into_values().collect(),
    }
}

/// Cleans up after the main process has ended and was waited for: ends what is left of the attempt as [`stop`]
/// does, collects the exits of orphans, and names the processes that got away. Cheap when nothing is left.
pub async fn reap_leftovers(process: &ProcessRef, grace: Duration) -> Leftovers {
    let mut end = End::default();
    if is_this_boot(process) && !said(nothing_left(process)).unwrap_or(false) {
        end.run(process, grace).await;
        for _ in 0..LATE_LOOKS {
            let is_given_up = |pid, start_time| end.remaining.contains_key(&(pid, start_time));
            if !said(overlooked(process, is_given_up)).unwrap_or(false) {
                break;
            }
            end.run(process, grace).await;
        }
    }
    said(collect_orphans());
    let mut leftovers = Leftovers {
        stopped: end.stopped.into_iter().collect(),
        escaped: end.remaining.into_values().collect(),
    };
    leftovers.escaped.extend(said(escaped(process)).unwrap_or_default());
    known().forget(process);
    leftovers
}

fn is_this_boot(process: &ProcessRef) -> bool {
    !process.boot_id.is_empty() && process.boot_id == boot_id()
}

/// Nothing can be done about a `/proc` that cannot be read, but it must not pass unseen.
fn said<T>(result: io::Result<T>) -> Option<T> {
    result.inspect_err(|error| tracing::error!(%error, "processes cannot be listed")).ok()
}

#[derive(Debug, Default)]
struct End {
    asked: BTreeSet<(u32, u64)>,
    stopped: BTreeSet<u32>,
    remaining: BTreeMap<(u32, u64), EscapedProcess>,
    killed: bool,
}

impl End {
    /// Each round sees what the one before has left and what was started meanwhile, until a round sees nothing.
    async fn run(&mut self, process: &ProcessRef, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut pause = FIRST_PAUSE;
        let (mut kill_rounds, mut empty_looks) = (0, 0);
        while kill_rounds < KILL_ROUNDS {
            let mut left = match members(process) {
                Ok(left) => left,
                Err(error) => return self.lost_sight(process, &error),
            };
            left.retain(|one| !self.remaining.contains_key(&(one.pid, one.start_time)));
            if left.is_empty() {
                // Who forks and ends faster than a look takes is not seen by it; but the group is there.
                if empty_looks == EMPTY_LOOKS || !group_exists(process) {
                    break;
                }
                empty_looks += 1;
                self.kill_group(process);
                continue;
            }
            let kill = Instant::now() >= deadline;
            kill_rounds += usize::from(kill);
            let pinned: Vec<Pinned> = left.into_iter().filter_map(|one| self.signal(one, kill)).collect();
            if kill_rounds > ROUNDS_ONE_BY_ONE {
                self.kill_group(process);
            }
            let until = if kill { Instant::now() + KILL_WAIT } else { deadline.min(Instant::now() + pause) };
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.wait(process, pinned, until, kill).await;
        }
        if kill_rounds == KILL_ROUNDS {
            for one in members(process).unwrap_or_default() {
                self.remain(&one, EscapeReason::Unkillable);
            }
        }
    }

    /// Kills a whole group at once, which no fork is quick enough to escape. The one signal that does not go through a
    /// pidfd: only to a group whose number is still taken by a child of ours, or whose members all carry the tag, and
    /// never where somebody else's process is in it.
    fn kill_group(&mut self, process: &ProcessRef) {
        let is_held = known().is_ours(process) && known().is_live_main(process.pid);
        let seen = said(all()).unwrap_or_default();
        let group = seen.iter().filter(|one| one.group == process.pid && !one.is_zombie());
        let tags: Vec<Tag> = group.map(|one| tag(one.pid)).collect();
        let is_ours = |tag: &Tag| matches!(tag, Tag::Found(found) if found == process.tag.as_bytes());
        let proven = if is_held {
            !tags.iter().any(|tag| is_foreign(tag, process))
        } else {
            !tags.is_empty() && tags.iter().all(is_ours)
        };
        if !proven {
            return;
        }
        self.killed |= !tags.is_empty();
        match kill_process_group(raw(process.pid), Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(%error, pid = process.pid, "a process group cannot be killed"),
        }
    }

    /// Without a list of processes there is no proof, and without a proof no signal; so it must not look stopped.
    fn lost_sight(&mut self, process: &ProcessRef, error: &io::Error) {
        tracing::error!(%error, pid = process.pid, "processes cannot be listed");
        let ProcessRef { pid, start_time, .. } = *process;
        let why = EscapeReason::Refused { errno: error.raw_os_error().unwrap_or_default() };
        let lost = EscapedProcess { pid, start_time, command: String::new(), why };
        self.remaining.insert((pid, start_time), lost);
    }

    /// Signals one process and holds it; `None` when it is gone or out of reach.
    fn signal(&mut self, one: Seen, kill: bool) -> Option<Pinned> {
        match self.try_signal(one, kill) {
            Ok(pinned) => pinned,
            Err(error) => {
                self.remain(&one, EscapeReason::Refused { errno: error.raw_os_error() });
                None
            }
        }
    }

    fn try_signal(&mut self, one: Seen, kill: bool) -> Result<Option<Pinned>, Errno> {
        let Some(pinned) = Pinned::open(one)? else {
            return Ok(None);
        };
        if kill {
            self.killed = true;
            pinned.signal(Signal::KILL)?;
        } else if self.asked.insert((one.pid, one.start_time)) {
            // Once only: many programs take a second TERM as an order to skip their clean-up.
            pinned.signal(Signal::TERM)?;
            if one.is_stopped() {
                pinned.signal(Signal::CONT)?;
            }
        }
        Ok(Some(pinned))
    }

    async fn wait(&mut self, process: &ProcessRef, pinned: Vec<Pinned>, until: Instant, kill: bool) {
        let main_is_waited_for = known().is_ours(process);
        for one in pinned {
            match timeout_at(until, one.ended()).await {
                Ok(Ok(())) => {
                    self.stopped.insert(one.seen.pid);
                    if one.seen.pid != process.pid || !main_is_waited_for {
                        one.collect();
                    }
                }
                Ok(Err(error)) => {
                    let errno = error.raw_os_error().unwrap_or_default();
                    self.remain(&one.seen, EscapeReason::Refused { errno });
                }
                Err(_) if kill => self.remain(&one.seen, EscapeReason::Unkillable),
                // The next round looks again, and kills it when the grace is over.
                Err(_) => {}
            }
        }
    }

    fn remain(&mut self, one: &Seen, why: EscapeReason) {
        self.remaining.insert((one.pid, one.start_time), one.escaped(why));
    }
}
