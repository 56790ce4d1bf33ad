//! The review of an attempt's work: after its evidence holds, before it lands.

use super::super::EngineError;
use super::super::core::Core;
use crate::event::{AttemptStatus, CHECK_REVIEW, CheckStatus, Effect};
use crate::id::Sha;
use crate::plan::TaskIx;

/// Reviewers of one attempt, until the lack of a verdict counts against it.
const MOST_ROUNDS: u32 = 2;

/// Whether the attempt's work has a review before it and no verdict yet.
pub(super) fn is_wanted(core: &Core, task: TaskIx) -> bool {
    core.plan.tasks[task].review.is_some()
        && !matches!(said(core, task), Some(CheckStatus::Pass | CheckStatus::Warn))
}

/// What the newest reviewer said; [`CheckStatus::Skip`] where that was nothing.
fn said(core: &Core, task: TaskIx) -> Option<CheckStatus> {
    core.newest(task).checks.iter().find(|c| c.name == CHECK_REVIEW).map(|c| c.status)
}

/// Asks a reviewer, unless enough of them have ended without a verdict.
pub(super) fn next(core: &mut Core, task: TaskIx, commit: Sha) -> Result<(), EngineError> {
    if core.state.run.interrupts > 0 {
        return core.attempt_to(task, AttemptStatus::Cancelled, Some("interrupted".to_owned()));
    }
    let attempt = core.newest(task);
    let (number, rounds) = (attempt.number, attempt.reviews);
    if rounds >= MOST_ROUNDS {
        let last = attempt.checks.iter().find(|c| c.name == CHECK_REVIEW).map_or("", |c| c.detail.as_str());
        let detail = format!("{rounds} reviewers gave no verdict: {last}");
        return core.check(task, CHECK_REVIEW, CheckStatus::Fail, &detail);
    }
    let id = core.plan.tasks[task].id.clone();
    let effect = Effect::Examine { task: id, attempt: number, round: rounds + 1, commit };
    core.intend(core.attempt_subject(task, number), effect)
}
