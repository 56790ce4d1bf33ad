//! In which order the lanes of a reset go, and where it waits for a person.

use super::{Revert, State, Step};
use crate::event::{LaneUndo, TaskStatus};
use crate::plan::LaneIx;

impl State {
    /// Whether an attempt has to come to its end before the lane can be undone.
    pub fn undo_waits_for_work(&self, lane: LaneIx) -> bool {
        let at_work = |&t: &crate::plan::TaskIx| {
            let task = &self.tasks[t];
            task.reset_wanted.is_some() && task.status == TaskStatus::Running
        };
        self.index.tasks_of[lane].iter().any(at_work)
    }

    /// The lanes of the same reset that have to come to their end before `lane` can be undone.
    pub fn undo_waits_for(&self, lane: LaneIx) -> Vec<LaneIx> {
        let Some(undo) = &self.lanes[lane].undo else { return Vec::new() };
        let under_way = |other: &LaneIx| {
            let other = self.lanes[*other].undo.as_ref();
            other.is_some_and(|other| other.request == undo.request)
        };
        match &undo.how {
            LaneUndo::TakeBack { from } => {
                from.iter().filter_map(|l| self.index.lane(l)).filter(under_way).collect()
            }
            LaneUndo::Remove | LaneUndo::Revert { .. } => {
                let others = (0..self.lanes.len()).filter(|&other| other != lane);
                others.filter(under_way).filter(|&other| self.goes_before(other, lane)).collect()
            }
        }
    }

    /// What stands on a lane goes first. What is nested in one that a person has to take back stays until that is done: one
    /// whose pull request is closed stays as it is.
    fn goes_before(&self, other: LaneIx, lane: LaneIx) -> bool {
        let holds = self.lanes[other].contains.contains_key(&lane);
        if self.index.is_within(other, lane) {
            holds && !self.is_reverted(lane)
        } else if self.index.is_within(lane, other) {
            self.is_reverted(other) || holds && !self.is_removed(other)
        } else {
            holds
        }
    }

    /// Whether the lane is taken back by a pull request.
    fn is_reverted(&self, lane: LaneIx) -> bool {
        let undo = self.lanes[lane].undo.as_ref();
        undo.is_some_and(|undo| matches!(undo.how, LaneUndo::Revert { .. }))
    }

    fn is_removed(&self, lane: LaneIx) -> bool {
        self.lanes[lane].undo.as_ref().is_some_and(|undo| undo.how == LaneUndo::Remove)
    }

    /// Whether nothing of a reset goes on before a person has merged a pull request of it.
    pub fn undo_waits_for_person(&self, request: &str) -> bool {
        let mut left = (0..self.lanes.len()).filter(|&lane| {
            self.lanes[lane].undo.as_ref().is_some_and(|undo| undo.request == request && !undo.done)
        });
        let any = left.clone().next().is_some();
        any && left.all(|lane| self.is_held_by_person(lane, self.lanes.len()))
    }

    /// `depth` bounds the look: what lanes wait for has no circles, whatever a journal says.
    fn is_held_by_person(&self, lane: LaneIx, depth: usize) -> bool {
        let now = &self.lanes[lane];
        if now.undo.as_ref().is_none_or(|undo| undo.done) || now.step.as_ref().is_some_and(Step::is_in_flight)
        {
            return false;
        }
        if now.revert.as_ref().is_some_and(Revert::is_open) {
            return true;
        }
        depth > 0
            && !self.undo_waits_for_work(lane)
            && self.undo_waits_for(lane).into_iter().any(|other| self.is_held_by_person(other, depth - 1))
    }
}
