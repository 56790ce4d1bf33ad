//! The worktree of a lane that cannot begin yet. It is made like any other, and then lies there until the lane's
//! provisioning takes it over.

use std::sync::Arc;

use super::furnish::{Room, furnish};
use super::{Done, blocking, git_failure, keep, permanent, provision};
use crate::event::{CustodyKept, Draft, Failure, Subject};
use crate::git::{GitError, Worktree};
use crate::id::{LaneId, Sha};
use crate::runtime::{Context, claims, ports, room};

/// Makes it, with what a setup makes of files that are known to stay as they are. Nothing waits for it: where it fails the
/// lane is made when it begins.
pub(super) async fn run(context: &Arc<Context>, lane: &LaneId, at: &Sha) -> Done {
    let mut facts = Vec::new();
    match make(context, lane, at, &mut facts).await {
        Ok(()) => Done::well(facts),
        // What was made too early must not be what leaves the run without room.
        Err(failure) if room::is_told(&failure.message) => {
            let (shared, id) = (Arc::clone(context), lane.clone());
            let commit = at.clone();
            let removed = blocking(move || remove(&shared, &id, &commit)).await;
            let message = format!("the disk is too full to make lane `{lane}` ahead of time");
            match removed {
                Ok(kept) => {
                    facts.extend(kept.map(|kept| Draft::world(Subject::lane(lane), kept)));
                    Done::failed(facts, permanent(message))
                }
                Err(error) => {
                    Done::failed(facts, permanent(format!("{message}, and what was made stays: {error}")))
                }
            }
        }
        Err(failure) => Done::failed(facts, failure),
    }
}

async fn make(
    context: &Arc<Context>,
    lane: &LaneId,
    at: &Sha,
    facts: &mut Vec<Draft>,
) -> Result<(), Failure> {
    let (shared, id, commit) = (Arc::clone(context), lane.clone(), at.clone());
    let worktree = blocking(move || {
        let no_room = || permanent(format!("there is no room to spare to make lane `{id}` ahead of time"));
        let claim = claims::spare(&shared, &id, &commit).ok_or_else(no_room)?;
        let worktree = provision::whole(&shared, &id, &shared.lane(&id).worktree, &commit);
        drop(claim);
        let worktree = worktree.map_err(|e| git_failure(&format!("making lane `{id}` ahead of time"), &e))?;
        if is_settled(&shared, &id) {
            ports::claim(&shared, &id)?;
        }
        Ok::<_, Failure>(worktree)
    })
    .await?;
    if !is_settled(context, lane) {
        return Ok(());
    }
    let room = Room { lane: lane.clone(), worktree, at: at.clone(), attempt: None };
    let mut checks = Vec::new();
    let furnished = furnish(context, &room, &mut checks).await;
    facts.extend(checks.into_iter().map(|check| Draft::world(Subject::lane(lane), check)));
    furnished
}

/// Whether setup commands would find the same when the lane begins: it is cut from a commit that stays, and nothing of the
/// user's checkout, which may change any time, is copied into it.
fn is_settled(context: &Context, lane: &LaneId) -> bool {
    let plan = context.lane(lane);
    plan.parent.is_none()
        && plan.furnish.copy.as_deref().is_none_or(<[String]>::is_empty)
        && !context.project.repo.has_include()
}

/// Brings a worktree that was made before its lane began to where the lane begins. Nothing was to be in it; what somebody put
/// there all the same is kept first.
pub(super) fn bring(
    context: &Context,
    lane: &LaneId,
    worktree: &Worktree,
    to: &Sha,
) -> Result<Option<CustodyKept>, GitError> {
    let repo = &context.project.repo;
    match repo.head(worktree) {
        Ok(head) if head.sha == *to => return Ok(None),
        // The lane's first attempt puts it in order, as it does with whatever it finds.
        Err(GitError::HeadUnborn { .. }) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    let kept = keep(context, lane, worktree, to)?;
    repo.set_to(worktree, to)?;
    Ok(kept)
}

/// Takes it away again. Nothing was to be in it; what somebody put there all the same is kept, and where there is no room even
/// for that it stays.
fn remove(context: &Context, lane: &LaneId, at: &Sha) -> Result<Option<CustodyKept>, GitError> {
    let repo = &context.project.repo;
    let Some(worktree) = repo.reopen(&context.lane(lane).worktree)? else { return Ok(None) };
    let kept = keep(context, lane, &worktree, at)?;
    repo.remove(&worktree, &context.project.record.trash())?;
    Ok(kept)
}

fn keep(
    context: &Context,
    lane: &LaneId,
    worktree: &Worktree,
    known: &Sha,
) -> Result<Option<CustodyKept>, GitError> {
    let reason = format!("what stood in the worktree of lane {lane} before the lane began");
    keep::worktree(context, worktree, &format!("warm/{lane}"), &reason, std::slice::from_ref(known))
}
