//! A lane that its target has: a pull request takes it out again. The target is shared, so it is never moved from here but
//! by the merge of that pull request, which a person asks for.

use super::Asked;
use crate::event::{
    Draft, Failure, FailureKind, LaneUndone, PrRef, RevertClosed, RevertMerged, RevertOpened, few,
};
use crate::forge::{Closed, NewPr, Tried};
use crate::git::{GitError, Identity, Landed, Merge, Repo};
use crate::id::{LaneId, Sha};
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
    /// This commit on top of it; the other is the newest one that had brought the lane.
    At(Sha, Sha),
    /// It does not have the lane any more, or never had.
    Gone,
    /// Later work stands on it, in these paths.
    Clash(Vec<String>),
    /// It came together with other work.
    Mixed,
}

/// Whose work is taken out of a target.
pub(in crate::runtime) struct Out<'a> {
    pub(in crate::runtime) repo: &'a Repo,
    pub(in crate::runtime) author: &'a Identity,
    pub(in crate::runtime) lane: &'a LaneId,
    /// Where the lane began.
    pub(in crate::runtime) base: &'a Sha,
    /// What the message of each commit ends with.
    pub(in crate::runtime) mark: String,
}

impl Out<'_> {
    /// `target` without what landed of the lane, newest first: one commit for each part that is still there.
    pub(in crate::runtime) fn without(&self, target: &Sha, landed: &[Landed]) -> Result<Without, GitError> {
        let mut made = Vec::new();
        let done = self.take_out(target, landed, &mut made);
        // The last one holds the others. Where there is none, nothing comes of any.
        if matches!(done, Ok(Without::At(..))) {
            made.pop();
        }
        for commit in &made {
            self.repo.let_go(commit);
        }
        done
    }

    fn take_out(&self, target: &Sha, landed: &[Landed], made: &mut Vec<Sha>) -> Result<Without, GitError> {
        let (repo, mut now, mut newest) = (self.repo, target.clone(), None);
        let mut left: Vec<Landed> = landed.iter().rev().cloned().collect();
        while let Some(part) = left.pop() {
            if !repo.is_ancestor(&part.commit, target)? {
                continue;
            }
            let before = left.last().map(|earlier| &earlier.head);
            let base = match before {
                Some(earlier) if repo.is_ancestor(earlier, &part.head)? => earlier,
                _ => self.base,
            };
            let Some(stretch) = repo.landing_of(&part.commit, &part.head, base)? else {
                return Ok(Without::Mixed);
            };
            if let Some(head) = self.landed_before(&stretch.before, &part.head)? {
                left.push(Landed { commit: stretch.before.clone(), head });
            }
            match repo.without(&now, &stretch)? {
                Merge::Conflict { paths, .. } => return Ok(Without::Clash(paths)),
                Merge::Clean { tree, .. } if tree == repo.tree_of(&now)? => {}
                Merge::Clean { tree, .. } => {
                    let (reverts, lane) = (&stretch.after, self.lane);
                    let message = format!(
                        "Revert lane {lane}\n\nThis takes back what {reverts} had brought.\n\nLaneway-Reverts: {reverts}\n{}",
                        self.mark
                    );
                    now = repo.commit_tree(&tree, &[now], &message, self.author)?;
                    made.push(now.clone());
                    newest.get_or_insert(stretch.after);
                }
            }
        }
        Ok(newest.map_or(Without::Gone, |newest| Without::At(now, newest)))
    }

    /// The lane's newest work in `head` that `before` has already: people can merge a branch before it is whole.
    fn landed_before(&self, before: &Sha, head: &Sha) -> Result<Option<Sha>, GitError> {
        let repo = self.repo;
        match repo.merge_base(before, head)? {
            Some(met) if !repo.is_ancestor(&met, self.base)? => {}
            _ => return Ok(None),
        }
        let own = format!("Land {}/", self.lane);
        let work = repo.commits_between(self.base, head)?;
        for commit in work.iter().filter(|commit| commit.subject.starts_with(&own)) {
            if repo.is_ancestor(&commit.sha, before)? {
                return Ok(Some(commit.sha.clone()));
            }
        }
        Ok(None)
    }
}

/// Makes the branch; `None` where there is nothing to take back.
pub(super) fn make(asked: &Asked, landed: &[Landed]) -> Result<Option<Ready>, Failure> {
    let context = &asked.context;
    let (repo, lane) = (&context.project.repo, &asked.lane);
    let plan = context.lane(lane);
    let doing = |e: GitError| git_failure(&format!("taking lane `{lane}` out of `{}`", plan.target), &e);
    let branch = plan::revert_branch(&context.plan.graph, context.plan.run, lane, asked.n);
    let reference = format!("refs/heads/{branch}");
    let base = base(context, &plan.target, &landed[0]).map_err(doing)?;
    if let Some(found) = repo.read_ref(&reference).map_err(doing)? {
        let Some(made) = made_before(repo, &found, &asked.mark(), &landed[0]).map_err(doing)? else {
            let message = format!("the branch `{branch}` exists already and is not this run's");
            return Err(Failure { class: FailureKind::Refused, ..permanent(message) });
        };
        let reverts = made.reverts.unwrap_or_else(|| landed[0].commit.clone());
        push(context, &branch, &found)?;
        return Ok(Some(Ready { branch, tip: found, base: made.base, reverts }));
    }
    let out = Out { repo, author: &context.author, lane, base: &plan.base_sha, mark: asked.mark() };
    let (tip, reverts) = match out.without(&base, landed).map_err(doing)? {
        Without::Gone => return Ok(None),
        Without::At(tip, reverts) => (tip, reverts),
        Without::Clash(paths) => return Err(clash(lane.as_str(), &plan.target, &paths)),
        Without::Mixed => return Err(mixed(lane.as_str(), &plan.target)),
    };
    repo.sync_objects(&tip, std::slice::from_ref(&base)).map_err(doing)?;
    repo.set_ref(&reference, &tip, None).map_err(doing)?;
    push(context, &branch, &tip)?;
    Ok(Some(Ready { branch, tip, base, reverts }))
}

/// What an interrupted try of this very step has made.
struct Made {
    /// The commit of the target under its commits.
    base: Sha,
    /// What the first of them takes back: the newest landing.
    reverts: Option<Sha>,
}

/// Looks for the commits of this very step in the branch at `tip`, also under what others have put on it since; `None` where
/// there are none, so that the branch is somebody else's.
fn made_before(repo: &Repo, tip: &Sha, mark: &str, landed: &Landed) -> Result<Option<Made>, GitError> {
    let (mut at, mut made) = (tip.clone(), None);
    loop {
        let message = repo.commit_message(&at)?;
        let own = message.ends_with(mark);
        // What takes a landing back is never in what landed.
        if !own && (made.is_some() || repo.is_ancestor(&at, &landed.commit)?) {
            return Ok(made);
        }
        let Some(parent) = repo.parents(&at)?.into_iter().next() else { return Ok(None) };
        if own {
            made = Some(Made { base: parent.clone(), reverts: reverted_in(&message) });
        }
        at = parent;
    }
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
        message: format!("later work in `{target}` stands on lane `{lane}`: both changed {}", few(paths, 0)),
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
