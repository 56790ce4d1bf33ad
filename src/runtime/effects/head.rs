//! What people have put on the branch of a pull request since it was shown.

use super::{git_failure, sync};
use crate::event::{Failure, FailureKind, named};
use crate::git::{CommitInfo, GitError, Repo};
use crate::id::Sha;
use crate::runtime::Context;

/// What a merge of the branch brings.
pub(super) struct Head {
    /// The commit.
    pub(super) tip: Sha,
    /// The commits that came after the one that was shown, newest first.
    since: Vec<CommitInfo>,
    /// What origin has under that name without holding what was shown.
    beside: Option<Sha>,
}

impl Head {
    /// What is to be told of the commits that came later; `None` where there are none.
    pub(super) fn told(&self, branch: &str) -> Option<String> {
        let commits: Vec<String> = self.since.iter().map(ToString::to_string).collect();
        let told = || format!("`{branch}` has commits that no gate has seen: {}", named(&commits));
        (!commits.is_empty()).then(told)
    }

    /// What is to be told of origin's branch where it is left alone.
    pub(super) fn left_alone(&self, branch: &str) -> Option<String> {
        let (found, shown) = (self.beside.as_ref()?.short(), self.tip.short());
        Some(format!("origin's `{branch}` is at {found}, which does not hold {shown}; it was left alone"))
    }
}

/// The head of `branch`, here or on origin, which was shown at `tip`: what came on top of that belongs to it. A branch that is
/// gone, or holds less, stands for what was shown. What origin has under that name without holding it is somebody else's, and
/// is only told.
///
/// # Errors
/// Where the branch here has been rewritten, or has gone another way than origin's: nobody but a person can say what is meant.
pub(super) fn of(context: &Context, branch: &str, tip: &Sha) -> Result<Head, Failure> {
    let repo = &context.project.repo;
    let doing = |error: GitError| git_failure(&format!("looking at `{branch}`"), &error);
    let mut head = tip.clone();
    if let Some(here) = repo.branch_tip(branch).map_err(doing)? {
        head = further(repo, head, here).map_err(doing)?.map_err(|found| parted(branch, tip, &found))?;
    }
    let there = match context.push_remote() {
        // Where origin cannot be asked, what was last seen of it has to do.
        Some(remote) => sync::fetched(context, remote, branch).map_err(doing)?.0,
        None => None,
    };
    let mut beside = None;
    if let Some(there) = there {
        let holds = repo.is_ancestor(tip, &there).map_err(doing)?;
        match further(repo, head.clone(), there).map_err(doing)? {
            Ok(furthest) => head = furthest,
            Err(found) if holds => return Err(parted(branch, &head, &found)),
            Err(found) => beside = Some(found),
        }
    }
    let since = repo.commits_between(tip, &head).map_err(doing)?;
    Ok(Head { tip: head, since, beside })
}

/// The one of two commits that holds the other; the second where neither does.
fn further(repo: &Repo, known: Sha, found: Sha) -> Result<Result<Sha, Sha>, GitError> {
    Ok(if repo.is_ancestor(&found, &known)? {
        Ok(known)
    } else if repo.is_ancestor(&known, &found)? {
        Ok(found)
    } else {
        Err(found)
    })
}

fn parted(branch: &str, known: &Sha, found: &Sha) -> Failure {
    let (known, found) = (known.short(), found.short());
    Failure {
        class: FailureKind::Refused,
        message: format!("`{branch}` was moved to {found}, which does not hold {known}"),
        hint: Some(format!(
            "bring both together on `{branch}` (git merge), or, where {known} is what is meant, git branch -f {branch} {known}"
        )),
        retry_at: None,
    }
}
