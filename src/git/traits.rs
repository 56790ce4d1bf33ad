//! What is special about a repository.
#![expect(clippy::disallowed_methods, reason = "looks at the git directory")]

use std::fmt;

use super::command::Git;
use super::{GitError, Repo};

/// Something special about a repository that matters to those who work in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// It has no main worktree.
    Bare,
    /// It was cloned without all of its history.
    Shallow,
    /// The user's checkout holds only some of the files.
    Sparse,
    /// The user's index leaves whole folders out.
    SparseIndex,
    /// Worktrees may have a configuration of their own.
    WorktreeConfig,
}

impl fmt::Display for Trait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "bare",
            Self::Shallow => "shallow",
            Self::Sparse => "its checkout is sparse, lanes are not",
            Self::SparseIndex => "sparse index",
            Self::WorktreeConfig => "worktrees have configurations",
        })
    }
}

impl Repo {
    /// What is special about this repository, in order. Changes nothing.
    pub fn traits(&self) -> Result<Vec<Trait>, GitError> {
        let answer = Git::new(self.scope(), "config")
            .args(["-z", "--type=bool", "--get-regexp"])
            .arg(r"^(core\.sparsecheckout|index\.sparse|extensions\.worktreeconfig)$")
            .accept(&[0, 1])
            .run()?;
        let text = String::from_utf8_lossy(&answer.stdout).to_lowercase();
        let is = |key: &str| {
            // The last one of a key counts.
            let of_key = |pair: &str| pair.strip_prefix(key)?.strip_prefix('\n').map(|value| value == "true");
            text.rsplit('\0').find_map(of_key).unwrap_or(false)
        };
        let sparse = is("core.sparsecheckout");
        let traits = [
            (Trait::Bare, self.is_bare()),
            (Trait::Shallow, std::fs::symlink_metadata(self.common_dir().join("shallow")).is_ok()),
            (Trait::Sparse, sparse),
            (Trait::SparseIndex, sparse && is("index.sparse")),
            (Trait::WorktreeConfig, is("extensions.worktreeconfig")),
        ];
        Ok(traits.into_iter().filter(|(_, is)| *is).map(|(found, _)| found).collect())
    }
}
