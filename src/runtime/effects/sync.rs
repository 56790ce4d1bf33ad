//! Upstream work flows into a lane: merged in the object database, then the branch moves.

use super::{Done, git_failure, permanent};
use crate::event::{ConflictPredicted, Draft, Failure, FailureKind, LaneSynced, Subject, SyncSource};
use crate::git::{GitError, Merge, Remote};
use crate::id::{LaneId, Sha};
use crate::runtime::Context;

/// Merges `from` into the lane, in order.
pub(super) fn run(context: &Context, lane: &LaneId, tip: &Sha, from: &[SyncSource], n: u32) -> Done {
    let mut facts = Vec::new();
    match merge(context, lane, tip, from, n, &mut facts) {
        Ok(event) => {
            facts.push(Draft::world(Subject::lane(lane), event));
            Done::well(facts)
        }
        Err(failure) => Done::failed(facts, failure),
    }
}

fn merge(
    context: &Context,
    lane: &LaneId,
    tip: &Sha,
    from: &[SyncSource],
    n: u32,
    facts: &mut Vec<Draft>,
) -> Result<LaneSynced, Failure> {
    let repo = &context.project.repo;
    let plan = context.lane(lane);
    let doing = |error: GitError| git_failure(&format!("bringing upstream work into lane `{lane}`"), &error);
    let branch = format!("refs/heads/{}", plan.branch);
    let found = repo.read_ref(&branch).map_err(doing)?;
    if let Some(found) = found.as_ref().filter(|found| *found != tip)
        && is_done(context, lane, tip, found, n).map_err(doing)?
    {
        return Ok(LaneSynced { upstream: brought(from), tip: found.clone() });
    }
    let mut now = tip.clone();
    for source in from {
        let (name, commit) = match source {
            SyncSource::Lane { lane, tip } => (format!("lane {lane}"), tip.clone()),
            SyncSource::Target { .. } => {
                (plan.target.clone(), target_tip(context, &plan.target).map_err(doing)?)
            }
        };
        now = join(context, lane, &now, &commit, &name, n, facts)?;
    }
    if found.as_ref() != Some(&now) {
        repo.sync_objects(&now, std::slice::from_ref(tip)).map_err(doing)?;
        super::land::restore_branch(context, &plan.branch, tip, facts, &Subject::lane(lane))
            .map_err(doing)?;
        repo.advance(&branch, Some(tip), &now).map_err(doing)?;
    }
    Ok(LaneSynced { upstream: brought(from), tip: now })
}

/// The upstream lanes whose content `from` brings, with their tips.
fn brought(from: &[SyncSource]) -> Vec<(LaneId, Sha)> {
    let lanes = |source: &SyncSource| match source {
        SyncSource::Lane { lane, tip } => vec![(lane.clone(), tip.clone())],
        SyncSource::Target { landed } => landed.clone(),
    };
    from.iter().flat_map(lanes).collect()
}

/// What a sync writes into its commits.
fn mark(context: &Context, lane: &LaneId, n: u32) -> String {
    format!("Laneway-Run: {}\nLaneway-Sync: {lane}/{n}\n", context.plan.uuid)
}

/// Whether the branch stands where this very sync took it, before its answer was lost.
fn is_done(context: &Context, lane: &LaneId, tip: &Sha, found: &Sha, n: u32) -> Result<bool, GitError> {
    let repo = &context.project.repo;
    Ok(repo.commit_message(found)?.ends_with(&mark(context, lane, n)) && repo.is_ancestor(tip, found)?)
}

fn join(
    context: &Context,
    lane: &LaneId,
    ours: &Sha,
    theirs: &Sha,
    name: &str,
    n: u32,
    facts: &mut Vec<Draft>,
) -> Result<Sha, Failure> {
    let repo = &context.project.repo;
    let doing = |error: GitError| git_failure(&format!("merging {name} into lane `{lane}`"), &error);
    if repo.is_ancestor(theirs, ours).map_err(doing)? {
        return Ok(ours.clone());
    }
    match repo.merge(ours, theirs).map_err(doing)? {
        Merge::Clean { ff: true, .. } => Ok(theirs.clone()),
        Merge::Clean { tree, .. } => {
            let message = format!("Merge {name} into lane {lane}\n\n{}", mark(context, lane, n));
            repo.commit_tree(&tree, &[ours.clone(), theirs.clone()], &message, &context.author).map_err(doing)
        }
        Merge::Conflict { paths, detail } => {
            let message = format!("{name} and lane `{lane}` both changed {}", paths.join(", "));
            let event = ConflictPredicted { with: name.to_owned(), paths, detail };
            facts.push(Draft::world(Subject::lane(lane), event));
            Err(Failure { class: FailureKind::Conflict, message, hint: None, retry_at: None })
        }
    }
}

/// Where a target branch stands: on origin where there is one that is asked, else here.
pub(super) fn target_tip(context: &Context, target: &str) -> Result<Sha, GitError> {
    let repo = &context.project.repo;
    let local = repo.branch_tip(target)?;
    if let Some(remote) = context.push_remote()
        && let Some(tip) = fetched(context, remote, target)?.0
    {
        // What was merged here and not pushed counts too.
        return match local {
            Some(local) if repo.is_ancestor(&tip, &local)? && merged_here(context, &tip, &local)? => {
                Ok(local)
            }
            _ => Ok(tip),
        };
    }
    local.ok_or_else(|| GitError::RefMoved {
        name: format!("refs/heads/{target}"),
        expected: None,
        found: None,
    })
}

/// Origin's branch as it is now; where origin cannot be asked, as it was last seen, with the reason.
pub(super) fn fetched(
    context: &Context,
    remote: &Remote,
    branch: &str,
) -> Result<(Option<Sha>, Option<String>), GitError> {
    let repo = &context.project.repo;
    match repo.fetch_branch(remote, branch) {
        Ok(tip) => Ok((tip, None)),
        Err(error @ (GitError::Unreachable { .. } | GitError::Auth { .. } | GitError::TimedOut { .. })) => {
            let seen = repo.read_ref(&format!("refs/laneway/remote/{branch}"))?;
            Ok((seen, Some(super::chain(&error))))
        }
        Err(error) => Err(error),
    }
}

/// Whether the local branch is ahead of origin only by merges of Laneway.
fn merged_here(context: &Context, origin: &Sha, local: &Sha) -> Result<bool, GitError> {
    if origin == local {
        return Ok(true);
    }
    let message = context.project.repo.commit_message(local)?;
    Ok(message.lines().any(|l| l.starts_with("Laneway-Merge:")))
}

/// A failure that says that a target branch is gone.
pub(super) fn no_target(target: &str) -> Failure {
    permanent(format!("the target branch `{target}` is gone"))
}
