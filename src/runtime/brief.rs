//! What an effect has to know of the state, taken along when it starts; effects never see the state that moves on.

use std::sync::Arc;

use crate::agent::{
    Commits, ConflictShown, ConflictSide, EarlierAttempt, InstructionInput, IterationShown, RejectedSignal,
    UpstreamSummary,
};
use crate::event::{AttemptStatus, Effect};
use crate::git::Landed;
use crate::graph::{CommitPolicy, SessionPolicy};
use crate::id::{Sha, TaskId};
use crate::plan::{Plan, TaskIx, TaskPlan, Work};
use crate::signal;
use crate::state::{Attempt, Note, State};

/// What one effect takes along.
pub(super) struct Brief {
    /// The effect.
    pub(super) effect: Effect,
    /// Whether it was intended before this orchestrator lived, so that the world has to be asked first.
    pub(super) resumed: bool,
    /// What its attempt has to know.
    pub(super) attempt: Option<AttemptBrief>,
    /// Where the lane of an effect on a lane stands, as far as it is known.
    pub(super) tip: Option<Sha>,
    /// What was known of its lane at its start, and of those that the lane holds.
    pub(super) state: Option<Arc<State>>,
    /// For a sync: what has landed where the lane goes.
    pub(super) landed: Vec<Landed>,
}

/// What an attempt's effects have to know.
pub(super) struct AttemptBrief {
    /// The attempt as it stands.
    pub(super) attempt: Attempt,
    /// What its agent is told.
    pub(super) instructions: Option<InstructionInput>,
    /// The needs of its task, with what they said.
    pub(super) needs: Vec<(TaskId, Option<String>)>,
    /// What became of the attempts before.
    pub(super) earlier: Vec<signal::EarlierAttempt>,
    /// Where the lane stands.
    pub(super) tip: Option<Sha>,
    /// Trees that passed a gate in this lane, with its command.
    pub(super) gated: Vec<(Sha, String)>,
    /// Attempt and iteration whose work this process goes on from.
    pub(super) goes_on_from: Option<(u32, u32)>,
    /// The session that its agent is to go on with.
    pub(super) session: Option<String>,
    /// What agents of other tasks said to this one's.
    pub(super) notes: Vec<Note>,
}

impl Brief {
    pub(super) fn new(state: &State, effect: Effect, resumed: bool) -> Self {
        let attempt = match &effect {
            Effect::Attempt { task, attempt, .. }
            | Effect::Collect { task, attempt }
            | Effect::Land { task, attempt, .. } => {
                let ix = state.index().task(task).expect("effects name tasks of the plan");
                let iteration = match &effect {
                    Effect::Attempt { iteration, .. } => Some(*iteration),
                    _ => None,
                };
                AttemptBrief::new(state, ix, *attempt, iteration)
            }
            _ => None,
        };
        let whole = match &effect {
            Effect::OpenPr { lane, .. }
            | Effect::Prove { lane, .. }
            | Effect::MergePr { lane, .. }
            | Effect::Teardown { lane, .. }
            | Effect::CheckMerged { lane, .. } => state.index().lane(lane),
            _ => None,
        };
        let tip = match &effect {
            Effect::Provision { lane } => state.index().lane(lane).and_then(|ix| begins_at(state, ix)),
            _ => None,
        };
        let landed = match &effect {
            Effect::Sync { lane, .. } => state.index().lane(lane).map(|lane| landed(state, lane)),
            _ => None,
        };
        let state = whole.map(|lane| Arc::new(state.about(lane)));
        Self { effect, resumed, attempt, tip, state, landed: landed.unwrap_or_default() }
    }
}

/// What has landed on the lane's target in this run, with the commits that brought it.
fn landed(state: &State, lane: crate::plan::LaneIx) -> Vec<Landed> {
    let plan = &state.plan().lanes;
    let beside = plan.iter().zip(&state.lanes).filter(|(other, _)| other.target == plan[lane].target);
    beside
        .filter_map(|(_, lane)| {
            let pr = lane.pr.as_ref()?;
            Some(Landed { commit: pr.merged.clone()?, head: pr.tip.clone() })
        })
        .collect()
}

/// Where a lane stands, or is cut from: a nested one from where its parent stands.
fn begins_at(state: &State, lane: crate::plan::LaneIx) -> Option<Sha> {
    let parent = || state.lanes[state.index().parent[lane]?].tip.clone();
    state.lanes[lane].tip.clone().or_else(parent)
}

impl AttemptBrief {
    /// `iteration` is the process that begins, where one does.
    fn new(state: &State, task: TaskIx, number: u32, iteration: Option<u32>) -> Option<Self> {
        let told = iteration.is_some();
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        let attempt = state.tasks[task].attempts.get(position)?.clone();
        let lane = &state.lanes[state.index().lane_of[task]];
        let needs = if told { needs(state, task) } else { Vec::new() };
        let earlier = if told { earlier(&state.tasks[task].attempts[..position]) } else { Vec::new() };
        let is_agent = matches!(state.plan().tasks[task].work, Work::Agent { .. });
        Some(Self {
            instructions: (told && is_agent).then(|| instructions(state, task, &attempt)),
            notes: if told { state.tasks[task].notes.clone() } else { Vec::new() },
            session: session(state, task, position),
            needs,
            earlier,
            tip: lane.tip.clone(),
            gated: lane.gated.clone(),
            goes_on_from: iteration
                .and_then(|iteration| goes_on_from(&state.tasks[task].attempts[..=position], iteration)),
            attempt,
        })
    }
}

/// The newest session of the task that the attempt at `position` can go on with: one of the same worktree, to which
/// agents tie theirs.
fn session(state: &State, task: TaskIx, position: usize) -> Option<String> {
    let Work::Agent { by, .. } = &state.plan().tasks[task].work else { return None };
    if by.session != SessionPolicy::Continue {
        return None;
    }
    let attempts = &state.tasks[task].attempts;
    let place = attempts.get(position)?.place;
    let (session, at) = attempts[..=position].iter().rev().find_map(|a| a.session.as_ref())?;
    (*at == place).then(|| session.clone())
}

fn needs(state: &State, task: TaskIx) -> Vec<(TaskId, Option<String>)> {
    let needs = state.index().needs[task].iter();
    needs.map(|&n| (state.plan().tasks[n].id.clone(), state.tasks[n].summary.clone())).collect()
}

/// The process whose work the newest of `attempts` goes on from with its process `iteration`: its own one before, or that of
/// the newest earlier attempt whose work was looked at. After a conflict work begins anew at the lane's tip.
fn goes_on_from(attempts: &[Attempt], iteration: u32) -> Option<(u32, u32)> {
    let (newest, before) = attempts.split_last()?;
    if iteration > 1 {
        return Some((newest.number, iteration - 1));
    }
    let mut before = before.iter().rev().take_while(|b| b.conflict.is_none());
    before.find_map(|b| Some((b.number, b.work()?.1)))
}

fn earlier(attempts: &[Attempt]) -> Vec<signal::EarlierAttempt> {
    attempts
        .iter()
        .map(|a| signal::EarlierAttempt {
            attempt: a.number,
            outcome: a.status.word().to_owned(),
            why: a.reason.clone().unwrap_or_default(),
        })
        .collect()
}

fn instructions(state: &State, task: TaskIx, attempt: &Attempt) -> InstructionInput {
    let plan: &Plan = state.plan();
    let (task_plan, task_state) = (&plan.tasks[task], &state.tasks[task]);
    let lane = &plan.lanes[state.index().lane_of[task]];
    let before = &task_state.attempts[..task_state.attempts.len().saturating_sub(1)];
    let told = before.iter().filter(|a| a.status != AttemptStatus::Cancelled);
    let mut prompt = match &task_plan.work {
        Work::Agent { prompt, .. } => prompt.clone(),
        Work::Run { command } => command.to_string(),
    };
    if let Some(answer) = attempt.answer.as_ref().filter(|_| attempt.iteration > 1) {
        prompt.push_str("\n\nYou asked, and a person answered:\n\n");
        prompt.push_str(answer);
    }
    InstructionInput {
        graph: plan.graph.clone(),
        task: task_plan.id.clone(),
        lane: lane.id.clone(),
        attempt: attempt.number,
        attempts: task_plan.attempts.max(attempt.number),
        prompt,
        base: attempt.start.as_ref().map(ToString::to_string).unwrap_or_default(),
        target: lane.target.clone(),
        writes: task_plan.writes.clone(),
        gate: task_plan.gate.as_ref().map(|g| g.command.to_string()),
        commits: match task_plan.commit {
            CommitPolicy::Auto => Commits::Laneway,
            CommitPolicy::Agent => Commits::Agent,
        },
        iteration: iteration(task_plan, attempt),
        upstream: needs(state, task)
            .into_iter()
            .filter_map(|(task, summary)| Some(UpstreamSummary { task, summary: summary? }))
            .collect(),
        earlier: told.map(told_of).collect(),
        conflict: conflict(attempt, before.last()),
    }
}

/// What the attempt has to resolve: the lane's conflict with upstream work, or that of the work before with the lane.
fn conflict(attempt: &Attempt, last: Option<&Attempt>) -> Option<ConflictShown> {
    let (side, conflict) = match (&attempt.resolves, last) {
        (Some(resolves), _) => (ConflictSide::Upstream(resolves.conflict.with.clone()), &resolves.conflict),
        (None, last) => {
            let last = last?;
            let work = last.collected.clone().flatten().map(|s| s.to_string()).unwrap_or_default();
            (ConflictSide::Work(work), last.conflict.as_ref()?)
        }
    };
    Some(ConflictShown {
        side,
        paths: conflict.paths.clone(),
        more: conflict.more,
        detail: conflict.detail.clone(),
    })
}

fn iteration(task: &TaskPlan, attempt: &Attempt) -> Option<IterationShown> {
    let Work::Agent { by, .. } = &task.work else { return None };
    let repeat = by.repeat.as_ref()?;
    Some(IterationShown {
        n: attempt.iteration,
        most: repeat.max_iterations.max(attempt.iteration),
        tracker: repeat.tracker.clone(),
        tracker_text: None,
        rejected: rejected(attempt),
    })
}

fn rejected(attempt: &Attempt) -> Vec<RejectedSignal> {
    let rejected = attempt.rejected.iter();
    rejected.map(|(path, reason)| RejectedSignal { path: path.clone(), reason: reason.clone() }).collect()
}

fn told_of(attempt: &Attempt) -> EarlierAttempt {
    let gate = attempt.failed_checks().find(|c| c.name == "gate");
    EarlierAttempt {
        attempt: attempt.number,
        reason: attempt.reason.clone().unwrap_or_else(|| attempt.status.word().to_owned()),
        output: gate.map(|c| c.detail.clone()),
        rejected: rejected(attempt),
    }
}
