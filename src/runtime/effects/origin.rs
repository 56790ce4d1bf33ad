//! A lane's branch on origin: shown there before anything that builds on it, and looked at for what others have put there.

use super::git_failure;
use crate::event::{CHECK_ORIGIN, CheckRecorded, CheckStatus, Draft, Failure, FailureKind, Subject};
use crate::git::{GitError, Remote};
use crate::id::{LaneId, Sha};
use crate::runtime::{Context, clock};

/// Why a lane is not on origin as it stands here.
pub(super) struct Unpushed {
    /// What that means for what was tried.
    pub(super) failure: Failure,
    /// The lane whose branch has moved on there.
    ahead: Option<LaneId>,
}

impl Unpushed {
    /// The failure, with what has to be known of the lane put among the facts.
    pub(super) fn told(self, facts: &mut Vec<Draft>) -> Failure {
        facts.extend(self.ahead.as_ref().map(|lane| warning(lane, CHECK_ORIGIN, &self.failure)));
        self.failure
    }

    /// Where it can be done without: a remark on the lane, unless what has to be known says it all.
    pub(super) fn remarked(self, lane: &LaneId, facts: &mut Vec<Draft>) {
        facts.push(match &self.ahead {
            Some(ahead) => warning(ahead, CHECK_ORIGIN, &self.failure),
            None => warning(lane, "push", &self.failure),
        });
    }
}

fn warning(lane: &LaneId, name: &str, failure: &Failure) -> Draft {
    let (name, detail) = (name.to_owned(), failure.message.clone());
    let event = CheckRecorded { name, status: CheckStatus::Warn, detail, duration_ms: 0 };
    Draft::world(Subject::lane(lane), event)
}

impl From<Failure> for Unpushed {
    fn from(failure: Failure) -> Self {
        Self { failure, ahead: None }
    }
}

/// How origin's branch stands to the lane.
enum Standing {
    /// It is where it should be.
    Same,
    /// It can be moved on from there; `None` where it is missing.
    Behind(Option<Sha>),
    /// It holds what the lane does not.
    Ahead(Sha),
}

/// Puts the lane on origin, after those that it is nested in; the local forge does without where it cannot.
pub(super) fn push(context: &Context, lane: &LaneId, tip: &Sha) -> Result<(), Unpushed> {
    push_parents(context, lane)?;
    push_one(context, lane, tip)
}

/// On GitHub, puts the lanes that `lane` is nested in on origin as they stand, the outermost first: what a nested lane
/// holds of them is not to be shown as its own.
pub(super) fn push_parents(context: &Context, lane: &LaneId) -> Result<(), Unpushed> {
    if context.github.is_none() {
        return Ok(());
    }
    let Some(parent) = &context.lane(lane).parent else { return Ok(()) };
    push_parents(context, parent)?;
    let branch = &context.lane(parent).branch;
    let doing = |error: GitError| git_failure(&format!("looking at `{branch}`"), &error);
    match context.project.repo.branch_tip(branch).map_err(doing)? {
        Some(tip) => push_one(context, parent, &tip),
        None => Ok(()),
    }
}

fn push_one(context: &Context, lane: &LaneId, tip: &Sha) -> Result<(), Unpushed> {
    let branch = &context.lane(lane).branch;
    let Some(remote) = context.push_remote() else {
        if context.github.is_none() {
            return Ok(());
        }
        let message = format!("`{branch}` cannot be shown on GitHub: nothing is pushed to origin");
        let failure = Failure { class: FailureKind::Refused, message, hint: None, retry_at: None };
        return Err(failure.into());
    };
    let pushed = match standing(context, remote, lane, tip) {
        Ok(Standing::Same) => Ok(()),
        Ok(Standing::Behind(there)) => context.project.repo.push(remote, tip, branch, there.as_ref()),
        Ok(Standing::Ahead(there)) => return Err(moved_on(context, lane, tip, &there)),
        Err(error) => Err(error),
    };
    pushed.map_err(|error| {
        let mut failure = git_failure("not pushed", &error);
        if failure.class != FailureKind::Transient {
            failure.class = FailureKind::Refused;
            failure.hint = Some(format!("git push origin {branch} tells why; then laneway retry"));
        }
        failure.into()
    })
}

fn standing(context: &Context, remote: &Remote, lane: &LaneId, tip: &Sha) -> Result<Standing, GitError> {
    let (repo, branch) = (&context.project.repo, &context.lane(lane).branch);
    let Some(there) = repo.remote_tip(remote, branch)? else { return Ok(Standing::Behind(None)) };
    if there == *tip {
        return Ok(Standing::Same);
    }
    let is_here = repo.resolve_commit(there.as_str())?.is_some();
    if is_here && repo.is_ancestor(&there, tip)? {
        return Ok(Standing::Behind(Some(there)));
    }
    Ok(Standing::Ahead(there))
}

/// A lane that takes in what comes to its branch on origin does so first; any other leaves it alone.
fn moved_on(context: &Context, lane: &LaneId, tip: &Sha, there: &Sha) -> Unpushed {
    let branch = &context.lane(lane).branch;
    let ours = takes_in(context, lane)
        && match comes_from_others(context, branch, tip) {
            Ok(others) => !others,
            Err(error) => return git_failure(&format!("looking at origin's `{branch}`"), &error).into(),
        };
    if !ours {
        return foreign_commits(branch).into();
    }
    let message = format!("origin's `{branch}` has moved on to {}", there.short());
    let failure = Failure { class: FailureKind::Moved, message, hint: None, retry_at: None };
    Unpushed { failure, ahead: Some(lane.clone()) }
}

/// Whether people and forges may put work on the lane's branch: pull requests go into it.
fn takes_in(context: &Context, lane: &LaneId) -> bool {
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    context.github.is_some() && !context.index.children[ix].is_empty()
}

/// Whether what origin's branch has and the lane does not was put there by another run, as a clone with a graph of the
/// same name would.
fn comes_from_others(context: &Context, branch: &str, tip: &Sha) -> Result<bool, GitError> {
    let repo = &context.project.repo;
    let Some(remote) = context.push_remote() else { return Ok(true) };
    let Some(mut at) = repo.fetch_branch(remote, branch)? else { return Ok(false) };
    let own = format!("Laneway-Run: {}", context.plan.uuid);
    loop {
        if repo.is_ancestor(&at, tip)? {
            return Ok(false);
        }
        let message = repo.commit_message(&at)?;
        if message.lines().any(|line| line.starts_with("Laneway-Run: ") && line != own) {
            return Ok(true);
        }
        match repo.parents(&at)?.into_iter().next() {
            Some(first) => at = first,
            None => return Ok(true),
        }
    }
}

/// Origin's branch, where people have put exactly `tree` on the lane as it stood at `tip`.
pub(super) fn continues(
    context: &Context,
    lane: &LaneId,
    tip: &Sha,
    tree: &Sha,
) -> Result<Option<Sha>, GitError> {
    let (repo, branch) = (&context.project.repo, &context.lane(lane).branch);
    let Some(remote) = context.push_remote() else { return Ok(None) };
    let Some(there) = repo.fetch_branch(remote, branch)? else { return Ok(None) };
    let continues = repo.is_ancestor(tip, &there)?
        && repo.tree_of(&there)? == *tree
        && !comes_from_others(context, branch, tip)?;
    Ok(continues.then_some(there))
}

fn foreign_commits(branch: &str) -> Failure {
    Failure {
        class: FailureKind::Refused,
        message: format!("origin's `{branch}` holds commits that this run does not know; it was left alone"),
        hint: Some(format!("look at git log origin/{branch}; delete or rename it, then laneway retry")),
        retry_at: None,
    }
}

/// The lane's branch on origin as it is now; `None` where it is not there. A forge that is away is waited for.
pub(super) fn fetched(context: &Context, lane: &LaneId) -> Result<Option<Sha>, Failure> {
    let branch = &context.lane(lane).branch;
    let Some(remote) = context.push_remote() else { return Ok(None) };
    context.project.repo.fetch_branch(remote, branch).map_err(|error| {
        let mut failure = git_failure(&format!("fetching `{branch}`"), &error);
        if let (FailureKind::Transient, Some(github)) = (failure.class, &context.github) {
            let wait = u64::try_from((github.pace().busy * 6).as_millis()).unwrap_or(u64::MAX);
            failure.retry_at = Some(clock::wall().plus(wait));
        }
        failure
    })
}
