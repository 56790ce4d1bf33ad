//! A repository with its record.
#![expect(clippy::disallowed_methods, reason = "reads where a frozen plan has its noticeboard")]

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::RuntimeError;
use crate::git::Repo;
use crate::id::{GraphName, RunNo};
use crate::journal::Record;
use crate::signal::Board;

/// The names of bare git directories that have their folder to themselves.
const LONE: [&str; 2] = [".git", ".bare"];

/// As much of a plan as says where the noticeboard is.
#[derive(Deserialize)]
struct Planned {
    places: PlannedPlaces,
}

#[derive(Deserialize)]
struct PlannedPlaces {
    board: PathBuf,
}

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

    /// What settings and graphs are looked for in: the main worktree, or the folder of a bare git directory.
    pub fn root(&self) -> PathBuf {
        if !self.repo.is_bare() {
            return self.repo.root().to_owned();
        }
        let common = self.repo.common_dir();
        common.parent().unwrap_or(common).to_owned()
    }

    /// The folder of all worktrees where no setting chooses another: `.worktrees` in [`Self::root`], or, as other bare
    /// repositories may lie beside, a folder in there by the name of this one.
    pub fn worktrees(&self) -> PathBuf {
        self.own_place(".worktrees")
    }

    /// The noticeboard of a run, in `.laneway` as the worktrees are in `.worktrees`. A run of a bare repository that
    /// began when those had no folders of their own keeps its place.
    pub fn board(&self, graph: &GraphName, run: RunNo) -> Board {
        let of_run = |folder: PathBuf| folder.join(graph.as_str()).join(run.to_string());
        let shared = of_run(self.root().join(".laneway"));
        let own = of_run(self.own_place(".laneway"));
        let stays = own != shared && self.planned_board(graph, run).is_some_and(|planned| planned == shared);
        Board::new(if stays { shared } else { own })
    }

    fn own_place(&self, folder: &str) -> PathBuf {
        let shared = self.root().join(folder);
        match self.repo.common_dir().file_name() {
            // `project/.bare` is the only one of its project.
            Some(name) if self.repo.is_bare() && !LONE.iter().any(|lone| name == *lone) => shared.join(name),
            _ => shared,
        }
    }

    /// Where the frozen plan of a run has its noticeboard; `None` where there is no plan that can be read, which whoever
    /// loads the run is told.
    fn planned_board(&self, graph: &GraphName, run: RunNo) -> Option<PathBuf> {
        let text = std::fs::read(self.record.plan_path(graph, run)).ok()?;
        serde_json::from_slice::<Planned>(&text).ok().map(|plan| plan.places.board)
    }

    /// The newest run of a graph.
    pub fn latest_run(&self, graph: &GraphName) -> Result<RunNo, RuntimeError> {
        let latest = self.record.latest_run(graph)?;
        latest.ok_or_else(|| RuntimeError::NeverRun { graph: graph.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(path: &Path) -> Project {
        git2::Repository::init_bare(path).unwrap();
        Project::open(path).unwrap()
    }

    #[test]
    fn bare_repositories_in_one_folder_have_places_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let folder = std::fs::canonicalize(dir.path()).unwrap();
        let (graph, run) = (GraphName::new("g").unwrap(), RunNo(1));
        let one = bare(&folder.join("one.git"));
        assert_eq!(one.worktrees(), folder.join(".worktrees/one.git"));
        assert_eq!(one.board(&graph, run).root(), folder.join(".laneway/one.git/g/1"));
        assert_eq!(one.root(), folder);
        let lone = bare(&folder.join("project/.bare"));
        assert_eq!(lone.worktrees(), folder.join("project/.worktrees"));
        assert_eq!(lone.board(&graph, run).root(), folder.join("project/.laneway/g/1"));

        // A run that began in the shared place is found there.
        let plan = one.record.plan_path(&graph, run);
        std::fs::create_dir_all(plan.parent().unwrap()).unwrap();
        let shared = folder.join(".laneway/g/1");
        std::fs::write(&plan, serde_json::json!({ "places": { "board": shared } }).to_string()).unwrap();
        assert_eq!(one.board(&graph, run).root(), shared);
        assert_eq!(one.board(&graph, RunNo(2)).root(), folder.join(".laneway/one.git/g/2"));
    }
}
