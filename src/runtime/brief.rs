//! What an effect has to know of the state, taken along when it starts; effects never see the state that moves on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::{
    Assignment, Commits, ConflictShown, ConflictSide, EarlierAttempt, GivenInput, InstructionInput,
    IterationShown, RejectedSignal, ReviewInput, UpstreamSummary,
};
use crate::event::{AttemptStatus, CHECK_REVIEW, Effect, Output};
use crate::forge::Tried;
use crate::git::Landed;
use crate::graph::{CommitPolicy, REVIEWER, SessionPolicy};
use crate::id::{RoleName, Sha, TaskId};
use crate::plan::{LaneIx, Plan, TaskIx, TaskPlan, Work};
use crate::signal;
use crate::state::{Against, Attempt, ForgeStep, Lane, Note, Predicted, PullRequest, State};
use crate::view;

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
    /// For a probe: the lanes that it is about.
    pub(super) lanes: Vec<Compared>,
}

/// A lane as a probe sees it.
pub(super) struct Compared {
    /// The lane.
    pub(super) lane: LaneIx,
    /// Where it stands; `None` where it is out of the question.
    pub(super) tip: Option<Sha>,
    /// What it is not expected to merge with, as known so far.
    pub(super) predicted: BTreeMap<Against, Predicted>,
}

/// What an attempt's effects have to know.
pub(super) struct AttemptBrief {
    /// The attempt as it stands.
    pub(super) attempt: Attempt,
    /// What its process is told, where one is to begin.
    pub(super) told: Handed<Told>,
    /// What a reviewer of its work is told.
    pub(super) review: Option<Box<ReviewInput>>,
    /// Whether work of an attempt before is in the lane.
    pub(super) landed_before: bool,
    /// Where the lane stands.
    pub(super) tip: Option<Sha>,
    /// Trees that passed a gate in this lane, with its command.
    pub(super) gated: Vec<(Sha, String)>,
    /// Attempt and iteration whose work this process goes on from.
    pub(super) goes_on_from: Option<(u32, u32)>,
    /// The session that its agent is to go on with.
    pub(super) session: Option<String>,
    /// What its agent said for the pull request.
    pub(super) summary: Option<String>,
    /// The task's own pull request.
    pub(super) pr: Option<PullRequest>,
    /// Attempts that counted against the task before this one.
    pub(super) failures: u32,
}

/// What a process of an attempt is told as it begins.
pub(super) struct Told {
    /// What its agent is told; `None` for a command.
    pub(super) agent: Option<ToldAgent>,
    /// The outputs of earlier tasks that its task is given.
    pub(super) inputs: Vec<signal::GivenInput>,
    /// The needs of its task, with what they said.
    pub(super) needs: Vec<(TaskId, Option<String>)>,
    /// What became of the attempts before.
    pub(super) earlier: Vec<signal::EarlierAttempt>,
    /// What agents of other tasks said to this one's.
    pub(super) notes: Vec<Note>,
}

/// What only an agent is told.
pub(super) struct ToldAgent {
    /// Its instructions.
    pub(super) instructions: InstructionInput,
    /// What the page about the whole graph is made of.
    pub(super) standing: view::Standing,
}

/// Something that is handed on once. An effect lives as long as its agent, and what each of a thousand agents was told, which
/// lies in files by then, adds up.
pub(super) struct Handed<T>(Mutex<Option<Box<T>>>);

impl<T> Handed<T> {
    fn new(what: Option<T>) -> Self {
        Self(Mutex::new(what.map(Box::new)))
    }

    /// It, for whoever asks first.
    pub(super) fn take(&self) -> Option<Box<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Brief {
    /// Whether what is asked of the forge may have been done already: it failed before, or its answer was lost with an
    /// orchestrator.
    pub(super) fn tried(&self, lane: &Lane, step: ForgeStep) -> Tried {
        if self.resumed || lane.failed_on_forge.contains(&step) { Tried::Perhaps } else { Tried::Never }
    }

    pub(super) fn new(state: &State, effect: Effect, resumed: bool) -> Self {
        let attempt = match &effect {
            Effect::Attempt { task, attempt, .. }
            | Effect::Collect { task, attempt }
            | Effect::Examine { task, attempt, .. }
            | Effect::Land { task, attempt, .. } => {
                let ix = state.index().task(task).expect("effects name tasks of the plan");
                let iteration = match &effect {
                    Effect::Attempt { iteration, .. } => Some(*iteration),
                    _ => None,
                };
                AttemptBrief::new(state, ix, *attempt, iteration).map(|mut known| {
                    let reviewed = matches!(effect, Effect::Examine { .. });
                    known.review = reviewed.then(|| Box::new(review(state, ix, &known.attempt)));
                    known
                })
            }
            _ => None,
        };
        let whole = match &effect {
            Effect::OpenPr { lane, .. }
            | Effect::Prove { lane, .. }
            | Effect::MergePr { lane, .. }
            | Effect::Teardown { lane, .. }
            | Effect::Conclude { lane }
            | Effect::Undo { lane, .. }
            | Effect::Review { lane, .. }
            | Effect::CheckMerged { lane, .. } => state.index().lane(lane),
            _ => None,
        };
        let tip = match &effect {
            Effect::Provision { lane } => state.index().lane(lane).and_then(|ix| begins_at(state, ix)),
            _ => None,
        };
        let landed = match &effect {
            Effect::Sync { lane, .. } | Effect::Undo { lane, .. } => {
                state.index().lane(lane).map(|lane| landed(state, lane))
            }
            _ => None,
        };
        let lanes = match &effect {
            Effect::Probe { .. } => compared(state),
            _ => Vec::new(),
        };
        let state = whole.map(|lane| Arc::new(state.about(lane)));
        Self { effect, resumed, attempt, tip, state, landed: landed.unwrap_or_default(), lanes }
    }
}

/// The lanes that were probed last, and those about which something is still said.
fn compared(state: &State) -> Vec<Compared> {
    let lanes = state.lanes.iter().enumerate();
    let all = lanes.map(|(lane, known)| Compared {
        lane,
        tip: state.run.probed.get(&lane).cloned(),
        predicted: known.predicted.clone(),
    });
    all.filter(|one| one.tip.is_some() || !one.predicted.is_empty()).collect()
}

/// What has landed on the lane's target in this run, with the commits that brought it.
fn landed(state: &State, lane: LaneIx) -> Vec<Landed> {
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
fn begins_at(state: &State, lane: LaneIx) -> Option<Sha> {
    let parent = || state.lanes[state.index().parent[lane]?].tip.clone();
    state.lanes[lane].tip.clone().or_else(parent)
}

impl AttemptBrief {
    /// `iteration` is the process that begins, where one does.
    fn new(state: &State, task: TaskIx, number: u32, iteration: Option<u32>) -> Option<Self> {
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        let attempt = state.tasks[task].attempts.get(position)?.clone();
        let lane = &state.lanes[state.index().lane_of[task]];
        Some(Self {
            told: Handed::new(iteration.map(|_| told(state, task, position, &attempt))),
            review: None,
            session: session(state, task, position),
            summary: state.tasks[task].summary.clone(),
            pr: state.tasks[task].pr.clone(),
            failures: state.tasks[task].failures,
            landed_before: state.tasks[task].attempts[..position].iter().any(|a| a.landed && !a.undone),
            tip: lane.tip.clone(),
            gated: lane.gated.clone(),
            goes_on_from: iteration
                .and_then(|iteration| goes_on_from(&state.tasks[task].attempts[..=position], iteration)),
            attempt,
        })
    }
}

/// What the process of an attempt that begins is told.
fn told(state: &State, task: TaskIx, position: usize, attempt: &Attempt) -> Told {
    let is_agent = matches!(state.plan().tasks[task].work, Work::Agent { .. });
    let inputs = if is_agent { inputs(state, task) } else { Vec::new() };
    let agent = is_agent.then(|| ToldAgent {
        instructions: instructions(state, task, attempt, &inputs),
        standing: view::Standing::of(state),
    });
    Told {
        agent,
        inputs,
        needs: needs(state, task),
        earlier: earlier(&state.tasks[task].attempts[..position]),
        notes: state.tasks[task].notes.clone(),
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
    let (session, at) =
        attempts[..=position].iter().rev().take_while(|a| !a.undone).find_map(|a| a.session.as_ref())?;
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
    let mut before = before.iter().rev().take_while(|b| b.conflict.is_none() && !b.undone);
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

/// What the tasks before have made for this one.
fn inputs(state: &State, task: TaskIx) -> Vec<signal::GivenInput> {
    let wanted = state.plan().tasks[task].contract.inputs.iter();
    wanted
        .map(|input| {
            let upstream = state.index().task(&input.task).and_then(|ix| state.tasks[ix].outputs());
            let made = upstream.and_then(|outputs| outputs.get(&input.category)).into_iter().flatten();
            let (mut paths, mut values) = (Vec::new(), Vec::new());
            for output in made {
                match output {
                    Output::Path(path) => paths.push(path.clone()),
                    Output::Value(value) => values.push(value.clone()),
                }
            }
            signal::GivenInput { task: input.task.clone(), category: input.category.clone(), paths, values }
        })
        .collect()
}

fn assignment(plan: &Plan, task: TaskIx, inputs: &[signal::GivenInput]) -> Assignment {
    let contract = &plan.tasks[task].contract;
    let role =
        contract.role.as_ref().and_then(|name| Some((name.clone(), plan.roles.get(name)?.text.clone())));
    let given = |input: &signal::GivenInput| GivenInput {
        task: input.task.clone(),
        category: input.category.clone(),
        paths: input.paths.clone(),
        values: input.values.iter().map(ToString::to_string).collect(),
    };
    Assignment {
        role,
        paths: contract.paths.clone(),
        inputs: inputs.iter().map(given).collect(),
        outputs: contract.outputs.clone(),
        adr: contract.adr.clone(),
        overview: true,
    }
}

fn instructions(
    state: &State,
    task: TaskIx,
    attempt: &Attempt,
    inputs: &[signal::GivenInput],
) -> InstructionInput {
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
        assignment: assignment(plan, task, inputs),
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
        withheld: None,
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

fn review(state: &State, task: TaskIx, attempt: &Attempt) -> ReviewInput {
    let plan: &Plan = state.plan();
    let (task_plan, task_state) = (&plan.tasks[task], &state.tasks[task]);
    let before = task_state.attempts.iter().filter(|a| a.number < attempt.number);
    let claimed = attempt.claims.done.as_ref().map(|(_, words)| words.trim());
    let said: Vec<&str> =
        claimed.into_iter().chain(task_state.summary.as_deref()).filter(|said| !said.is_empty()).collect();
    let role = plan.roles.get(REVIEWER).map(|role| role.text.clone());
    ReviewInput {
        graph: plan.graph.clone(),
        task: task_plan.id.clone(),
        lane: task_plan.lane.clone(),
        attempt: attempt.number,
        asked: task_plan.review.as_ref().and_then(|review| review.prompt.clone()),
        role: role.and_then(|text| Some((RoleName::new(REVIEWER).ok()?, text))),
        prompt: match &task_plan.work {
            Work::Agent { prompt, .. } => prompt.clone(),
            Work::Run { command } => command.to_string(),
        },
        said: (!said.is_empty()).then(|| said.join("\n\n")),
        gate: task_plan.gate.as_ref().map(|g| g.command.to_string()),
        earlier: before.filter(|a| a.status != AttemptStatus::Cancelled).map(told_of).collect(),
    }
}

fn told_of(attempt: &Attempt) -> EarlierAttempt {
    let shown = attempt.failed_checks().find(|c| c.name == "gate" || c.name == CHECK_REVIEW);
    EarlierAttempt {
        attempt: attempt.number,
        reason: attempt.reason.clone().unwrap_or_else(|| attempt.status.word().to_owned()),
        output: shown.map(|c| c.detail.clone()),
        rejected: rejected(attempt),
    }
}
