//! The run: whether anything goes on, and if not, how it ended.

use super::super::EngineError;
use super::super::core::Core;
use crate::event::{LaneStatus, RunStatus, Status, Subject, TaskStatus, WorkflowEnd};

/// Looks at the run as a whole, after everything else has come to rest.
pub(in crate::engine) fn run(core: &mut Core) -> Result<(), EngineError> {
    let Some(status) = core.state.run.status else {
        return Ok(());
    };
    if status != RunStatus::Running && wake(core, status)? {
        return Ok(());
    }
    if !core.state.outstanding.is_empty() || core.live > 0 {
        return Ok(());
    }
    let Some((to, reason)) = rest(core) else { return Ok(()) };
    // Lanes that failed of their pull requests can get well without anything being started again.
    let healed = status == RunStatus::Failed && to == RunStatus::Completed;
    // A merge can give a task back that waits to be started.
    let undone =
        status == RunStatus::Failed && core.state.tasks.iter().any(|t| t.status == TaskStatus::Reset);
    let reopened = (status == RunStatus::Completed || undone) && to == RunStatus::Blocked;
    // A retry takes the cancel back also where nothing is left to be started.
    let called_back = status == RunStatus::Cancelled && to != status;
    let status = if called_back { RunStatus::Running } else { status };
    if !healed && !reopened && !matches!(status, RunStatus::Running | RunStatus::Blocked) || to == status {
        return Ok(());
    }
    if called_back {
        let cancelled = Some(Status::Run(RunStatus::Cancelled));
        core.turn(Subject::default(), cancelled, Status::Run(status), None)?;
    }
    core.turn(Subject::default(), Some(Status::Run(status)), Status::Run(to), reason.clone())?;
    core.decide(Subject::default(), WorkflowEnd { outcome: to.word().to_owned(), reason })
}

/// A run at rest goes on when there is something that can be started. Says whether it does.
fn wake(core: &mut Core, status: RunStatus) -> Result<bool, EngineError> {
    let run = &core.state.run;
    if !run.attempts_allowed || run.cancelled || run.interrupts > 0 || !core.has_work() {
        return Ok(false);
    }
    core.agenda.schedule = true;
    core.turn(Subject::default(), Some(Status::Run(status)), Status::Run(RunStatus::Running), None)?;
    Ok(true)
}

/// How a run with nothing under way ended; `None` while something can still be started.
fn rest(core: &Core) -> Option<(RunStatus, Option<String>)> {
    let state = &core.state;
    if state.run.cancelled {
        return Some((RunStatus::Cancelled, Some("called off".to_owned())));
    }
    if core.lane_can_move() {
        return None;
    }
    if core.has_work() {
        let reopened = state.run.status == Some(RunStatus::Completed) && !state.run.attempts_allowed;
        let reason = "a task waits to be started: laneway resume".to_owned();
        return reopened.then_some((RunStatus::Blocked, Some(reason)));
    }
    let failed: Vec<&str> = core
        .plan
        .lanes
        .iter()
        .zip(&state.lanes)
        .enumerate()
        .filter(|(ix, (_, lane))| lane.status == LaneStatus::Failed && !core.state.goes_on_without(*ix))
        .map(|(_, (plan, _))| plan.id.as_str())
        .collect();
    let waiting: Vec<&str> = core
        .plan
        .tasks
        .iter()
        .zip(&state.tasks)
        .filter(|(_, task)| !task.status.is_terminal())
        .map(|(plan, _)| plan.id.as_str())
        .collect();
    if !waiting.is_empty() {
        let undone = waiting.iter().filter(|id| core.was_undone(id)).copied().collect::<Vec<_>>();
        let reason = if undone.is_empty() {
            format!("waits for a person: {}", list(&waiting))
        } else {
            format!("waits for a person: {} undone", list(&undone))
        };
        return Some((RunStatus::Blocked, Some(reason)));
    }
    let nested = core.nested_and_open();
    if failed.is_empty() && !nested.is_empty() {
        let reason = format!("waits for the merge of the nested {}", list(&nested));
        return Some((RunStatus::Blocked, Some(reason)));
    }
    if !failed.is_empty() {
        let noun = if failed.len() == 1 { "lane" } else { "lanes" };
        return Some((RunStatus::Failed, Some(format!("{noun} {} failed", list(&failed)))));
    }
    Some((RunStatus::Completed, None))
}

fn list(names: &[&str]) -> String {
    let shown = names.iter().take(5).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown} and {} more", names.len() - 5) } else { shown }
}

impl Core {
    fn was_undone(&self, id: &str) -> bool {
        let mut tasks = self.plan.tasks.iter().zip(&self.state.tasks);
        tasks.any(|(plan, task)| plan.id.as_str() == id && task.status == TaskStatus::Reset)
    }

    /// Nested lanes that a person has to merge before the ones that hold them can go on.
    fn nested_and_open(&self) -> Vec<&str> {
        let lanes = self.state.lanes.iter().enumerate();
        let open = lanes.filter(|(lane, state)| {
            self.index.parent[*lane].is_some() && state.status == LaneStatus::PrCreated
        });
        open.map(|(lane, _)| self.plan.lanes[lane].id.as_str()).collect()
    }

    /// Whether a pause runs that the run is held open for. Nobody waits long for what only tells how it went.
    fn holds_the_run(&self, step: &crate::state::Step) -> bool {
        let most = self.now.wall.plus(super::MOST_BACKOFF_MS);
        match self.remedy(step, None) {
            Some(super::Remedy::Wait(due)) => !super::ending::is_conclude(&step.effect) || due <= most,
            _ => false,
        }
    }

    /// Whether a lane has a step to take that needs nobody: a pause runs, or a merge is near.
    fn lane_can_move(&self) -> bool {
        self.state.lanes.iter().any(|lane| {
            // One that failed tries nothing again by itself.
            lane.status != LaneStatus::Failed
                && lane.step.as_ref().is_some_and(|step| self.holds_the_run(step))
                || matches!(lane.status, LaneStatus::MergeReady)
                    && !lane.step.as_ref().is_some_and(super::lane::refused)
        })
    }
}
