//! Names of branches, refs and places, each a function of ids.

use std::path::{Path, PathBuf};

use super::Plan;
use crate::id::{GraphName, LaneId, RunNo, TaskId};

/// The integration branch of a lane, without `refs/heads/`. Runs after the first carry their number, so that they can
/// stand beside the open pull requests of earlier runs.
pub fn integration_branch(graph: &GraphName, run: RunNo, lane: &LaneId) -> String {
    format!("laneway/{graph}{}/{lane}/integration", suffix(run))
}

/// The branch that keeps an attempt's result, without `refs/heads/`.
pub fn task_branch(graph: &GraphName, run: RunNo, lane: &LaneId, task: &TaskId, attempt: u32) -> String {
    format!("laneway/{graph}{}/{lane}/task/{task}/{attempt}", suffix(run))
}

/// The branch that a task's pull request shows, without `refs/heads/`: the same one for all attempts.
pub fn task_pr_branch(graph: &GraphName, run: RunNo, lane: &LaneId, task: &TaskId) -> String {
    format!("laneway/{graph}{}/{lane}/task/{task}/pr", suffix(run))
}

/// The ref that keeps something of `what` which would be lost otherwise.
pub fn custody_ref(graph: &GraphName, run: RunNo, what: &str) -> String {
    format!("refs/laneway/custody/{graph}/{run}/{what}")
}

/// The worktree of a task that does not work in its lane's own.
pub fn task_worktree(worktrees: &Path, lane: &LaneId, task: &TaskId) -> PathBuf {
    worktrees.join(format!("{lane}.{task}"))
}

/// The worktree in which an attempt's work is reviewed.
pub fn review_worktree(worktrees: &Path, lane: &LaneId, task: &TaskId) -> PathBuf {
    worktrees.join(format!("{lane}.{task}.review"))
}

/// The worktree in which a gate runs that wants a pristine one.
pub fn gate_worktree(worktrees: &Path, lane: &LaneId, task: &TaskId) -> PathBuf {
    worktrees.join(format!("{lane}.{task}.gate"))
}

/// The branch of the pull request that takes a lane out of its target, without `refs/heads/`; `n` counts the lane's resets.
pub fn revert_branch(graph: &GraphName, run: RunNo, lane: &LaneId, n: u32) -> String {
    format!("laneway/{graph}{}/{lane}/revert-{n}", suffix(run))
}

/// What makes a pull request recognisable as the one of this run and lane; a lane that was undone as a whole, or merged
/// before its last work, has another the next time.
pub fn pr_marker(plan: &Plan, lane: &LaneId, rounds: u32) -> String {
    let anew = if rounds == 0 { String::new() } else { format!(".{rounds}") };
    format!("laneway:{}:{}{anew}:{lane}", plan.graph, plan.uuid)
}

/// What makes a pull request recognisable as the one that takes this lane of this run out of its target.
pub fn revert_marker(plan: &Plan, lane: &LaneId, n: u32) -> String {
    format!("laneway:{}:{}.revert-{n}:{lane}", plan.graph, plan.uuid)
}

/// What makes a pull request recognisable as the one of this run and task.
pub fn task_pr_marker(plan: &Plan, lane: &LaneId, task: &TaskId) -> String {
    format!("{}:{task}", pr_marker(plan, lane, 0))
}

fn suffix(run: RunNo) -> String {
    if run.0 == 1 { String::new() } else { format!("-r{run}") }
}
