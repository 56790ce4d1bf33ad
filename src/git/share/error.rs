//! Why a lane does not share its files.

use std::io;
use std::path::{Path, PathBuf};

use crate::git::GitError;

/// Why a lane does not share its files. It then has files of its own.
#[derive(Debug, thiserror::Error)]
pub enum NotShared {
    /// Only btrfs can.
    #[error("the file system has no snapshots of folders")]
    FileSystem,
    /// A snapshot cannot change places with a folder of another subvolume.
    #[error("the worktrees and the repository are in different subvolumes")]
    Apart,
    /// The program that makes snapshots cannot be started.
    #[error("the program `btrfs` cannot be run")]
    Program {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was started, and did not do it.
    #[error("`btrfs {operation}` failed: {said}")]
    Refused {
        /// What was asked of it.
        operation: &'static str,
        /// Its words.
        said: String,
    },
    /// What files would be like if they were written cannot be told.
    #[error("what the files depend on cannot be told")]
    Unknown,
    /// Files that are made in the lane's folder get their group or access list from it.
    #[error("{path} passes its group or access list on", path = path.display())]
    Inherited {
        /// The folder.
        path: PathBuf,
    },
    /// The lane's folder holds something already.
    #[error("{path} is not empty", path = path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody has put other files there than Laneway did.
    #[error("{path} is not as it was made", path = path.display())]
    Changed {
        /// What lanes would have shared.
        path: PathBuf,
    },
    /// The file system did not do what was asked.
    #[error("{path} could not be {action}", path = path.display())]
    Io {
        /// What was not done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The base could not be written or locked.
    #[error("the files to share could not be made")]
    Base {
        /// Why.
        #[source]
        source: Box<GitError>,
    },
}

impl NotShared {
    pub(in crate::git) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl From<GitError> for NotShared {
    fn from(source: GitError) -> Self {
        Self::Base { source: Box::new(source) }
    }
}
