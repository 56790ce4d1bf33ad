//! Looks at what runs stand on: git and the repository, disks, limits of the system, and what earlier runs have left.
//!
//! Everything is only looked at. Nothing is made, locked for longer than an instant, fetched or pushed.

mod finding;
mod left;
mod limits;
mod places;
mod repository;

pub use finding::{Finding, Verdict};
pub use limits::limits;
pub use places::places;
pub use repository::{git, origin, repository};

pub use left::left;

/// What runs here are expected to need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Where worktrees are made.
    pub worktrees: std::path::PathBuf,
    /// Whether lanes are to share their files.
    pub share: crate::plan::Share,
    /// The most attempts at once.
    pub max_parallel: u32,
    /// The most lanes of a graph.
    pub lanes: usize,
}
