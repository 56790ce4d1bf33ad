//! A lane's worktree and its integration branch.

use super::{Done, git_failure, origin};
use crate::event::{Draft, Failure, FailureKind, LaneProvisioned, Subject};
use crate::git::{GitError, Worktree};
use crate::id::{LaneId, Sha};
use crate::runtime::Context;

/// Makes them, or finishes what a crash left half-made.
pub(super) fn run(context: &Context, lane: &LaneId, known: Option<&Sha>) -> Done {
    match make(context, lane, known) {
        Ok(event) => {
            let mut facts = vec![Draft::world(Subject::lane(lane), event)];
            if let Err(unpushed) = origin::push_parents(context, lane) {
                unpushed.remarked(lane, &mut facts);
            }
            Done::well(facts)
        }
        Err(failure) => failure.into(),
    }
}

fn make(context: &Context, lane: &LaneId, known: Option<&Sha>) -> Result<LaneProvisioned, Failure> {
    let repo = &context.project.repo;
    let plan = context.lane(lane);
    let doing = |error: GitError| git_failure(&format!("making lane `{lane}`"), &error);
    let branch = format!("refs/heads/{}", plan.branch);
    let tip = match repo.read_ref(&branch).map_err(doing)? {
        Some(found)
            if Some(&found) == known || is_ours(context, &plan.base_sha, &found).map_err(doing)? =>
        {
            found
        }
        Some(found) => {
            return Err(Failure {
                class: FailureKind::Refused,
                message: format!(
                    "the branch `{}` exists already, at {}, and is not this run's",
                    plan.branch,
                    found.short()
                ),
                hint: Some(format!("git branch -m {} kept/{lane}", plan.branch)),
                retry_at: None,
            });
        }
        None if plan.parent.is_some() => known.unwrap_or(&plan.base_sha).clone(),
        None => plan.base_sha.clone(),
    };
    // The branch comes last: as long as it is missing, nothing of the lane counts.
    let worktree = repo.provision(&plan.worktree, &tip).map_err(doing)?;
    if repo.read_ref(&branch).map_err(doing)?.is_none() {
        repo.advance(&branch, None, &tip).map_err(doing)?;
    }
    let (pushed, remark) = push(context, &plan.branch, &tip);
    Ok(LaneProvisioned { worktree: worktree.path.display().to_string(), tip, pushed, remark })
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
pub(super) fn worktree(context: &Context, path: &std::path::Path, at: &Sha) -> Result<Worktree, GitError> {
    match context.project.repo.reopen(path)? {
        Some(worktree) => Ok(worktree),
        None => context.project.repo.provision(path, at),
    }
}
