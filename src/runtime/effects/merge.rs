//! Merging a pull request. With the local forge: in the object database, then exactly the target branch moves. On GitHub
//! it is GitHub that merges, exactly the head that was gated.

use std::sync::Arc;

use super::{Done, blocking, git_failure, head, origin, permanent, pull_request, sync};
use crate::event::{
    CHECK_HEAD, CheckRecorded, CheckStatus, Draft, Effect, Event, Failure, FailureKind, PrMerged, Subject,
};
use crate::failpoint::{self, Point};
use crate::forge::{self, Forge, ForgeError, GitHub, GitHubError, Merged};
use crate::git::{GitError, Merge};
use crate::id::{LaneId, Sha};
use crate::plan::revert_branch;
use crate::runtime::brief::Brief;
use crate::runtime::{Context, clock};
use crate::state::{ForgeStep, State, Step};
use pull_request::{Joined, forge_failure, join, open_forge};

/// Tries of a merge that is refused while others into the same target are under way, before it is left to a person.
const TRIES_AMID_OTHERS: u32 = 4;

/// Where the two sides of a target stand.
struct Sides {
    /// The local branch.
    local: Option<Sha>,
    /// Origin's, where it may be moved.
    origin: Option<Sha>,
    /// What the merge is made on.
    base: Sha,
    /// Why origin is not moved although it could be.
    kept_back: Option<String>,
}

/// Merges the pull request of a lane.
pub(super) async fn run(context: &Arc<Context>, brief: &Brief) -> Done {
    let Effect::MergePr { lane, tip, by, request, only } = &brief.effect else {
        return permanent("no merge".to_owned()).into();
    };
    if brief.resumed {
        pull_request::stop_gates(context, lane).await;
    }
    let mut facts = Vec::new();
    let asked = Asked { lane, tip, only: only.as_ref(), by, automatic: request.is_none() };
    let merged = match &context.github {
        Some(github) => on_github(context, github, brief, &asked, &mut facts).await,
        None => merge(context, brief, &asked, &mut facts).await,
    };
    match merged {
        Ok(()) => Done::well(facts),
        Err(failure) => Done::failed(facts, failure),
    }
}

/// What is asked of the forge.
struct Asked<'a> {
    lane: &'a LaneId,
    /// What was gated and shown.
    tip: &'a Sha,
    /// The one head that may be merged.
    only: Option<&'a Sha>,
    by: &'a str,
    automatic: bool,
}

async fn on_github(
    context: &Arc<Context>,
    github: &GitHub,
    brief: &Brief,
    asked: &Asked<'_>,
    facts: &mut Vec<Draft>,
) -> Result<(), Failure> {
    let Asked { lane, tip, by, automatic, .. } = *asked;
    let state = brief.state.clone().ok_or_else(|| permanent("the state is missing".to_owned()))?;
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let number = state.lanes[ix].pr.as_ref().map(|pr| pr.at.number);
    let number = number.ok_or_else(|| permanent(format!("lane `{lane}` has no pull request")))?;
    let target = &context.lane(lane).target;
    if context.lane(lane).parent.is_some() && brief.resumed {
        // What it would be merged with may hold it already.
        let pull = github.get(number).await.map_err(|e| forge_failure("looking at the pull request", &e))?;
        if let Some(merged) = pull.merged {
            facts.push(Draft::world(
                Subject::lane(lane),
                PrMerged { commit: merged.sha, by: merged.by, head: None },
            ));
            return Ok(());
        }
    }
    // GitHub merges into what it has, and that is to be what was gated.
    let (shared, id) = (Arc::clone(context), lane.clone());
    let pushed = blocking(move || origin::push_parents(&shared, &id)).await;
    pushed.map_err(|unpushed| unpushed.told(facts))?;
    if automatic {
        // First what costs nothing: the gates are not run again each time that a check is waited for.
        checks_hold(github, lane, tip, facts).await?;
        let doing = |e: GitError| git_failure(&format!("merging lane `{lane}`"), &e);
        let (shared, id, at) = (Arc::clone(context), lane.clone(), tip.clone());
        let joined = blocking(move || {
            let base = sync::target_tip(&shared, &shared.lane(&id).target)?;
            join(&shared, &id, &at, &base)
        });
        let joined = joined.await.map_err(doing)?;
        let joined = joined.map_err(|paths| pull_request::conflict(lane, target, &paths))?;
        let evidence = pull_request::gates(context, &state, lane, tip, &joined).await?;
        let against = failed_gate(&evidence);
        facts.extend(evidence);
        against.map_or(Ok(()), |why| Err(refused(why)))?;
    }
    let title = format!("Merge lane {lane} into {target} (#{number})");
    let tried = brief.tried(&state.lanes[ix], ForgeStep::Merge);
    failpoint::pass(Point::PrMerge);
    let landed = github.merge(number, tip, &title, tried).await;
    failpoint::pass(Point::PrMerged);
    let landed = landed.map_err(|error| merge_failure(github, automatic, &error))?;
    let by = landed.by.unwrap_or_else(|| by.to_owned());
    facts.push(Draft::world(Subject::lane(lane), PrMerged { commit: landed.sha, by, head: None }));
    Ok(())
}

/// A merge without a person waits for the checks on GitHub, and does not go against them.
async fn checks_hold(
    github: &GitHub,
    lane: &LaneId,
    tip: &Sha,
    facts: &mut Vec<Draft>,
) -> Result<(), Failure> {
    let checks = github.checks(tip).await.map_err(|e| forge_failure("asking for checks", &e.into()))?;
    facts.extend(checks.iter().filter_map(|check| crate::runtime::poller::check(lane, check)));
    let of = |status: forge::CheckStatus| {
        let names: Vec<&str> =
            checks.iter().filter(|c| c.status == status).map(|c| c.name.as_str()).collect();
        names.join(", ")
    };
    let (failed, running) = (of(forge::CheckStatus::Fail), of(forge::CheckStatus::Pending));
    if failed.is_empty() && running.is_empty() {
        return Ok(());
    }
    let message = if failed.is_empty() {
        format!("checks on GitHub are not over yet: {running}")
    } else {
        format!("checks on GitHub failed: {failed}")
    };
    Err(later(github, message))
}

/// Something on GitHub is not over yet.
fn later(github: &GitHub, message: String) -> Failure {
    let wait = u64::try_from((github.pace().busy * 6).as_millis()).unwrap_or(u64::MAX);
    let retry_at = Some(clock::wall().plus(wait));
    Failure { class: FailureKind::Transient, message, hint: None, retry_at }
}

fn merge_failure(github: &GitHub, automatic: bool, error: &ForgeError) -> Failure {
    if let ForgeError::GitHub(GitHubError::NotMergeable { message, .. }) = error
        && automatic
        && message.to_ascii_lowercase().contains("status check")
    {
        return later(github, message.clone());
    }
    forge_failure("merging the pull request", error)
}

async fn merge(
    context: &Arc<Context>,
    brief: &Brief,
    asked: &Asked<'_>,
    facts: &mut Vec<Draft>,
) -> Result<(), Failure> {
    let Asked { lane, by, .. } = *asked;
    let state = brief.state.clone().ok_or_else(|| permanent("the state is missing".to_owned()))?;
    let doing = |e: GitError| git_failure(&format!("merging lane `{lane}`"), &e);
    let target = context.lane(lane).target.clone();
    let (shared, branch) = (Arc::clone(context), target.clone());
    let sides = blocking(move || look(&shared, &branch)).await?;
    let (tip, is_gated) = head_of(context, asked, facts).await?;
    let (shared, at, base) = (Arc::clone(context), tip.clone(), sides.base.clone());
    let there = blocking(move || shared.project.repo.is_ancestor(&at, &base)).await.map_err(doing)?;
    let commit = if there {
        sides.base.clone()
    } else {
        let (shared, id, at, base) = (Arc::clone(context), lane.clone(), tip.clone(), sides.base.clone());
        let joined = blocking(move || join(&shared, &id, &at, &base)).await.map_err(doing)?;
        let joined: Joined = joined.map_err(|paths| pull_request::conflict(lane, &target, &paths))?;
        // A person's word stands for the gate of what was shown to them, not for what no gate has seen.
        if asked.automatic || !is_gated {
            let evidence = pull_request::gates(context, &state, lane, &tip, &joined).await?;
            let against = failed_gate(&evidence);
            facts.extend(evidence);
            against.map_or(Ok(()), |why| Err(refused(why)))?;
        }
        joined.commit
    };
    let number = state.lanes[context.index.lane(lane).expect("effects name lanes of the plan")]
        .pr
        .as_ref()
        .map(|p| p.at.number);
    let (shared, id, who, merged) = (Arc::clone(context), lane.clone(), by.to_owned(), commit.clone());
    let moved = blocking(move || move_target(&shared, &id, &sides, &merged, number, &who)).await;
    let remarks = moved.map_err(|failure| amid_others(context, &state, asked, failure))?;
    facts.extend(remarks.into_iter().map(|(name, detail)| warning(lane, name, detail)));
    let head = (!is_gated).then_some(tip);
    facts.push(Draft::world(Subject::lane(lane), PrMerged { commit, by: by.to_owned(), head }));
    Ok(())
}

/// What is merged: what was gated, with what people have put on top of it, and whether it is the former alone. Only a person
/// may take more along.
async fn head_of(
    context: &Arc<Context>,
    asked: &Asked<'_>,
    facts: &mut Vec<Draft>,
) -> Result<(Sha, bool), Failure> {
    let (lane, branch) = (asked.lane, context.lane(asked.lane).branch.clone());
    let (shared, at) = (Arc::clone(context), asked.tip.clone());
    let (head, told, left) = blocking(move || {
        let head = head::of(&shared, &branch, &at)?;
        let (told, left) = (head.told(&branch), head.left_alone(&branch));
        Ok::<_, Failure>((head.tip, told, left))
    })
    .await?;
    facts.extend(left.map(|detail| warning(lane, "push", detail)));
    if let Some(seen) = asked.only.filter(|seen| **seen != head) {
        let (seen, now) = (seen.short(), head.short());
        return Err(refused(format!(
            "the pull request has moved from {seen} to {now} since it was looked at"
        )));
    }
    let Some(detail) = told else { return Ok((head, true)) };
    let status = if asked.automatic { CheckStatus::Fail } else { CheckStatus::Warn };
    let event = CheckRecorded { name: CHECK_HEAD.to_owned(), status, detail: detail.clone(), duration_ms: 0 };
    facts.push(Draft::world(Subject::lane(lane), event));
    if asked.automatic {
        let hint = Some("`laneway pr merge` takes them along".to_owned());
        return Err(Failure { hint, ..refused(detail) });
    }
    Ok((head, false))
}

/// What is refused while another lane is being merged into the same target is tried again after that: a checkout that a
/// crash has left half-way to the other's merge looks like work of the user until that merge is made again.
fn amid_others(context: &Context, state: &State, asked: &Asked<'_>, failure: Failure) -> Failure {
    let target = &context.lane(asked.lane).target;
    let passing = |failure: &Failure| matches!(failure.class, FailureKind::Transient | FailureKind::Moved);
    let is_tried = |step: &Step| match &step.effect {
        Effect::MergePr { lane, .. } => {
            let goes_on = step.is_in_flight() || step.failure().is_some_and(|(failure, _)| passing(failure));
            goes_on && lane != asked.lane && context.lane(lane).target == *target
        }
        _ => false,
    };
    let own = &state.lanes[context.index.lane(asked.lane).expect("effects name lanes of the plan")];
    let tries = own.step.as_ref().map_or(0, |step| step.tries);
    let others = state.lanes.iter().any(|lane| lane.step.as_ref().is_some_and(is_tried));
    if failure.class == FailureKind::Refused && others && tries < TRIES_AMID_OTHERS {
        return Failure { class: FailureKind::Transient, ..failure };
    }
    failure
}

fn refused(message: String) -> Failure {
    Failure { class: FailureKind::Refused, message, hint: None, retry_at: None }
}

/// Merges the pull request that takes a lane out of its target. Returns the commit of the target, and what is to be told.
pub(super) async fn revert(
    context: &Arc<Context>,
    lane: &LaneId,
    (tip, number): (&Sha, u64),
    by: &str,
    n: u32,
) -> Result<(Sha, Vec<Draft>), Failure> {
    let (context, id, shown, by) = (Arc::clone(context), lane.clone(), tip.clone(), by.to_owned());
    blocking(move || {
        let (repo, target) = (&context.project.repo, context.lane(&id).target.clone());
        let doing = |e: GitError| git_failure(&format!("taking lane `{id}` back"), &e);
        let sides = look(&context, &target)?;
        let branch = revert_branch(&context.plan.graph, context.plan.run, &id, n);
        let head = head::of(&context, &branch, &shown)?;
        let later = head.told(&branch).map(|detail| (CHECK_HEAD, detail));
        let commit = if repo.is_ancestor(&head.tip, &sides.base).map_err(doing)? {
            sides.base.clone()
        } else {
            let mark = format!("Laneway-Run: {}\nLaneway-Merge: {id}/revert-{n}", context.plan.uuid);
            let message = format!("Merge the revert of lane {id} into {target}\n\n{mark}\n");
            merged_revert(&context, &id, &sides.base, &head.tip, &message)?
        };
        let remarks = move_target(&context, &id, &sides, &commit, Some(number), &by)?;
        let told = later.into_iter().chain(remarks).map(|(name, detail)| warning(&id, name, detail));
        Ok((commit, told.collect()))
    })
    .await
}

fn merged_revert(
    context: &Context,
    lane: &LaneId,
    base: &Sha,
    revert: &Sha,
    message: &str,
) -> Result<Sha, Failure> {
    let repo = &context.project.repo;
    let doing = |e: GitError| git_failure(&format!("taking lane `{lane}` back"), &e);
    match repo.merge(base, revert).map_err(doing)? {
        Merge::Clean { tree, .. } => {
            let parents = [base.clone(), revert.clone()];
            repo.commit_tree(&tree, &parents, message, &context.author).map_err(doing)
        }
        Merge::Conflict { paths, .. } => {
            Err(pull_request::conflict(lane, &context.lane(lane).target, &paths))
        }
    }
}

fn warning(lane: &LaneId, name: &str, detail: String) -> Draft {
    let event = CheckRecorded { name: name.to_owned(), status: CheckStatus::Warn, detail, duration_ms: 0 };
    Draft::world(Subject::lane(lane), event)
}

fn failed_gate(evidence: &[Draft]) -> Option<String> {
    evidence.iter().find_map(|draft| match &draft.event {
        Event::CheckRecorded(check) if check.status == CheckStatus::Fail => {
            check.detail.lines().next().map(str::to_owned)
        }
        _ => None,
    })
}

/// Finds what to merge on, without publishing anything that the user has not published.
fn look(context: &Context, target: &str) -> Result<Sides, Failure> {
    let repo = &context.project.repo;
    let doing = |e: GitError| git_failure(&format!("looking at `{target}`"), &e);
    let local = repo.branch_tip(target).map_err(doing)?;
    let moves_origin = context.plan.remote.as_ref().is_some_and(|r| r.push_target);
    let (origin, unreachable) = match context.remote.as_ref().filter(|_| moves_origin) {
        Some(remote) => sync::fetched(context, remote, target).map_err(doing)?,
        None => (None, None),
    };
    if let (Some(why), Some(local)) = (&unreachable, &local) {
        let kept_back = Some(format!("origin's `{target}` was not moved: {why}"));
        return Ok(Sides { base: local.clone(), local: Some(local.clone()), origin: None, kept_back });
    }
    let (base, kept_back) = match (&local, &origin) {
        (None, None) => return Err(sync::no_target(target)),
        (Some(one), None) | (None, Some(one)) => (one.clone(), None),
        (Some(local), Some(origin)) if repo.is_ancestor(local, origin).map_err(doing)? => {
            (origin.clone(), None)
        }
        (Some(local), Some(origin)) if repo.is_ancestor(origin, local).map_err(doing)? => {
            let ahead = repo.commits_between(origin, local).map_err(doing)?.len();
            let ours = sync::target_tip(context, target).map_err(doing)? == *local;
            let why = format!(
                "origin's `{target}` was not moved: {ahead} commits of the local branch are not pushed"
            );
            (local.clone(), (!ours).then_some(why))
        }
        (Some(_), Some(_)) => {
            return Err(Failure {
                class: FailureKind::Refused,
                message: format!("the local `{target}` and origin's have diverged"),
                hint: Some(format!("bring `{target}` up to date (git pull)")),
                retry_at: None,
            });
        }
    };
    Ok(Sides { local, origin, base, kept_back })
}

/// Moves the local branch with its checkouts and their submodules, then origin's, then marks the pull request. Returns what is to be
/// told, by the name of the check that tells it.
fn move_target(
    context: &Context,
    lane: &LaneId,
    sides: &Sides,
    commit: &Sha,
    number: Option<u64>,
    by: &str,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let repo = &context.project.repo;
    let target = &context.lane(lane).target;
    let doing = |e: GitError| git_failure(&format!("moving `{target}`"), &e);
    repo.sync_objects(commit, std::slice::from_ref(&sides.base)).map_err(doing)?;
    let mut remarks = Vec::new();
    if let Some(local) = &sides.local {
        let branch = format!("refs/heads/{target}");
        repo.advance(&branch, Some(local), commit).map_err(doing)?;
        remarks
            .extend(take_modules_along(context, &branch, local, commit).map(|detail| ("submodules", detail)));
    }
    let mut remark = sides.kept_back.clone();
    if let (Some(remote), Some(origin), None) = (&context.remote, &sides.origin, &remark)
        && origin != commit
        && let Err(error) = repo.push(remote, commit, target, Some(origin))
    {
        if sides.local.is_none() {
            return Err(doing(error));
        }
        remark = Some(format!("origin's `{target}` was not moved: {}", super::chain(&error)));
    }
    if let Some(number) = number {
        let merged = Merged { sha: commit.clone(), by: by.to_owned(), at: clock::wall().to_string() };
        if let Forge::Local(forge) = open_forge(context)? {
            failpoint::pass(Point::PrMerge);
            forge
                .mark_merged(number, merged)
                .map_err(|e| forge_failure("marking the pull request as merged", &e))?;
            failpoint::pass(Point::PrMerged);
        }
    }
    remarks.extend(remark.map(|detail| ("origin", detail)));
    Ok(remarks)
}

/// Has the submodules in the user's checkouts follow the branch, which has moved: what fails here undoes nothing.
fn take_modules_along(context: &Context, branch: &str, old: &Sha, new: &Sha) -> Option<String> {
    let repo = &context.project.repo;
    let follow = || {
        // A try that was cut off here has moved the branch already.
        let old = if old == new { repo.parents(new)?.into_iter().next() } else { Some(old.clone()) };
        old.map_or(Ok(Vec::new()), |old| repo.take_modules_along(branch, &old, new))
    };
    match follow() {
        Ok(left) if left.is_empty() => None,
        Ok(left) => Some(left.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        Err(error) => Some(format!("submodules of the checkouts were left alone: {}", super::chain(&error))),
    }
}
