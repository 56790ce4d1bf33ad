//! What people have put on the branch of a pull request since it was shown.

use super::{git_failure, sync};
use crate::event::{Failure, FailureKind};
use crate::git::{CommitInfo, GitError};
use crate::id::Sha;
use crate::runtime::Context;

/// What a merge of the branch brings.
pub(super) struct Head {
    /// The commit.
    pub(super) tip: Sha,
    /// The commits that came after the one that was shown, newest first.
    since: Vec<CommitInfo>,
}

impl Head {
    /// What is to be told of the commits that came later; `None` where there are none.
    pub(super) fn told(&self, branch: &str) -> Option<String> {
        let commits: Vec<String> =
            self.since.iter().map(|commit| format!("{} {}", commit.sha.short(), commit.subject)).collect();
        let told = || format!("`{branch}` has commits that no gate has seen: {}", commits.join(", "));
        (!commits.is_empty()).then(told)
    }
}

/// The head of `branch`, here or on origin, which was shown at `tip`: what came on top of that belongs to it. A branch that is
/// gone, or holds less, stands for what was shown.
///
/// # Errors
/// Where the branch has been rewritten, or has gone two ways: nobody but a person can say what is meant.
pub(super) fn of(context: &Context, branch: &str, tip: &Sha) -> Result<Head, Failure> {
    let repo = &context.project.repo;
    let doing = |error: GitError| git_failure(&format!("looking at `{branch}`"), &error);
    let here = repo.branch_tip(branch).map_err(doing)?;
    let there = match context.push_remote() {
        // Where origin cannot be asked, what was last seen of it has to do.
        Some(remote) => sync::fetched(context, remote, branch).map_err(doing)?.0,
        None => None,
    };
    let mut head = tip.clone();
    for found in [here, there].into_iter().flatten() {
        if repo.is_ancestor(&found, &head).map_err(doing)? {
            continue;
        }
        if !repo.is_ancestor(&head, &found).map_err(doing)? {
            return Err(parted(branch, &head, &found));
        }
        head = found;
    }
    let since = repo.commits_between(tip, &head).map_err(doing)?;
    Ok(Head { tip: head, since })
}

fn parted(branch: &str, known: &Sha, found: &Sha) -> Failure {
    let (known, found) = (known.short(), found.short());
    Failure {
        class: FailureKind::Refused,
        message: format!("`{branch}` was moved to {found}, which does not hold {known}"),
        hint: Some(format!(
            "bring both together on `{branch}` (git merge), or set it to the one that is meant (git branch -f {branch} {known}, and \
             git push --force-with-lease where it is on origin)"
        )),
        retry_at: None,
    }
}
