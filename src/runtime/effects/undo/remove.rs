//! A lane that goes as a whole: its pull request is told and closed, its worktrees and branches go after custody.

use super::Asked;
use crate::event::{Draft, Failure, FailureKind, LaneUndone, PrClosed, Subject, TaskPrClosed};
use crate::forge::{Closed, ForgeError, PrState};
use crate::id::Sha;
use crate::runtime::clock;
use crate::runtime::effects::pull_request::{forge_failure, open_forge};
use crate::runtime::effects::teardown::Removal;
use crate::runtime::effects::{git_failure, permanent};

/// Closes the lane's pull request, and those of its tasks.
pub(super) async fn close(asked: &Asked) -> Result<Vec<Draft>, Failure> {
    let mut facts = close_lane(asked).await?;
    facts.extend(close_tasks(asked).await?);
    Ok(facts)
}

/// Closes the pull request of the lane, where it is open. One that was merged since stops everything.
async fn close_lane(asked: &Asked) -> Result<Vec<Draft>, Failure> {
    let known = asked.lane_state().pr.as_ref().filter(|pr| pr.merged.is_none());
    let Some(number) = known.map(|pr| pr.at.number) else { return Ok(Vec::new()) };
    match end(asked, number).await? {
        Some(PrState::Merged) => {
            let message = format!("pull request #{number} was merged meanwhile; look again");
            Err(Failure { class: FailureKind::Refused, message, hint: None, retry_at: None })
        }
        Some(PrState::Open) => Ok(vec![asked.fact(PrClosed { by: asked.by.clone() })]),
        Some(PrState::Closed) | None => Ok(Vec::new()),
    }
}

/// Closes the pull requests of tasks that still wait for their work to land.
async fn close_tasks(asked: &Asked) -> Result<Vec<Draft>, Failure> {
    let (context, mut facts) = (&asked.context, Vec::new());
    let ix = context.index.lane(&asked.lane).expect("effects name lanes of the plan");
    for &task in &context.index.tasks_of[ix] {
        let (planned, known) = (&context.plan.tasks[task], &asked.state.tasks[task]);
        let waits = known.pr.as_ref().filter(|pr| pr.merged.is_none() && pr.closed_by.is_none());
        let (Some(pr), Some(attempt)) = (waits, known.attempts.last()) else { continue };
        // An interrupted try may have closed it and said so to nobody.
        if matches!(end(asked, pr.at.number).await?, Some(PrState::Open | PrState::Closed)) {
            let subject = Subject::attempt(&planned.lane, &planned.id, attempt.number);
            let reason = format!("lane `{}` is undone by {}", asked.lane, asked.by);
            facts.push(Draft::world(subject, TaskPrClosed { pr: pr.at.clone(), reason }));
        }
    }
    Ok(facts)
}

/// Says on a pull request that its lane is undone, and closes it where it is open. One that was merged is left alone. Returns
/// how it stood before; `None` where the forge does not know it.
async fn end(asked: &Asked, number: u64) -> Result<Option<PrState>, Failure> {
    let forge = open_forge(&asked.context)?;
    let failed = |e: ForgeError| forge_failure("closing the pull request", &e);
    let state = match forge.get(number).await {
        Ok(pull) => pull.state,
        Err(ForgeError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if state != PrState::Merged {
        asked.say(number, crate::view::undo_closed(&asked.lane, &asked.by)).await?;
    }
    if state == PrState::Open {
        let closed = Closed { by: asked.by.clone(), at: clock::wall().to_string() };
        forge.close(number, closed).await.map_err(failed)?;
    }
    Ok(Some(state))
}

/// Removes worktrees and branches, what is in them kept first.
pub(super) fn remove(asked: &Asked, tip: Option<Sha>) -> Result<Vec<Draft>, Failure> {
    let context = &asked.context;
    let (lane, repo) = (&asked.lane, &context.project.repo);
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let doing = |e| git_failure(&format!("removing lane `{lane}`"), &e);
    let branch = &context.lane(lane).branch;
    let reference = format!("refs/heads/{branch}");
    if let Some(path) = repo.checkout_of(&reference).map_err(doing)? {
        return Err(Failure {
            class: FailureKind::Refused,
            message: format!("`{branch}` is checked out in {}", path.display()),
            hint: Some(format!("switch to another branch in {}", path.display())),
            retry_at: None,
        });
    }
    let landed = asked.lane_state().pr.as_ref().and_then(|pr| pr.merged.clone());
    let mut removal = Removal::new(context, lane, tip, landed);
    removal.worktrees(ix);
    removal.branches();
    if let Some(left) = repo.read_ref(&reference).map_err(doing)? {
        let message = format!("`{branch}` could not be removed; it is at {}", left.short());
        return Err(Failure { class: FailureKind::Moved, ..permanent(message) });
    }
    let (mut facts, remarks) = removal.into_parts();
    let event = LaneUndone { tip: None, reverted: Vec::new(), upstream: Vec::new(), remarks };
    facts.push(asked.fact(event));
    Ok(facts)
}
