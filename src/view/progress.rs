//! One line a lane: what goes on in it now.

use std::fmt;

use super::elapsed::elapsed;
use super::making;
use super::plain::one_line;
use super::waiting::asks;
use crate::event::{AttemptStatus, Effect, LaneStatus, Timestamp};
use crate::id::{LaneId, TaskId};
use crate::plan::{LaneIx, Plan, TaskIx, Work};
use crate::state::{Attempt, Lane, State, Step};

/// How much of an agent's words a line has place for, in characters.
const NOTE_SHOWN: usize = 120;

/// What goes on in a run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The lanes, in the order of the plan.
    pub lanes: Vec<LaneLine>,
    /// Tasks that succeeded.
    pub done: usize,
    /// Tasks that ended otherwise.
    pub lost: usize,
    /// Tasks of the plan.
    pub total: usize,
    /// Attempts at work.
    pub running: usize,
    /// Attempts that wait for a person; the process of some is still there.
    pub waiting: usize,
    /// Milliseconds since the run began; until its end where it rests.
    pub elapsed_ms: u64,
}

/// What goes on in a lane now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneLine {
    /// The lane.
    pub lane: LaneId,
    /// Its status.
    pub status: LaneStatus,
    /// What is done in it.
    pub phase: Phase,
    /// The task at work.
    pub task: Option<TaskLine>,
    /// Tasks at work beside that one.
    pub others: usize,
    /// Milliseconds that this has taken; `None` where nothing goes on.
    pub elapsed_ms: Option<u64>,
    /// What the agent says of its progress, or why the lane failed; on one line.
    pub note: Option<String>,
}

/// The task that a lane is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLine {
    /// The task.
    pub id: TaskId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The last attempt that there may be, as things stand.
    pub of: u32,
    /// Which process of a loop, and the most that there may be.
    pub iteration: Option<(u32, u32)>,
}

/// What is done in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nothing; its tasks wait for others or for a free place.
    Waiting,
    /// Its worktree and branch are being made.
    Preparing,
    /// It takes in the work of other lanes.
    Syncing,
    /// An agent works.
    Agent,
    /// A command works.
    Command,
    /// What works is being ended.
    Stopping,
    /// What was done is being looked at.
    Checking,
    /// The work is merged into the lane and gated.
    Landing,
    /// The gate of a task without a change runs.
    Gate,
    /// Another agent reviews its work.
    Reviewing,
    /// A pause before the next try.
    Pausing,
    /// An agent asked something.
    Person,
    /// Its pull request is being opened.
    Opening,
    /// Its gates run on the merge with the target.
    Proving,
    /// Its pull request is open.
    PrOpen {
        /// Its number.
        number: u64,
    },
    /// Its pull request is being merged.
    Merging,
    /// Its worktree is being removed.
    TidyingUp,
    /// Its content is in the target.
    Merged,
    /// It failed.
    Failed,
    /// It is being reset.
    Undoing,
    /// It was undone.
    Undone,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Waiting => "waiting for its turn",
            Self::Preparing => "preparing",
            Self::Syncing => "taking in other lanes",
            Self::Agent => "agent at work",
            Self::Command => "command at work",
            Self::Stopping => "stopping",
            Self::Checking => "checking the work",
            Self::Landing => "merging and gate",
            Self::Gate => "gate",
            Self::Reviewing => "in review",
            Self::Pausing => "pausing before another try",
            Self::Person => "waiting for a person",
            Self::Opening => "opening its pull request",
            Self::Proving => "proving the merge",
            Self::PrOpen { number } => return f.pad(&format!("PR #{number} open")),
            Self::Merging => "merging its pull request",
            Self::TidyingUp => "tidying up",
            Self::Merged => "merged",
            Self::Failed => "failed",
            Self::Undoing => "being undone",
            Self::Undone => "undone",
        };
        f.pad(words)
    }
}

/// Says what goes on in a run at `now`.
pub fn progress(plan: &Plan, state: &State, now: Timestamp) -> Progress {
    let ended = |success: bool| {
        let tasks = state.tasks.iter();
        tasks.filter(|t| t.status.is_terminal() && t.status.is_success() == success).count()
    };
    let open = || state.tasks.iter().filter(|t| !t.status.is_terminal()).filter_map(|t| t.attempt());
    let at_a_person = |a: &Attempt| a.status == AttemptStatus::Waiting || asks(a);
    let until = state.run.ended_at.unwrap_or(now);
    Progress {
        lanes: (0..plan.lanes.len()).map(|lane| lane_line(plan, state, lane, now)).collect(),
        done: ended(true),
        lost: ended(false),
        total: plan.tasks.len(),
        running: open().filter(|a| a.status == AttemptStatus::Started && !asks(a)).count(),
        waiting: open().filter(|a| at_a_person(a)).count(),
        elapsed_ms: state.run.started_at.map_or(0, |at| until.since(at)),
    }
}

fn lane_line(plan: &Plan, state: &State, ix: LaneIx, now: Timestamp) -> LaneLine {
    let lane = &state.lanes[ix];
    let current = current_task(state, ix);
    let others = state.live_tasks(ix).filter(|t| Some(*t) != current).count();
    let attempt = current.and_then(|t| state.tasks[t].attempt());
    let phase = match (lane_phase(lane), current, attempt) {
        (Some(phase), ..) => phase,
        (None, Some(task), Some(attempt)) => attempt_phase(plan, task, attempt),
        (None, ..) => Phase::Waiting,
    };
    let put_off = making::put_off(lane);
    let since = match making::making_since(lane).or(put_off.map(|(_, at)| at)) {
        Some(since) => Some(since),
        None => attempt.and_then(|a| a.started_at).or_else(|| lane.since.get(&lane.status).copied()),
    };
    let making = making::making(&plan.lanes[ix]);
    let idle = matches!(phase, Phase::Waiting | Phase::Merged | Phase::Failed);
    let note = match phase {
        Phase::Failed => lane.reason.as_deref(),
        Phase::Preparing => Some(making.as_str()),
        Phase::Pausing if put_off.is_some() => put_off.map(|(failure, _)| failure.message.as_str()),
        Phase::Person => attempt.and_then(|a| a.question.as_deref()),
        _ => attempt.and_then(|a| a.progress.as_deref()),
    };
    LaneLine {
        lane: plan.lanes[ix].id.clone(),
        status: lane.status,
        phase,
        task: current.zip(attempt).map(|(t, a)| TaskLine {
            id: plan.tasks[t].id.clone(),
            attempt: a.number,
            of: last_attempt(plan, state, t),
            iteration: iteration(&plan.tasks[t].work, a),
        }),
        others,
        elapsed_ms: since.filter(|_| !idle).map(|at| now.since(at)),
        note: note.map(|n| one_line(n, NOTE_SHOWN)).filter(|n| !n.is_empty()),
    }
}

fn iteration(work: &Work, attempt: &Attempt) -> Option<(u32, u32)> {
    let Work::Agent { by, .. } = work else { return None };
    let most = by.repeat.as_ref()?.max_iterations;
    (attempt.iteration > 0).then_some((attempt.iteration, most.max(attempt.iteration)))
}

/// Attempts that did not count against a task, such as interrupted ones, come on top of those it is allowed.
pub(super) fn last_attempt(plan: &Plan, state: &State, task: TaskIx) -> u32 {
    let task_state = &state.tasks[task];
    let number = task_state.attempt().map_or(0, |a| a.number);
    let newest_failed = task_state.attempt().is_some_and(|a| a.status.is_failure());
    let before = task_state.failures - u32::from(newest_failed && task_state.failures > 0);
    let left = plan.tasks[task].attempts.saturating_sub(before + 1);
    number + left
}

/// The task that a lane's line is about: the one that lands, else one that works, else one that waits.
fn current_task(state: &State, lane: LaneIx) -> Option<TaskIx> {
    let open = |wanted: AttemptStatus| {
        state.index().tasks_of[lane].iter().copied().find(|&t| {
            !state.tasks[t].status.is_terminal()
                && state.tasks[t].attempt().is_some_and(|a| a.status == wanted)
        })
    };
    state.lanes[lane]
        .turn
        .or_else(|| state.live_tasks(lane).next())
        .or_else(|| open(AttemptStatus::Waiting))
        .or_else(|| open(AttemptStatus::Queued))
}

/// What is done with the lane itself; `None` where its tasks say it.
fn lane_phase(lane: &Lane) -> Option<Phase> {
    let doing = lane.step.as_ref().filter(|s| s.is_in_flight()).map(|s| &s.effect);
    match (lane.status, doing) {
        (_, Some(Effect::Teardown { .. } | Effect::Conclude { .. })) => Some(Phase::TidyingUp),
        (_, Some(Effect::Undo { .. })) => Some(Phase::Undoing),
        (LaneStatus::Reset, _) => Some(Phase::Undone),
        (LaneStatus::Merged, _) => Some(Phase::Merged),
        (LaneStatus::Failed, _) => Some(Phase::Failed),
        (LaneStatus::Pending, Some(_)) => Some(Phase::Preparing),
        (LaneStatus::Pending, None) if making::put_off(lane).is_some() => Some(Phase::Pausing),
        (LaneStatus::Active, Some(Effect::Sync { .. })) => Some(Phase::Syncing),
        (LaneStatus::Pending | LaneStatus::Active, _) => None,
        (_, Some(Effect::Prove { .. } | Effect::CheckMerged { .. })) => Some(Phase::Proving),
        (_, Some(Effect::MergePr { .. })) => Some(Phase::Merging),
        (LaneStatus::MergeReady, _) => Some(Phase::Opening),
        (LaneStatus::PrCreated, _) => lane.pr.as_ref().map(|pr| Phase::PrOpen { number: pr.at.number }),
    }
}

fn attempt_phase(plan: &Plan, task: TaskIx, attempt: &Attempt) -> Phase {
    match attempt.status {
        AttemptStatus::Waiting => return Phase::Person,
        AttemptStatus::Started if asks(attempt) => return Phase::Person,
        AttemptStatus::Queued if attempt.number > 1 => return Phase::Pausing,
        AttemptStatus::Started => {}
        _ => return Phase::Waiting,
    }
    match &attempt.step {
        Some(step) if !step.is_in_flight() => Phase::Pausing,
        Some(Step { effect: Effect::Attempt { .. }, .. }) if attempt.stop.is_some() => Phase::Stopping,
        Some(Step { effect: Effect::Attempt { .. }, .. }) => match plan.tasks[task].work {
            Work::Agent { .. } => Phase::Agent,
            Work::Run { .. } => Phase::Command,
        },
        Some(Step { effect: Effect::Examine { .. }, .. }) => Phase::Reviewing,
        Some(Step { effect: Effect::Land { commit: None, .. }, .. }) => Phase::Gate,
        Some(Step { effect: Effect::Land { .. }, .. }) => Phase::Landing,
        _ => Phase::Checking,
    }
}

impl fmt::Display for LaneLine {
    /// The line without the lane's name, so that names can be aligned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.task {
            write!(f, "{} {}/{}  ", task.id, task.attempt, task.of)?;
            if let Some((n, most)) = task.iteration {
                write!(f, "iteration {n}/{most}  ")?;
            }
        }
        write!(f, "{}", self.phase)?;
        if let Some(ms) = self.elapsed_ms {
            write!(f, "  {}", elapsed(ms))?;
        }
        if self.others > 0 {
            write!(f, "  (and {} more at work)", self.others)?;
        }
        if let Some(note) = &self.note {
            write!(f, "  {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Progress {
    /// The closing line: how far the run as a whole is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} tasks done", self.done, self.total)?;
        let parts = [
            (self.running, "at work"),
            (self.waiting, "waiting for a person"),
            (self.lost, "failed or skipped"),
        ];
        for (count, words) in parts {
            if count > 0 {
                write!(f, ", {count} {words}")?;
            }
        }
        write!(f, "  {}", elapsed(self.elapsed_ms))
    }
}
