//! What becomes of a lane that holds upstream work when that work lands.
//!
//! An upstream that is merged with a merge commit is in the history of the target, and git sees what both sides share. One
//! that is squashed or rebased is not: the same changes stand in the target as other commits, and a plain merge
//! sees each of them twice, as two sides changing one place. So the landing is put in terms that git understands: a
//! commit with the target's content whose parents are the landing *and* the upstream work that landed.
//! Merging that is an ordinary merge with the right base, and what is recorded names only the landing.

use super::{GitError, Identity, Landed, Merge, Repo};
use crate::id::Sha;

/// How upstream work reached the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The commit of the target that brought it.
    pub landed: Sha,
    /// The upstream's tip when it landed.
    pub head: Sha,
    /// The upstream's tip that the lane holds.
    pub held: Sha,
}

impl Repo {
    /// Merges a landing into a lane whose tip is `tip`; the commit to make of it has the parents `tip` and
    /// [`Landing::landed`]. A fast-forward is one to the landing itself.
    ///
    /// `others` have landed too. Where one of those was squashed or rebased and the lane holds its work by way of the
    /// upstream, git has to be told that they are the same.
    pub fn restack(
        &self,
        tip: &Sha,
        landing: &Landing,
        others: &[Landed],
        author: &Identity,
    ) -> Result<Merge, GitError> {
        let Landing { landed, head, held } = landing;
        if self.is_ancestor(head, landed)? && self.is_ancestor(held, landed)? {
            return self.merge_knowing(tip, landed, others);
        }
        let mut parents = vec![landed.clone(), head.clone()];
        if held != head {
            parents.push(held.clone());
        }
        let message = "The content of the target, with the work that landed in it\n";
        let joined = self.commit_tree(&self.tree_of(landed)?, &parents, message, author)?;
        let merged = self.merge_knowing(tip, &joined, others);
        self.let_go(&joined);
        Ok(match merged? {
            // The joint commit is a means to an end and is never part of a lane.
            Merge::Clean { tree, ff: true } => Merge::Clean { tree, ff: false },
            other => other,
        })
    }
}
