//! What can go wrong in a forge.

use std::io;
use std::path::PathBuf;

use super::github::GitHubError;
use super::pull_request::{PrAction, PrState};
use crate::event::{FailureKind, Timestamp};
use crate::id::Sha;

/// An operation of a forge failed. Nothing was changed, as far as anybody can know.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// There is no pull request of that number.
    #[error("there is no pull request {number}")]
    NotFound {
        /// The number.
        number: u64,
    },
    /// The pull request is not in a state that allows this.
    #[error("pull request {number} is {state}, so it cannot be {action}")]
    WrongState {
        /// The number.
        number: u64,
        /// The state it is in.
        state: PrState,
        /// What was to be done with it.
        action: PrAction,
    },
    /// It was merged before, as another commit.
    #[error("pull request {number} was merged as {}, not as {}", found.short(), claimed.short())]
    MergedOtherwise {
        /// The number.
        number: u64,
        /// The commit that is recorded.
        found: Sha,
        /// The commit that was to be recorded.
        claimed: Sha,
    },
    /// A file of the forge does not hold a pull request.
    #[error("{path} does not hold a pull request")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A file holds a pull request of another number than its name says.
    #[error("{path} holds pull request {found}")]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The number in it.
        found: u64,
    },
    /// Something lies in the forge that Laneway did not put there, under a name that looks as if it had.
    #[error("{path} is not a file of the local forge")]
    Foreign {
        /// What lies there.
        path: PathBuf,
    },
    /// The file was written by a newer Laneway.
    #[error("{path} has format {found}; this version of laneway knows {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
    },
    /// The repository lock could not be taken.
    #[error("the repository lock {path} cannot be taken")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Reading failed.
    #[error("the local forge cannot be read at {path}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Writing failed.
    #[error("the local forge cannot be written at {path}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// GitHub.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
}

impl ForgeError {
    /// What follows for a run.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::GitHub(error) => error.kind(),
            _ => FailureKind::Permanent,
        }
    }

    /// The moment before which another try is useless.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::GitHub(error) => error.until(),
            _ => None,
        }
    }

    /// What to do next, where a person has to.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::GitHub(error) => error.hint(),
            _ => None,
        }
    }
}
