//! Upstream work flows into a lane: merged in the object database, then the branch moves.

use super::{Done, git_failure, origin, permanent};
use crate::event::{ConflictPredicted, Draft, Failure, FailureKind, LaneSynced, Subject, SyncSource, few};
use crate::git::{GitError, Landed, Landing, Merge, Remote};
use crate::id::{LaneId, Sha};
use crate::runtime::Context;
use crate::runtime::brief::Brief;

/// Merges `from` into the lane, in order.
pub(super) fn run(
    context: &Context,
    brief: &Brief,
    (lane, tip): (&LaneId, &Sha),
    from: &[SyncSource],
    n: u32,
) -> Done {
    let mut facts = Vec::new();
    match merge(context, (lane, tip), from, &brief.landed, n, &mut facts) {
        Ok(event) => {
            let tip = event.tip.clone();
            facts.push(Draft::world(Subject::lane(lane), event));
            share(context, lane, from, &tip, &mut facts);
            Done::well(facts)
        }
        Err(failure) => Done::failed(facts, failure),
    }
}

/// Shows on origin what the lane has taken in: what came from there is not to be merged anew each time, and what a nested
/// lane holds of its parent is not to look like its own.
fn share(context: &Context, lane: &LaneId, from: &[SyncSource], tip: &Sha, facts: &mut Vec<Draft>) {
    let parent = context.lane(lane).parent.as_ref();
    let of_parent =
        |source: &SyncSource| matches!(source, SyncSource::Lane { lane, .. } if Some(lane) == parent);
    let shared = if from.iter().any(|source| comes_from_origin(context, lane, source)) {
        origin::push(context, lane, tip)
    } else if from.iter().any(of_parent) {
        origin::push_parents(context, lane)
    } else {
        Ok(())
    };
    if let Err(unpushed) = shared {
        // It is asked for again, and required, before a pull request shows the lane.
        unpushed.remarked(lane, facts);
    }
}

/// Whether `source` is on the lane's own branch on origin: what others have put there, and merges of lanes nested in it.
fn comes_from_origin(context: &Context, lane: &LaneId, source: &SyncSource) -> bool {
    match source {
        SyncSource::Origin => true,
        SyncSource::Landing { lane: up, .. } => context.lane(up).parent.as_ref() == Some(lane),
        SyncSource::Lane { .. } | SyncSource::Target { .. } => false,
    }
}

fn merge(
    context: &Context,
    (lane, tip): (&LaneId, &Sha),
    from: &[SyncSource],
    landed: &[Landed],
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
    if from.iter().any(|source| matches!(source, SyncSource::Landing { .. })) {
        // What landed on a forge is not here before it is fetched.
        target_tip(context, &plan.target).map_err(doing)?;
    }
    let own = if from.iter().any(|source| comes_from_origin(context, lane, source)) {
        origin::fetched(context, lane)?
    } else {
        None
    };
    let mut now = tip.clone();
    let mut in_conflict = Vec::new();
    for source in &in_order(context, from).map_err(doing)? {
        let (name, commit) = match source {
            SyncSource::Origin => match &own {
                Some(own) => (format!("origin's `{}`", plan.branch), own.clone()),
                None => continue,
            },
            SyncSource::Landing { lane: up, landed: commit, .. }
                if comes_from_origin(context, lane, source) =>
            {
                (format!("the landing of lane {up}"), commit.clone())
            }
            SyncSource::Lane { lane, tip } => (format!("lane {lane}"), tip.clone()),
            SyncSource::Landing { lane: up, landed: commit, head, held } => {
                let landing = Landing { landed: commit.clone(), head: head.clone(), held: held.clone() };
                let name = format!("the landing of lane {up}");
                let joined = join(context, lane, &now, &Theirs::Landing(landing), (&name, landed), n)?;
                now = joined.commit;
                in_conflict.extend(joined.conflict);
                continue;
            }
            SyncSource::Target { .. } => {
                (plan.target.clone(), target_tip(context, &plan.target).map_err(doing)?)
            }
        };
        let joined = join(context, lane, &now, &Theirs::Commit(commit), (&name, landed), n)?;
        now = joined.commit;
        in_conflict.extend(joined.conflict);
    }
    if !in_conflict.is_empty() {
        return Err(hand_over(context, lane, tip, &now, in_conflict, n, facts));
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
    from.iter().flat_map(SyncSource::lanes).collect()
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

/// What is merged into a lane.
enum Theirs {
    Commit(Sha),
    Landing(Landing),
}

/// Landings come first, in the order in which the target took them.
fn in_order(context: &Context, from: &[SyncSource]) -> Result<Vec<SyncSource>, GitError> {
    let mut ordered: Vec<SyncSource> = Vec::with_capacity(from.len());
    for source in from {
        let mut at = ordered.len();
        if let SyncSource::Landing { landed, .. } = source {
            for (n, other) in ordered.iter().enumerate() {
                let first = match other {
                    SyncSource::Landing { landed: other, .. } => {
                        context.project.repo.is_ancestor(other, landed)?
                    }
                    _ => false,
                };
                if !first {
                    at = n;
                    break;
                }
            }
        }
        ordered.insert(at, source.clone());
    }
    Ok(ordered)
}

/// Two commits made one, whether they fit or not.
struct Joined {
    commit: Sha,
    conflict: Option<ConflictPredicted>,
}

fn join(
    context: &Context,
    lane: &LaneId,
    ours: &Sha,
    theirs: &Theirs,
    (name, landed): (&str, &[Landed]),
    n: u32,
) -> Result<Joined, Failure> {
    let repo = &context.project.repo;
    let doing = |error: GitError| git_failure(&format!("merging {name} into lane `{lane}`"), &error);
    let clean = |commit| Joined { commit, conflict: None };
    let (theirs, merged) = match theirs {
        Theirs::Commit(commit) => (commit, repo.merge_knowing(ours, commit, landed)),
        Theirs::Landing(landing) => {
            let others: Vec<Landed> =
                landed.iter().filter(|one| one.commit != landing.landed).cloned().collect();
            (&landing.landed, repo.restack(ours, landing, &others, &context.author))
        }
    };
    if repo.is_ancestor(theirs, ours).map_err(doing)? {
        return Ok(clean(ours.clone()));
    }
    let both = |tree: &Sha, remark: &str| {
        let message = format!("Merge {name} into lane {lane}{remark}\n\n{}", mark(context, lane, n));
        repo.commit_tree(tree, &[ours.clone(), theirs.clone()], &message, &context.author).map_err(doing)
    };
    match merged.map_err(doing)? {
        Merge::Clean { ff: true, .. } => Ok(clean(theirs.clone())),
        Merge::Clean { tree, .. } => both(&tree, "").map(clean),
        Merge::Conflict { tree, paths, detail } => {
            let commit = both(&tree, ", with conflicts that are yet to be resolved")?;
            let mut event = ConflictPredicted::over(name.to_owned(), paths, detail);
            event.marked = Some(commit.clone());
            Ok(Joined { commit, conflict: Some(event) })
        }
    }
}

/// Leaves the merge to an agent: a commit with the conflicts marked, kept by a ref, where its attempt can start.
fn hand_over(
    context: &Context,
    lane: &LaneId,
    tip: &Sha,
    marked: &Sha,
    conflicts: Vec<ConflictPredicted>,
    n: u32,
    facts: &mut Vec<Draft>,
) -> Failure {
    let repo = &context.project.repo;
    let said = |c: &ConflictPredicted| {
        format!("{} and lane `{lane}` both changed {}", c.with, few(&c.paths, c.more.unwrap_or_default()))
    };
    let message = conflicts.iter().map(said).collect::<Vec<_>>().join("; ");
    let reason = format!("the merge into lane {lane} with its conflicts marked");
    let kept = repo
        .sync_objects(marked, std::slice::from_ref(tip))
        .and_then(|()| super::keep::commit(context, marked, &format!("conflict/{lane}/{n}"), &reason));
    let subject = Subject::lane(lane);
    match kept {
        Ok(kept) => facts.push(Draft::world(subject.clone(), kept)),
        Err(error) => return git_failure("keeping a merge with conflicts", &error),
    }
    facts.extend(conflicts.into_iter().map(|event| Draft::world(subject.clone(), event)));
    Failure { class: FailureKind::Conflict, message, hint: None, retry_at: None }
}

/// Where a target branch stands: on origin where there is one that is asked, else here.
pub(super) fn target_tip(context: &Context, target: &str) -> Result<Sha, GitError> {
    let repo = &context.project.repo;
    let local = repo.branch_tip(target)?;
    let is_lane = context.plan.lanes.iter().any(|lane| lane.branch == target);
    if let (Some(local), true) = (&local, is_lane) {
        // Only Laneway moves a lane, and what came to origin for it is taken in by its parent's syncs.
        return Ok(local.clone());
    }
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
