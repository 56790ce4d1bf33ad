//! Worktrees of lanes that cannot begin yet, made while others work: their tasks then find them there.
//!
//! A lane that is warm is pending for everybody: it has no branch, no tip and no attempt. What it begins with is decided
//! when it begins, by its provisioning, which takes the worktree over and brings it there.

use super::super::EngineError;
use super::super::core::Core;
use crate::event::{Effect, LaneStatus, TaskStatus};
use crate::id::Sha;
use crate::plan::{LaneIx, TaskIx};
use crate::state::Warmth;

/// Has the worktrees of the next lanes made, as many as the settings allow. Only while something works: before that there
/// is nothing to wait for, and after it nothing that needs them.
pub(super) fn ahead(core: &mut Core) -> Result<(), EngineError> {
    let most = usize::try_from(core.plan.settings.warm).unwrap_or(usize::MAX);
    if most == 0 || core.live == 0 || !core.may_start() {
        return Ok(());
    }
    let idle = |lane: &&crate::state::Lane| matches!(lane.warmth, Warmth::Warming | Warmth::Warm);
    let free = most.saturating_sub(core.state.lanes.iter().filter(idle).count());
    if free == 0 {
        return Ok(());
    }
    let lanes = 0..core.plan.lanes.len();
    let mut next: Vec<_> = lanes.filter_map(|lane| Some((core.wanted_soon(lane)?, lane))).collect();
    next.sort_unstable();
    for (_, lane) in next.into_iter().take(free) {
        let Some(at) = core.cut_from(lane) else { continue };
        let effect = Effect::Warm { lane: core.plan.lanes[lane].id.clone(), at };
        core.intend(core.lane_subject(lane), effect)?;
    }
    Ok(())
}

/// Has the worktree of a lane taken away that ended before it began. Says whether it is taken care of.
pub(super) fn cool(core: &mut Core, lane: LaneIx) -> Result<bool, EngineError> {
    let state = &core.state.lanes[lane];
    let tried = matches!(&state.step, Some(step) if matches!(step.effect, Effect::Teardown { .. }));
    let unused = matches!(state.warmth, Warmth::Warm | Warmth::Spoiled) && state.worktree.is_none();
    if !unused || tried || state.is_busy() {
        return Ok(false);
    }
    let effect = Effect::Teardown { lane: core.plan.lanes[lane].id.clone(), n: state.teardowns + 1 };
    core.intend(core.lane_subject(lane), effect)?;
    Ok(true)
}

impl Core {
    /// The place of a lane among those that may begin next; `None` for one that may not. Those come first that only wait
    /// for a place.
    fn wanted_soon(&self, lane: LaneIx) -> Option<(bool, super::super::agenda::Rank)> {
        let state = &self.state.lanes[lane];
        let untouched = state.status == LaneStatus::Pending
            && state.warmth == Warmth::Cold
            && (&state.tip, &state.worktree, &state.step, &state.undo) == (&None, &None, &None, &None)
            && state.requests.is_empty();
        if !untouched || self.cut_from(lane).is_none() {
            return None;
        }
        let tasks = self.index.tasks_of[lane].iter();
        tasks.filter_map(|&task| Some((self.waits_for_work(lane, task)?, self.rank(task)))).min()
    }

    /// Whether a task waits for what others are at work on, and not only for a place; `None` where it waits for anything
    /// else, such as a person.
    fn waits_for_work(&self, lane: LaneIx, task: TaskIx) -> Option<bool> {
        let state = &self.state.tasks[task];
        if state.status != TaskStatus::Pending || state.cancel_wanted || state.set_aside {
            return None;
        }
        if self.needs_met(task) {
            return Some(false);
        }
        let at_work = |&need: &TaskIx| {
            let upstream = self.index.lane_of[need];
            upstream != lane
                && (self.state.live_tasks(upstream).next().is_some()
                    || self.state.lanes[upstream].is_moving())
        };
        let mut unmet = self.index.needs[task].iter().filter(|&&need| !self.is_met(task, need));
        unmet.all(at_work).then_some(true)
    }

    /// The commit that a lane would be cut from now.
    fn cut_from(&self, lane: LaneIx) -> Option<Sha> {
        match self.index.parent[lane] {
            Some(parent) => self.state.lanes[parent].tip.clone(),
            None => Some(self.plan.lanes[lane].base_sha.clone()),
        }
    }
}
