//! Taking changes back: what a commit becomes without them, and where in a target's history a lane's work landed.
//! Everything happens in the object database, and history only goes forward.

use std::path::PathBuf;

use super::command::Git;
use super::{GitError, Merge, Repo};
use crate::id::Sha;

/// Commits that are looked at for the one that a lane was squashed into, where nobody said which it is.
const FAR: usize = 500;

/// A stretch of history: what it brought is the difference between its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The commit before it.
    pub before: Sha,
    /// Its last commit.
    pub after: Sha,
}

impl Repo {
    /// What `ours` becomes without what `stretch` brought, by a three-way merge whose base is the stretch's end.
    pub fn without(&self, ours: &Sha, stretch: &Stretch) -> Result<Merge, GitError> {
        let (now, after) = (self.tree_of(ours)?, self.tree_of(&stretch.after)?);
        if now == after {
            return Ok(Merge::Clean { tree: self.tree_of(&stretch.before)?, ff: false });
        }
        let mut git = Git::configured(self.scope(), "merge-tree", &["merge.conflictStyle=diff3"]);
        if self.version() >= (2, 41) {
            git = git.env("GIT_ATTR_SOURCE", ours.as_str());
        }
        let answer = git
            .args(["--write-tree", "-z", "--name-only", "--messages"])
            .arg(format!("--merge-base={}", stretch.after))
            .args([ours.as_str(), stretch.before.as_str()])
            .accept(&[0, 1])
            .run()?;
        self.merged(&answer)
    }

    /// The stretch of `landed`'s first-parent history that brought the work of `head`: a merge of exactly that tip, one
    /// commit that it was squashed into, the commits that it was rebased to, or its own commits from `base` on where the
    /// history was fast-forwarded to it. `None` where it came together with other work.
    pub fn landing_of(&self, landed: &Sha, head: &Sha, base: &Sha) -> Result<Option<Stretch>, GitError> {
        if self.is_ancestor(head, landed)? {
            let mut after = landed.clone();
            while let Some(before) = self.parents(&after)?.into_iter().next() {
                if !self.is_ancestor(head, &before)? {
                    break;
                }
                after = before;
            }
            if after == *head {
                let own = self.is_own_work(head, base)?;
                return Ok(own.then(|| Stretch { before: base.clone(), after }));
            }
            let parents = self.parents(&after)?;
            let exact = parents.len() == 2 && parents[1] == *head;
            return Ok(exact.then(|| Stretch { before: parents[0].clone(), after }));
        }
        self.squashed_or_rebased(landed, head)
    }

    /// Whether each commit of the first-parent history from `base` to `head` is a landing that Laneway made.
    fn is_own_work(&self, head: &Sha, base: &Sha) -> Result<bool, GitError> {
        let mut at = head.clone();
        while at != *base {
            let message = self.commit_message(&at)?;
            let says = |trailer: &str| message.lines().any(|line| line.starts_with(trailer));
            let Some(before) = self.parents(&at)?.into_iter().next() else { return Ok(false) };
            if !(says("Laneway-Task:") || says("Laneway-Undo:")) || says("Laneway-Sync:") {
                return Ok(false);
            }
            at = before;
        }
        Ok(true)
    }

    fn squashed_or_rebased(&self, landed: &Sha, head: &Sha) -> Result<Option<Stretch>, GitError> {
        let landed = &self.first_with(landed, head)?;
        let Some(mut before) = self.parents(landed)?.into_iter().next() else { return Ok(None) };
        let Some(base) = self.merge_base(&before, head)? else { return Ok(None) };
        let work = self.commits_between(&base, head)?;
        let subject = |commit: &Sha| -> Result<String, GitError> {
            Ok(self.commit_message(commit)?.lines().next().unwrap_or_default().to_owned())
        };
        let is_rebased = |commit: &Sha| -> Result<bool, GitError> {
            let subject = subject(commit)?;
            Ok(work.iter().any(|own| own.subject == subject))
        };
        if is_rebased(landed)? {
            // One that came out the same has kept its id, and is no new commit of the lane.
            while is_rebased(&before)? || self.is_task_of(&before, head)? {
                let Some(earlier) = self.parents(&before)?.into_iter().next() else { break };
                before = earlier;
            }
        }
        let merged = self.merge(&before, head)?;
        let exact = matches!(merged, Merge::Clean { tree, .. } if tree == self.tree_of(landed)?);
        Ok(exact.then(|| Stretch { before, after: landed.clone() }))
    }

    /// Whether a commit is work of a task that `head` holds.
    fn is_task_of(&self, commit: &Sha, head: &Sha) -> Result<bool, GitError> {
        let is_work = self.commit_message(commit)?.lines().any(|line| line.starts_with("Laneway-Task:"));
        Ok(is_work && self.is_ancestor(commit, head)?)
    }

    /// The first commit of the first-parent history of `landed` to which `head` would add nothing.
    fn first_with(&self, landed: &Sha, head: &Sha) -> Result<Sha, GitError> {
        let mut first = landed.clone();
        for _ in 0..FAR {
            let Some(before) = self.parents(&first)?.into_iter().next() else { break };
            if self.merge_base(&before, head)?.is_none() {
                break;
            }
            let merged = self.merge(&before, head)?;
            if !matches!(merged, Merge::Clean { tree, .. } if tree == self.tree_of(&before)?) {
                break;
            }
            first = before;
        }
        Ok(first)
    }

    /// A worktree that has the branch (by its full name) checked out, or rebases or bisects it.
    pub fn checkout_of(&self, branch_ref: &str) -> Result<Option<PathBuf>, GitError> {
        Ok(self.checkouts_of(branch_ref)?.into_iter().map(|checkout| checkout.path).next())
    }
}
