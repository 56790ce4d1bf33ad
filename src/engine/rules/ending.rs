//! A lane that has come to its end, merged or not: what is removed and told, and what takes it on again.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::Remedy;
use crate::event::{Effect, LaneStatus};
use crate::graph::Teardown;
use crate::plan::LaneIx;
use crate::state::Step;

/// It failed: a retry, or a merge by other hands, takes it on.
pub(super) fn failed(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    if state.pr.as_ref().is_some_and(|pr| pr.merged.is_some()) && !state.is_busy() {
        let why = "its pull request was merged all the same".to_owned();
        let there = core.state.is_in_parent(lane);
        let to = if there { LaneStatus::Merged } else { LaneStatus::PrCreated };
        return core.lane_to(lane, to, Some(why));
    }
    if state.retry_wanted && state.is_busy() {
        // What is being removed is made anew once it is gone.
        return Ok(());
    }
    if state.retry_wanted {
        let open = state.pr.as_ref().is_some_and(|p| p.closed_by.is_none() && p.merged.is_none());
        let done = core.index.tasks_of[lane].iter().all(|&t| core.state.tasks[t].is_settled());
        let to = match () {
            () if open && done => LaneStatus::PrCreated,
            () if state.worktree.is_some() => LaneStatus::Active,
            () => LaneStatus::Pending,
        };
        return core.lane_to(lane, to, Some("a retry was asked for".to_owned()));
    }
    teardown(core, lane, core.plan.lanes[lane].teardown == Teardown::Always)
}

/// What is not needed any more goes, and then the pull request says how it went.
pub(super) fn merged(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let wanted = core.plan.lanes[lane].teardown != Teardown::Never;
    teardown(core, lane, wanted)?;
    let state = &core.state.lanes[lane];
    let shown = state.pr.as_ref().is_some_and(|pr| pr.merged.is_some());
    let tidy = !wanted || state.worktree.is_none() || tried_teardown(state.step.as_ref());
    if state.concluded || state.is_busy() || !shown || !tidy {
        return Ok(());
    }
    let step = state.step.as_ref().filter(|s| is_conclude(&s.effect));
    match step.and_then(|s| core.remedy(s, None)) {
        Some(Remedy::Wait(due)) => core.agenda.wait_wall(due, Item::Lane(lane)),
        Some(Remedy::Give(_)) => {}
        Some(Remedy::Again) | None => {
            let effect = Effect::Conclude { lane: core.plan.lanes[lane].id.clone() };
            core.intend(core.lane_subject(lane), effect)?;
        }
    }
    Ok(())
}

fn tried_teardown(step: Option<&Step>) -> bool {
    matches!(step, Some(Step { effect: Effect::Teardown { .. }, .. }))
}

fn teardown(core: &mut Core, lane: LaneIx, wanted: bool) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    let live = core.state.live_tasks(lane).next().is_some();
    let tried = tried_teardown(state.step.as_ref());
    if !wanted || state.worktree.is_none() || state.is_busy() || live || tried || core.is_stacked_on(lane) {
        return Ok(());
    }
    let effect = Effect::Teardown { lane: core.plan.lanes[lane].id.clone(), n: state.teardowns + 1 };
    core.intend(core.lane_subject(lane), effect)
}

/// Whether it only tells what happened, which nothing waits for.
pub(super) fn is_conclude(effect: &Effect) -> bool {
    matches!(effect, Effect::Conclude { .. })
}
