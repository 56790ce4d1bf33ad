//! Whether a lane's worktree can be brought to the lane's tip without taking anything from anybody.

use super::{GitError, Repo, Worktree};
use crate::id::Sha;

impl Repo {
    /// Whether the worktree stands elsewhere than at `tip`, and everything in it but ignored files is in `tip`: HEAD is of its history,
    /// and the files are those of HEAD or of `tip`. Such a worktree loses nothing when it is set to `tip`.
    pub fn can_rest_at(&self, worktree: &Worktree, tip: &Sha) -> Result<bool, GitError> {
        let head = self.head(worktree)?.sha;
        if head == *tip || !self.is_ancestor(&head, tip)? {
            return Ok(false);
        }
        Ok(self.tree_state(worktree, tip)?.is_clean() || self.tree_state(worktree, &head)?.is_clean())
    }
}
