//! The orphans that a child subreaper gets: telling them from the children we started, and collecting their exits.

use std::io;

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, child_subreaper, test_kill_process_group, waitid};

use super::membership::{Own, is_group_orphan, own};
use super::pinned::raw;
use super::proc::{Seen, Tag, children_of_main_thread, look, tag};
use crate::exec::known::known;
use crate::exec::process::{EscapeReason, EscapedProcess, ProcessRef};

/// Whether it is certain, without a look at all processes, that nothing of the attempt lives: its process group is
/// gone and, as every orphan of it comes to us, none of our children is one.
pub(in crate::exec) fn nothing_left(process: &ProcessRef) -> io::Result<bool> {
    if !known().is_ours(process) || group_exists(process) || !is_subreaper() {
        return Ok(false);
    }
    let own = own();
    Ok(unknown_children(own)?.is_some_and(|children| !children.iter().any(|one| belongs(one, process, own))))
}

/// Whether an orphan that came to us may be the attempt's, beside those that `is_given_up` says by their numbers and start times. In the middle of an exec a process
/// has no environment to be known by, and one in a session of its own has nothing else: a look at all processes passes it by.
pub(in crate::exec) fn overlooked(
    process: &ProcessRef,
    is_given_up: impl Fn(u32, u64) -> bool,
) -> io::Result<bool> {
    let own = own();
    let children = unknown_children(own)?.unwrap_or_default();
    Ok(children.iter().any(|one| !is_given_up(one.pid, one.start_time) && belongs(one, process, own)))
}

/// Looks through our children for orphans that live on.
pub(super) fn escaped(process: &ProcessRef) -> io::Result<Vec<EscapedProcess>> {
    let own = own();
    let mut escaped = Vec::new();
    for one in unknown_children(own)?.unwrap_or_default() {
        // With our own session it may be a child that another part of this program has started.
        if one.is_zombie() || Some(one.session) == own.session {
            continue;
        }
        let why = match tag(one.pid) {
            Tag::Found(found) if found == process.tag.as_bytes() || known().has_tag(&found) => continue,
            Tag::Found(_) => EscapeReason::OtherTag,
            Tag::Absent | Tag::Unreadable => EscapeReason::NoTag,
        };
        if look(one.pid).is_some_and(|now| now.start_time == one.start_time && !now.is_zombie())
            && known().tell(one.pid, one.start_time)
        {
            escaped.push(one.escaped(why));
        }
    }
    Ok(escaped)
}

/// Collects the exits of orphans that came to us and have ended; says how many. Cheap when there is none. The caller
/// of a long run calls it now and then, so that the zombies of busy agents do not pile up.
///
/// # Errors
/// `/proc` cannot be read.
pub fn collect_orphans() -> io::Result<usize> {
    let own = own();
    let mut collected = 0;
    for one in unknown_children(own)?.unwrap_or_default() {
        if one.is_zombie() && is_orphan(&one, own) {
            match waitid(WaitId::Pid(raw(one.pid)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(_)) => collected += 1,
                // Another thread was faster.
                Ok(None) | Err(Errno::CHILD) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(collected)
}

/// Whether it cannot be a child that we started: those stay in our session, in our group or in one of their own.
fn is_orphan(one: &Seen, own: Own) -> bool {
    let own_group = look(own.pid).map(|us| us.group);
    Some(one.session) != own.session || (one.group != one.pid && Some(one.group) != own_group)
}

/// Our children but live main processes and those that were told of; `None` when there is no telling at the moment.
fn unknown_children(own: Own) -> io::Result<Option<Vec<Seen>>> {
    let Some(mut children) = children_of_main_thread()? else {
        return Ok(None);
    };
    children.retain(|pid| !known().is_live_main(*pid));
    let mut unknown: Vec<Seen> =
        children.into_iter().filter_map(look).filter(|one| one.parent == own.pid).collect();
    let known = known();
    unknown.retain(|one| one.is_zombie() || !known.is_told(one.pid, one.start_time));
    Ok(Some(unknown))
}

fn belongs(one: &Seen, process: &ProcessRef, own: Own) -> bool {
    if one.is_zombie() {
        return false;
    }
    match tag(one.pid) {
        Tag::Found(found) => found == process.tag.as_bytes(),
        Tag::Absent => is_group_orphan(one, process, own),
        // It may be; the look at all processes decides.
        Tag::Unreadable => true,
    }
}

pub(super) fn group_exists(process: &ProcessRef) -> bool {
    test_kill_process_group(raw(process.pid)) != Err(Errno::SRCH)
}

fn is_subreaper() -> bool {
    matches!(child_subreaper(), Ok(Some(_)))
}
