//! What waits for a person, and the command that lets it go on.

use serde::Serialize;

use super::plain::one_line;
use crate::event::{
    AttemptStatus, CHECK_MERGEABLE, CheckStatus, FailureKind, LaneStatus, RunStatus, TaskStatus, named,
};
use crate::graph::{DiffPolicy, MergePolicy};
use crate::id::{LaneId, TaskId};
use crate::plan::{LaneIx, Plan, TaskIx, Work};
use crate::state::{Against, Attempt, Check, Lane, State};

/// How much of an agent's or a tool's words is shown, in characters.
const WORDS_SHOWN: usize = 2000;

/// The sort of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingKind {
    /// An agent asked something.
    Answer,
    /// A lane that would merge itself is held by an agent's design concern.
    Concern,
    /// Something has to be looked at before it can go on.
    Attention,
    /// A lane failed and can be tried again.
    Retry,
    /// A pull request is there to be reviewed and merged.
    Merge,
    /// Something was lost or could not be seen; for a person to know, and on the wire a matter of attention.
    #[serde(rename = "attention")]
    Loss,
}

impl WaitingKind {
    /// The word on the wire and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Concern => "concern",
            Self::Attention | Self::Loss => "attention",
            Self::Retry => "retry",
            Self::Merge => "merge",
        }
    }
}

/// One thing that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// What sort of decision it is.
    pub kind: WaitingKind,
    /// The lane that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<LaneId>,
    /// The task that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// What is to be decided, on one line.
    pub question: String,
    /// The command that decides it.
    pub hint: String,
    /// The lanes that wait to be merged too, and that a merge is expected to set this one against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<ConflictsWith>,
}

/// Lanes that are offered at the same time and would not merge with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictsWith {
    /// The other lanes, in the order of the plan.
    pub lanes: Vec<LaneId>,
    /// What becomes of this lane once one of them is merged.
    pub then: String,
}

/// Everything that waits for a person, in the order of the plan: questions first, then lanes, then the run.
pub fn waiting(plan: &Plan, state: &State) -> Vec<Waiting> {
    let mut out = answers(plan, state);
    out.extend(undone(plan, state));
    out.extend(undoing(plan, state));
    for lane in 0..plan.lanes.len() {
        out.extend(lane_waits(plan, state, lane));
    }
    if state.run.paused && state.run.status == Some(RunStatus::Running) {
        out.push(of_run(WaitingKind::Attention, "the run is paused", "laneway resume"));
    }
    let losses = state.run.losses.iter();
    out.extend(losses.map(|what| of_run(WaitingKind::Loss, &one_line(what, WORDS_SHOWN), "laneway verify")));
    out
}

fn of_run(kind: WaitingKind, question: &str, hint: &str) -> Waiting {
    Waiting {
        kind,
        lane: None,
        task: None,
        question: question.to_owned(),
        hint: hint.to_owned(),
        conflicts: None,
    }
}

/// Resets that are under way and wait for nobody: only a process that carries the run goes on with them.
fn undoing<'a>(plan: &'a Plan, state: &'a State) -> impl Iterator<Item = Waiting> + 'a {
    let lanes = plan.lanes.iter().zip(&state.lanes);
    let goes_on = lanes.filter(|(_, lane)| {
        // Of one whose work is gone already, what is left may still have to go.
        lane.undo.as_ref().is_some_and(|undo| undo.done || !state.undo_waits_for_person(&undo.request))
    });
    goes_on.take(1).map(|(lane, _)| Waiting {
        kind: WaitingKind::Attention,
        lane: Some(lane.id.clone()),
        task: None,
        question: format!("the reset of lane `{}` is under way", lane.id),
        hint: format!("laneway resume {}, unless it is being carried", plan.graph),
        conflicts: None,
    })
}

/// Tasks that were undone: to be done again, or to be gone on without.
fn undone<'a>(plan: &'a Plan, state: &'a State) -> impl Iterator<Item = Waiting> + 'a {
    let tasks = plan.tasks.iter().zip(&state.tasks).filter(|(_, task)| task.status == TaskStatus::Reset);
    tasks.map(|(plan, task)| {
        let why = task.reason.as_deref().unwrap_or("undone");
        Waiting {
            kind: WaitingKind::Retry,
            lane: Some(plan.lane.clone()),
            task: Some(plan.id.clone()),
            question: format!("task `{}` was {}", plan.id, one_line(why, WORDS_SHOWN)),
            hint: format!("laneway retry --task {} or laneway skip --task {}", plan.id, plan.id),
            conflicts: None,
        }
    })
}

fn answers(plan: &Plan, state: &State) -> Vec<Waiting> {
    let mut out = Vec::new();
    for (plan, task) in plan.tasks.iter().zip(&state.tasks) {
        let Some(attempt) = task.attempt().filter(|attempt| asks(attempt)) else {
            continue;
        };
        let asked = attempt.question.as_deref().or(attempt.reason.as_deref());
        let (kind, hint) = match attempt.refusal() {
            Some(refusal) => (WaitingKind::Attention, after(refusal.hint.as_deref(), &plan.id)),
            None => (WaitingKind::Answer, format!("laneway signal answer {} \"...\"", plan.id)),
        };
        out.push(Waiting {
            kind,
            lane: Some(plan.lane.clone()),
            task: Some(plan.id.clone()),
            question: one_line(asked.unwrap_or("no question given"), WORDS_SHOWN),
            hint,
            conflicts: None,
        });
    }
    out
}

/// What to do about what was in the way, and the command that then lets the task go on.
fn after(first: Option<&str>, task: &TaskId) -> String {
    let first = first.map_or(String::new(), |first| format!("{}, then ", one_line(first, WORDS_SHOWN)));
    format!("{first}laneway retry --task {task}")
}

/// Whether a person's answer is what an attempt lacks: one that has ended in a question, or one that asks while it works.
pub(super) fn asks(attempt: &Attempt) -> bool {
    let open = match attempt.status {
        AttemptStatus::Waiting => true,
        AttemptStatus::Started => attempt.question.is_some() && attempt.claims.first().is_none(),
        _ => false,
    };
    open && attempt.answer.is_none()
}

fn lane_waits(plan: &Plan, state: &State, lane: LaneIx) -> Option<Waiting> {
    if let Some(revert) = state.lanes[lane].revert.as_ref().filter(|revert| revert.is_open()) {
        let (number, url) = (revert.at.number, &revert.at.url);
        let id = plan.lanes[lane].id.clone();
        let after = super::undoing::followers(state, lane);
        let then = match after.len() {
            0 => String::new(),
            1 => format!("; lane {} follows", named(&after)),
            _ => format!("; lanes {} follow", named(&after)),
        };
        let question =
            format!("pull request #{number} takes lane `{id}` back once it is merged{then}: {url}");
        let hint = format!("laneway pr merge {number}");
        let kind = WaitingKind::Merge;
        return Some(Waiting { kind, lane: Some(id), task: None, question, hint, conflicts: None });
    }
    let (kind, question, hint) = match state.lanes[lane].status {
        LaneStatus::Pending => {
            let (failure, _) = super::making::put_off(&state.lanes[lane])?;
            let hint = failure.hint.clone()?;
            (WaitingKind::Attention, one_line(&failure.message, WORDS_SHOWN), hint)
        }
        LaneStatus::PrCreated => pull_request_waits(plan, state, lane)?,
        LaneStatus::Failed if state.goes_on_without(lane) => return None,
        LaneStatus::Failed => {
            let why = failed_by_itself(state, lane)?;
            (
                WaitingKind::Retry,
                format!("lane `{}` failed: {why}", plan.lanes[lane].id),
                retry(&state.lanes[lane]),
            )
        }
        _ => return None,
    };
    let conflicts = if kind == WaitingKind::Merge { conflicts_with(plan, state, lane) } else { None };
    Some(Waiting { kind, lane: Some(plan.lanes[lane].id.clone()), task: None, question, hint, conflicts })
}

/// How a failed lane goes on: what has to be put right first, where that is known.
fn retry(lane: &Lane) -> String {
    let retry = "laneway retry".to_owned();
    match lane.step.as_ref().and_then(|step| step.failure()?.0.hint.clone()) {
        Some(first) if first.contains(&retry) || first.contains("--fresh") => first,
        Some(first) => format!("{first}, then {retry}"),
        None => retry,
    }
}

/// Why a lane failed, unless it only follows another lane's failure or was called off by a person.
fn failed_by_itself(state: &State, lane: LaneIx) -> Option<String> {
    let mut bad = state.index().tasks_of[lane]
        .iter()
        .map(|&t| &state.tasks[t])
        .filter(|t| !t.status.is_success() && !t.passed_over)
        .peekable();
    let own = bad.peek().is_none()
        || bad.any(|t| {
            t.status == TaskStatus::Failed || (t.status == TaskStatus::Cancelled && !t.cancel_wanted)
        })
        || state.lanes[lane].step.as_ref().is_some_and(|s| s.failure().is_some());
    let why = state.lanes[lane].reason.as_deref().unwrap_or("see `laneway events`");
    (own && !state.run.cancelled).then(|| one_line(why, WORDS_SHOWN))
}

fn pull_request_waits(plan: &Plan, state: &State, ix: LaneIx) -> Option<(WaitingKind, String, String)> {
    let lane = &state.lanes[ix];
    let pr = lane.pr.as_ref().filter(|pr| pr.merged.is_none() && pr.closed_by.is_none())?;
    let id = &plan.lanes[ix].id;
    let merge = format!("laneway pr merge {}", pr.at.number);
    let name = format!("pull request #{} of lane `{id}`", pr.at.number);
    if lane.step.as_ref().is_some_and(crate::state::Step::is_in_flight) {
        return None;
    }
    let first = unmerged_upstream(state, ix).map(|up| &plan.lanes[up].id);
    let again = done_anew(plan, state, ix);
    if plan.lanes[ix].merge == MergePolicy::Review {
        let after = first.map_or(String::new(), |up| format!(", after lane `{up}`"));
        let known = troubles(lane).map_or(String::new(), |(_, why, _)| format!("; {why}"));
        let question = format!("{name} awaits review and merge{after}{known}: {}", pr.at.url);
        return Some((WaitingKind::Merge, question, again.unwrap_or(merge)));
    }
    if let Some((kind, why, hint)) = troubles(lane) {
        let hint = hint.or(again);
        return Some((
            kind,
            format!("{name} is not merged by itself: {why}"),
            hint.map_or(merge.clone(), |hint| format!("{hint}, then {merge}")),
        ));
    }
    if state.run.cancelled && first.is_none() {
        let question = format!("{name} is open, and the run was called off");
        return Some((WaitingKind::Merge, question, merge));
    }
    None
}

/// The lanes that are offered too and would not merge with this one, and how it goes on after one of them.
fn conflicts_with(plan: &Plan, state: &State, ix: LaneIx) -> Option<ConflictsWith> {
    let offered = |other: LaneIx| {
        let pr = state.lanes[other].pr.as_ref();
        pr.is_some_and(|pr| pr.merged.is_none() && pr.closed_by.is_none())
    };
    let others = state.predictions(ix).filter_map(|(against, _)| match against {
        Against::Lane(other) if offered(other) => Some(plan.lanes[other].id.clone()),
        _ => None,
    });
    let lanes: Vec<LaneId> = others.collect();
    let wrote = |&t: &TaskIx| {
        let by_agent = matches!(plan.tasks[t].work, Work::Agent { .. });
        by_agent && plan.tasks[t].diff != DiffPolicy::None && state.tasks[t].status == TaskStatus::Merged
    };
    let then = if state.index().tasks_of[ix].iter().any(wrote) {
        format!(
            "its agent is asked to bring it up to date, by `laneway resume {}` where nothing carries the run",
            plan.graph
        )
    } else {
        "it has no agent that could bring it up to date: `laneway waiting` says how its work is done anew"
            .to_owned()
    };
    (!lanes.is_empty()).then_some(ConflictsWith { lanes, then })
}

/// How a lane that conflicts with its target goes on where no agent can be asked to resolve that: what its commands did is taken
/// back, and they do it again on what the target has by then.
fn done_anew(plan: &Plan, state: &State, ix: LaneIx) -> Option<String> {
    let fails = |check: &&Check| check.status == CheckStatus::Fail && check.name == CHECK_MERGEABLE;
    state.lanes[ix].checks.iter().find(fails)?;
    let tasks = &state.index().tasks_of[ix];
    let mut wrote = tasks
        .iter()
        .filter(|&&t| state.tasks[t].status == TaskStatus::Merged && plan.tasks[t].diff != DiffPolicy::None);
    if wrote.any(|&t| matches!(plan.tasks[t].work, Work::Agent { .. })) {
        return None;
    }
    // What is built on these is undone with them.
    let first = tasks.iter().filter(|&&t| !plan.tasks[t].needs.iter().any(|need| is_in(plan, ix, need)));
    let first: Vec<&TaskId> = first.map(|&t| &plan.tasks[t].id).collect();
    let resets = first.iter().map(|id| format!("laneway reset task {id}")).collect::<Vec<_>>().join(", ");
    let lane = &plan.lanes[ix].id;
    (!first.is_empty()).then(|| format!("{resets}, then laneway retry --lane {lane}, then laneway resume"))
}

fn is_in(plan: &Plan, ix: LaneIx, task: &TaskId) -> bool {
    plan.tasks.iter().any(|other| other.id == *task && other.lane == plan.lanes[ix].id)
}

/// What keeps Laneway from merging a lane by itself, with the command to run where it is not the merge.
fn troubles(lane: &Lane) -> Option<(WaitingKind, String, Option<String>)> {
    if let Some(review) = lane.asked_for_changes() {
        let why = format!(
            "{} asked for changes: {}",
            one_line(&review.by, 80),
            one_line(&review.text, WORDS_SHOWN)
        );
        return Some((WaitingKind::Attention, why, None));
    }
    if let Some(check) = lane.checks.iter().find(|c| c.status == CheckStatus::Fail) {
        let why =
            format!("check `{}` failed: {}", one_line(&check.name, 80), one_line(&check.detail, WORDS_SHOWN));
        return Some((WaitingKind::Attention, why, None));
    }
    if let Some((failure, _)) = lane.step.as_ref().and_then(|s| s.failure())
        && !matches!(failure.class, FailureKind::Transient | FailureKind::Moved)
    {
        let why = one_line(&failure.message, WORDS_SHOWN);
        return Some((WaitingKind::Attention, why, failure.hint.clone()));
    }
    let concern = lane.concerns.iter().find(|c| c.class == crate::event::ConcernClass::Design)?;
    let by = concern.task.as_ref().map_or(String::new(), |t| format!(" of task `{t}`"));
    let why = format!("design concern{by}: {}", one_line(&concern.text, WORDS_SHOWN));
    Some((WaitingKind::Concern, why, None))
}

/// A lane whose content this one holds and that has to be merged first.
pub(super) fn unmerged_upstream(state: &State, lane: LaneIx) -> Option<LaneIx> {
    state.unmerged_upstreams(lane).next()
}
