//! Events as lines, for pipes and for `events`.

use super::elapsed::{clock, elapsed};
use super::plain::one_line;
use crate::event::{
    CheckStatus, ConcernClass, Control, ControlVerb, Effect, Envelope, Event, FailureKind, ProcessRole,
    ReviewAct, SignalKind, StopReason, Subject, UndoStep, UsageRecorded, WorkflowTransition, few,
};

/// How the times of [`line()`] are to be read.
pub const TIMES: &str = "times are UTC";

/// How much of anybody's words a line shows, in characters.
const WORDS_SHOWN: usize = 300;

/// One event as one line: the time of day in UTC, what it is about, what happened.
pub fn line(envelope: &Envelope) -> String {
    let about = about(&envelope.subject);
    let text = text(&envelope.event);
    let gap = if about.is_empty() { "" } else { "  " };
    format!("{} {about}{gap}{text}", clock(envelope.at))
}

/// Whether an event is shown by `run` without asking for more: what changed, what was found wanting, what a person
/// should know. Intents, answers of effects and the small print of attempts are not.
pub fn important(envelope: &Envelope) -> bool {
    match &envelope.event {
        Event::WorkflowTransition(event) => event.to != "queued",
        Event::CheckRecorded(event) => matches!(event.status, CheckStatus::Fail | CheckStatus::Warn),
        Event::EffectFailed(event) => {
            // What passes in a moment is small print; what is waited for is not.
            event.failure.retry_at.is_some()
                || !matches!(event.failure.class, FailureKind::Moved | FailureKind::Transient)
        }
        Event::ProcessExited(event) => !event.escaped.is_empty(),
        Event::ControlReceived(event) => !matches!(event.control.verb, ControlVerb::Attach { .. }),
        Event::LaneProvisioned(event) => event.remark.is_some(),
        Event::LaneRemoved(event) => !event.remarks.is_empty(),
        Event::WorkflowStart(_)
        | Event::SignalRejected(_)
        | Event::MergeRecorded(_)
        | Event::ConflictPredicted(_)
        | Event::ConflictCleared(_)
        | Event::ConcernRecorded(_)
        | Event::LaneSynced(_)
        | Event::PrOpened(_)
        | Event::PrUpdated(_)
        | Event::PrMerged(_)
        | Event::PrClosed(_)
        | Event::LaneUndone(_)
        | Event::UndoRefused(_)
        | Event::RevertOpened(_)
        | Event::RevertMerged(_)
        | Event::RevertClosed(_)
        | Event::TaskPrOpened(_)
        | Event::TaskPrClosed(_)
        | Event::ReviewObserved(_)
        | Event::ReviewDismissed(_)
        | Event::HumanTaskOpened(_)
        | Event::HumanTaskResolved(_)
        | Event::ControlRejected(_)
        | Event::CustodyKept(_)
        | Event::CustodyRestored(_)
        | Event::LossRecorded(_) => true,
        _ => false,
    }
}

fn about(subject: &Subject) -> String {
    let lane = subject.lane.as_ref().map(ToString::to_string);
    let task = subject.task.as_ref().map(ToString::to_string);
    let names: Vec<String> = [lane, task].into_iter().flatten().collect();
    let attempt = subject.attempt.map_or(String::new(), |n| format!("#{n}"));
    format!("{}{attempt}", names.join("/"))
}

fn text(event: &Event) -> String {
    match event {
        Event::WorkflowStart(e) => {
            format!("run of graph {} begins, plan {}", e.graph, one_line(&e.plan_digest, 12))
        }
        Event::WorkflowTransition(e) => transition(e),
        Event::WorkflowIteration(e) => format!("process {} of the attempt begins", e.n),
        Event::WorkflowEnd(e) => format!("run ended: {}{}", said(&e.outcome), because(e.reason.as_deref())),
        Event::SignalObserved(e) => format!("{}{}", signal(&e.signal), quoted(&e.text)),
        Event::SignalRejected(e) => format!("signal {} not accepted: {}", said(&e.name), said(&e.reason)),
        Event::ProcessStarted(e) => {
            format!("{} started: {} (pid {})", role(e.role), said(&e.command), e.process.pid)
        }
        Event::ProcessExited(e) => exited(e),
        Event::CheckRecorded(e) => {
            let took =
                if e.duration_ms > 0 { format!(" ({})", elapsed(e.duration_ms)) } else { String::new() };
            format!("check {} {}{took}{}", said(&e.name), check(e.status), quoted(&e.detail))
        }
        Event::ControlReceived(e) => control(&e.control),
        Event::ControlRejected(e) => {
            format!("request {} not followed: {}", said(&e.request), said(&e.reason))
        }
        Event::EffectIntended(e) => format!("next: {}", intent(&e.effect)),
        Event::EffectConfirmed(e) => format!("done: {}", said(&e.id.0)),
        Event::EffectFailed(e) => {
            let again = e.failure.retry_at.map_or(String::new(), |at| format!("; again at {}", clock(at)));
            format!("{} did not succeed: {}{again}", said(&e.id.0), said(&e.failure.message))
        }
        Event::EffectUnknown(e) => format!("what became of {} is not known; it is looked up", said(&e.id.0)),
        Event::LossRecorded(e) => format!("lost: {}", said(&e.what)),
        Event::Unknown(e) => format!("{} (written by a newer version)", said(&e.kind)),
        other => work_text(other).or_else(|| lane_text(other)).unwrap_or_else(|| said(other.kind())),
    }
}

/// What an attempt and its agent did.
fn work_text(event: &Event) -> Option<String> {
    Some(match event {
        Event::UsageRecorded(e) => used(e),
        Event::WorkCollected(e) => match &e.commit {
            Some(commit) => format!("work collected as {}", commit.short()),
            None => "no change was made".to_owned(),
        },
        Event::OutputsRecorded(e) => {
            let counts = e.outputs.iter().map(|(category, all)| format!("{} {category}", all.len()));
            format!("outputs hold: {}", counts.collect::<Vec<_>>().join(", "))
        }
        Event::DiffRecorded(e) => {
            let files = if e.stat.files == 1 { "file" } else { "files" };
            format!("changes {} {files}, +{} -{}", e.stat.files, e.stat.additions, e.stat.deletions)
        }
        Event::MergeRecorded(e) => {
            format!("merged: {} moved from {} to {}", said(&e.branch), e.from.short(), e.to.short())
        }
        Event::ConflictPredicted(e) if e.probed.is_some() => {
            format!("will conflict with {} in {}", said(&e.with), paths(&e.paths, e.more))
        }
        Event::ConflictCleared(e) => format!("no conflict with {} any more", said(&e.with)),
        Event::ConflictPredicted(e) => {
            format!("conflict with {} in {}", said(&e.with), paths(&e.paths, e.more))
        }
        Event::ConcernRecorded(e) => {
            let class = match e.class {
                ConcernClass::Design => "design",
                ConcernClass::Ops => "ops",
            };
            format!("{class} concern{}", quoted(&e.text))
        }
        Event::SummaryRecorded(e) => format!("summary{}", quoted(&e.text)),
        Event::ArtifactStored(e) => format!("artifact {} stored, {} bytes", said(&e.name), e.bytes),
        Event::HumanTaskOpened(e) => {
            format!("a person is needed: {} -> {}", said(&e.question), said(&e.hint))
        }
        Event::HumanTaskResolved(e) => format!("answered by {}{}", said(&e.by), quoted(&e.answer)),
        Event::LivenessRecorded(e) if e.evidence.quiet_ms() == 0 => "shows signs of life again".to_owned(),
        Event::LivenessRecorded(e) => e.evidence.to_string(),
        Event::TimerFired(e) => format!("{} is over: {}", said(&e.timer), stop(e.then)),
        Event::CustodyKept(e) => {
            format!("kept {} as {}: {}", e.commit.short(), said(&e.reference), said(&e.reason))
        }
        Event::CustodyRestored(e) => {
            let held = match e.held_back.len() {
                0 => String::new(),
                _ => format!("; held back: {}", paths(&e.held_back, None)),
            };
            format!("gave {} uncommitted files of {} back{held}", e.files, said(&e.reference))
        }
        _ => return None,
    })
}

fn used(event: &UsageRecorded) -> String {
    let tokens = [(event.input_tokens, "tokens in"), (event.output_tokens, "tokens out")];
    let mut parts: Vec<String> =
        tokens.iter().filter_map(|(n, what)| n.map(|n| format!("{n} {what}"))).collect();
    parts.extend(event.cost_micros.map(dollars));
    let parts = if parts.is_empty() { "an unknown amount".to_owned() } else { parts.join(", ") };
    let session = event.session.as_deref().map_or(String::new(), |s| format!(" (session {})", said(s)));
    let who = if event.review.is_some() { "reviewer" } else { "agent" };
    format!("{who} {} used {parts}{session}", said(&event.agent))
}

/// Millionths of a US dollar, as people write them.
fn dollars(micros: u64) -> String {
    format!("${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100)
}

/// What happened to a lane and its pull request.
fn lane_text(event: &Event) -> Option<String> {
    Some(match event {
        Event::LaneProvisioned(e) => {
            let pushed = if e.pushed { ", pushed" } else { "" };
            let remark = e.remark.as_deref().map_or(String::new(), |r| format!("; {}", said(r)));
            let ports: Vec<String> = e.ports.iter().map(|(name, port)| format!(", {name}={port}")).collect();
            let (worktree, ports) = (said(&e.worktree), ports.concat());
            format!("lane ready at {}, worktree {worktree}{pushed}{ports}{remark}", e.tip.short())
        }
        Event::LaneSynced(e) => {
            let from: Vec<String> =
                e.upstream.iter().map(|(lane, tip)| format!("{lane} at {}", tip.short())).collect();
            // What lanes have brought is named; else it was the target, or what came to the branch on origin.
            let from = if from.is_empty() { "what is new".to_owned() } else { from.join(", ") };
            format!("took in {from}; now at {}", e.tip.short())
        }
        Event::LaneRemoved(e) if e.remarks.is_empty() => "worktrees removed".to_owned(),
        Event::LaneRemoved(e) => format!("worktrees removed, but {}", said(&e.remarks.join("; "))),
        Event::PrOpened(e) => {
            format!("pull request #{} opened at {}: {}", e.pr.number, e.tip.short(), said(&e.pr.url))
        }
        Event::PrUpdated(e) => format!("pull request #{} shows {} now", e.pr.number, e.tip.short()),
        Event::PrMerged(e) => format!("pull request merged as {} by {}", e.commit.short(), said(&e.by)),
        Event::PrClosed(e) => format!("pull request closed unmerged by {}", said(&e.by)),
        Event::TaskPrOpened(e) => {
            format!("pull request #{} of the task shows {}: {}", e.pr.number, e.tip.short(), said(&e.pr.url))
        }
        Event::TaskPrMerged(e) => {
            format!("pull request #{} of the task merged as {}", e.pr.number, e.commit.short())
        }
        Event::TaskPrClosed(e) => {
            format!("pull request #{} of the task closed: {}", e.pr.number, said(&e.reason))
        }
        Event::LaneUndone(e) => super::undo::lane_undone(e),
        Event::UndoRefused(e) => format!("not undone: {}", said(&e.reason)),
        Event::RevertOpened(e) => {
            let (number, url) = (e.pr.number, said(&e.pr.url));
            format!("pull request #{number} takes {} back, once it is merged: {url}", e.reverts.short())
        }
        Event::RevertMerged(e) => {
            format!("taken back in the target as {} by {}", e.commit.short(), said(&e.by))
        }
        Event::RevertClosed(e) => format!("not taken back: the pull request was closed by {}", said(&e.by)),
        Event::ReviewDismissed(e) => format!("the review of {} was taken back", said(&e.by)),
        Event::ReviewObserved(e) => format!("{} by {}{}", act(e.act), said(&e.by), quoted(&e.text)),
        _ => return None,
    })
}

fn transition(event: &WorkflowTransition) -> String {
    let of = match event.of {
        crate::event::Entity::Run => "run",
        crate::event::Entity::Lane => "lane",
        crate::event::Entity::Task => "task",
        crate::event::Entity::Attempt => "attempt",
    };
    format!("{of} {}{}", said(&event.to), because(event.reason.as_deref()))
}

fn exited(event: &crate::event::ProcessExited) -> String {
    let leftovers = match event.leftovers.len() {
        0 => String::new(),
        n => format!("; {n} left over were ended"),
    };
    let pids: Vec<String> = event.escaped.iter().map(u32::to_string).collect();
    let escaped =
        if pids.is_empty() { String::new() } else { format!("; out of reach: {}", said(&pids.join(", "))) };
    format!(
        "{} ended with {} after {}{leftovers}{escaped}",
        role(event.role),
        event.exit,
        elapsed(event.duration_ms)
    )
}

fn intent(effect: &Effect) -> String {
    match effect {
        Effect::Provision { lane } => format!("prepare lane {lane}"),
        Effect::Warm { lane, .. } => format!("make the worktree of lane {lane} ahead of time"),
        Effect::Sync { lane, .. } => format!("bring lane {lane} up to date"),
        Effect::Attempt { task, attempt, start, .. } => {
            format!("attempt {attempt} of task {task} from {}", start.short())
        }
        Effect::Stop { task, reason, .. } => format!("stop task {task}: {}", stop(*reason)),
        Effect::Collect { task, .. } => format!("check the work of task {task}"),
        Effect::Examine { task, .. } => format!("have the work of task {task} reviewed"),
        Effect::Land { task, tip, .. } => format!("land task {task} on {}", tip.short()),
        Effect::OpenPr { lane, tip, .. } => {
            format!("open the pull request of lane {lane} at {}", tip.short())
        }
        Effect::Prove { lane, tip } => format!("prove the merge of lane {lane} at {}", tip.short()),
        Effect::MergePr { lane, tip, by, .. } => {
            format!("merge the pull request of lane {lane} at {} for {}", tip.short(), said(by))
        }
        Effect::CheckMerged { lane, .. } => format!("look whether lane {lane} is in its target"),
        Effect::Teardown { lane, .. } => format!("remove the worktrees of lane {lane}"),
        Effect::Probe { moved, .. } => {
            let moved: Vec<String> = moved.iter().map(|(lane, _)| lane.to_string()).collect();
            format!("look for conflicts ahead of {}", paths(&moved, None))
        }
        Effect::Conclude { lane } => format!("sum lane {lane} up on its pull request"),
        Effect::Undo { lane, step, by, .. } => format!("{} lane {lane} for {}", undo(step), said(by)),
        Effect::Review { lane, act: what, by, .. } => {
            format!("{} of {} on the pull request of lane {lane}", act(*what), said(by))
        }
    }
}

const fn undo(step: &UndoStep) -> &'static str {
    match step {
        UndoStep::TakeBack { .. } => "take work back in",
        UndoStep::Remove { .. } => "remove",
        UndoStep::Revert { .. } => "open a pull request against",
        UndoStep::Merge { .. } => "merge the pull request against",
        UndoStep::Close => "close the pull request against",
    }
}

fn control(control: &Control) -> String {
    let by = said(&control.by);
    match &control.verb {
        ControlVerb::Attach { pid, attempts: true, .. } => format!("{by} carries the run, pid {pid}"),
        ControlVerb::Attach { pid, .. } => format!("{by} settles the run, pid {pid}"),
        ControlVerb::Interrupt => "interrupted: nothing more is started".to_owned(),
        ControlVerb::Pause => format!("paused by {by}"),
        ControlVerb::Resume => format!("resumed by {by}"),
        ControlVerb::Cancel { tasks, lanes } => {
            let names =
                tasks.iter().map(ToString::to_string).chain(lanes.iter().map(|l| format!("lane {l}")));
            format!("called off by {by}: {}", or_all(&names.collect::<Vec<_>>()))
        }
        ControlVerb::Retry { tasks } => {
            let names: Vec<String> = tasks.iter().map(ToString::to_string).collect();
            format!("retry asked for by {by}: {}", or_all(&names))
        }
        ControlVerb::Skip { tasks } => {
            let names: Vec<String> = tasks.iter().map(ToString::to_string).collect();
            format!("{by} goes on without {}", names.join(", "))
        }
        ControlVerb::Reset { plan } => format!("{by} undoes {}", super::undo::headline(plan)),
        ControlVerb::Revert { lane, merge } => {
            let deed = if *merge { "merge" } else { "close" };
            format!("{by} asks to {deed} the pull request that takes lane {lane} back")
        }
        ControlVerb::Answer { task, text, .. } => format!("{by} answers task {task}{}", quoted(text)),
        ControlVerb::Merge { lane, .. } => format!("{by} asks to merge lane {lane}"),
        ControlVerb::Review { lane, act: what, text } => {
            format!("{by} on lane {lane}: {}{}", act(*what), quoted(text))
        }
    }
}

fn or_all(names: &[String]) -> String {
    if names.is_empty() { "everything".to_owned() } else { one_line(&names.join(", "), WORDS_SHOWN) }
}

fn signal(signal: &SignalKind) -> String {
    match signal {
        SignalKind::Done => "agent says done".to_owned(),
        SignalKind::Failed => "agent says it failed".to_owned(),
        SignalKind::Blocked => "agent is blocked".to_owned(),
        SignalKind::Summary => "agent sums up".to_owned(),
        SignalKind::Concern => "agent has a design concern".to_owned(),
        SignalKind::OpsConcern => "agent has an ops concern".to_owned(),
        SignalKind::Outputs => "agent declares outputs".to_owned(),
        SignalKind::Progress => "progress".to_owned(),
        SignalKind::Ask { .. } => "agent asks".to_owned(),
        SignalKind::Note { to } => format!("note to task {to}"),
        SignalKind::Artifact { name } => format!("artifact {}", said(name)),
        SignalKind::LaneStatus { status } => format!("status file `{status}` written from outside"),
    }
}

const fn role(role: ProcessRole) -> &'static str {
    match role {
        ProcessRole::Agent => "agent",
        ProcessRole::Command => "command",
        ProcessRole::Gate => "gate",
        ProcessRole::Reviewer => "reviewer",
    }
}

const fn check(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "passed",
        CheckStatus::Warn => "passed with a warning",
        CheckStatus::Fail => "failed",
        CheckStatus::Skip => "skipped",
    }
}

const fn act(act: ReviewAct) -> &'static str {
    match act {
        ReviewAct::Approve => "approval",
        ReviewAct::RequestChanges => "request for changes",
        ReviewAct::Comment => "comment",
        ReviewAct::Close => "closing",
    }
}

const fn stop(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Claimed => "it claimed and its grace is over",
        StopReason::TimedOut => "its time is over",
        StopReason::Stalled => "it shows no sign of life",
        StopReason::Cancelled => "called off",
        StopReason::Interrupted => "interrupted",
    }
}

fn paths(paths: &[String], unlisted: Option<u64>) -> String {
    said(&few(paths, unlisted.unwrap_or_default()))
}

fn said(text: &str) -> String {
    one_line(text, WORDS_SHOWN)
}

fn because(reason: Option<&str>) -> String {
    reason.map_or(String::new(), quoted)
}

/// Words after a colon, or nothing where there are none.
fn quoted(text: &str) -> String {
    let text = said(text);
    if text.is_empty() { text } else { format!(": {text}") }
}
