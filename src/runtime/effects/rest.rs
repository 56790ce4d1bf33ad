//! Where a lane's worktree stands once its tasks are over.

use std::sync::Arc;

use super::{blocking, keep};
use crate::event::{Draft, Subject};
use crate::git::GitError;
use crate::id::{LaneId, Sha};
use crate::runtime::Context;

/// Brings the lane's worktree to the lane's tip, if nothing that is not committed stands in the way: a landing without a gate has no
/// use for its files and leaves them where the task began. One that does not let itself be moved is as good as before.
pub(super) async fn at_tip(context: &Arc<Context>, lane: &LaneId, tip: &Sha) -> Option<Draft> {
    let (shared, id, at) = (Arc::clone(context), lane.clone(), tip.clone());
    let path = context.lane(lane).worktree.clone();
    let door = context.door(&path);
    let _inside = door.lock().await;
    let moved = blocking(move || {
        let repo = &shared.project.repo;
        let Some(worktree) = repo.reopen(&path)?.filter(|worktree| worktree.path.is_dir()) else {
            return Ok(None);
        };
        if !repo.can_rest_at(&worktree, &at)? {
            return Ok(None);
        }
        // What was staged and then changed again is in no file.
        let reason = format!("what stood in lane {id} when its tasks were over");
        let known = std::slice::from_ref(&at);
        let kept = keep::worktree(&shared, &worktree, &format!("rest/{id}"), &reason, known)?;
        repo.set_to(&worktree, &at)?;
        Ok::<_, GitError>(kept.map(|kept| Draft::world(Subject::lane(&id), kept)))
    });
    moved.await.unwrap_or_else(|error| {
        tracing::warn!(%error, %lane, "its worktree stays where its last task began");
        None
    })
}
