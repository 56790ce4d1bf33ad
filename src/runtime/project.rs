//! A repository with its record.

use std::path::{Path, PathBuf};

use super::RuntimeError;
use crate::git::Repo;
use crate::id::{GraphName, RunNo};
use crate::journal::Record;
use crate::signal::Board;

/// A repository that Laneway works on, with what it has recorded there.
#[derive(Clone)]
pub struct Project {
    /// The repository.
    pub repo: Repo,
    /// The record in its git directory.
    pub record: Record,
}

impl Project {
    /// Finds the repository that `start` lies in, from wherever in it, a lane included.
    pub fn open(start: &Path) -> Result<Self, RuntimeError> {
        let repo = Repo::discover(start)?;
        let record = Record::new(repo.record_dir());
        Ok(Self { repo, record })
    }

    /// Where noticeboards and worktrees stand: the main worktree, or beside a bare git directory.
    pub fn root(&self) -> PathBuf {
        if !self.repo.is_bare() {
            return self.repo.root().to_owned();
        }
        let common = self.repo.common_dir();
        common.parent().unwrap_or(common).to_owned()
    }

    /// The noticeboard of a run.
    pub fn board(&self, graph: &GraphName, run: RunNo) -> Board {
        Board::new(self.root().join(".laneway").join(graph.as_str()).join(run.to_string()))
    }

    /// The newest run of a graph.
    pub fn latest_run(&self, graph: &GraphName) -> Result<RunNo, RuntimeError> {
        let latest = self.record.latest_run(graph)?;
        latest.ok_or_else(|| RuntimeError::NeverRun { graph: graph.clone() })
    }
}
