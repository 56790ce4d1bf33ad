//! Which tasks of a plan take turns although neither needs the other.

use std::collections::BTreeSet;

use crate::id::{LaneId, TaskId};
use crate::plan::{Index, Plan, TaskIx, TaskPlan};

/// The tasks that do not run beside each task because both may write the same paths, by position. Those of a lane that runs one
/// task at a time take turns anyway.
pub(super) fn overlapping(plan: &Plan) -> Vec<Vec<&TaskId>> {
    let index = Index::new(plan);
    let before = before(&index);
    let meet = |a: TaskIx, b: TaskIx| {
        let (task, other) = (&plan.tasks[a], &plan.tasks[b]);
        let one_at_a_time = task.lane == other.lane && plan.lanes[index.lane_of[a]].parallel == 1;
        let in_order = before[a].contains(&b) || before[b].contains(&a);
        let allowed = task.overlap && other.overlap;
        !(one_at_a_time || in_order || allowed) && index.scopes[a].overlaps(&index.scopes[b])
    };
    let tasks = 0..plan.tasks.len();
    let others =
        |a: TaskIx| tasks.clone().filter(|&b| a != b && meet(a, b)).map(|b| &plan.tasks[b].id).collect();
    tasks.clone().map(others).collect()
}

/// The lanes that run fewer tasks at once than `wave` has of them, with how many they run and those tasks.
pub(super) fn crowded<'a>(plan: &'a Plan, wave: &[&'a TaskPlan]) -> Vec<(&'a LaneId, u32, Vec<&'a TaskId>)> {
    let of_lane =
        |lane: &LaneId| wave.iter().filter(|task| task.lane == *lane).map(|task| &task.id).collect();
    let lanes = plan.lanes.iter().map(|lane| (&lane.id, lane.parallel, of_lane(&lane.id)));
    lanes.filter(|(_, parallel, tasks): &(_, _, Vec<_>)| tasks.len() as u64 > u64::from(*parallel)).collect()
}

/// What each task needs, itself or through others.
fn before(index: &Index) -> Vec<BTreeSet<TaskIx>> {
    let mut before: Vec<Option<BTreeSet<TaskIx>>> = vec![None; index.needs.len()];
    let mut open: Vec<TaskIx> = (0..index.needs.len()).collect();
    while let Some(&task) = open.last() {
        let missing: Vec<TaskIx> =
            index.needs[task].iter().copied().filter(|&n| before[n].is_none()).collect();
        if before[task].is_none() && missing.is_empty() {
            let mut all = BTreeSet::new();
            for &need in &index.needs[task] {
                all.insert(need);
                all.extend(before[need].iter().flatten().copied());
            }
            before[task] = Some(all);
        }
        if before[task].is_some() {
            open.pop();
        } else {
            open.extend(missing);
        }
    }
    before.into_iter().flatten().collect()
}
