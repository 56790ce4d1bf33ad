//! A task: whether it may run, and what its newest attempt's end means for it.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::{BACKOFF_MS, attempt, backoff};
use crate::event::{AttemptStatus, LaneStatus, Status, TaskStatus};
use crate::graph::Handoff;
use crate::plan::{LaneIx, TaskIx};

/// Looks at one task.
pub(in crate::engine) fn task(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let state = &core.state.tasks[task];
    if let Some(why) = state.reset_wanted.clone().filter(|_| state.status != TaskStatus::Running) {
        core.mark_ready(task, false);
        let held = core.state.lanes[core.index.lane_of[task]].undo.is_some();
        return if held { Ok(()) } else { core.task_to(task, TaskStatus::Reset, Some(why)) };
    }
    match core.state.tasks[task].status {
        TaskStatus::Pending => pending(core, task),
        TaskStatus::Reset => undone(core, task),
        TaskStatus::Running => running(core, task),
        // One that a person wants tried again is judged anew: it may have been skipped for more than one reason.
        TaskStatus::Skipped
            if (core.state.tasks[task].retry_wanted || core.why_never(task).is_none())
                && core.may_revive(task) =>
        {
            core.task_to(task, TaskStatus::Pending, None)
        }
        TaskStatus::Failed | TaskStatus::Cancelled if core.state.tasks[task].retry_wanted => {
            core.task_to(task, TaskStatus::Pending, Some("a retry was asked for".to_owned()))
        }
        _ => Ok(()),
    }
}

/// One that was undone waits for a person's word.
fn undone(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let state = &core.state.tasks[task];
    let (to, why) = match () {
        () if state.cancel_wanted => (TaskStatus::Cancelled, "called off"),
        () if state.set_aside => (TaskStatus::Skipped, "a person chose to go on without it"),
        () if state.retry_wanted => (TaskStatus::Pending, "a retry was asked for"),
        () => return Ok(()),
    };
    core.task_to(task, to, Some(why.to_owned()))
}

fn pending(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    if core.state.tasks[task].cancel_wanted {
        core.mark_ready(task, false);
        return core.task_to(task, TaskStatus::Cancelled, Some("called off".to_owned()));
    }
    if core.state.tasks[task].set_aside {
        core.mark_ready(task, false);
        return core.task_to(
            task,
            TaskStatus::Skipped,
            Some("a person chose to go on without it".to_owned()),
        );
    }
    if let Some(why) = core.why_never(task) {
        core.mark_ready(task, false);
        return core.task_to(task, TaskStatus::Skipped, Some(why));
    }
    let ready = core.needs_met(task);
    core.mark_ready(task, ready);
    Ok(())
}

fn running(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let Some(newest) = core.state.tasks[task].attempt() else {
        return core.turn(core.attempt_subject(task, 1), None, Status::Attempt(AttemptStatus::Queued), None);
    };
    match newest.status {
        AttemptStatus::Started => attempt::started(core, task),
        AttemptStatus::Waiting => attempt::waiting(core, task),
        AttemptStatus::Queued => attempt::queued(core, task),
        AttemptStatus::Succeeded => {
            let to = if newest.diff.is_some_and(|d| d.files > 0)
                || core.plan.tasks[task].diff != crate::graph::DiffPolicy::None
            {
                TaskStatus::Merged
            } else {
                TaskStatus::Completed
            };
            core.task_to(task, to, None)
        }
        AttemptStatus::Failed
        | AttemptStatus::TimedOut
        | AttemptStatus::Exhausted
        | AttemptStatus::Unknown
        | AttemptStatus::Cancelled => ended_badly(core, task),
    }
}

/// Another attempt, or the end of the task.
fn ended_badly(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let state = &core.state.tasks[task];
    let newest = state.attempt().expect("the caller saw it");
    let interrupted = newest.status == AttemptStatus::Cancelled;
    let lane_failed = core.lane_lost(task);
    if state.cancel_wanted {
        return core.task_to(task, TaskStatus::Cancelled, Some("called off".to_owned()));
    }
    if lane_failed {
        return core.task_to(task, TaskStatus::Cancelled, Some("its lane failed".to_owned()));
    }
    if !interrupted && state.failures >= core.plan.tasks[task].attempts {
        let reason = match (&newest.reason, state.failures) {
            (Some(why), 1) => why.clone(),
            (Some(why), n) => format!("{why} ({n} attempts)"),
            (None, n) => format!("{n} attempts failed"),
        };
        return core.task_to(task, TaskStatus::Failed, Some(reason));
    }
    let number = newest.number + 1;
    core.turn(core.attempt_subject(task, number), None, Status::Attempt(AttemptStatus::Queued), None)
}

impl Core {
    pub(super) fn task_to(
        &mut self,
        task: TaskIx,
        to: TaskStatus,
        reason: Option<String>,
    ) -> Result<(), EngineError> {
        let from = self.state.tasks[task].status;
        self.turn(self.task_subject(task), Some(Status::Task(from)), Status::Task(to), reason)
    }

    pub(super) fn mark_ready(&mut self, task: TaskIx, ready: bool) {
        let rank = self.rank(task);
        self.agenda.set_ready(self.index.lane_of[task], rank, ready);
        self.agenda.schedule |= ready;
    }

    /// The pause between a failed attempt and the next, over at the returned moment.
    pub(super) fn attempt_due(&mut self, task: TaskIx) -> bool {
        let state = &self.state.tasks[task];
        let before = state.attempts.iter().rev().nth(1);
        let Some(ended) = before.and_then(|a| a.ended_at).filter(|_| state.failures > 0) else {
            return true;
        };
        let first = self.plan.tasks[task].retry.as_ref().map_or(BACKOFF_MS, |r| r.backoff.0);
        let due = ended.plus(backoff(first, state.failures));
        if due > self.now.wall {
            self.agenda.wait_wall(due, Item::Task(task));
            return false;
        }
        true
    }

    /// Why the task can never run as things stand.
    fn why_never(&self, task: TaskIx) -> Option<String> {
        let lane = self.index.lane_of[task];
        let own = &self.state.lanes[lane];
        if own.status == LaneStatus::Failed && !own.retry_wanted {
            return Some(format!("its lane failed: {}", own.reason.as_deref().unwrap_or("see its events")));
        }
        let mut around = std::iter::successors(Some(lane), |&lane| self.index.parent[lane]);
        let closed =
            |lane: &LaneIx| self.state.lanes[*lane].is_closed() && self.state.lanes[*lane].undo.is_none();
        if let Some(closed) = around.find(closed) {
            let id = &self.plan.lanes[closed].id;
            return Some(format!("lane `{id}` is merged already, so its work would reach nobody"));
        }
        for &need in &self.index.needs[task] {
            if self.state.tasks[need].set_aside {
                continue;
            }
            let status = self.state.tasks[need].status;
            let id = &self.plan.tasks[need].id;
            if self.index.judged[task].contains(&need) && !status.is_success() {
                continue;
            }
            if status.is_terminal() && !status.is_success() && !self.state.tasks[need].retry_wanted {
                return Some(format!("it needs `{id}`, which {}", said(status)));
            }
            let upstream = self.index.lane_of[need];
            let failed = self.state.lanes[upstream].status == LaneStatus::Failed;
            if upstream != lane && failed && !self.state.lanes[upstream].retry_wanted {
                return Some(format!(
                    "it needs `{id}`, whose lane `{}` failed",
                    self.plan.lanes[upstream].id
                ));
            }
        }
        if self.state.condition(task) == Some(false) {
            let when = self.plan.tasks[task].contract.when.as_ref();
            return Some(format!("its `when` does not hold: {}", when.map_or("", |when| &when.text)));
        }
        None
    }

    /// Whether the lane of a skipped task can still take its work in, and the task is not skipped by a person's choice.
    fn may_revive(&self, task: TaskIx) -> bool {
        let wanted = self.state.tasks[task].retry_wanted;
        let open = |lane: LaneIx| match self.state.lanes[lane].status {
            LaneStatus::Pending | LaneStatus::Active | LaneStatus::Failed => true,
            LaneStatus::Merged => self.state.lanes[lane].tip.is_none(),
            LaneStatus::MergeReady | LaneStatus::PrCreated => wanted,
            LaneStatus::Reset => false,
        };
        let lane = self.index.lane_of[task];
        // A lane that had nothing to do needs its parents once more.
        let idle = self.state.lanes[lane].status == LaneStatus::Merged;
        let mut parents = std::iter::successors(self.index.parent[lane], |&up| self.index.parent[up]);
        !self.state.tasks[task].set_aside && open(lane) && (!idle || parents.all(open))
    }

    /// Whether everything that the task waits for is there.
    pub(super) fn needs_met(&self, task: TaskIx) -> bool {
        self.index.needs[task].iter().all(|&need| self.is_met(task, need))
    }

    /// Whether what the task waits for of `need` is there.
    pub(super) fn is_met(&self, task: TaskIx, need: TaskIx) -> bool {
        let lane = self.index.lane_of[task];
        let upstream = self.index.lane_of[need];
        let (needed, status) = (&self.state.tasks[need], self.state.tasks[need].status);
        if self.state.lanes[upstream].undo.is_some() {
            return false;
        }
        if needed.set_aside {
            return true;
        }
        if self.index.judged[task].contains(&need) && status.is_terminal() && !status.is_success() {
            return !needed.retry_wanted;
        }
        status.is_success()
            && (upstream == lane
                    // Inside one chain of parents work is handed over task by task: down as it lands, up as it is merged.
                    || self.index.is_within(lane, upstream)
                    || self.index.is_within(upstream, lane) && self.state.lanes[upstream].status == LaneStatus::Merged
                    || !self.index.is_within(upstream, lane) && match self.plan.settings.handoff {
                        Handoff::Ready => self.state.is_ready(upstream),
                        Handoff::Merged => self.state.has_landed_for(lane, upstream),
                    })
    }
}

fn said(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Failed => "failed",
        TaskStatus::Skipped => "was skipped",
        _ => "was called off",
    }
}
