//! What is to be said of a lane's worktree while it is being made, and while it cannot be.

use super::elapsed::clock;
use super::plain::one_line;
use crate::event::{Effect, Failure, FailureKind, LaneStatus, Timestamp};
use crate::plan::LanePlan;
use crate::state::{Lane, Step};

/// How much of a command or a failure is shown, in characters.
const WORDS_SHOWN: usize = 300;

fn step(lane: &Lane) -> Option<&Step> {
    let step = lane.step.as_ref().filter(|_| lane.status == LaneStatus::Pending)?;
    matches!(step.effect, Effect::Provision { .. }).then_some(step)
}

/// Since when the worktree is being made.
pub(super) fn making_since(lane: &Lane) -> Option<Timestamp> {
    step(lane).filter(|step| step.is_in_flight()).map(|step| step.began)
}

/// Why the worktree is not made now and is tried again by itself, and since when.
pub(super) fn put_off(lane: &Lane) -> Option<(&Failure, Timestamp)> {
    step(lane)?.failure().filter(|(failure, _)| failure.class == FailureKind::Transient)
}

/// What is done for the worktree, besides its files.
pub(super) fn making(plan: &LanePlan) -> String {
    let furnish = &plan.furnish;
    let copies = furnish.copy.as_ref().filter(|globs| !globs.is_empty());
    let mut parts = vec!["its files".to_owned()];
    parts.extend(copies.map(|globs| format!("copies of {}", globs.join(", "))));
    parts.extend(furnish.setup.iter().map(|setup| format!("`{}`", setup.command)));
    one_line(&parts.join(", then "), WORDS_SHOWN)
}

/// Both in one line, where there is anything to say.
pub(super) fn of_worktree(plan: &LanePlan, lane: &Lane) -> Option<String> {
    if let Some(since) = making_since(lane) {
        return Some(format!("being made since {} UTC: {}", clock(since), making(plan)));
    }
    let (failure, _) = put_off(lane)?;
    Some(format!("tried again: {}", one_line(&failure.message, WORDS_SHOWN)))
}
