//! Dense positions for ids, so that the engine looks things up in arrays.

use std::collections::HashMap;

use super::{Plan, Scope, TaskPlan};
use crate::id::{LaneId, TaskId};

/// The position of a task in [`Plan::tasks`].
pub type TaskIx = usize;
/// The position of a lane in [`Plan::lanes`].
pub type LaneIx = usize;

/// What follows from a plan and is asked for often.
#[derive(Debug)]
pub struct Index {
    tasks: HashMap<TaskId, TaskIx>,
    lanes: HashMap<LaneId, LaneIx>,
    /// The lane of each task.
    pub lane_of: Vec<LaneIx>,
    /// The needs of each task.
    pub needs: Vec<Vec<TaskIx>>,
    /// Those of its needs that each task's `when` looks at; they may end in any way.
    pub judged: Vec<Vec<TaskIx>>,
    /// The tasks that need each task.
    pub dependents: Vec<Vec<TaskIx>>,
    /// The tasks of each lane, in the order of the file.
    pub tasks_of: Vec<Vec<TaskIx>>,
    /// The lanes that each lane takes in.
    pub upstream: Vec<Vec<LaneIx>>,
    /// The lanes that take in each lane.
    pub downstream: Vec<Vec<LaneIx>>,
    /// The lane that each lane is nested in.
    pub parent: Vec<Option<LaneIx>>,
    /// The lanes nested in each lane.
    pub children: Vec<Vec<LaneIx>>,
    /// The declared write scope of each task.
    pub scopes: Vec<Scope>,
}

impl Index {
    /// Makes the index of `plan`, whose ids are known to be consistent.
    pub fn new(plan: &Plan) -> Self {
        let tasks: HashMap<_, _> = plan.tasks.iter().enumerate().map(|(ix, t)| (t.id.clone(), ix)).collect();
        let lanes: HashMap<_, _> = plan.lanes.iter().enumerate().map(|(ix, l)| (l.id.clone(), ix)).collect();
        let lane_of: Vec<_> = plan.tasks.iter().map(|t| lanes[&t.lane]).collect();
        let needs: Vec<Vec<_>> =
            plan.tasks.iter().map(|t| t.needs.iter().map(|n| tasks[n]).collect()).collect();
        let upstream: Vec<Vec<_>> =
            plan.lanes.iter().map(|l| l.needs.iter().map(|n| lanes[n]).collect()).collect();
        let parent: Vec<_> = plan.lanes.iter().map(|l| l.parent.as_ref().map(|p| lanes[p])).collect();
        let up: Vec<Vec<_>> = parent.iter().map(|p| p.iter().copied().collect()).collect();
        let mut tasks_of = vec![Vec::new(); plan.lanes.len()];
        for (task, &lane) in lane_of.iter().enumerate() {
            tasks_of[lane].push(task);
        }
        Self {
            judged: plan.tasks.iter().map(|t| judged(t, &tasks)).collect(),
            dependents: reversed(&needs),
            downstream: reversed(&upstream),
            children: reversed(&up),
            parent,
            scopes: plan.tasks.iter().map(|t| Scope::new(&t.writes)).collect(),
            tasks,
            lanes,
            lane_of,
            needs,
            tasks_of,
            upstream,
        }
    }

    /// Whether `inner` is nested in `outer`, however deep.
    pub fn is_within(&self, inner: LaneIx, outer: LaneIx) -> bool {
        std::iter::successors(self.parent[inner], |&lane| self.parent[lane]).any(|lane| lane == outer)
    }

    /// The position of a task.
    pub fn task(&self, id: &TaskId) -> Option<TaskIx> {
        self.tasks.get(id).copied()
    }

    /// The position of a lane.
    pub fn lane(&self, id: &LaneId) -> Option<LaneIx> {
        self.lanes.get(id).copied()
    }
}

fn judged(task: &TaskPlan, tasks: &HashMap<TaskId, TaskIx>) -> Vec<TaskIx> {
    let looks_at = task.contract.when.iter().flat_map(|when| when.condition.looks_at());
    let mut judged: Vec<TaskIx> = looks_at.map(|(id, _)| tasks[id]).collect();
    judged.sort_unstable();
    judged.dedup();
    judged
}

fn reversed(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new(); edges.len()];
    for (from, to) in edges.iter().enumerate() {
        for &to in to {
            out[to].push(from);
        }
    }
    out
}
