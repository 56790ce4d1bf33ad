//! Workstreams in workstreams: what waiting for one of them means for those around it.

use super::declarations::Declarations;
use crate::graph::file::GraphFile;

/// Which workstream each is nested in, by number.
pub(super) struct Nests {
    parent: Vec<Option<usize>>,
}

impl Nests {
    pub(super) fn gather(file: &GraphFile, declared: &Declarations<'_>) -> Self {
        let mut parent = vec![None; declared.lane_ids.len()];
        for (number, lane) in file.workstreams.items().iter().enumerate() {
            let named = lane.value.parent.value().and_then(|parent| declared.lanes.get(parent).copied());
            if let Some(slot) = parent.get_mut(number) {
                *slot = named;
            }
        }
        Self { parent }
    }

    /// The workstream and those that it is nested in, from the inside.
    fn around(&self, lane: usize) -> impl Iterator<Item = usize> + '_ {
        // A circle of parents is told elsewhere; here it must only end.
        std::iter::successors(Some(lane), |&lane| self.parent[lane]).take(self.parent.len())
    }

    /// Whether `inner` is nested in `outer`, however deep.
    pub(super) fn is_within(&self, inner: usize, outer: usize) -> bool {
        inner != outer && self.around(inner).any(|lane| lane == outer)
    }

    /// The outermost workstreams around two that do not hold both: a nest waits for what any in it waits for, and work of
    /// a nested one has landed only with its nest. `None` where one is nested in the other: between those, work is handed
    /// over task by task.
    pub(super) fn apart(&self, from: usize, to: usize) -> Option<(usize, usize)> {
        let outermost = |one: usize, other: usize| {
            self.around(one).take_while(|&lane| lane != other && !self.is_within(other, lane)).last()
        };
        Some((outermost(from, to)?, outermost(to, from)?))
    }

    /// The workstream that has to land as a whole for a task of `of` that needs one of `needed`, sooner or later: one that
    /// is nested in its own, or the outermost around a foreign one. `None` where work is handed down task by task.
    pub(super) fn lands_first(&self, of: usize, needed: usize) -> Option<usize> {
        if self.is_within(needed, of) {
            return Some(needed);
        }
        self.apart(of, needed).filter(|_| of != needed).map(|(_, outermost)| outermost)
    }

    /// What each task waits for, and after the tasks, each workstream: a workstream for its tasks and those nested in it, and
    /// a task for the workstreams that have to land first.
    pub(super) fn waits(&self, lane_of: &[Option<usize>], needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let tasks = needs.len();
        let mut waits = needs.to_vec();
        waits.resize(tasks + self.parent.len(), Vec::new());
        for (lane, parent) in self.parent.iter().enumerate() {
            if let Some(parent) = parent.filter(|parent| *parent != lane) {
                waits[tasks + parent].push(tasks + lane);
            }
        }
        for (task, lane) in lane_of.iter().enumerate().take(tasks) {
            let Some(lane) = *lane else { continue };
            waits[tasks + lane].push(task);
            for wait in &mut waits[task] {
                // What has to land as a whole waits for the needed task in turn.
                let first = lane_of[*wait].and_then(|other| self.lands_first(lane, other));
                *wait = first.map_or(*wait, |first| tasks + first);
            }
        }
        waits
    }
}
