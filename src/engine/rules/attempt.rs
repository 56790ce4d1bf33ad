//! An attempt: when its processes are ended, what its evidence says, when its work lands.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::{Remedy, review};
use crate::event::{
    AttemptStatus, CheckRecorded, CheckStatus, Effect, FailureKind, HumanTaskOpened, HumanTaskResolved,
    LaneStatus, Status, StopReason, TimerFired,
};
use crate::graph::{AgentUse, DiffPolicy};
use crate::plan::{TaskIx, Work};
use crate::state::{Attempt, Outside};

/// An attempt that was chosen but has not begun: ready once its pause is over.
pub(super) fn queued(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    if core.state.tasks[task].cancel_wanted || core.lane_lost(task) {
        core.mark_ready(task, false);
        return core.attempt_to(task, AttemptStatus::Cancelled, Some("called off".to_owned()));
    }
    let due = core.attempt_due(task);
    core.mark_ready(task, due);
    Ok(())
}

/// An attempt that waits for a person: ready once there is an answer.
pub(super) fn waiting(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    if core.state.tasks[task].cancel_wanted || core.lane_lost(task) {
        core.mark_ready(task, false);
        return core.attempt_to(task, AttemptStatus::Cancelled, Some("called off".to_owned()));
    }
    // A journal may end between the note that a person has answered and what follows from it.
    let answered = core.newest(task).answer.is_some() || core.newest(task).question.is_none();
    core.mark_ready(task, answered);
    Ok(())
}

/// An attempt that holds a place.
pub(super) fn started(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    core.mark_ready(task, false);
    let attempt = core.newest(task);
    let in_flight = attempt.step.as_ref().is_some_and(crate::state::Step::is_in_flight);
    let failed = attempt.step.as_ref().is_some_and(|s| s.failure().is_some());
    if failed {
        step_failed(core, task)
    } else if in_flight && !attempt.over {
        at_work(core, task)
    } else if in_flight {
        after_work(core, task)
    } else if !attempt.over {
        // The intent was lost together with the step; begin the same iteration again.
        core.begin_process(task, attempt.iteration.max(1))
    } else if attempt.landed {
        core.attempt_to(task, AttemptStatus::Succeeded, None)
    } else if attempt.collected.is_some() {
        finish(core, task)
    } else {
        judge(core, task)
    }
}

/// Its process lives, or is about to: end it where there is reason to.
fn at_work(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let attempt = core.newest(task);
    if attempt.stop.is_some() {
        return Ok(());
    }
    let reason = match core.called_off(task) {
        None => core.timer(task)?,
        reason => reason,
    };
    reason.map_or(Ok(()), |reason| stop(core, task, reason))
}

/// Its work is reviewed, or lands: where it is called off, a reviewer or a gate that runs has no reason to go on.
fn after_work(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let attempt = core.newest(task);
    let may_run = |effect: &Effect| matches!(effect, Effect::Examine { .. } | Effect::Land { .. });
    if !attempt.step.as_ref().is_some_and(|s| may_run(&s.effect)) || attempt.is_called_off() {
        return Ok(());
    }
    core.called_off(task).map_or(Ok(()), |reason| stop(core, task, reason))
}

fn stop(core: &mut Core, task: TaskIx, reason: StopReason) -> Result<(), EngineError> {
    let number = core.newest(task).number;
    let effect = Effect::Stop { task: core.plan.tasks[task].id.clone(), attempt: number, reason };
    core.intend(core.attempt_subject(task, number), effect)
}

/// Its processes are over: note what was claimed and what it ended with, and look at what it left. Whatever the
/// verdict, the work is collected, so that nothing is lost and the next attempt can go on from it.
fn judge(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let attempt = core.newest(task);
    let number = attempt.number;
    let name = if matches!(core.plan.tasks[task].work, Work::Run { .. }) { "exit" } else { "claim" };
    match verdict(core, task) {
        Claim::Stopped(..) | Claim::Waits(_) | Claim::GoesOn(_) => {}
        // Where nothing is collected it is looked at again each time that its lane may be free; the verdict is said once.
        _ if core.newest(task).checks.iter().any(|c| c.name == name) => {}
        Claim::Against { check, detail } => core.check(task, check, CheckStatus::Fail, &detail)?,
        Claim::Holds { remark } => {
            let status = if remark.is_empty() { CheckStatus::Pass } else { CheckStatus::Warn };
            core.check(task, name, status, &remark)?;
        }
    }
    let plan = &core.plan.tasks[task];
    let leaves_nothing = plan.diff == DiffPolicy::None && plan.contract.outputs.is_empty();
    if leaves_nothing || core.newest(task).process.is_none() {
        return finish(core, task);
    }
    let effect = Effect::Collect { task: core.plan.tasks[task].id.clone(), attempt: number };
    core.intend(core.attempt_subject(task, number), effect)
}

/// Everything about it is known: how it ends, or that its work may land.
fn finish(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    match verdict(core, task) {
        Claim::Stopped(to, why) => return core.attempt_to(task, to, Some(why)),
        Claim::Waits(question) => {
            let id = core.plan.tasks[task].id.clone();
            let subject = core.attempt_subject(task, core.newest(task).number);
            let hint = format!("laneway signal answer {id} \"...\"");
            core.decide(subject, HumanTaskOpened { question: question.clone(), hint })?;
            return core.attempt_to(task, AttemptStatus::Waiting, Some(question));
        }
        Claim::GoesOn(most) => return next_iteration(core, task, most),
        Claim::Against { .. } | Claim::Holds { .. } => {}
    }
    let attempt = core.newest(task);
    let against: Vec<&str> = attempt.failed_checks().map(|c| brief(&c.detail)).collect();
    if !against.is_empty() {
        return core.attempt_to(task, AttemptStatus::Failed, Some(against.join("; ")));
    }
    let commit = attempt.collected.clone().flatten();
    proven(core, task, commit)
}

fn verdict(core: &Core, task: TaskIx) -> Claim {
    let attempt = core.newest(task);
    match attempt.stop {
        Some(StopReason::Cancelled) => Claim::Stopped(AttemptStatus::Cancelled, "called off".to_owned()),
        Some(StopReason::Interrupted) => Claim::Stopped(AttemptStatus::Cancelled, "interrupted".to_owned()),
        Some(StopReason::TimedOut) => {
            let limit = std::time::Duration::from_millis(core.plan.tasks[task].timeout.0);
            Claim::Stopped(AttemptStatus::TimedOut, format!("timed out after {limit:?}"))
        }
        Some(StopReason::Stalled) => Claim::Stopped(AttemptStatus::TimedOut, stalled(attempt)),
        Some(StopReason::Claimed) | None => match core.plan.tasks[task].work {
            Work::Run { .. } => ran(attempt),
            ref work @ Work::Agent { .. } => claimed(attempt, work),
        },
    }
}

fn stalled(attempt: &Attempt) -> String {
    attempt.quiet.map_or_else(|| "stalled".to_owned(), |quiet| format!("stalled: {}", quiet.evidence))
}

enum Claim {
    Holds {
        remark: String,
    },
    Against {
        check: &'static str,
        detail: String,
    },
    Waits(String),
    /// Nothing was claimed, and there may be this many processes.
    GoesOn(u32),
    Stopped(AttemptStatus, String),
}

/// A command says by its exit code whether it is done.
fn ran(attempt: &Attempt) -> Claim {
    match attempt.process.as_ref().and_then(|p| p.exit) {
        Some(exit) if exit.success() => Claim::Holds { remark: String::new() },
        Some(exit) => Claim::Against { check: "exit", detail: format!("the command ended with {exit}") },
        None => Claim::Against { check: "exit", detail: "the command did not start".to_owned() },
    }
}

/// An agent says it by a signal file; a clean exit is a claim only of those that know no other way.
fn claimed(attempt: &Attempt, work: &Work) -> Claim {
    let exit = attempt.process.as_ref().and_then(|p| p.exit);
    let claims = &attempt.claims;
    let against = |detail: String| Claim::Against { check: "claim", detail };
    if let (Some(_), Some((_, why))) = (&claims.done, &claims.failed) {
        return against(format!("the agent wrote both `done` and `failed`: {}", brief(why)));
    }
    if let Some((_, why)) = &claims.failed {
        return against(format!("the agent says it failed: {}", brief(why)));
    }
    if let Some((_, question)) = &claims.blocked {
        return Claim::Waits(brief(question).to_owned());
    }
    if attempt.is_claimed(work) {
        let stopped = attempt.stop == Some(StopReason::Claimed);
        let remark = match exit {
            Some(exit) if !exit.success() && !stopped => format!("the agent ended with {exit} after `done`"),
            _ => String::new(),
        };
        return Claim::Holds { remark };
    }
    if let Some(question) = &attempt.question {
        return Claim::Waits(brief(question).to_owned());
    }
    if let Work::Agent { by: AgentUse { repeat: Some(repeat), .. }, .. } = work {
        return Claim::GoesOn(repeat.max_iterations);
    }
    let rejected =
        attempt.rejected.first().map(|(name, why)| format!("; its signal `{name}` was not accepted: {why}"));
    let ended = exit.map_or_else(|| "without a process".to_owned(), |e| format!("with {e}"));
    against(format!("the agent ended {ended} and without a claim{}", rejected.unwrap_or_default()))
}

/// How long an orchestrator that takes a run up looks for what became of its processes before it holds their time against
/// them.
const TAKING_UP_MS: u64 = 5_000;

/// Processes in a row that change nothing, after which a loop is not worth another.
const MOST_IDLE: u32 = 2;

/// A process of a loop has ended without a claim, as is usual: the next one, or the end of the attempt.
fn next_iteration(core: &mut Core, task: TaskIx, most: u32) -> Result<(), EngineError> {
    let attempt = core.newest(task);
    let (iteration, idle) = (attempt.iteration, attempt.idle + u32::from(attempt.is_idle()));
    let run = &core.state.run;
    let end = if core.state.tasks[task].cancel_wanted || core.lane_lost(task) {
        Some((AttemptStatus::Cancelled, "called off".to_owned()))
    } else if idle >= MOST_IDLE {
        let why = format!("{idle} iterations in a row changed nothing and claimed nothing");
        Some((AttemptStatus::Exhausted, why))
    } else if iteration >= most {
        let noun = if iteration == 1 { "iteration" } else { "iterations" };
        Some((AttemptStatus::Exhausted, format!("{iteration} {noun} ended without a claim")))
    } else if run.interrupts > 0 || !run.attempts_allowed {
        Some((AttemptStatus::Cancelled, "interrupted".to_owned()))
    } else {
        None
    };
    match end {
        Some((to, why)) => core.attempt_to(task, to, Some(why)),
        // It is looked at again when the pause ends.
        None if run.paused => Ok(()),
        None => core.begin_process(task, iteration + 1),
    }
}

/// What an agent said, cut: its whole text stands in the signal's own event, once.
fn brief(text: &str) -> &str {
    const MOST: usize = 2000;
    let text = text.trim();
    let cut = (0..=MOST.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    if text.is_empty() { "no reason given" } else { &text[..cut] }
}

/// The evidence so far holds: in the lane's turn, merge and gate.
fn proven(core: &mut Core, task: TaskIx, commit: Option<crate::id::Sha>) -> Result<(), EngineError> {
    if core.state.tasks[task].cancel_wanted || core.lane_lost(task) {
        return core.attempt_to(task, AttemptStatus::Cancelled, Some("called off".to_owned()));
    }
    let number = core.newest(task).number;
    if commit.is_none() && core.plan.tasks[task].gate.is_none() {
        return core.attempt_to(task, AttemptStatus::Succeeded, None);
    }
    if let Some(commit) = &commit
        && review::is_wanted(core, task)
    {
        return review::next(core, task, commit.clone());
    }
    let lane = core.index.lane_of[task];
    if core.state.lanes[lane].is_busy() {
        return Ok(());
    }
    let Some(tip) = core.state.lanes[lane].tip.clone() else {
        return Ok(());
    };
    let effect = Effect::Land { task: core.plan.tasks[task].id.clone(), attempt: number, tip, commit };
    core.intend(core.attempt_subject(task, number), effect)
}

/// One of its effects failed: the surroundings are tried again, the work is judged.
fn step_failed(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let attempt = core.newest(task);
    let step = attempt.step.clone().expect("the caller saw it");
    let number = attempt.number;
    if core.state.tasks[task].cancel_wanted
        || core.lane_lost(task)
        || attempt.stop == Some(StopReason::Cancelled)
    {
        return core.attempt_to(task, AttemptStatus::Cancelled, Some("called off".to_owned()));
    }
    let refusal = attempt.refusal().is_some();
    if attempt.stop == Some(StopReason::Interrupted) || core.interrupt_is_due(task) {
        return core.attempt_to(task, AttemptStatus::Cancelled, Some("interrupted".to_owned()));
    }
    if refusal {
        return refused(core, task);
    }
    let retry = core.plan.tasks[task].retry.clone();
    match core.remedy(&step, retry.as_ref()) {
        None => Ok(()),
        Some(Remedy::Wait(due)) => {
            core.agenda.wait_wall(due, Item::Task(task));
            Ok(())
        }
        Some(Remedy::Again) => {
            let lane = core.index.lane_of[task];
            let effect = match step.effect {
                Effect::Land { task: id, attempt, commit, .. } => {
                    if core.state.lanes[lane].is_busy() {
                        return Ok(());
                    }
                    let Some(tip) = core.state.lanes[lane].tip.clone() else {
                        return Ok(());
                    };
                    Effect::Land { task: id, attempt, tip, commit }
                }
                other => other,
            };
            core.intend(core.attempt_subject(task, number), effect)
        }
        Some(Remedy::Give(why)) => {
            let lost = matches!(step.failure(), Some((f, _)) if f.class == FailureKind::Permanent)
                && matches!(step.effect, Effect::Attempt { .. });
            let to = if lost && core.newest(task).process.is_some() {
                AttemptStatus::Unknown
            } else {
                AttemptStatus::Failed
            };
            core.attempt_to(task, to, Some(why))
        }
    }
}

/// The user's own things are in the way: that is no failure of the work, and a person has to look.
fn refused(core: &mut Core, task: TaskIx) -> Result<(), EngineError> {
    let attempt = core.newest(task);
    let failure = attempt.refusal().expect("the caller saw it").clone();
    let hint = failure.hint.unwrap_or_else(|| format!("laneway retry --task {}", core.plan.tasks[task].id));
    let subject = core.attempt_subject(task, attempt.number);
    core.decide(subject, HumanTaskOpened { question: failure.message.clone(), hint })?;
    core.attempt_to(task, AttemptStatus::Waiting, Some(failure.message))
}

impl Core {
    pub(super) fn newest(&self, task: TaskIx) -> &Attempt {
        self.state.tasks[task].attempt().expect("a running task has an attempt")
    }

    pub(super) fn attempt_to(
        &mut self,
        task: TaskIx,
        to: AttemptStatus,
        reason: Option<String>,
    ) -> Result<(), EngineError> {
        let attempt = self.newest(task);
        let (number, from) = (attempt.number, attempt.status);
        self.turn(
            self.attempt_subject(task, number),
            Some(Status::Attempt(from)),
            Status::Attempt(to),
            reason,
        )
    }

    /// Takes up the work of a person's answer: the attempt goes on with a new process, or with the step that was refused.
    pub(super) fn go_on(&mut self, task: TaskIx) -> Result<(), EngineError> {
        let attempt = self.newest(task);
        let (number, iteration) = (attempt.number, attempt.iteration + 1);
        let answer = attempt.answer.clone().unwrap_or_default();
        let (resumed, open) = (attempt.goes_on_in_place(), attempt.question.is_some());
        if open {
            let subject = self.attempt_subject(task, number);
            self.decide(subject, HumanTaskResolved { by: "person".to_owned(), answer })?;
        }
        self.attempt_to(task, AttemptStatus::Started, None)?;
        // What was refused is intended again by the rule of a started attempt; its work is there already.
        if resumed { Ok(()) } else { self.begin_process(task, iteration) }
    }

    pub(super) fn check(
        &mut self,
        task: TaskIx,
        name: &str,
        status: CheckStatus,
        detail: &str,
    ) -> Result<(), EngineError> {
        let subject = self.attempt_subject(task, self.newest(task).number);
        let event =
            CheckRecorded { name: name.to_owned(), status, detail: detail.to_owned(), duration_ms: 0 };
        self.decide(subject, event)
    }

    /// Whether the lane was said to have failed, or did.
    pub(super) fn lane_lost(&self, task: TaskIx) -> bool {
        let lane = &self.state.lanes[self.index.lane_of[task]];
        lane.status == LaneStatus::Failed || matches!(lane.outside, Some(Outside::Failed(_)))
    }

    /// Why a started attempt has to end, whatever it is at.
    fn called_off(&mut self, task: TaskIx) -> Option<StopReason> {
        if self.state.tasks[task].cancel_wanted || self.lane_lost(task) {
            return Some(StopReason::Cancelled);
        }
        self.interrupt_is_due(task).then_some(StopReason::Interrupted)
    }

    /// Whether an interrupt leaves a living attempt no more time: the first grants the grace, the second nothing.
    fn interrupt_is_due(&mut self, task: TaskIx) -> bool {
        let Some(at) = self.state.run.interrupted_at else { return false };
        let due = at.plus(self.plan.settings.grace.0);
        if self.state.run.interrupts >= 2 || due <= self.now.wall {
            return true;
        }
        self.agenda.wait_wall(due, Item::Task(task));
        false
    }

    /// Whether it has been quiet for longer than the graph allows, as was reported at least once before.
    fn is_stalled(&self, task: TaskIx) -> bool {
        let attempt = self.newest(task);
        let (Some(stall), Some(quiet)) = (self.plan.tasks[task].stall, attempt.quiet) else { return false };
        quiet.times > 1 && quiet.evidence.quiet_ms() >= stall.0 && !attempt.may_be_quiet()
    }

    /// Which deadline of a living attempt is over; the next one is put on the agenda.
    fn timer(&mut self, task: TaskIx) -> Result<Option<StopReason>, EngineError> {
        let attempt = self.newest(task);
        let Some(process) = &attempt.process else {
            return Ok(None);
        };
        let number = attempt.number;
        // Whether it still lives is found out first: its time may have passed while nobody carried the run, and what it
        // did in time counts. A process of an earlier boot was timed by another clock.
        let taken_up = if process.mono < self.carried_since {
            self.carried_since.saturating_add(TAKING_UP_MS)
        } else {
            0
        };
        let until = process.mono.saturating_add(self.plan.tasks[task].timeout.0).max(taken_up);
        let claim = attempt.claims.first().map(|at| at.plus(self.plan.settings.grace.0));
        let (timer, then) = if claim.is_some_and(|at| at <= self.now.wall) {
            ("grace", StopReason::Claimed)
        } else if until <= self.now.mono {
            ("timeout", StopReason::TimedOut)
        } else if self.is_stalled(task) {
            ("stall", StopReason::Stalled)
        } else {
            self.agenda.wait_mono(until, Item::Task(task));
            if let Some(at) = claim {
                self.agenda.wait_wall(at, Item::Task(task));
            }
            return Ok(None);
        };
        let subject = self.attempt_subject(task, number);
        self.decide(subject, TimerFired { timer: timer.to_owned(), then })?;
        Ok(Some(then))
    }
}
