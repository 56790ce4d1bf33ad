//! What lanes of a commit would take, and how they would be made. Nothing is written.

use git2::Repository;

use super::conversion::{self, Conversion, Sources};
use super::listing::{Entry, Kind, Listing};
use crate::git::share::Bases;
use crate::git::{GitError, Repo, Shape};
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
    /// Directories.
    pub dirs: usize,
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
        Ok(Survey { lane: Some(self.lane_files(&listing)?), writer })
    }

    /// What a lane of `commit` would take that holds what `shape` says; `None` where only git can list it.
    pub fn size_of_lane(&self, commit: &Sha, shape: &Shape) -> Result<Option<LaneFiles>, GitError> {
        let Some(mut listing) = self.with(|repo| Listing::of(repo, commit))? else { return Ok(None) };
        if let Some(cone) = shape.cone() {
            listing.leave_out(&cone);
        }
        Ok(Some(self.lane_files(&listing)?))
    }

    /// Whether the files that lanes of `commit` share are there already, so that one more takes next to nothing.
    pub fn is_written_once(&self, commit: &Sha) -> Result<bool, GitError> {
        Ok(Bases::has(self, &Sources::of(self)?, &self.tree_of(commit)?))
    }

    fn lane_files(&self, listing: &Listing) -> Result<LaneFiles, GitError> {
        let held = listing.entries.iter().filter(|entry| !entry.left_out);
        let (files, submodules): (Vec<&Entry>, Vec<&Entry>) =
            held.partition(|entry| entry.kind != Kind::Submodule);
        let dirs = listing.dirs.iter().filter(|dir| !dir.left_out).count();
        let bytes = self.with(|repo| bytes_of(repo, &files))? + dirs as u64 * BLOCK;
        Ok(LaneFiles { files: files.len(), dirs, bytes, submodules: submodules.len() })
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
