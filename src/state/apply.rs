//! The fold: one event at a time.

use super::lane::name;
use super::{
    Check, Claims, Concern, Conflict, LaneRequest, Outside, Process, PullRequest, ReviewNote, State, Step,
    StepPhase,
};
use crate::event::{
    Control, ControlVerb, Effect, EffectId, Entity, Envelope, Event, Failure, Place, SignalKind,
    SignalObserved,
};
use crate::id::TaskId;
use crate::plan::{LaneIx, TaskIx};

/// Why an event does not fit the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A gap or a repetition.
    #[error("event {found} follows event {last}")]
    Sequence {
        /// The last that was applied.
        last: u64,
        /// The one that came.
        found: u64,
    },
    /// A transition that the table does not know, or that starts elsewhere than where things stand.
    #[error("event {seq}: {of:?} cannot go from {from} to {to}")]
    Illegal {
        /// The event.
        seq: u64,
        /// What it is about.
        of: Entity,
        /// Where it stands.
        from: &'static str,
        /// Where it was to go.
        to: &'static str,
    },
    /// A status that the entity does not have.
    #[error("event {seq}: there is no status {word:?}")]
    NoStatus {
        /// The event.
        seq: u64,
        /// The word.
        word: String,
    },
    /// It names no lane, or one that the plan does not have.
    #[error("event {seq} is about a lane that the plan does not have")]
    NoLane {
        /// The event.
        seq: u64,
    },
    /// It names no task, or one that the plan does not have.
    #[error("event {seq} is about a task that the plan does not have")]
    NoTask {
        /// The event.
        seq: u64,
    },
    /// It names no attempt that there is.
    #[error("event {seq} is about attempt {number}, which there is not")]
    NoAttempt {
        /// The event.
        seq: u64,
        /// The attempt.
        number: u32,
    },
    /// It answers an effect that nobody waits for.
    #[error("event {seq} answers {id}, which is not outstanding")]
    NotOutstanding {
        /// The event.
        seq: u64,
        /// The effect.
        id: EffectId,
    },
}

/// What an event touched; what the engine looks at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    /// The run as a whole.
    pub run: bool,
    /// A lane.
    pub lane: Option<LaneIx>,
    /// A task.
    pub task: Option<TaskIx>,
    /// Whether those that depend on it are touched too.
    pub spreads: bool,
    /// Everything.
    pub all: bool,
}

impl Touched {
    /// Only a lane, and what hangs on it.
    pub(super) fn lane(lane: LaneIx) -> Self {
        Self { lane: Some(lane), spreads: true, ..Self::default() }
    }
}

impl State {
    /// Takes one event in. On an error nothing has changed.
    pub fn apply(&mut self, at: &Envelope) -> Result<Touched, ApplyError> {
        if at.seq != self.seq + 1 {
            return Err(ApplyError::Sequence { last: self.seq, found: at.seq });
        }
        let touched = match &at.event {
            Event::WorkflowTransition(event) => self.transition(at, event)?,
            Event::EffectIntended(event) => self.intended(at, &event.id, &event.effect)?,
            Event::EffectConfirmed(event) => self.answered(at, &event.id, None)?,
            Event::EffectFailed(event) => self.answered(at, &event.id, Some(&event.failure))?,
            Event::ControlReceived(event) => self.control(&event.control, at.at),
            event if at.subject.attempt.is_some() => self.attempt_fact(at, event)?,
            event if at.subject.lane.is_some() => self.lane_fact(at, event)?,
            event => self.run_fact(at, event),
        };
        self.seq = at.seq;
        Ok(touched)
    }

    pub(super) fn lane_of(&self, at: &Envelope) -> Result<LaneIx, ApplyError> {
        let lane = at.subject.lane.as_ref().and_then(|id| self.index.lane(id));
        lane.ok_or(ApplyError::NoLane { seq: at.seq })
    }

    pub(super) fn task_of(&self, at: &Envelope) -> Result<TaskIx, ApplyError> {
        self.task_named(at.subject.task.as_ref()).ok_or(ApplyError::NoTask { seq: at.seq })
    }

    fn task_named(&self, id: Option<&TaskId>) -> Option<TaskIx> {
        id.and_then(|id| self.index.task(id))
    }

    pub(super) fn touched_task(&self, task: TaskIx) -> Touched {
        Touched { task: Some(task), lane: Some(self.index.lane_of[task]), ..Touched::default() }
    }

    fn run_fact(&mut self, at: &Envelope, event: &Event) -> Touched {
        match event {
            Event::WorkflowStart(_) => {
                self.run.status = Some(crate::event::RunStatus::Running);
                self.run.started_at = Some(at.at);
                Touched { all: true, ..Touched::default() }
            }
            Event::LossRecorded(event) => {
                self.run.losses.push(event.what.clone());
                Touched::default()
            }
            _ => Touched::default(),
        }
    }

    fn intended(&mut self, at: &Envelope, id: &EffectId, effect: &Effect) -> Result<Touched, ApplyError> {
        let touched = match effect {
            Effect::Stop { task, attempt, reason } => {
                let task = self.task_named(Some(task)).ok_or(ApplyError::NoTask { seq: at.seq })?;
                self.attempt_at(at, task, *attempt)?.stop = Some(*reason);
                self.touched_task(task)
            }
            Effect::Attempt { task, attempt, .. }
            | Effect::Collect { task, attempt }
            | Effect::Land { task, attempt, .. } => {
                let task = self.task_named(Some(task)).ok_or(ApplyError::NoTask { seq: at.seq })?;
                let lane = self.index.lane_of[task];
                let attempt = self.attempt_at(at, task, *attempt)?;
                if let Effect::Attempt { iteration, start, place, .. } = effect {
                    begin_iteration(attempt, *iteration, start, *place);
                }
                attempt.step = Some(next_step(attempt.step.as_ref(), effect));
                if matches!(effect, Effect::Land { .. }) {
                    self.lanes[lane].turn = Some(task);
                }
                self.touched_task(task)
            }
            _ => {
                let lane = self.lane_of(at)?;
                let lane_state = &mut self.lanes[lane];
                lane_state.step = Some(next_step(lane_state.step.as_ref(), effect));
                match effect {
                    Effect::Sync { n, .. } => lane_state.syncs = *n,
                    Effect::Teardown { n, .. } => lane_state.teardowns = *n,
                    Effect::MergePr { request: Some(request), .. } | Effect::Review { request, .. } => {
                        lane_state.requests.retain(|r| r.id != *request);
                    }
                    _ => {}
                }
                Touched::lane(lane)
            }
        };
        self.outstanding.insert(id.clone(), effect.clone());
        Ok(touched)
    }

    fn attempt_at(
        &mut self,
        at: &Envelope,
        task: TaskIx,
        number: u32,
    ) -> Result<&mut super::Attempt, ApplyError> {
        self.tasks[task].attempt_mut(number).ok_or(ApplyError::NoAttempt { seq: at.seq, number })
    }

    fn answered(
        &mut self,
        at: &Envelope,
        id: &EffectId,
        failure: Option<&Failure>,
    ) -> Result<Touched, ApplyError> {
        let effect = self
            .outstanding
            .remove(id)
            .ok_or_else(|| ApplyError::NotOutstanding { seq: at.seq, id: id.clone() })?;
        let settled = |step: &mut Option<Step>| match (step.as_mut(), failure) {
            (Some(step), Some(failure)) => {
                step.phase = StepPhase::Failed { at: at.at, failure: failure.clone() };
            }
            _ => *step = None,
        };
        Ok(match &effect {
            Effect::Stop { task, .. } => {
                let task = self.task_named(Some(task)).ok_or(ApplyError::NoTask { seq: at.seq })?;
                self.touched_task(task)
            }
            Effect::Attempt { task, attempt, .. }
            | Effect::Collect { task, attempt }
            | Effect::Land { task, attempt, .. } => {
                let task = self.task_named(Some(task)).ok_or(ApplyError::NoTask { seq: at.seq })?;
                if matches!(effect, Effect::Land { .. }) {
                    self.lanes[self.index.lane_of[task]].turn = None;
                }
                let attempt = self.attempt_at(at, task, *attempt)?;
                settled(&mut attempt.step);
                match effect {
                    Effect::Attempt { .. } if failure.is_none() => attempt.over = true,
                    Effect::Collect { .. } if failure.is_none() && attempt.collected.is_none() => {
                        attempt.collected = Some(None);
                    }
                    Effect::Land { .. } if failure.is_none() => attempt.landed = true,
                    _ => {}
                }
                self.touched_task(task)
            }
            _ => {
                let lane = self.lane_of(at)?;
                let lane_state = &mut self.lanes[lane];
                settled(&mut lane_state.step);
                if let (Effect::Prove { tip, .. }, None) = (&effect, failure) {
                    lane_state.proven = Some(tip.clone());
                }
                if let Effect::CheckMerged { .. } = effect {
                    lane_state.outside = None;
                }
                Touched::lane(lane)
            }
        })
    }

    fn control(&mut self, control: &Control, at: crate::event::Timestamp) -> Touched {
        self.handled.insert(control.id.clone());
        let mut touched = Touched { run: true, ..Touched::default() };
        match &control.verb {
            ControlVerb::Attach { attempts, .. } => {
                self.run.attempts_allowed = *attempts;
                self.run.interrupts = 0;
                self.run.interrupted_at = None;
                touched.all = true;
            }
            ControlVerb::Interrupt => {
                self.run.interrupts += 1;
                self.run.interrupted_at.get_or_insert(at);
                touched.all = true;
            }
            ControlVerb::Pause => self.run.paused = true,
            ControlVerb::Resume => self.run.paused = false,
            ControlVerb::Cancel { tasks, lanes } => {
                self.cancel(tasks, lanes);
                touched.all = true;
            }
            ControlVerb::Retry { tasks } => {
                self.retry(tasks);
                touched.all = true;
            }
            ControlVerb::Answer { task, ask, text } => {
                if let Some(task) = self.task_named(Some(task)) {
                    if let Some(attempt) = self.tasks[task].attempts.last_mut() {
                        attempt.answer = Some(text.clone());
                        attempt.ask = ask.clone().or(attempt.ask.take());
                        if attempt.status == crate::event::AttemptStatus::Started {
                            attempt.question = None;
                        }
                    }
                    return self.touched_task(task);
                }
            }
            ControlVerb::Merge { lane } | ControlVerb::Review { lane, .. } => {
                if let Some(lane) = self.index.lane(lane) {
                    self.lanes[lane].requests.push_back(LaneRequest {
                        id: control.id.clone(),
                        by: control.by.clone(),
                        verb: control.verb.clone(),
                    });
                    return Touched::lane(lane);
                }
            }
        }
        touched
    }

    fn cancel(&mut self, tasks: &[TaskId], lanes: &[crate::id::LaneId]) {
        let whole = tasks.is_empty() && lanes.is_empty();
        self.run.cancelled |= whole;
        for (ix, plan) in self.plan.tasks.iter().enumerate() {
            if whole || tasks.contains(&plan.id) || lanes.contains(&plan.lane) {
                self.tasks[ix].cancel_wanted |= !self.tasks[ix].status.is_terminal();
            }
        }
    }

    fn retry(&mut self, tasks: &[TaskId]) {
        self.run.cancelled = false;
        for (ix, plan) in self.plan.tasks.iter().enumerate() {
            let task = &mut self.tasks[ix];
            let named = tasks.is_empty() || tasks.contains(&plan.id);
            if named && task.status.is_terminal() && !task.status.is_success() {
                task.retry_wanted = true;
                self.lanes[self.index.lane_of[ix]].retry_wanted = true;
            }
        }
        for (ix, lane) in self.lanes.iter_mut().enumerate() {
            let asked = tasks.is_empty()
                || self.index.tasks_of[ix].iter().any(|&t| tasks.contains(&self.plan.tasks[t].id));
            lane.retry_wanted |= asked && lane.status == crate::event::LaneStatus::Failed;
        }
    }

    /// A note is the other task's to keep, whether that has begun or not.
    fn pass_on(&mut self, at: &Envelope, event: &Event) {
        let Event::SignalObserved(SignalObserved { signal: SignalKind::Note { to }, text }) = event else {
            return;
        };
        let (Some(to), Some(from)) = (self.task_named(Some(to)), at.subject.task.clone()) else { return };
        let name = at.source.as_ref().and_then(|s| s.path.rsplit('/').next()).unwrap_or("note").to_owned();
        self.tasks[to].notes.push(super::Note { from, name, text: text.clone() });
    }

    fn attempt_fact(&mut self, at: &Envelope, event: &Event) -> Result<Touched, ApplyError> {
        let task_ix = self.task_of(at)?;
        let lane_ix = self.index.lane_of[task_ix];
        let number = at.subject.attempt.unwrap_or(0);
        self.pass_on(at, event);
        let task = &mut self.tasks[task_ix];
        let attempt = task.attempt_mut(number).ok_or(ApplyError::NoAttempt { seq: at.seq, number })?;
        let lane = &mut self.lanes[lane_ix];
        match event {
            Event::SignalObserved(event) => signal(attempt, at, event),
            Event::SignalRejected(event) => {
                mark_seen(attempt, at);
                attempt.rejected.push((event.name.clone(), event.reason.clone()));
            }
            Event::ProcessStarted(event) if event.role != crate::event::ProcessRole::Gate => {
                attempt.process =
                    Some(Process { id: event.process.clone(), mono: event.mono, at: at.at, exit: None });
            }
            Event::ProcessExited(event) if event.role != crate::event::ProcessRole::Gate => {
                if let Some(process) = &mut attempt.process {
                    process.exit = Some(event.exit);
                }
            }
            Event::CheckRecorded(event) => record(&mut attempt.checks, event),
            Event::WorkCollected(event) => attempt.collected = Some(event.commit.clone()),
            Event::DiffRecorded(event) => attempt.diff = Some(event.stat),
            Event::MergeRecorded(event) => {
                lane.tip = Some(event.to.clone());
                attempt.landed = true;
                if let Some(gate) = &self.plan.tasks[task_ix].gate {
                    lane.gated.push((event.tree.clone(), gate.command.to_string()));
                    if lane.gated.len() > 8 {
                        lane.gated.remove(0);
                    }
                }
            }
            Event::ConflictPredicted(event) => {
                attempt.conflict = Some(Conflict {
                    with: event.with.clone(),
                    paths: event.paths.clone(),
                    detail: event.detail.clone(),
                });
            }
            Event::ConcernRecorded(event) => {
                let concern = Concern::new(event.class, at.subject.task.clone(), event.text.clone());
                if !lane.concerns.contains(&concern) {
                    lane.concerns.push(concern);
                }
            }
            Event::SummaryRecorded(event) => task.summary = Some(event.text.clone()),
            Event::HumanTaskOpened(event) => attempt.question = Some(event.question.clone()),
            Event::HumanTaskResolved(_) => attempt.question = None,
            _ => {}
        }
        Ok(self.touched_task(task_ix))
    }

    fn lane_fact(&mut self, at: &Envelope, event: &Event) -> Result<Touched, ApplyError> {
        let lane_ix = self.lane_of(at)?;
        let index = std::sync::Arc::clone(&self.index);
        let lane = &mut self.lanes[lane_ix];
        match event {
            Event::LaneProvisioned(event) => {
                lane.worktree = Some(event.worktree.clone());
                lane.tip = Some(event.tip.clone());
                lane.remarks.extend(event.remark.clone());
            }
            Event::LaneSynced(event) => {
                lane.tip = Some(event.tip.clone());
                for (upstream, tip) in &event.upstream {
                    if let Some(upstream) = index.lane(upstream) {
                        lane.contains.insert(upstream, tip.clone());
                    }
                }
            }
            Event::ControlRejected(event) => lane.requests.retain(|r| r.id != event.request),
            Event::LaneRemoved(event) => {
                lane.worktree = None;
                lane.remarks.extend(event.remarks.iter().cloned());
            }
            Event::PrOpened(crate::event::PrOpened { pr, tip })
            | Event::PrUpdated(crate::event::PrUpdated { pr, tip }) => {
                let known = lane.pr.as_ref().filter(|known| known.at == *pr);
                let (merged, closed_by) =
                    known.map_or((None, None), |k| (k.merged.clone(), k.closed_by.clone()));
                lane.pr = Some(PullRequest { at: pr.clone(), tip: tip.clone(), merged, closed_by });
            }
            Event::PrMerged(event) => {
                if let Some(pr) = &mut lane.pr {
                    pr.merged = Some(event.commit.clone());
                }
            }
            Event::PrClosed(event) => {
                if let Some(pr) = &mut lane.pr {
                    pr.closed_by = Some(event.by.clone());
                }
            }
            Event::CheckRecorded(event) => record(&mut lane.checks, event),
            Event::ReviewObserved(event) => lane.reviews.push(ReviewNote {
                act: event.act,
                by: event.by.clone(),
                text: event.text.clone(),
                tip: event.tip.clone(),
            }),
            Event::SignalObserved(SignalObserved { signal: SignalKind::LaneStatus { status }, text }) => {
                match status {
                    crate::event::LaneStatus::Failed => {
                        let why = if text.trim().is_empty() { "said to have failed" } else { text.trim() };
                        lane.outside = Some(Outside::Failed(format!(
                            "{why} (status file written by {})",
                            name(&at.actor)
                        )));
                    }
                    crate::event::LaneStatus::Merged => lane.outside = Some(Outside::Merged),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(Touched::lane(lane_ix))
    }
}

fn next_step(last: Option<&Step>, effect: &Effect) -> Step {
    let tries = last.filter(|s| s.effect.id() == effect.id()).map_or(0, |s| s.tries);
    Step { effect: effect.clone(), tries: tries + 1, phase: StepPhase::InFlight }
}

fn begin_iteration(attempt: &mut super::Attempt, iteration: u32, start: &crate::id::Sha, place: Place) {
    attempt.iteration = iteration;
    attempt.start.get_or_insert_with(|| start.clone());
    attempt.place = place;
    attempt.over = false;
    attempt.collected = None;
    attempt.checks.clear();
    attempt.stop = None;
    attempt.process = None;
    attempt.claims = Claims::default();
    attempt.seen.clear();
    attempt.question = None;
}

fn mark_seen(attempt: &mut super::Attempt, at: &Envelope) {
    if let Some(source) = &at.source {
        attempt.seen.insert((source.path.clone(), source.digest.clone()));
    }
}

fn signal(attempt: &mut super::Attempt, at: &Envelope, event: &SignalObserved) {
    mark_seen(attempt, at);
    let said = Some((at.at, event.text.clone()));
    match &event.signal {
        SignalKind::Done => attempt.claims.done = said,
        SignalKind::Failed => attempt.claims.failed = said,
        SignalKind::Blocked => attempt.claims.blocked = said,
        SignalKind::Progress => attempt.progress = Some(event.text.clone()),
        SignalKind::Ask { id } => {
            attempt.question = Some(event.text.clone());
            attempt.ask = Some(id.clone());
        }
        _ => {}
    }
}

/// The newest word on a check counts.
fn record(checks: &mut Vec<Check>, event: &crate::event::CheckRecorded) {
    checks.retain(|c| c.name != event.name);
    checks.push(Check {
        name: event.name.clone(),
        status: event.status,
        detail: event.detail.clone(),
        duration_ms: event.duration_ms,
    });
}
