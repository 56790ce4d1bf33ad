//! What there is to collect, and what stays and why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::size;
use crate::event::Timestamp;
use crate::git::{GitError, KeptBase, Worktree};
use crate::id::{GraphName, LaneId, RunNo, Sha};
use crate::plan::{self, Plan};
use crate::runtime::effects::{SetupResult, setup_results};
use crate::runtime::kept::{Kept, Standing, kept, standing_of};
use crate::runtime::{Project, RuntimeError, store};

/// Something that takes room.
#[derive(Debug, Clone)]
pub enum Thing {
    /// What custody keeps.
    Custody(Box<Kept>),
    /// A directory of the trash.
    Trash {
        /// Where it is.
        path: PathBuf,
    },
    /// What a setup command made, kept for lanes to come.
    Setup {
        /// Where it is.
        path: PathBuf,
        /// The command; `None` for what an interrupted one has left.
        command: Option<String>,
    },
    /// The files of a commit that lanes share.
    Base {
        /// Where they are.
        base: KeptBase,
    },
    /// A worktree that a lane has left.
    Worktree {
        /// The worktree.
        worktree: Worktree,
        /// Its run.
        run: (GraphName, RunNo),
        /// Why nobody needs it.
        left: Left,
    },
    /// The logs and sealed signals of a run's attempts. Its journal and its plan stay.
    Attempts {
        /// Where they are.
        path: PathBuf,
        /// The run.
        run: (GraphName, RunNo),
    },
    /// The noticeboard of a run.
    Board {
        /// Where it is.
        path: PathBuf,
        /// The run.
        run: (GraphName, RunNo),
    },
    /// Where a fetch has kept a branch of origin.
    Seen {
        /// The ref.
        reference: String,
        /// Where it points.
        commit: Sha,
    },
}

/// Why nobody needs a worktree any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Its run is merged.
    Merged,
    /// A person has given its run up.
    Abandoned,
}

/// Why something stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Spared {
    /// It is not old enough.
    #[error("it is younger than asked for")]
    Young,
    /// Its run goes on.
    #[error("its run is not over")]
    Live,
    /// A run is about to use it.
    #[error("a run uses it at this moment")]
    InUse,
    /// Its run is not merged.
    #[error("lane `{lane}` of its run is not merged")]
    Unmerged {
        /// The lane.
        lane: LaneId,
    },
    /// Its run cannot be read.
    #[error("its run cannot be read: {reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
    /// A person wants to keep it.
    #[error("somebody locked it with `git worktree lock`")]
    Locked,
}

/// A [`Thing`] with its age and size.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub thing: Thing,
    /// Since when nobody needed it.
    pub since: Timestamp,
    /// The room that it takes on disk, in bytes.
    pub bytes: u64,
    /// Why it stays; `None` where it can go.
    pub spared: Option<Spared>,
}

/// What is asked of everything that is looked at.
struct Look<'a> {
    project: &'a Project,
    now: Timestamp,
    older_than: u64,
    sizes: Sizes,
    runs: Standings,
    /// Those that git knows.
    worktrees: BTreeSet<PathBuf>,
    items: Vec<Item>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizes {
    All,
    /// Nothing of what stays: the worktrees of a run that is under way are large.
    OfWhatGoes,
}

/// Everything that could be collected, as of `now`; what is not older than `older_than` milliseconds stays. Changes nothing.
pub fn collect(project: &Project, now: Timestamp, older_than: u64) -> Result<Vec<Item>, RuntimeError> {
    look(project, now, older_than, Sizes::All)
}

/// The same of any age, without the sizes of what stays.
pub(in crate::runtime) fn collect_stale(
    project: &Project,
    now: Timestamp,
) -> Result<Vec<Item>, RuntimeError> {
    look(project, now, 0, Sizes::OfWhatGoes)
}

fn look(project: &Project, now: Timestamp, older_than: u64, sizes: Sizes) -> Result<Vec<Item>, RuntimeError> {
    let (runs, plans) = standings(project)?;
    let worktrees = project.repo.known_worktrees()?;
    let mut look = Look { project, now, older_than, sizes, runs, worktrees, items: Vec::new() };
    look.custody()?;
    look.trash()?;
    look.setups()?;
    look.bases()?;
    for plan in &plans {
        look.run(plan)?;
    }
    look.seen()?;
    Ok(look.items)
}

type Standings = BTreeMap<(GraphName, RunNo), Standing>;

/// How every run stands, and the plans of those that can be read.
fn standings(project: &Project) -> Result<(Standings, Vec<Arc<Plan>>), RuntimeError> {
    let (mut runs, mut plans) = (BTreeMap::new(), Vec::new());
    for graph in project.record.graphs()? {
        for run in project.record.runs(&graph)? {
            let (standing, plan) = match store::load(project, &graph, run) {
                Ok(loaded) => (standing_of(&loaded), Some(loaded.plan)),
                Err(error) => (Standing::Unreadable { reason: error.to_string() }, None),
            };
            runs.insert((graph.clone(), run), standing);
            plans.extend(plan);
        }
    }
    Ok((runs, plans))
}

/// Why nothing goes that does not say whose it is, if some run may need it.
pub(super) fn needed(project: &Project) -> Result<Option<Spared>, RuntimeError> {
    Ok(standings(project)?.0.values().find_map(spared))
}

impl Look<'_> {
    fn add(&mut self, thing: Thing, since: Timestamp, bytes: u64, spared: Option<Spared>) {
        let young = self.now.since(since) < self.older_than;
        let spared = spared.or_else(|| young.then_some(Spared::Young));
        self.items.push(Item { thing, since, bytes, spared });
    }

    fn size_of(&self, path: &Path, spared: Option<&Spared>) -> u64 {
        if self.sizes == Sizes::OfWhatGoes && spared.is_some() { 0 } else { size::of(path) }
    }

    fn custody(&mut self) -> Result<(), RuntimeError> {
        for kept in kept(self.project)? {
            let bytes = self.project.repo.custody_bytes(&kept.found)?;
            let standing = kept.run.as_ref().and_then(|run| self.runs.get(run));
            let spared = standing.and_then(spared);
            let since = kept.at;
            self.add(Thing::Custody(Box::new(kept)), since, bytes, spared);
        }
        Ok(())
    }

    fn trash(&mut self) -> Result<(), RuntimeError> {
        for path in entries(&self.project.record.trash())? {
            let since = since_epoch(std::fs::metadata(&path).and_then(|meta| meta.modified()).ok());
            let spared = self.needed();
            let bytes = self.size_of(&path, spared.as_ref());
            self.add(Thing::Trash { path }, since, bytes, spared);
        }
        Ok(())
    }

    fn setups(&mut self) -> Result<(), RuntimeError> {
        let root = self.project.record.root();
        let failed = |source| RuntimeError::Io { action: "read", path: root.to_owned(), source };
        for SetupResult { path, command, used } in setup_results(root).map_err(failed)? {
            // A result can be made again, and a run that uses it has it locked.
            let spared = if command.is_some() { None } else { self.needed() };
            let bytes = self.size_of(&path, spared.as_ref());
            self.add(Thing::Setup { path, command }, since_epoch(Some(used)), bytes, spared);
        }
        Ok(())
    }

    /// They can be made again, and lanes that were made of them have their files.
    fn bases(&mut self) -> Result<(), RuntimeError> {
        for base in self.project.repo.bases()? {
            let bytes = self.size_of(&base.path, None);
            let since = since_epoch(Some(base.used));
            self.add(Thing::Base { base }, since, bytes, None);
        }
        Ok(())
    }

    fn needed(&self) -> Option<Spared> {
        self.runs.values().find_map(spared)
    }

    fn run(&mut self, plan: &Plan) -> Result<(), RuntimeError> {
        let run = (plan.graph.clone(), plan.run);
        let standing = self.runs.get(&run).cloned().unwrap_or(Standing::Gone);
        let since = match &standing {
            Standing::Over { since } => *since,
            _ => self.now,
        };
        let spared = spared(&standing);
        for worktree in leftovers(self.project, plan, &self.worktrees)? {
            let spared =
                spared.clone().or_else(|| worktree.admin.join("locked").exists().then_some(Spared::Locked));
            let bytes = self.size_of(&worktree.path, spared.as_ref());
            self.add(
                Thing::Worktree { worktree, run: run.clone(), left: Left::Merged },
                since,
                bytes,
                spared,
            );
        }
        let attempts = self.project.record.run_dir(&run.0, run.1).join("attempts");
        if attempts.is_dir() {
            let bytes = self.size_of(&attempts, spared.as_ref());
            self.add(Thing::Attempts { path: attempts, run: run.clone() }, since, bytes, spared.clone());
        }
        let board = self.project.board(&run.0, run.1).root().to_owned();
        if board.is_dir() {
            let bytes = self.size_of(&board, spared.as_ref());
            self.add(Thing::Board { path: board, run }, since, bytes, spared);
        }
        Ok(())
    }

    /// A run that is not over may need what it last saw of origin.
    fn seen(&mut self) -> Result<(), RuntimeError> {
        let needed = self.needed();
        let last = self.runs.values().filter_map(|standing| match standing {
            Standing::Over { since } => Some(*since),
            _ => None,
        });
        // Where no run is over yet, nothing tells since when nobody needs them.
        let since = last.max().unwrap_or(self.now);
        for (reference, commit) in self.project.repo.list_refs("refs/laneway/remote/")? {
            self.add(Thing::Seen { reference, commit }, since, 0, needed.clone());
        }
        Ok(())
    }
}

/// Why nothing of a run goes.
pub(super) fn spared(standing: &Standing) -> Option<Spared> {
    match standing {
        Standing::Over { .. } | Standing::Gone => None,
        Standing::Live => Some(Spared::Live),
        Standing::Unmerged { lane } => Some(Spared::Unmerged { lane: lane.clone() }),
        Standing::Unreadable { reason } => Some(Spared::Unreadable { reason: reason.clone() }),
    }
}

/// The worktrees of a plan that are there. Of the many that it could have, only those that git knows are looked at.
pub(super) fn leftovers(
    project: &Project,
    plan: &Plan,
    known: &BTreeSet<PathBuf>,
) -> Result<Vec<Worktree>, RuntimeError> {
    let root = &plan.places.worktrees;
    let mut paths: Vec<PathBuf> = plan.lanes.iter().map(|lane| lane.worktree.clone()).collect();
    for task in &plan.tasks {
        paths.push(plan::task_worktree(root, &task.lane, &task.id));
        paths.push(plan::review_worktree(root, &task.lane, &task.id));
        paths.push(plan::gate_worktree(root, &task.lane, &task.id));
    }
    let mut found = Vec::new();
    // They all lie in one folder, whose links are resolved once.
    let real = std::fs::canonicalize(root).unwrap_or_else(|_| root.clone());
    let is_known = |path: &PathBuf| {
        let below = path.strip_prefix(root).map(|below| real.join(below));
        below.is_ok_and(|path| known.contains(&path)) || known.contains(path)
    };
    for path in paths.into_iter().filter(is_known) {
        match project.repo.reopen(&path) {
            Ok(worktree) => found.extend(worktree),
            // It is that repository's to collect.
            Err(GitError::PathOfAnother { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// What lies in a directory that may be missing, in order of name.
pub(in crate::runtime) fn entries(dir: &Path) -> Result<Vec<PathBuf>, RuntimeError> {
    let failed = |source| RuntimeError::Io { action: "read", path: dir.to_owned(), source };
    let listed = match std::fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in listed {
        found.push(entry.map_err(failed)?.path());
    }
    found.sort();
    Ok(found)
}

fn since_epoch(at: Option<SystemTime>) -> Timestamp {
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
