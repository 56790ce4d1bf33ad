//! What lanes of a commit would take, and how they would be made. Nothing is written.

use git2::Repository;

use super::conversion::{self, Conversion, Sources};
use super::listing::{Entry, Kind, Listing};
use crate::git::{GitError, Repo};
use crate::id::Sha;

/// How many blobs are asked for their size; the others are taken to be like them.
const SAMPLE: usize = 2000;
/// What a small file takes on most disks, in bytes.
const BLOCK: u64 = 4096;

/// Why git writes every file of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftToGit {
    /// The configuration wants names, links or line ends of its own.
    #[error("`{key}` is set")]
    Setting {
        /// The key.
        key: &'static str,
    },
    /// The tree holds names or modes that git has to judge.
    #[error("the tree holds names or modes that git has to judge")]
    Tree,
}

/// Who writes the files of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Laneway, each blob once for all lanes that wait for it.
    Plain,
    /// Laneway, but for so many that git converts: filters, line ends, encodings.
    Mixed {
        /// How many.
        of_git: usize,
    },
    /// Git.
    Git {
        /// Why.
        why: LeftToGit,
    },
}

/// What a lane of a commit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneFiles {
    /// Files and links.
    pub files: usize,
    /// About what they take on disk, in bytes.
    pub bytes: u64,
    /// Submodules, whose own files are not counted.
    pub submodules: usize,
}

/// What lanes of a commit take, and how they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// What each holds; `None` where only git can list it.
    pub lane: Option<LaneFiles>,
    /// Who writes it.
    pub writer: Writer,
}

impl Repo {
    /// Looks at what lanes of `commit` would take. Sizes of large trees are estimated from some of their files.
    pub fn survey(&self, commit: &Sha) -> Result<Survey, GitError> {
        let Some(listing) = self.with(|repo| Listing::of(repo, commit))? else {
            return Ok(Survey { lane: None, writer: Writer::Git { why: LeftToGit::Tree } });
        };
        let writer = match conversion::plain(self, &Sources::of(self)?, commit, &listing)? {
            Conversion::Everything { key } => Writer::Git { why: LeftToGit::Setting { key } },
            Conversion::Entries(plain) => {
                let files =
                    listing.entries.iter().zip(plain).filter(|(entry, _)| entry.kind != Kind::Submodule);
                match files.filter(|(_, plain)| !plain).count() {
                    0 => Writer::Plain,
                    of_git => Writer::Mixed { of_git },
                }
            }
        };
        let (files, submodules): (Vec<&Entry>, Vec<&Entry>) =
            listing.entries.iter().partition(|entry| entry.kind != Kind::Submodule);
        let bytes = self.with(|repo| bytes_of(repo, &files))? + listing.dirs.len() as u64 * BLOCK;
        let lane = LaneFiles { files: files.len(), bytes, submodules: submodules.len() };
        Ok(Survey { lane: Some(lane), writer })
    }

    /// The commit that HEAD of the main worktree names; `None` where nothing was committed yet.
    pub fn head_commit(&self) -> Result<Option<Sha>, GitError> {
        self.resolve_commit("HEAD")
    }
}

/// About what `files` take on disk.
fn bytes_of(repo: &Repository, files: &[&Entry]) -> Result<u64, GitError> {
    let failed = || GitError::library("reading the size of a blob");
    let odb = repo.odb().map_err(failed())?;
    let step = files.len().div_ceil(SAMPLE).max(1);
    let mut bytes = 0;
    for entry in files.iter().step_by(step) {
        let (size, _) = odb.read_header(entry.id).map_err(failed())?;
        bytes += (size as u64).div_ceil(BLOCK) * BLOCK;
    }
    let asked = files.len().div_ceil(step).max(1) as u64;
    Ok(bytes * files.len() as u64 / asked)
}
