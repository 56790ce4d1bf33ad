//! The noticeboard's side of the loop: signals and requests in, status files out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::RuntimeError;
use crate::engine::Input;
use crate::event::{
    self, Actor, Control, ControlVerb, Draft, Event, SignalObserved, SignalRejected, Source, Subject,
};
use crate::id::{LaneId, Sha, TaskId};
use crate::plan::Plan;
use crate::signal::{
    self, Board, BoardError, Body, Found, Limits, Scan, Settle, SignalKind, Target, Verb, project,
};
use crate::state::State;
use crate::view;

/// How long a file is left alone before a rescan takes it for complete.
pub(super) const SETTLED: std::time::Duration = std::time::Duration::from_secs(2);

/// The status files that a state amounts to, under the noticeboard's names.
pub(super) fn wanted_files(
    plan: &Plan,
    state: &State,
) -> BTreeMap<LaneId, BTreeMap<signal::LaneStatus, String>> {
    view::lane_files(plan, state).into_iter().map(|(lane, files)| (lane, named(files))).collect()
}

fn wanted_of(
    lane: &crate::state::Lane,
    started: Option<event::Timestamp>,
) -> BTreeMap<signal::LaneStatus, String> {
    named(view::status_files(lane, started))
}

fn named(files: BTreeMap<event::LaneStatus, String>) -> BTreeMap<signal::LaneStatus, String> {
    files.into_iter().map(|(status, text)| (file_of(status), text)).collect()
}

fn file_of(status: event::LaneStatus) -> signal::LaneStatus {
    match status {
        event::LaneStatus::Pending => signal::LaneStatus::Pending,
        event::LaneStatus::Active => signal::LaneStatus::Active,
        event::LaneStatus::MergeReady => signal::LaneStatus::MergeReady,
        event::LaneStatus::PrCreated => signal::LaneStatus::PrCreated,
        event::LaneStatus::Merged => signal::LaneStatus::Merged,
        event::LaneStatus::Failed => signal::LaneStatus::Failed,
        event::LaneStatus::Reset => signal::LaneStatus::Reset,
    }
}

fn status_of(file: signal::LaneStatus) -> event::LaneStatus {
    match file {
        signal::LaneStatus::Pending => event::LaneStatus::Pending,
        signal::LaneStatus::Active => event::LaneStatus::Active,
        signal::LaneStatus::MergeReady => event::LaneStatus::MergeReady,
        signal::LaneStatus::PrCreated => event::LaneStatus::PrCreated,
        signal::LaneStatus::Merged => event::LaneStatus::Merged,
        signal::LaneStatus::Failed => event::LaneStatus::Failed,
        signal::LaneStatus::Reset => event::LaneStatus::Reset,
    }
}

/// Writes the status files of one lane whatever stands there, and returns those that were wrong.
pub(super) fn force(
    board: &Board,
    lane: &LaneId,
    wanted: &BTreeMap<signal::LaneStatus, String>,
) -> Result<Vec<PathBuf>, RuntimeError> {
    let mut judged = BTreeSet::new();
    let mut mended = Vec::new();
    // Each round judges what the one before has met; a file that is rewritten all the time is left to the next call.
    for _ in 0..4 {
        let projection = project(board, lane, wanted, &judged, Settle::Ended)?;
        let changed = projection.written.iter().chain(&projection.removed);
        mended.extend(changed.map(|s| board.lane_dir(lane).join(s.file_name())));
        if projection.touched.is_empty() {
            break;
        }
        judged.extend(projection.touched.into_iter().map(|t| t.digest));
    }
    Ok(mended)
}

/// The status files of a run: what was written last, and what has been judged.
#[derive(Debug, Default)]
pub(super) struct Projector {
    shown: HashMap<LaneId, BTreeMap<signal::LaneStatus, String>>,
    judged: HashMap<LaneId, BTreeSet<String>>,
}

impl Projector {
    /// Counts what the run has shown of `lane` at an earlier time as ours.
    pub(super) fn remember(&mut self, state: &State, lane: crate::plan::LaneIx) {
        let files = wanted_of(&state.lanes[lane], state.run.started_at);
        let judged = self.judged.entry(state.plan().lanes[lane].id.clone()).or_default();
        judged.extend(files.values().map(|text| signal::digest(&signal::LaneStatus::bytes(text))));
    }

    /// Counts a file whose event is durable as judged.
    pub(super) fn judge(&mut self, lane: &LaneId, digest: &str) {
        self.judged.entry(lane.clone()).or_default().insert(digest.to_owned());
    }

    /// Shows where `lane` stands, if that changed, and returns what somebody else had written.
    pub(super) fn show(
        &mut self,
        board: &Board,
        state: &State,
        lane: crate::plan::LaneIx,
        look: Look<'_>,
    ) -> Result<Vec<Input>, BoardError> {
        let id = state.plan().lanes[lane].id.clone();
        let wanted = wanted_of(&state.lanes[lane], state.run.started_at);
        if matches!(look, Look::IfChanged) && self.shown.get(&id) == Some(&wanted) {
            return Ok(Vec::new());
        }
        let judged = self.judged.entry(id.clone()).or_default();
        judged.extend(wanted.values().map(|text| signal::digest(&signal::LaneStatus::bytes(text))));
        let settle = match &look {
            Look::IfChanged => Settle::Ended,
            Look::At(settle) => *settle,
        };
        let found = project(board, &id, &wanted, judged, settle)?;
        self.shown.insert(id, wanted);
        Ok(found.touched.into_iter().map(touched).collect())
    }
}

/// Why the status files are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look<'a> {
    /// The state moved.
    IfChanged,
    /// Somebody may have written one.
    At(Settle<'a>),
}

fn touched(touch: signal::Touched) -> Input {
    let text = match &touch.found {
        Found::Text(text) => bounded(text, 2000),
        Found::TooLarge { size } => format!("a file of {size} bytes"),
        other => format!("{other:?}"),
    };
    let path = format!("lanes/{}/{}", touch.lane, touch.status.file_name());
    Input::StatusTouched {
        lane: touch.lane,
        status: status_of(touch.status),
        text,
        source: Source { path, digest: touch.digest },
    }
}

fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let cut = (0..=most).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    format!("{} [... {} bytes left out ...]", &text[..cut], text.len() - cut)
}

/// The signals of a living or ended attempt as facts.
pub(super) fn facts(subject: &Subject, task: &TaskId, attempt: u32, scan: &Scan) -> Vec<Draft> {
    let place = |name: &str| format!("tasks/{task}/{attempt}/signals/{name}");
    let accepted = scan.accepted.iter().map(|file| {
        let text = match &file.body {
            Body::Text(text) => bounded(text, 256 * 1024),
            Body::Blob => file.size.to_string(),
        };
        let event = SignalObserved { signal: kind_of(&file.kind), text };
        let source = Source { path: place(&file.name), digest: file.digest.clone() };
        Draft { subject: subject.clone(), actor: Actor::Agent, source: Some(source), event: event.into() }
    });
    let rejected = scan.rejected.iter().map(|file| {
        let event = SignalRejected { name: file.name.clone(), reason: file.reason.to_string() };
        let source = Source { path: place(&file.name), digest: file.reason.code().to_owned() };
        Draft {
            subject: subject.clone(),
            actor: Actor::Agent,
            source: Some(source),
            event: Event::from(event),
        }
    });
    accepted.chain(rejected).collect()
}

fn kind_of(kind: &SignalKind) -> event::SignalKind {
    match kind {
        SignalKind::Done => event::SignalKind::Done,
        SignalKind::Failed => event::SignalKind::Failed,
        SignalKind::Blocked => event::SignalKind::Blocked,
        SignalKind::Summary => event::SignalKind::Summary,
        SignalKind::Concern => event::SignalKind::Concern,
        SignalKind::OpsConcern => event::SignalKind::OpsConcern,
        SignalKind::Outputs => event::SignalKind::Outputs,
        SignalKind::Progress => event::SignalKind::Progress,
        SignalKind::Ask { id } => event::SignalKind::Ask { id: id.clone() },
        SignalKind::Note { to, .. } => event::SignalKind::Note { to: to.clone() },
        SignalKind::Artifact { name } => event::SignalKind::Artifact { name: name.clone() },
    }
}

/// Reads what stands in an attempt's signals now; a directory that is gone says nothing.
pub(super) fn scan_live(
    board: &Board,
    task: &TaskId,
    attempt: u32,
    settle: Settle<'_>,
) -> Result<Scan, BoardError> {
    match signal::scan(&board.signals_dir(task, attempt), &Limits::default(), settle) {
        Err(BoardError::Gone { .. }) => Ok(Scan::default()),
        other => other,
    }
}

/// Reads the requests that wait, with the names of their files.
pub(super) fn requests(
    board: &Board,
    plan: &Plan,
    state: &State,
    settle: Settle<'_>,
) -> Result<Vec<(std::ffi::OsString, Input)>, BoardError> {
    let found = signal::read_requests(board, settle)?;
    let accepted = found.accepted.into_iter().map(|request| {
        let file = std::ffi::OsString::from(&request.file);
        let input = match control_of(plan, state, &request) {
            Ok(verb) => Input::Control(Control { id: request.file, by: asker(request.by), verb }),
            Err(reason) => Input::BadControl { name: request.file, reason },
        };
        (file, input)
    });
    let rejected = found
        .rejected
        .into_iter()
        .map(|r| (r.file, Input::BadControl { name: r.name, reason: r.reason.to_string() }));
    Ok(accepted.chain(rejected).collect())
}

/// Whoever only touched a file has not said who they are.
fn asker(by: String) -> String {
    if by.is_empty() { "somebody".to_owned() } else { by }
}

fn control_of(plan: &Plan, state: &State, request: &signal::Request) -> Result<ControlVerb, String> {
    let note = || request.note.clone().unwrap_or_default();
    if let Verb::Merge { pr, .. } | Verb::Close { pr } = &request.verb
        && let Some(lane) = reverted_by(state, *pr)
    {
        let merge = matches!(request.verb, Verb::Merge { .. });
        if let Verb::Merge { sha: Some(seen), .. } = &request.verb
            && let Some(revert) = state.lanes[lane].revert.as_ref().filter(|revert| revert.tip != *seen)
        {
            return Err(moved(*pr, seen, &revert.tip));
        }
        return Ok(ControlVerb::Revert { lane: plan.lanes[lane].id.clone(), merge });
    }
    Ok(match &request.verb {
        Verb::Cancel { target } => match target {
            Target::Run => ControlVerb::Cancel { tasks: vec![], lanes: vec![] },
            Target::Lane(lane) => ControlVerb::Cancel { tasks: vec![], lanes: vec![lane.clone()] },
            Target::Task(task) => ControlVerb::Cancel { tasks: vec![task.clone()], lanes: vec![] },
        },
        Verb::Pause {} => ControlVerb::Pause,
        Verb::Resume {} => ControlVerb::Resume,
        Verb::Stop { .. } => ControlVerb::Interrupt,
        Verb::Retry { tasks, lanes } => ControlVerb::Retry { tasks: tasks_of(plan, tasks, lanes) },
        Verb::Skip { tasks, lanes } => {
            if let Some(lane) = lanes.iter().find(|lane| plan.lanes.iter().all(|l| l.id != **lane)) {
                return Err(format!("there is no lane `{lane}` in this run"));
            }
            ControlVerb::Skip { tasks: tasks_of(plan, tasks, lanes) }
        }
        Verb::Reset { of, digest } => {
            let plan = state.undo(of).map_err(|refusal| refusal.to_string())?;
            if super::undo_digest(&plan) != *digest {
                return Err("things have changed since it was planned; look again".to_owned());
            }
            ControlVerb::Reset { plan }
        }
        Verb::Merge { pr, sha } => {
            // In the local forge people may have put more on the branch: whoever merges it compares.
            let shown = sha.as_ref().filter(|_| plan.settings.github.is_some());
            ControlVerb::Merge { lane: lane_of(plan, state, *pr, shown)?, sha: sha.clone() }
        }
        Verb::Approve { pr, sha } => {
            let lane = lane_of(plan, state, *pr, sha.as_ref())?;
            ControlVerb::Review { lane, act: event::ReviewAct::Approve, text: note() }
        }
        Verb::RequestChanges { pr, sha } => {
            let lane = lane_of(plan, state, *pr, sha.as_ref())?;
            ControlVerb::Review { lane, act: event::ReviewAct::RequestChanges, text: note() }
        }
        Verb::Comment { pr } => {
            let lane = lane_of(plan, state, *pr, None)?;
            ControlVerb::Review { lane, act: event::ReviewAct::Comment, text: note() }
        }
        Verb::Close { pr } => {
            let lane = lane_of(plan, state, *pr, None)?;
            ControlVerb::Review { lane, act: event::ReviewAct::Close, text: note() }
        }
        Verb::Answer { task, ask, text } => {
            ControlVerb::Answer { task: task.clone(), ask: ask.clone(), text: text.clone() }
        }
        Verb::SignalDone { .. } | Verb::SignalFailed { .. } => {
            return Err("claims of people are not supported yet".to_owned());
        }
    })
}

/// The tasks named, and those of the lanes named.
fn tasks_of(plan: &Plan, tasks: &[TaskId], lanes: &[LaneId]) -> Vec<TaskId> {
    let theirs = plan.tasks.iter().filter(|t| lanes.contains(&t.lane)).map(|t| t.id.clone());
    tasks.iter().cloned().chain(theirs).collect()
}

/// The lane that the pull request takes out of its target.
fn reverted_by(state: &State, pr: u64) -> Option<crate::plan::LaneIx> {
    state.lanes.iter().position(|lane| lane.revert.as_ref().is_some_and(|revert| revert.at.number == pr))
}

/// Why nothing can be asked of a pull request that is no lane's.
fn of_task(plan: &Plan, state: &State, pr: u64) -> String {
    let known = |t: &crate::state::Task| t.pr.as_ref().is_some_and(|p| p.at.number == pr);
    match state.tasks.iter().position(known).map(|ix| &plan.tasks[ix]) {
        None => format!("this run has no pull request #{pr}"),
        Some(task) => format!(
            "pull request #{pr} is the one of task `{}`: Laneway merges it as its evidence holds; ask this of the pull \
             request of lane `{}`",
            task.id, task.lane
        ),
    }
}

/// The lane of a pull request, whose head has to be `head` where one is given.
fn lane_of(plan: &Plan, state: &State, pr: u64, head: Option<&Sha>) -> Result<LaneId, String> {
    let known = |l: &crate::state::Lane| l.pr.as_ref().is_some_and(|p| p.at.number == pr);
    let lane = state.lanes.iter().position(known).ok_or_else(|| of_task(plan, state, pr))?;
    match (head, &state.lanes[lane].tip) {
        (Some(seen), Some(tip)) if seen != tip => Err(moved(pr, seen, tip)),
        _ => Ok(plan.lanes[lane].id.clone()),
    }
}

fn moved(pr: u64, seen: &Sha, tip: &Sha) -> String {
    format!("pull request #{pr} has moved from {} to {} since it was looked at", seen.short(), tip.short())
}
