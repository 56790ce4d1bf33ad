//! Which live processes belong to an attempt. The rule is in the doc of [`exec`](crate::exec).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::proc::{Seen, Tag, all, look, tag};
use crate::exec::known::known;
use crate::exec::process::ProcessRef;

/// Us, as the rules need us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) pid: u32,
    pub(super) session: Option<u32>,
}

/// The session comes from `/proc`, as those it is compared with: in a container whose session leader is outside, it is
/// 0, which the system call's wrapper does not take for a process id and panics on.
pub(super) fn own() -> Own {
    let pid = std::process::id();
    Own { pid, session: look(pid).map(|seen| seen.session) }
}

/// Finds every live process of the attempt with one look at all of `/proc`.
pub(super) fn members(process: &ProcessRef) -> io::Result<Vec<Seen>> {
    let own = own();
    let seen = all()?;
    let is_candidate = |one: &Seen| {
        // Whatever is older than the main process cannot have come from it, and its environment need not be read.
        let fits = one.start_time >= process.start_time && !one.is_zombie() && !one.is_kernel;
        fits && one.pid != own.pid && !is_impostor(one, process)
    };
    let candidates: BTreeMap<u32, (Seen, Tag)> = seen
        .iter()
        .filter(|one| is_candidate(one))
        .map(|one| (one.pid, (*one, tag(one.pid))))
        .filter(|(_, (_, tag))| !is_foreign(tag, process))
        .collect();
    let group_was_reused = seen.iter().any(|one| is_impostor(one, process));
    let mut proven: BTreeSet<u32> = candidates
        .values()
        .filter(|(one, tag)| proven_alone(one, tag, process, own, group_was_reused))
        .map(|(one, _)| one.pid)
        .collect();
    loop {
        let group_proven = !group_was_reused
            && candidates.values().any(|(one, _)| one.group == process.pid && proven.contains(&one.pid));
        let more: Vec<u32> = candidates
            .values()
            .map(|(one, _)| one)
            .filter(|one| !proven.contains(&one.pid))
            .filter(|one| {
                (group_proven && one.group == process.pid)
                    || [one.parent, one.group, one.session].iter().any(|pid| proven.contains(pid))
            })
            .map(|one| one.pid)
            .collect();
        if more.is_empty() {
            break;
        }
        proven.extend(more);
    }
    Ok(candidates.into_values().map(|(one, _)| one).filter(|one| proven.contains(&one.pid)).collect())
}

/// Whether it only has the pid of the main process, and so the name of its group.
fn is_impostor(one: &Seen, process: &ProcessRef) -> bool {
    one.pid == process.pid && one.start_time != process.start_time
}

/// Whether the tag is another attempt's.
pub(super) fn is_foreign(tag: &Tag, process: &ProcessRef) -> bool {
    matches!(tag, Tag::Found(found) if found != process.tag.as_bytes())
}

/// Whether this process belongs to the attempt by what it is itself.
fn proven_alone(one: &Seen, tag: &Tag, process: &ProcessRef, own: Own, group_was_reused: bool) -> bool {
    let tagged = matches!(tag, Tag::Found(found) if found == process.tag.as_bytes());
    let is_main = one.pid == process.pid && one.start_time == process.start_time;
    tagged
        || (is_main && known().is_ours(process))
        || (!group_was_reused && is_group_orphan(one, process, own))
}

/// Whether it came to us from the attempt's process group. Such a group is made by us only, in our session.
pub(super) fn is_group_orphan(one: &Seen, process: &ProcessRef, own: Own) -> bool {
    one.group == process.pid
        && one.pid != process.pid
        && one.parent == own.pid
        && Some(one.session) == own.session
        && known().is_ours(process)
}
