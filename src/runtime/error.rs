//! What can go wrong around a run, as opposed to in it.

use std::path::PathBuf;

use super::home::Elsewhere;
use super::room;
use crate::engine::EngineError;
use crate::event::WireError;
use crate::forge::ForgeError;
use crate::git::GitError;
use crate::id::{GraphName, LaneId, RunNo};
use crate::journal::{JournalError, LockError, RecordError};
use crate::plan::PlanError;
use crate::signal::{BoardError, WatchError};

/// Whose move it is after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The graph, the configuration or the command line has to change.
    Usage,
    /// The surroundings have to change: the repository, a lock, the disk.
    Environment,
    /// Something in the run failed.
    Failed,
}

/// Why there is no run, or why it cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The noticeboard.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Watching the noticeboard.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A forge.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A line of the journal.
    #[error("event {line} of the journal cannot be read")]
    Wire {
        /// Its position, from 1.
        line: usize,
        /// Why.
        source: WireError,
    },
    /// Another orchestrator carries this graph.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no such run.
    #[error("graph `{graph}` has no run {run}")]
    NoRun {
        /// The graph.
        graph: GraphName,
        /// The run.
        run: RunNo,
    },
    /// There is no run of this graph.
    #[error("graph `{graph}` has not been run")]
    NeverRun {
        /// The graph.
        graph: GraphName,
    },
    /// The frozen plan cannot be read.
    #[error("the frozen plan {} cannot be read", path.display())]
    PlanFile {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The frozen plan is not the one that the run began with.
    #[error("{} was changed after the run began: its digest is not the one in the journal", path.display())]
    PlanChanged {
        /// Where it is.
        path: PathBuf,
    },
    /// The run began in another place than this repository has now.
    #[error("{0}")]
    Elsewhere(Box<Elsewhere>),
    /// A branch that the graph names does not exist.
    #[error("workstream `{lane}`: there is no branch `{branch}`{}", if *remote { " here or on origin" } else { "" })]
    NoBranch {
        /// The lane.
        lane: LaneId,
        /// The branch.
        branch: String,
        /// Whether origin was asked too.
        remote: bool,
    },
    /// A folder that a sparse lane is to hold is not there.
    #[error("workstream `{lane}`: {source}")]
    NoSuchFolder {
        /// The lane.
        lane: LaneId,
        /// Which folder.
        source: Box<GitError>,
    },
    /// Neither the graph nor the repository says what to start from.
    #[error("the graph names no `base`, and the repository has no default or current branch")]
    NoBase,
    /// A branch stands where Laneway's are to be.
    #[error("the branch `{branch}` is in the way of Laneway's branches")]
    BranchInTheWay {
        /// The branch.
        branch: String,
    },
    /// A file could not be written or read.
    #[error("{} could not be {action}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something that the run needs could not be written because a disk is full. The run stands where it stood.
    #[error("there is no space left for the run ({}): {what}", record.display())]
    NoRoom {
        /// The record.
        record: PathBuf,
        /// What could not be written, in the words of whoever tried.
        what: String,
    },
    /// A part of Laneway itself ended unexpectedly.
    #[error("a part of laneway ended unexpectedly: {what}")]
    Broken {
        /// Which.
        what: String,
    },
}

impl RuntimeError {
    /// Everything that can be done, the next thing first.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Elsewhere(error) => error.hints(),
            error => error.hint().into_iter().collect(),
        }
    }

    /// The next thing to do, where there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Git(GitError::NoIdentity { .. }) => {
                "git config user.name \"Your Name\" && git config user.email you@example.org".to_owned()
            }
            Self::Git(GitError::NotARepository { .. }) => {
                "run laneway inside a git repository, or give --repo DIR".to_owned()
            }
            Self::Lock(error) => return error.hint(),
            Self::Elsewhere(error) => return error.hints().into_iter().next(),
            Self::NeverRun { .. } => "laneway list shows the graphs and their runs".to_owned(),
            Self::NoBranch { branch, .. } => {
                format!("create `{branch}`, or set `base` and `target` in the graph")
            }
            Self::NoSuchFolder { source, .. } => match &**source {
                GitError::NoSuchFolder { nearest, .. } => look_below(nearest),
                _ => return None,
            },
            Self::NoBase => "set `base` in the graph".to_owned(),
            Self::BranchInTheWay { branch } => format!("git branch -m {branch} {branch}-old"),
            Self::Forge(error) => return error.hint(),
            Self::PlanChanged { .. } => "laneway run FILE --fresh starts a new run".to_owned(),
            error if room::is_missing(error) => {
                "there is no space left on that disk; make room, and laneway run goes on where it stopped"
                    .to_owned()
            }
            _ => return None,
        })
    }

    /// Whose move it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoBranch { .. }
            | Self::NoSuchFolder { .. }
            | Self::NoBase
            | Self::Plan(_)
            | Self::NoRun { .. }
            | Self::NeverRun { .. } => ErrorClass::Usage,
            Self::Engine(_) | Self::Wire { .. } | Self::PlanChanged { .. } => ErrorClass::Failed,
            _ => ErrorClass::Environment,
        }
    }
}

/// What helps where a folder of `sparse` is not there.
pub(super) fn look_below(nearest: &str) -> String {
    let near = if nearest.is_empty() { "the root".to_owned() } else { format!("`{nearest}`") };
    format!("look below {near}, which is there, and mend `sparse` in the graph")
}
