//! A lane that its target has: a pull request takes it out again. The target is shared, so it is never moved from here but
//! by the merge of that pull request, which a person asks for.

use super::Asked;
use crate::event::{
    Draft, Failure, FailureKind, LaneUndone, PrRef, RevertClosed, RevertMerged, RevertOpened, named,
};
use crate::forge::{Closed, NewPr, Tried};
use crate::git::{GitError, Landed, Merge, Repo};
use crate::id::Sha;
use crate::plan;
use crate::runtime::effects::pull_request::{forge_failure, open_forge};
use crate::runtime::effects::{git_failure, merge, permanent, sync};
use crate::runtime::{Context, clock};

/// A branch that is ready to be shown.
pub(super) struct Ready {
    branch: String,
    tip: Sha,
    base: Sha,
    /// The commit of the target that it takes back.
    reverts: Sha,
}

/// What a target becomes without a lane.
pub(in crate::runtime) enum Without {
    /// This tree; the commit is the one that had brought it.
    Tree(Sha, Sha),
    /// It does not have the lane any more, or never had.
    Gone,
    /// Later work stands on it, in these paths.
    Clash(Vec<String>),
    /// It came together with other work.
    Mixed,
}

/// `target` without the landing of `head`.
pub(in crate::runtime) fn without(
    repo: &Repo,
    target: &Sha,
    landed: &Landed,
    base: &Sha,
) -> Result<Without, GitError> {
    if !repo.is_ancestor(&landed.commit, target)? {
        return Ok(Without::Gone);
    }
    let Some(stretch) = repo.landing_of(&landed.commit, &landed.head, base)? else {
        return Ok(Without::Mixed);
    };
    Ok(match repo.without(target, &stretch)? {
        Merge::Conflict { paths, .. } => Without::Clash(paths),
        Merge::Clean { tree, .. } if tree == repo.tree_of(target)? => Without::Gone,
        Merge::Clean { tree, .. } => Without::Tree(tree, stretch.after),
    })
}

/// Makes the branch; `None` where there is nothing to take back.
pub(super) fn make(asked: &Asked, landed: &Landed) -> Result<Option<Ready>, Failure> {
    let context = &asked.context;
    let (repo, lane) = (&context.project.repo, &asked.lane);
    let plan = context.lane(lane);
    let doing = |e: GitError| git_failure(&format!("taking lane `{lane}` out of `{}`", plan.target), &e);
    let branch = plan::revert_branch(&context.plan.graph, context.plan.run, lane, asked.n);
    let reference = format!("refs/heads/{branch}");
    let base = base(context, &plan.target, landed).map_err(doing)?;
    if let Some(found) = repo.read_ref(&reference).map_err(doing)? {
        let message = repo.commit_message(&found).map_err(doing)?;
        let parent = repo.parents(&found).map_err(doing)?.into_iter().next();
        let (true, Some(parent)) = (message.ends_with(&asked.mark()), parent) else {
            let message = format!("the branch `{branch}` exists already and is not this run's");
            return Err(Failure { class: FailureKind::Refused, ..permanent(message) });
        };
        let reverts = reverted_in(&message).unwrap_or_else(|| landed.commit.clone());
        push(context, &branch, &found)?;
        return Ok(Some(Ready { branch, tip: found, base: parent, reverts }));
    }
    let (tree, reverts) = match without(repo, &base, landed, &plan.base_sha).map_err(doing)? {
        Without::Gone => return Ok(None),
        Without::Tree(tree, reverts) => (tree, reverts),
        Without::Clash(paths) => return Err(clash(lane.as_str(), &plan.target, &paths)),
        Without::Mixed => return Err(mixed(lane.as_str(), &plan.target)),
    };
    let message = format!(
        "Revert lane {lane}\n\nThis takes back what {reverts} had brought.\n\nLaneway-Reverts: {reverts}\n{}",
        asked.mark()
    );
    let tip =
        repo.commit_tree(&tree, std::slice::from_ref(&base), &message, &context.author).map_err(doing)?;
    repo.sync_objects(&tip, std::slice::from_ref(&base)).map_err(doing)?;
    repo.set_ref(&reference, &tip, None).map_err(doing)?;
    push(context, &branch, &tip)?;
    Ok(Some(Ready { branch, tip, base, reverts }))
}

/// Where the target stands. What was merged here stays here where origin does not take it, also under what a person has
/// put on it since.
fn base(context: &Context, target: &str, landed: &Landed) -> Result<Sha, GitError> {
    let repo = &context.project.repo;
    let tip = sync::target_tip(context, target)?;
    if context.github.is_some() || repo.is_ancestor(&landed.commit, &tip)? {
        return Ok(tip);
    }
    match repo.branch_tip(target)? {
        Some(local) if repo.is_ancestor(&landed.commit, &local)? => Ok(local),
        _ => Ok(tip),
    }
}

fn reverted_in(message: &str) -> Option<Sha> {
    let line = message.lines().find_map(|line| line.strip_prefix("Laneway-Reverts: "))?;
    Sha::new(line.trim()).ok()
}

pub(in crate::runtime) fn clash(lane: &str, target: &str, paths: &[String]) -> Failure {
    Failure {
        class: FailureKind::Conflict,
        message: format!("later work in `{target}` stands on lane `{lane}`: both changed {}", named(paths)),
        hint: Some("undo the later work first, or take it back by hand".to_owned()),
        retry_at: None,
    }
}

pub(in crate::runtime) fn mixed(lane: &str, target: &str) -> Failure {
    Failure {
        class: FailureKind::Refused,
        message: format!("lane `{lane}` reached `{target}` together with other work, which would go too"),
        hint: Some("take it back by hand".to_owned()),
        retry_at: None,
    }
}

/// GitHub shows what is at origin; the local forge does without.
fn push(context: &Context, branch: &str, tip: &Sha) -> Result<(), Failure> {
    let Some(remote) = context.push_remote() else { return Ok(()) };
    match context.project.repo.push(remote, tip, branch, None) {
        Err(error) if context.github.is_some() => Err(git_failure("not pushed", &error)),
        // The local forge shows the local branch.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens the pull request, or finds the one that was opened before the answer was lost.
pub(super) async fn open(asked: &Asked, ready: Option<Ready>) -> Result<Vec<Draft>, Failure> {
    let context = &asked.context;
    let target = context.lane(&asked.lane).target.clone();
    let Some(ready) = ready else {
        let remarks = vec![format!("`{target}` does not have its work any more")];
        let event = LaneUndone { tip: None, reverted: Vec::new(), upstream: Vec::new(), remarks };
        return Ok(vec![asked.fact(event)]);
    };
    let forge = open_forge(context)?;
    let merged = asked.lane_state().pr.as_ref().map(|pr| pr.at.number);
    let graph = &context.plan.graph;
    let text =
        crate::view::revert_pull_request(graph, &asked.lane, &asked.by, &target, &ready.reverts, merged);
    let new = NewPr {
        title: text.title,
        body: text.body,
        draft: false,
        head: ready.branch.clone(),
        base: target,
        head_sha: ready.tip.clone(),
        base_sha: ready.base,
        marker: plan::revert_marker(&context.plan, &asked.lane, asked.n),
        graph: graph.clone(),
        run: context.plan.run,
        lane: asked.lane.clone(),
        author: context.author.name.clone(),
        at: clock::wall().to_string(),
        labels: Vec::new(),
        reviewers: Vec::new(),
        checks: Vec::new(),
    };
    let opened = forge.create(new, Tried::Perhaps).await;
    let pull =
        opened.map_err(|e| forge_failure("opening the pull request that takes it back", &e))?.into_pull();
    if let Some(number) = merged {
        // Whoever looks at the old one learns of it; nothing hangs on that.
        let body = crate::view::undo_reverting(&asked.lane, &asked.by, pull.number);
        if let Err(failure) = asked.say(number, body).await {
            tracing::warn!(reason = %failure.message, "the merged pull request could not be told");
        }
    }
    let pr = PrRef { number: pull.number, url: pull.url };
    let event = RevertOpened { pr, branch: ready.branch, tip: ready.tip, reverts: ready.reverts };
    Ok(vec![asked.fact(event)])
}

/// Merges it as a person asked.
pub(super) async fn merge(asked: &Asked, tip: &Sha) -> Result<Vec<Draft>, Failure> {
    let number = asked.revert()?.at.number;
    let title = format!("Revert lane {} (#{number})", asked.lane);
    let mut facts = Vec::new();
    let event = if let Some(github) = &asked.context.github {
        let merged = github.merge(number, tip, &title, Tried::Perhaps).await;
        let merged = merged.map_err(|e| forge_failure("merging the pull request", &e))?;
        RevertMerged { commit: merged.sha, by: merged.by.unwrap_or_else(|| asked.by.clone()) }
    } else {
        let (commit, remarks) =
            merge::revert(&asked.context, &asked.lane, (tip, number), &asked.by, asked.n).await?;
        facts.extend(remarks);
        RevertMerged { commit, by: asked.by.clone() }
    };
    facts.push(asked.fact(event));
    Ok(facts)
}

/// Closes it as a person asked.
pub(super) async fn close(asked: &Asked) -> Result<Vec<Draft>, Failure> {
    let number = asked.revert()?.at.number;
    let closed = Closed { by: asked.by.clone(), at: clock::wall().to_string() };
    let closed = open_forge(&asked.context)?.close(number, closed).await;
    closed.map_err(|e| forge_failure("closing the pull request", &e))?;
    Ok(vec![asked.fact(RevertClosed { by: asked.by.clone() })])
}
