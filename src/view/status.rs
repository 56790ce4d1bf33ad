//! Where a run stands, as `status` says it: to programs as JSON, to people through `render`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Waiting, making, waiting};
use crate::event::{
    AttemptStatus, CheckStatus, ConcernClass, DiffStat, Evidence, LaneStatus, RunStatus, TaskStatus,
    Timestamp,
};
use crate::id::{GraphName, LaneId, RunNo, Sha, TaskId};
use crate::plan::{LaneIx, Plan, TaskIx};
use crate::state::{Against, Attempt, Check, Lane, PullRequest, State, Usage, Warmth};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The graph.
    pub graph: GraphName,
    /// The run.
    pub run: RunNo,
    /// The run's status; `None` before its first event.
    pub state: Option<RunStatus>,
    /// Why it rests.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it last came to rest.
    pub ended_at: Option<Timestamp>,
    /// Whether a person paused it.
    pub paused: bool,
    /// Whether a process carries it; filled in by whoever can look.
    pub carried: Option<bool>,
    /// What living attempts are at; filled in by whoever was asked to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Vec<Live>>,
    /// How the graph file differs from the frozen plan; filled in by whoever can read the file.
    pub drift: Option<String>,
    /// The lanes, in the order of the plan.
    pub lanes: Vec<LaneView>,
    /// The tasks, in the order of the plan.
    pub tasks: Vec<TaskView>,
    /// What waits for a person.
    pub waiting: Vec<Waiting>,
}

/// What a living attempt is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: u32,
    /// Its processes.
    pub processes: u32,
    /// Sockets that they have open.
    pub sockets: u32,
    /// CPU time that they have used, in milliseconds.
    pub cpu_ms: u64,
    /// How long ago it last printed, in milliseconds.
    pub output_age_ms: Option<u64>,
}

/// Where a lane stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneView {
    /// Its id.
    pub id: LaneId,
    /// Its status.
    pub status: LaneStatus,
    /// Its integration branch.
    pub branch: String,
    /// The branch that it goes to.
    pub target: String,
    /// Its worktree, while it has one.
    pub worktree: Option<String>,
    /// Its ports, by the names of their variables, while it has a worktree.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
    /// Where its branch stands, once it has one.
    pub tip: Option<Sha>,
    /// Its pull request.
    pub pr: Option<PrView>,
    /// Why it failed; `None` unless it did.
    pub error: Option<String>,
    /// What is to be said of its status otherwise.
    pub reason: Option<String>,
    /// When it took its status.
    pub since: Option<Timestamp>,
    /// Evidence about the lane as a whole.
    pub checks: Vec<CheckView>,
    /// What agents remarked.
    pub concerns: Vec<ConcernView>,
    /// What could not be done without stopping it.
    pub remarks: Vec<String>,
    /// What it is not expected to merge with.
    pub predicted: Vec<PredictedView>,
}

/// A conflict that is to be expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PredictedView {
    /// The other lane; `None` where it is the target.
    pub lane: Option<LaneId>,
    /// What with, in words.
    pub with: String,
    /// The paths, as many as the record lists.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrView {
    /// Its number on the forge.
    pub number: u64,
    /// Where a person finds it.
    pub url: String,
    /// Open, merged or closed.
    pub state: PrState,
    /// The tip that it shows.
    pub tip: Sha,
}

/// What became of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrState {
    /// It can be merged.
    Open,
    /// Its content is in the target.
    Merged,
    /// It was closed unmerged.
    Closed,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// The lane it runs in.
    pub lane: LaneId,
    /// Its status.
    pub status: TaskStatus,
    /// Attempts so far.
    pub attempts: usize,
    /// Failures of the work after which it has failed.
    pub attempts_allowed: u32,
    /// Its own pull request, in a lane that has them.
    pub pr: Option<PrView>,
    /// The newest attempt's status.
    pub attempt_status: Option<AttemptStatus>,
    /// The newest attempt's evidence.
    pub checks: Vec<CheckView>,
    /// Why it failed, was skipped or called off; `None` otherwise.
    pub error: Option<String>,
    /// Why its last ended attempt did not succeed, while it goes on.
    pub reason: Option<String>,
    /// What its agent asks.
    pub question: Option<String>,
    /// How far its agent says it is.
    pub progress: Option<String>,
    /// How long it has shown no sign of life, as last looked at; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Evidence>,
    /// What its agent said of its work.
    pub summary: Option<String>,
    /// What its agent used, by attempt, as far as the agent's output says.
    pub usage: Vec<UsageView>,
    /// The size of the newest attempt's change.
    pub diff: Option<DiffStat>,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What the agents of one attempt used: the one that does the work, and those that review it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageView {
    /// The attempt.
    pub attempt: u32,
    /// The newest session of its agent.
    pub session: Option<String>,
    /// Input tokens, those read from a cache among them.
    pub input_tokens: u64,
    /// Input tokens that were read from a cache.
    pub cached_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Cost in millionths of a US dollar.
    pub cost_micros: u64,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    /// What was looked at.
    pub name: String,
    /// The result.
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// An agent's remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConcernView {
    /// Design or ops.
    pub class: ConcernClass,
    /// The task whose agent made it.
    pub task: Option<TaskId>,
    /// The remark.
    pub text: String,
}

/// Says where a run stands.
pub fn status(plan: &Plan, state: &State) -> Status {
    Status {
        graph: plan.graph.clone(),
        run: plan.run,
        state: state.run.status,
        reason: state.run.reason.clone(),
        started_at: state.run.started_at,
        ended_at: state.run.ended_at,
        paused: state.run.paused,
        carried: None,
        live: None,
        drift: None,
        lanes: (0..plan.lanes.len()).map(|ix| lane_view(plan, state, ix)).collect(),
        tasks: (0..plan.tasks.len()).map(|ix| task_view(plan, state, ix)).collect(),
        waiting: waiting(plan, state),
    }
}

fn lane_view(plan: &Plan, state: &State, ix: LaneIx) -> LaneView {
    let predicted = state.predictions(ix).map(|(against, p)| PredictedView {
        lane: match against {
            Against::Lane(other) => Some(plan.lanes[other].id.clone()),
            Against::Target => None,
        },
        with: p.with.clone(),
        paths: p.paths.clone(),
        more: p.more,
    });
    let predicted = predicted.collect();
    let (plan, lane) = (&plan.lanes[ix], &state.lanes[ix]);
    let (error, reason) = match lane.status {
        LaneStatus::Failed => (Some(reason_of(lane)), None),
        LaneStatus::Pending if lane.warmth == Warmth::Warm => {
            (None, Some("its worktree is made already".to_owned()))
        }
        LaneStatus::Pending => (None, making::of_worktree(plan, lane).or_else(|| lane.reason.clone())),
        _ => (None, lane.reason.clone()),
    };
    LaneView {
        id: plan.id.clone(),
        status: lane.status,
        branch: plan.branch.clone(),
        target: plan.target.clone(),
        worktree: lane.worktree.clone(),
        ports: lane.worktree.as_ref().map(|_| lane.ports.clone()).unwrap_or_default(),
        tip: lane.tip.clone(),
        pr: lane.pr.as_ref().map(PrView::new),
        error,
        reason,
        since: lane.since.get(&lane.status).copied(),
        checks: checks(&lane.checks),
        concerns: lane
            .concerns
            .iter()
            .map(|c| ConcernView { class: c.class, task: c.task.clone(), text: c.text.clone() })
            .collect(),
        remarks: lane.remarks.clone(),
        predicted,
    }
}

fn reason_of(lane: &Lane) -> String {
    lane.reason.clone().unwrap_or_else(|| "no reason given".to_owned())
}

fn task_view(plan: &Plan, state: &State, ix: TaskIx) -> TaskView {
    let (plan, task) = (&plan.tasks[ix], &state.tasks[ix]);
    let ended_badly = task.status.is_terminal() && !task.status.is_success();
    let newest = task.attempt();
    let last_failure = task.attempts.iter().rev().find_map(|a| {
        let failed = a.status.is_terminal() && a.status != AttemptStatus::Succeeded;
        failed.then(|| a.reason.clone()).flatten()
    });
    TaskView {
        id: plan.id.clone(),
        lane: plan.lane.clone(),
        status: task.status,
        attempts: task.attempts.len(),
        attempts_allowed: plan.attempts,
        pr: task.pr.as_ref().map(PrView::new),
        attempt_status: newest.map(|a| a.status),
        checks: newest.map(|a| checks(&a.checks)).unwrap_or_default(),
        error: ended_badly.then(|| task.reason.clone().unwrap_or_else(|| "no reason given".to_owned())),
        reason: last_failure.filter(|_| !task.status.is_terminal()),
        question: newest.filter(|a| a.status == AttemptStatus::Waiting).and_then(|a| a.question.clone()),
        progress: newest.filter(|a| a.status == AttemptStatus::Started).and_then(|a| a.progress.clone()),
        quiet: newest
            .filter(|a| a.status == AttemptStatus::Started && !a.over)
            .and_then(|a| Some(a.quiet?.evidence)),
        summary: task.said().map(ToOwned::to_owned),
        usage: task.attempts.iter().filter_map(UsageView::new).collect(),
        diff: newest.and_then(|a| a.diff),
        started_at: task.attempts.first().and_then(|a| a.started_at),
        ended_at: task.ended_at,
    }
}

fn checks(checks: &[Check]) -> Vec<CheckView> {
    checks
        .iter()
        .map(|c| CheckView {
            name: c.name.clone(),
            status: c.status,
            detail: c.detail.clone(),
            duration_ms: c.duration_ms,
        })
        .collect()
}

impl UsageView {
    fn new(attempt: &Attempt) -> Option<Self> {
        attempt.used().next()?;
        let Usage { input_tokens, cached_tokens, output_tokens, cost_micros } = attempt.used().sum();
        Some(Self {
            attempt: attempt.number,
            session: attempt.session.as_ref().map(|(id, _)| id.clone()),
            input_tokens,
            cached_tokens,
            output_tokens,
            cost_micros,
        })
    }
}

impl PrView {
    pub(super) fn new(pr: &PullRequest) -> Self {
        let state = match (&pr.merged, &pr.closed_by) {
            (Some(_), _) => PrState::Merged,
            (None, Some(_)) => PrState::Closed,
            (None, None) => PrState::Open,
        };
        Self { number: pr.at.number, url: pr.at.url.clone(), state, tip: pr.tip.clone() }
    }
}

impl PrState {
    /// The word on the wire and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }
}
