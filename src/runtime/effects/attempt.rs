//! One process of an attempt: the lane is made ready, the process runs, its signals are sealed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::prepare::prepare;
use super::{Done, blocking, permanent, tracker, usage};
use crate::event::{
    Draft, Effect, Event, ExitStatus, Failure, FailureKind, ProcessExited, ProcessId, ProcessRole,
    ProcessStarted, SignalKind, SignalObserved, Subject,
};
use crate::exec::{self, Exit, LogLimit, ProcessRef};
use crate::id::{Sha, TaskId};
use crate::plan::{self, TaskPlan, Work};
use crate::runtime::brief::{AttemptBrief, Brief};
use crate::runtime::context::{Context, Live};
use crate::runtime::noticeboard;
use crate::signal::{self, Limits};

/// What identifies this process of the attempt.
pub(super) struct Job<'a> {
    pub(super) task: &'a TaskPlan,
    pub(super) number: u32,
    pub(super) iteration: u32,
    pub(super) start: &'a Sha,
    pub(super) lane: PathBuf,
    pub(super) subject: Subject,
    role: ProcessRole,
}

/// Runs it to its end.
pub(super) async fn run(context: &Arc<Context>, brief: &Brief) -> Done {
    let Effect::Attempt { task, attempt, iteration, start, place } = &brief.effect else {
        return permanent("no attempt".to_owned()).into();
    };
    let Some(known) = &brief.attempt else {
        return permanent(format!("attempt {attempt} of `{task}` is unknown")).into();
    };
    let task = context.task(task);
    let job = Job {
        task,
        number: *attempt,
        iteration: *iteration,
        start,
        lane: place_of(context, task, *place),
        subject: Subject { iteration: Some(*iteration), ..Subject::attempt(&task.lane, &task.id, *attempt) },
        role: if matches!(task.work, Work::Run { .. }) { ProcessRole::Command } else { ProcessRole::Agent },
    };
    let key = (task.id.clone(), *attempt);
    let done = go(context, brief, known, &job).await;
    context.live().remove(&key);
    done
}

/// The worktree that an attempt works in.
pub(in crate::runtime) fn place_of(
    context: &Context,
    task: &TaskPlan,
    place: crate::event::Place,
) -> PathBuf {
    match place {
        crate::event::Place::Lane => context.lane(&task.lane).worktree.clone(),
        crate::event::Place::Own => plan::task_worktree(&context.plan.places.worktrees, &task.lane, &task.id),
    }
}

async fn go(context: &Arc<Context>, brief: &Brief, known: &AttemptBrief, job: &Job<'_>) -> Done {
    if brief.resumed
        && let Some(process) = &known.attempt.process
    {
        return take_up(context, job, process).await;
    }
    if brief.resumed {
        super::stop::unrecorded(context, tag(context, &job.task.id, job.number, job.iteration)).await;
    }
    // In a box of its own, which does not stay as long as the process.
    let launch = match Box::pin(prepare(context, known, job)).await {
        Ok(launch) => launch,
        Err((facts, failure)) => return Done::failed(facts, failure),
    };
    let mut running = {
        let mut live = context.live();
        let slot = live.entry((job.task.id.clone(), job.number)).or_insert(Live::Preparing);
        if matches!(slot, Live::StopWanted) {
            return Done::well(Vec::new());
        }
        match exec::spawn(&launch) {
            Ok(running) => {
                *slot = Live::Running(running.process().clone());
                running
            }
            Err(error) => {
                let what = match &job.task.work {
                    Work::Agent { by, .. } => format!("the agent `{}`", by.agent),
                    Work::Run { .. } => "the command".to_owned(),
                };
                let message = format!("{what} could not be started: {}", super::chain(&error));
                return permanent(message).into();
            }
        }
    };
    let began = Instant::now();
    let process = running.process().clone();
    let started = ProcessStarted {
        role: job.role,
        process: id_of(&process),
        command: shown(&launch.argv),
        mono: exec::monotonic_ms(),
    };
    // An environment for each of a thousand agents adds up.
    drop(launch);
    context.report(&brief.effect.id(), vec![Draft::world(job.subject.clone(), started)]);
    let exit = exit_of(running.wait().await);
    if !exit.success()
        && let Some(full) = context.lacks_room(&job.lane)
    {
        // Not even its end is told: an attempt that is not judged begins again.
        let _stopped = exec::reap_leftovers(&process, context.grace()).await;
        return permanent(format!("`{}` ended with {exit}: {full}", job.task.id)).into();
    }
    ended(context, job, &process, exit, began).await
}

/// A process that another orchestrator started: agents go on where they are proven ours; commands are stopped and
/// begun again. An agent that ended while nobody looked and claimed nothing was ended, for all that is known, by what
/// ended its orchestrator: it begins again too, and neither counts as an attempt.
async fn take_up(context: &Arc<Context>, job: &Job<'_>, process: &crate::state::Process) -> Done {
    let reference = ProcessRef {
        pid: process.id.pid,
        start_time: process.id.start_time,
        boot_id: process.id.boot_id.clone(),
        tag: process.id.tag.clone(),
    };
    let began = Instant::now();
    let again = |what: &str| {
        let message = format!("the orchestrator ended while the {what} ran; it runs again");
        Done::from(Failure { class: FailureKind::Moved, message, hint: None, retry_at: None })
    };
    if job.role == ProcessRole::Command && process.exit.is_none() {
        let _stopped = exec::stop(&reference, context.grace()).await;
        return again("command");
    }
    let exit = match (process.exit, exec::adopt(&reference)) {
        (Some(exit), _) => exit,
        (None, Some(mut adopted)) => {
            let key = (job.task.id.clone(), job.number);
            let before = context.live().insert(key, Live::Running(reference.clone()));
            if matches!(before, Some(Live::StopWanted)) {
                let _stopped = exec::stop(&reference, context.grace()).await;
            }
            exit_of(adopted.wait().await)
        }
        (None, None) if left_nothing(context, job) => {
            let _stopped = exec::reap_leftovers(&reference, context.grace()).await;
            return again("agent");
        }
        (None, None) => ExitStatus::Unknown,
    };
    ended(context, job, &reference, exit, began).await
}

/// Whether a process that is gone has neither claimed nor asked anything, where that would be expected of it. One of a
/// loop is not expected to.
fn left_nothing(context: &Context, job: &Job<'_>) -> bool {
    let Work::Agent { by, .. } = &job.task.work else { return false };
    let scan = noticeboard::scan_live(&context.board, &job.task.id, job.number, signal::Settle::Ended);
    let said = |scan: signal::Scan| {
        noticeboard::facts(&job.subject, &job.task.id, job.number, &scan)
            .iter()
            .any(|draft| is_claim(&draft.event) || is_question(&draft.event))
    };
    // What cannot be read now is said when it is sealed.
    by.repeat.is_none() && scan.is_ok_and(|scan| !said(scan)) && tracker::claim(&job.lane, job.task).is_none()
}

fn is_question(event: &Event) -> bool {
    matches!(event, Event::SignalObserved(SignalObserved { signal: SignalKind::Ask { .. }, .. }))
}

/// After the main process: what is left of it is ended, its signals are sealed.
async fn ended(
    context: &Arc<Context>,
    job: &Job<'_>,
    process: &ProcessRef,
    exit: ExitStatus,
    began: Instant,
) -> Done {
    let leftovers = exec::reap_leftovers(process, context.grace()).await;
    let used = usage::read(context, job);
    let exited = ProcessExited {
        role: job.role,
        exit,
        duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        leftovers: leftovers.stopped,
        escaped: leftovers.escaped.iter().map(|e| e.pid).collect(),
    };
    let (shared, id, number, iteration) =
        (Arc::clone(context), job.task.id.clone(), job.number, job.iteration);
    let subject = job.subject.clone();
    // A command seldom signals; where it said nothing there is nothing to seal.
    let sealed = blocking(move || seal(&shared, &id, number, iteration, &subject)).await;
    let exited = Draft::world(job.subject.clone(), exited);
    match sealed {
        Ok(facts) => {
            let claims = facts.iter().any(|draft| is_claim(&draft.event));
            let tracked = tracker::claim(&job.lane, job.task).filter(|_| !claims);
            let tracked = tracked.map(|claim| Draft::world(job.subject.clone(), claim));
            Done::well(facts.into_iter().chain(tracked).chain(used).chain([exited]).collect())
        }
        Err(failure) => Done::failed(used.into_iter().chain([exited]).collect(), failure),
    }
}

fn is_claim(event: &Event) -> bool {
    use SignalKind::{Blocked, Done, Failed};
    matches!(event, Event::SignalObserved(SignalObserved { signal: Done | Failed | Blocked, .. }))
}

fn seal(
    context: &Context,
    task: &TaskId,
    number: u32,
    iteration: u32,
    subject: &Subject,
) -> Result<Vec<Draft>, Failure> {
    let record = context.attempt_record(task, number);
    let log = record.join("agent.log");
    if let Err(error) = exec::bound_log(&log, &LogLimit::default()) {
        tracing::warn!(%error, "a log could not be bounded");
    }
    let signals = context.board.signals_dir(task, number);
    let scan = noticeboard::scan_live(&context.board, task, number, signal::Settle::Ended)
        .map_err(|e| permanent(format!("the signals of `{task}` could not be read: {}", super::chain(&e))))?;
    if scan.accepted.is_empty() {
        return Ok(noticeboard::facts(subject, task, number, &scan));
    }
    let place = sealed_place(context, task, number, iteration);
    std::fs::create_dir_all(&place)
        .map_err(|e| permanent(format!("{} could not be made: {e}", place.display())))?;
    match signal::seal(&signals, &place, &Limits::default()) {
        Ok((_, scan)) => Ok(noticeboard::facts(subject, task, number, &scan)),
        Err(error) => {
            Err(permanent(format!("the signals of `{task}` could not be sealed: {}", super::chain(&error))))
        }
    }
}

/// Where the signals of a process are sealed. Each process of an attempt has a seal of its own, or the second would
/// find the first one's.
pub(super) fn sealed_place(context: &Context, task: &TaskId, number: u32, iteration: u32) -> PathBuf {
    let record = context.attempt_record(task, number);
    if iteration <= 1 { record } else { record.join(format!("iteration-{iteration}")) }
}

/// The variables of the protocol.
pub(super) fn given(
    context: &Context,
    task: &TaskPlan,
    number: u32,
    base: &Sha,
) -> Vec<(OsString, OsString)> {
    let signals = context.board.signals_dir(&task.id, number);
    let mut given = vec![
        ("LANEWAY_SIGNALS".into(), signals.into()),
        ("LANEWAY_TASK".into(), task.id.as_str().into()),
        ("LANEWAY_ATTEMPT".into(), number.to_string().into()),
        ("LANEWAY_LANE".into(), task.lane.as_str().into()),
        ("LANEWAY_GRAPH".into(), context.plan.graph.as_str().into()),
        ("LANEWAY_BASE".into(), base.as_str().into()),
    ];
    given.extend(context.ports(&task.lane));
    given
}

/// What marks the processes of an attempt, wherever they go.
pub(super) fn tag(context: &Context, task: &TaskId, number: u32, iteration: u32) -> String {
    format!("{}/{task}/{number}/{iteration}", context.plan.uuid)
}

pub(super) fn id_of(process: &ProcessRef) -> ProcessId {
    ProcessId {
        pid: process.pid,
        start_time: process.start_time,
        boot_id: process.boot_id.clone(),
        tag: process.tag.clone(),
    }
}

pub(super) fn exit_of(exit: Exit) -> ExitStatus {
    match exit {
        Exit::Code(code) => ExitStatus::Code(code),
        Exit::Signal(signal) => ExitStatus::Signal(signal),
        Exit::Unknown => ExitStatus::Unknown,
    }
}

/// A command line for people, cut: a prompt by argument can be long.
pub(super) fn shown(argv: &[OsString]) -> String {
    let text = argv.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 200 && line.len() == text.len() {
        return text;
    }
    format!("{} ...", line.chars().take(200).collect::<String>())
}
