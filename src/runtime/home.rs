//! Whether a run began in this repository: its plan is frozen with absolute places, and whoever went on with it in a
//! renamed or copied repository would work at the old ones.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Project, RuntimeError};
use crate::plan::Plan;

/// A run whose plan belongs to another place than this repository.
#[derive(Debug)]
pub struct Elsewhere {
    /// The graph file, as the plan names it.
    pub file: String,
    /// The graph and the run, for people.
    pub run: String,
    /// Where the run began.
    pub began: PathBuf,
    /// Where this repository is.
    pub here: PathBuf,
    /// What is at [`Self::began`] now.
    pub there: There,
    /// Old lanes of the run that lie here, or are known by no place that git finds.
    pub lanes: Vec<PathBuf>,
}

/// What is where a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// The repository with that run.
    Run,
    /// Nothing.
    Nothing,
    /// Something else.
    Other,
}

impl Project {
    /// Fails with [`RuntimeError::Elsewhere`] where the run of `plan` began in another place than this repository has
    /// now: it was renamed or copied since. Two paths to one directory are one place.
    pub fn ensure_home(&self, plan: &Plan) -> Result<(), RuntimeError> {
        let places = &plan.places;
        let record = self.record.run_dir(&plan.graph, plan.run);
        if is_same(&places.record, &record) && is_same(&places.repo, &self.root()) {
            return Ok(());
        }
        let there = if places.record.join("plan.json").exists() {
            There::Run
        } else if places.repo.symlink_metadata().is_err() {
            There::Nothing
        } else {
            There::Other
        };
        let here = self.root();
        let now = |old: &Path| old.strip_prefix(&places.repo).map_or(old.to_owned(), |rest| here.join(rest));
        let lanes = plan.lanes.iter().map(|lane| now(&lane.worktree)).filter(|path| path.is_dir());
        let lanes = if there == There::Run { Vec::new() } else { lanes.collect() };
        Err(RuntimeError::Elsewhere(Box::new(Elsewhere {
            file: plan.source.path.clone(),
            run: format!("run {} of graph {}", plan.run, plan.graph),
            began: places.repo.clone(),
            here,
            there,
            lanes,
        })))
    }
}

impl Elsewhere {
    /// What there is to do, the next command first.
    pub(super) fn hints(&self) -> Vec<String> {
        let (began, here) = (self.began.display(), self.here.display());
        let mut hints = match self.there {
            There::Run => vec![format!("go on with it where it began: cd {began}")],
            There::Nothing => {
                vec![format!("move the repository back, and it goes on there: mv {here} {began}")]
            }
            There::Other => Vec::new(),
        };
        hints.push(format!(
            "or begin a new run here, which leaves the files of the old lanes alone: laneway run {} --fresh",
            self.file
        ));
        if !self.lanes.is_empty() {
            let lanes: Vec<String> = self.lanes.iter().map(|lane| lane.display().to_string()).collect();
            let lanes = lanes.join(" ");
            hints.push(format!(
                "work of the old lanes that is not committed lies in their folders only, and git finds those again \
                 after: git worktree repair {lanes}"
            ));
        }
        hints
    }
}

impl std::fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (run, began, here) = (&self.run, self.began.display(), self.here.display());
        write!(f, "{run} began in {began} and works there, but this repository is {here}")
    }
}

/// Whether both paths lead to the same directory.
fn is_same(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    a == b || place(a).is_some_and(|found| Some(found) == place(b))
}
