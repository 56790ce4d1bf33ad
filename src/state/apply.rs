//! The fold: one event at a time.

use super::{Claims, ForgeStep, State, Step, StepPhase, Unresolved, Warmth};
use crate::event::{Effect, EffectId, Entity, Envelope, Event, Failure, FailureKind, Place, Timestamp};
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

    pub(super) fn task_named(&self, id: Option<&TaskId>) -> Option<TaskIx> {
        id.and_then(|id| self.index.task(id))
    }

    pub(super) fn touched_task(&self, task: TaskIx) -> Touched {
        Touched { task: Some(task), lane: Some(self.index.lane_of[task]), ..Touched::default() }
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
            | Effect::Examine { task, attempt, .. }
            | Effect::Land { task, attempt, .. } => {
                let task = self.task_named(Some(task)).ok_or(ApplyError::NoTask { seq: at.seq })?;
                let lane = self.index.lane_of[task];
                let resolves = self.resolves(lane, task, effect);
                let attempt = self.attempt_at(at, task, *attempt)?;
                if let Effect::Attempt { iteration, start, place, .. } = effect {
                    begin_iteration(attempt, *iteration, start, *place);
                    attempt.resolves = attempt.resolves.take().or(resolves);
                }
                if let Effect::Examine { round, .. } = effect {
                    attempt.reviews = *round;
                }
                attempt.step = Some(next_step(attempt.step.as_ref(), effect, at.at));
                if matches!(effect, Effect::Land { .. }) {
                    self.lanes[lane].turn = Some(task);
                }
                self.touched_task(task)
            }
            // It is beside what is done to the lane, which has not begun.
            Effect::Warm { .. } => {
                let lane = self.lane_of(at)?;
                self.lanes[lane].warmth = Warmth::Warming;
                Touched::lane(lane)
            }
            Effect::Probe { n, moved, gone } => {
                self.probing(*n, moved, gone);
                Touched::default()
            }
            _ => {
                let lane = self.lane_of(at)?;
                if let (Effect::MergePr { .. } | Effect::CheckMerged { .. }, Some(parent)) =
                    (effect, self.index.parent[lane])
                {
                    self.lanes[parent].taking = Some(lane);
                }
                let lane_state = &mut self.lanes[lane];
                lane_state.step = Some(next_step(lane_state.step.as_ref(), effect, at.at));
                match effect {
                    Effect::Sync { n, .. } => {
                        lane_state.syncs = *n;
                        lane_state.unresolved = None;
                    }
                    Effect::Prove { .. } => lane_state.told = lane_state.predicted.clone(),
                    Effect::Teardown { n, .. } => lane_state.teardowns = *n,
                    Effect::MergePr { request: Some(request), .. }
                    | Effect::Review { request, .. }
                    | Effect::Undo { request, .. } => {
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

    /// The conflict that an attempt takes on with its start: the lane's, or that of the attempt whose work it goes on from.
    fn resolves(&self, lane: LaneIx, task: TaskIx, effect: &Effect) -> Option<Unresolved> {
        let Effect::Attempt { start, .. } = effect else { return None };
        let own = self.lanes[lane].unresolved.as_ref().filter(|u| u.marked == *start);
        let before = || {
            let same = |a: &&super::Attempt| a.work().is_some_and(|(work, _)| work.as_ref() == Some(start));
            self.tasks[task].attempts.iter().rev().filter(|a| !a.landed).find(same)?.resolves.as_ref()
        };
        own.or_else(before).cloned()
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
            | Effect::Examine { task, attempt, .. }
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
            Effect::Warm { .. } => {
                let lane = self.lane_of(at)?;
                self.lanes[lane].warmth = if failure.is_some() { Warmth::Spoiled } else { Warmth::Warm };
                Touched::lane(lane)
            }
            Effect::Probe { .. } => Touched::default(),
            _ => {
                let lane = self.lane_of(at)?;
                if let (Effect::MergePr { .. } | Effect::CheckMerged { .. }, Some(parent)) =
                    (&effect, self.index.parent[lane])
                {
                    self.lanes[parent].taking = None;
                }
                let lane_state = &mut self.lanes[lane];
                settled(&mut lane_state.step);
                let conflict = failure.is_some_and(|f| f.class == FailureKind::Conflict);
                if let Effect::Sync { tip, from, .. } = &effect {
                    let for_good =
                        |f: &Failure| !matches!(f.class, FailureKind::Transient | FailureKind::Moved);
                    let given_up = failure.is_some_and(for_good).then(|| (tip.clone(), from.clone()));
                    lane_state.given_up = given_up;
                }
                lane_state.behind |= conflict && matches!(effect, Effect::MergePr { .. });
                if let (Effect::Prove { tip, .. }, None) = (&effect, failure) {
                    lane_state.proven = Some(tip.clone());
                }
                if failure.is_some() {
                    lane_state.failed_on_forge.extend(ForgeStep::of(&effect));
                }
                if let Effect::Conclude { .. } = effect {
                    let passes = |f: &Failure| f.class == FailureKind::Transient;
                    lane_state.concluded = !failure.is_some_and(passes);
                }
                if let Effect::CheckMerged { .. } = effect {
                    lane_state.outside = None;
                }
                Touched::lane(lane)
            }
        })
    }
}

fn next_step(last: Option<&Step>, effect: &Effect, began: Timestamp) -> Step {
    let tries = last.filter(|s| s.effect.id() == effect.id()).map_or(0, |s| s.tries);
    Step { effect: effect.clone(), tries: tries + 1, began, phase: StepPhase::InFlight }
}

fn begin_iteration(attempt: &mut super::Attempt, iteration: u32, start: &crate::id::Sha, place: Place) {
    // The same process is begun again where it could not be begun.
    if iteration != attempt.iteration {
        attempt.idle = if attempt.is_idle() { attempt.idle + 1 } else { 0 };
    }
    attempt.iteration = iteration;
    attempt.start.get_or_insert_with(|| start.clone());
    attempt.from = Some(start.clone());
    attempt.place = place;
    attempt.over = false;
    attempt.collected_before = attempt.collected.take().or(attempt.collected_before.take());
    attempt.checks.clear();
    attempt.taken.clear();
    attempt.stop = None;
    attempt.process = None;
    attempt.claims = Claims::default();
    attempt.seen.clear();
    attempt.question = None;
}
