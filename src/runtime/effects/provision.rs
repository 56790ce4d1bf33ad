//! A lane's worktree, what it is furnished with, and its integration branch.

use std::path::Path;
use std::sync::Arc;

use super::furnish::{Room, furnish};
use super::{Done, blocking, git_failure, origin};
use crate::event::{
    CheckRecorded, CheckStatus, Draft, Failure, FailureKind, LaneProvisioned, Subject, named,
};
use crate::git::{GitError, Worktree};
use crate::id::{LaneId, Sha};
use crate::runtime::brief::Brief;
use crate::runtime::claims::{self, NoRoom};
use crate::runtime::{Context, clock, ports, room};

/// Makes them, or finishes what a crash left half-made.
pub(super) async fn run(context: &Arc<Context>, brief: &Brief, lane: &LaneId) -> Result<Done, NoRoom> {
    let mut facts = Vec::new();
    if brief.resumed && !context.claims.may_resume() {
        return Ok(put_off(context, lane, brief.tip.as_ref()).await);
    }
    Ok(match make(context, lane, brief.tip.as_ref(), &mut facts).await {
        Ok(event) => {
            facts.push(Draft::world(Subject::lane(lane), event));
            let (shared, id) = (Arc::clone(context), lane.clone());
            if let Err(unpushed) = blocking(move || origin::push_parents(&shared, &id)).await {
                unpushed.remarked(lane, &mut facts);
            }
            Done::well(facts)
        }
        Err(NotMade::Failed(failure)) => Done::failed(facts, failure),
        Err(NotMade::NoRoom(missing)) => return Err(missing),
    })
}

/// Why there is no lane.
enum NotMade {
    Failed(Failure),
    NoRoom(NoRoom),
}

impl From<Failure> for NotMade {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Leaves a lane for later whose making was interrupted, and for which there is no place now.
async fn put_off(context: &Arc<Context>, lane: &LaneId, known: Option<&Sha>) -> Done {
    let (shared, id) = (Arc::clone(context), lane.clone());
    let at = known.unwrap_or(&context.lane(lane).base_sha).clone();
    blocking(move || claims::abandon(&shared, &id, &at)).await;
    let message = format!("lane `{lane}` waits for a place: its making was interrupted");
    let retry_at = Some(clock::now().wall);
    Done::failed(Vec::new(), Failure { class: FailureKind::Transient, message, hint: None, retry_at })
}

async fn make(
    context: &Arc<Context>,
    lane: &LaneId,
    known: Option<&Sha>,
    facts: &mut Vec<Draft>,
) -> Result<LaneProvisioned, NotMade> {
    let (shared, id, known) = (Arc::clone(context), lane.clone(), known.cloned());
    let (tip, worktree, ports, kept) = blocking(move || {
        let tip = tip_of(&shared, &id, known.as_ref())?;
        let room = claims::take(&shared, &id, &tip).map_err(NotMade::NoRoom)?;
        let worktree = whole(&shared, &id, &shared.lane(&id).worktree, &tip);
        drop(room);
        let worktree = worktree.map_err(|e| failed(&id, &e))?;
        let kept = super::warm::bring(&shared, &id, &worktree, &tip).map_err(|e| failed(&id, &e))?;
        let ports = ports::claim(&shared, &id).map_err(Failure::from)?;
        Ok::<_, NotMade>((tip, worktree, ports, kept))
    })
    .await?;
    facts.extend(pointers(context, lane, &worktree)?);
    facts.extend(kept.map(|kept| Draft::world(Subject::lane(lane), kept)));
    let room = Room { lane: lane.clone(), worktree: worktree.clone(), at: tip.clone(), attempt: None };
    let mut checks = Vec::new();
    let furnished = furnish(context, &room, &mut checks).await;
    facts.extend(checks.into_iter().map(|check| Draft::world(Subject::lane(lane), check)));
    furnished?;
    // The branch comes last: as long as it is missing, nothing of the lane counts.
    let (shared, id, at) = (Arc::clone(context), lane.clone(), tip.clone());
    let (pushed, remark) = blocking(move || publish(&shared, &id, &at)).await?;
    Ok(LaneProvisioned { worktree: worktree.path.display().to_string(), tip, pushed, ports, remark })
}

/// The evidence that files in LFS are pointers though nobody asked for that.
fn pointers(context: &Context, lane: &LaneId, worktree: &Worktree) -> Result<Option<Draft>, Failure> {
    let pointers = context.project.repo.pointers(worktree).map_err(|e| failed(lane, &e))?;
    if pointers.is_empty() {
        return Ok(None);
    }
    let detail = format!(
        "in LFS, and pointers here, since git-lfs is not set up: {}; run `git lfs install` before the next run, or set `lfs = \"skip\"` where pointers will do",
        named(&pointers)
    );
    let check = CheckRecorded { name: "lfs".to_owned(), status: CheckStatus::Warn, detail, duration_ms: 0 };
    Ok(Some(Draft::world(Subject::lane(lane), check)))
}

/// Where the lane begins, or stands already.
fn tip_of(context: &Context, lane: &LaneId, known: Option<&Sha>) -> Result<Sha, Failure> {
    let repo = &context.project.repo;
    let plan = context.lane(lane);
    let doing = |error: GitError| failed(lane, &error);
    match repo.read_ref(&format!("refs/heads/{}", plan.branch)).map_err(doing)? {
        Some(found)
            if Some(&found) == known || is_ours(context, &plan.base_sha, &found).map_err(doing)? =>
        {
            Ok(found)
        }
        Some(found) => Err(Failure {
            class: FailureKind::Refused,
            message: format!(
                "the branch `{}` exists already, at {}, and is not this run's",
                plan.branch,
                found.short()
            ),
            hint: Some(format!("git branch -m {} kept/{lane}", plan.branch)),
            retry_at: None,
        }),
        None if plan.parent.is_some() => Ok(known.unwrap_or(&plan.base_sha).clone()),
        None => Ok(plan.base_sha.clone()),
    }
}

/// Makes the integration branch, here and at the remote.
fn publish(context: &Context, lane: &LaneId, tip: &Sha) -> Result<(bool, Option<String>), Failure> {
    let repo = &context.project.repo;
    let doing = |error: GitError| failed(lane, &error);
    let name = &context.lane(lane).branch;
    let branch = format!("refs/heads/{name}");
    if repo.read_ref(&branch).map_err(doing)?.is_none() {
        repo.advance(&branch, None, tip).map_err(doing)?;
    }
    Ok(push(context, name, tip))
}

fn failed(lane: &LaneId, error: &GitError) -> Failure {
    git_failure(&format!("making lane `{lane}`"), error)
}

/// A branch that stands where this lane begins is what an interrupted try left.
fn is_ours(context: &Context, base: &Sha, found: &Sha) -> Result<bool, GitError> {
    if found == base {
        return Ok(true);
    }
    let message = context.project.repo.commit_message(found)?;
    Ok(message.lines().any(|l| l == format!("Laneway-Run: {}", context.plan.uuid)))
}

/// Pushes early, so that others see the lane; what cannot be pushed now is pushed with the pull request.
fn push(context: &Context, branch: &str, tip: &Sha) -> (bool, Option<String>) {
    let Some(remote) = context.push_remote() else {
        return (false, None);
    };
    match context.project.repo.push(remote, tip, branch, None) {
        Ok(()) => (true, None),
        Err(error) => (false, Some(format!("not pushed: {}", super::chain(&error)))),
    }
}

/// The worktree of a lane or of a task in it; made if it is gone.
pub(super) fn worktree(
    context: &Context,
    lane: &LaneId,
    path: &Path,
    at: &Sha,
) -> Result<Worktree, GitError> {
    match context.project.repo.reopen(path)? {
        Some(worktree) => Ok(worktree),
        None => whole(context, lane, path, at),
    }
}

/// Makes a worktree. Where there is no room for all of it, what was made of it gives back what it took.
pub(super) fn whole(context: &Context, lane: &LaneId, path: &Path, at: &Sha) -> Result<Worktree, GitError> {
    let repo = &context.project.repo;
    let made = repo.provision_as(path, at, &context.shape(lane));
    if let Err(error) = &made
        && room::is_missing(error)
        && let Err(left) = repo.abandon(path, at)
    {
        tracing::warn!(error = super::chain(&left), path = %path.display(), "a half-made worktree stays");
    }
    made
}
