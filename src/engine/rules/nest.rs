//! Lanes in lanes: what a lane waits for that holds others, and what of it the others wait for.

use super::super::EngineError;
use super::super::core::Core;
use crate::event::{LaneStatus, TaskStatus};
use crate::plan::LaneIx;

/// A lane whose own tasks are done is whole when those nested in it have been merged into it.
pub(super) fn with_children(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let waited: Vec<LaneIx> = core.waits_for_nested(lane).collect();
    let failed = |c: &&LaneIx| {
        core.state.lanes[**c].status == LaneStatus::Failed && !core.state.lanes[**c].retry_wanted
    };
    if let Some(&child) = waited.iter().find(failed) {
        let why = format!("its nested lane `{}` failed", core.plan.lanes[child].id);
        return core.lane_to(lane, LaneStatus::Failed, Some(why));
    }
    if core.state.lanes[lane].is_busy() || !waited.is_empty() {
        return Ok(());
    }
    core.lane_to(lane, LaneStatus::MergeReady, None)
}

impl Core {
    /// The nested lanes that have to be merged into this one before it is whole.
    pub(super) fn waits_for_nested(&self, lane: LaneIx) -> impl Iterator<Item = LaneIx> + '_ {
        let children = self.index.children[lane].iter().copied();
        children
            .filter(|&c| self.state.lanes[c].status != LaneStatus::Merged && !self.state.goes_on_without(c))
    }

    /// Whether a lane around this one is undone, or is being undone: it is begun anew first, when that is asked for.
    pub(super) fn is_nested_in_undone(&self, lane: LaneIx) -> bool {
        let mut around = std::iter::successors(self.index.parent[lane], |&up| self.index.parent[up]);
        around
            .any(|up| self.state.lanes[up].status == LaneStatus::Reset || self.state.lanes[up].undo.is_some())
    }

    /// Whether a lane that was undone is wanted again: by a retry, before it had come to its end or after, or for what is
    /// nested in it where it has no tasks of its own.
    pub(super) fn is_begun_anew(&self, lane: LaneIx) -> bool {
        let tasks = &self.index.tasks_of[lane];
        let undone = |c: LaneIx| self.state.lanes[c].status == LaneStatus::Reset;
        self.state.lanes[lane].retry_wanted
            || tasks.iter().any(|&t| self.state.tasks[t].status == TaskStatus::Pending)
            || tasks.is_empty() && self.waits_for_nested(lane).any(|c| !undone(c))
    }

    /// Whether the lane that this one would be merged into is being moved, or about to be.
    pub(super) fn parent_is_busy(&self, lane: LaneIx) -> bool {
        self.parent_takes_in(lane)
            || self.index.parent[lane].is_some_and(|parent| self.state.lanes[parent].is_busy())
    }

    /// Whether the parent has to take in first what has come to its branch on origin, and can.
    pub(super) fn parent_takes_in(&self, lane: LaneIx) -> bool {
        use LaneStatus::{Active, MergeReady, PrCreated};
        self.index.parent[lane].is_some_and(|parent| {
            matches!(self.state.lanes[parent].status, Active | MergeReady | PrCreated)
                && !self.came_to_origin(parent).is_empty()
        })
    }

    /// The lane that this one would have to be cut from, where that failed before there was anything of it.
    pub(super) fn never_begun_parent(&self, lane: LaneIx) -> Option<LaneIx> {
        let parent = self.index.parent[lane]?;
        let state = &self.state.lanes[parent];
        let lost = state.status == LaneStatus::Failed && !state.retry_wanted && state.tip.is_none();
        (lost && self.state.lanes[lane].tip.is_none()).then_some(parent)
    }

    /// Whether a lane that was never begun has nothing to do: its tasks were skipped, and nothing nested in it is left.
    pub(super) fn has_nothing_to_do(&self, lane: LaneIx) -> bool {
        let (tasks, children) = (&self.index.tasks_of[lane], &self.index.children[lane]);
        let chosen = tasks.iter().any(|&t| self.state.tasks[t].passed_over) || tasks.is_empty();
        chosen
            && tasks.iter().all(|&t| self.state.tasks[t].is_over())
            && children
                .iter()
                .all(|&c| self.state.lanes[c].status == LaneStatus::Merged || self.state.goes_on_without(c))
    }

    /// Whether a lane that had nothing to do, and so was never begun, has something to do now.
    pub(super) fn is_wanted_again(&self, lane: LaneIx) -> bool {
        let mut tasks = self.index.tasks_of[lane].iter();
        let mut children = self.index.children[lane].iter();
        self.state.lanes[lane].tip.is_none()
            && (tasks.any(|&t| self.state.tasks[t].status == TaskStatus::Pending)
                || children.any(|&c| {
                    self.state.lanes[c].status == LaneStatus::Pending && !self.state.goes_on_without(c)
                }))
    }
}
