//! The rules: what follows from where things stand. One file for each thing that a rule looks at.

mod attempt;
mod ending;
mod lane;
mod nest;
mod probe;
mod review;
mod run;
mod schedule;
mod stack;
mod task;
mod undo;
mod warm;

pub(super) use lane::lane;
pub(super) use probe::{moves_lanes, probe};
pub(super) use run::run;
pub(super) use schedule::schedule;
pub(super) use task::task;

use super::EngineError;
use super::core::Core;
use crate::event::{FailureKind, Status, Subject, Timestamp, WorkflowTransition};
use crate::plan::{LaneIx, TaskIx};
use crate::state::Step;

/// What to do about a step that failed.
enum Remedy {
    /// Wait until then and try again.
    Wait(Timestamp),
    /// Try again now.
    Again,
    /// It is final, for this reason.
    Give(String),
}

/// Tries of an effect whose surroundings fail, where the task does not say.
const TRIES: u32 = 4;
/// Tries of an effect whose surroundings say when to come back: a day, for a forge that is down.
const PATIENT_TRIES: u32 = 24 * 60;
/// Tries of an effect that met something that had moved, until it is left to a person.
const MOVED_TRIES: u32 = 64;
/// Tries of an effect that met something that had moved, before there are pauses between them.
const MOVED_AT_ONCE: u32 = 4;
/// The first pause between such tries, in milliseconds; doubled each time.
const BACKOFF_MS: u64 = 1000;
/// The longest pause between tries, in milliseconds.
const MOST_BACKOFF_MS: u64 = 60_000;

/// The pause before try number `tries + 1`.
fn backoff(first_ms: u64, tries: u32) -> u64 {
    let factor = 1_u64.checked_shl(tries.saturating_sub(1).min(16)).unwrap_or(u64::MAX);
    first_ms.saturating_mul(factor).min(MOST_BACKOFF_MS.max(first_ms))
}

impl Core {
    fn lane_subject(&self, lane: LaneIx) -> Subject {
        Subject::lane(&self.plan.lanes[lane].id)
    }

    fn task_subject(&self, task: TaskIx) -> Subject {
        let plan = &self.plan.tasks[task];
        Subject::task(&plan.lane, &plan.id)
    }

    fn attempt_subject(&self, task: TaskIx, attempt: u32) -> Subject {
        Subject { attempt: Some(attempt), ..self.task_subject(task) }
    }

    fn turn(
        &mut self,
        subject: Subject,
        from: Option<Status>,
        to: Status,
        reason: Option<String>,
    ) -> Result<(), EngineError> {
        let event = WorkflowTransition {
            of: to.entity(),
            from: from.map(|s| s.word().to_owned()),
            to: to.word().to_owned(),
            reason,
        };
        self.decide(subject, event)
    }

    /// Whether a failed step is worth another try, with the pauses that `retry` asks for.
    fn remedy(&self, step: &Step, retry: Option<&crate::graph::Retry>) -> Option<Remedy> {
        let (failure, at) = step.failure()?;
        let (tries, first) = retry.map_or((TRIES, BACKOFF_MS), |r| (r.max.saturating_add(1), r.backoff.0));
        Some(match failure.class {
            FailureKind::Transient
                if step.tries < tries || failure.retry_at.is_some() && step.tries < PATIENT_TRIES =>
            {
                let due = match failure.retry_at {
                    // The other's clock may be behind ours.
                    Some(said) => said.max(at.plus(first)),
                    None => at.plus(backoff(first, step.tries)),
                };
                if due <= self.now.wall { Remedy::Again } else { Remedy::Wait(due) }
            }
            FailureKind::Moved if step.tries <= MOVED_AT_ONCE => Remedy::Again,
            FailureKind::Moved if step.tries < MOVED_TRIES => {
                // Something that moves again and again is met with patience, not with a loop without a pause.
                let due = at.plus(backoff(first, step.tries - MOVED_AT_ONCE));
                if due <= self.now.wall { Remedy::Again } else { Remedy::Wait(due) }
            }
            _ => Remedy::Give(failure.message.clone()),
        })
    }
}
