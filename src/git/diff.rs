//! What changed between two commits or trees.

use std::path::Path;

use git2::{Delta, Diff, DiffDelta, DiffFindOptions, DiffOptions, Patch, Repository};

use super::command::Git;
use super::renames::{self, Part, path};
use super::repo::oid;
use super::{GitError, Repo};
use crate::id::Sha;

/// The most pairs of a file that is gone and one that is new that are compared; for more, seconds would pass. Git's own limit is
/// higher, and it is faster.
const MOST_COMPARED: usize = 100_000;

/// How a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It is new.
    Added,
    /// Its content or mode changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other content.
    Renamed,
    /// It became a link, or a link became a file.
    TypeChanged,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffFile {
    /// How it changed.
    pub change: Change,
    /// Where it is now (where it was, when it is gone).
    pub path: String,
    /// Where it was, when it was renamed.
    pub old_path: Option<String>,
    /// Lines added.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
    /// Whether it is not text; lines are not counted then.
    pub binary: bool,
}

impl Repo {
    /// The files that differ between two commits (or trees), renames recognised, in order of path.
    ///
    /// As in git, first those are found of which nothing but the name changed, however many they are, and then among the rest those
    /// that are alike; which of several equal ones belong together may be chosen otherwise. libgit2 would compare everything with everything, and leave out what is beyond its limit.
    pub fn diff(&self, from: &Sha, to: &Sha) -> Result<Vec<DiffFile>, GitError> {
        let failed = || GitError::library("comparing trees");
        let (from, to) = (oid(from)?, oid(to)?);
        self.with(|repo| {
            let (from, to) = (peel(repo, from)?, peel(repo, to)?);
            let compare = |options: &mut DiffOptions| {
                options.include_typechange(true).ignore_submodules(false);
                repo.diff_tree_to_tree(Some(&from), Some(&to), Some(options)).map_err(failed())
            };
            let diff = compare(&mut DiffOptions::new())?;
            let parts = renames::parts(&diff);
            let left = |status: Delta| {
                let of =
                    |(delta, part): &(DiffDelta<'_>, &Part)| **part == Part::Left && delta.status() == status;
                diff.deltas().zip(&parts).filter(of).count()
            };
            let comparable =
                (1..=MOST_COMPARED).contains(&left(Delta::Added).saturating_mul(left(Delta::Deleted)));
            let mut files = Vec::with_capacity(parts.len());
            let mut alike = DiffOptions::new();
            for (index, (delta, part)) in diff.deltas().zip(&parts).enumerate() {
                match part {
                    Part::Moved => {}
                    Part::MovedFrom(from) => files.push(moved(repo, &diff, *from, index)?),
                    Part::Left if comparable => {
                        alike.pathspec(path(&delta).unwrap_or(Path::new("")));
                    }
                    Part::Itself | Part::Left => files.push(file(&diff, index)?),
                }
            }
            if comparable {
                let mut diff = compare(alike.disable_pathspec_match(true))?;
                diff.find_similar(Some(DiffFindOptions::new().renames(true))).map_err(failed())?;
                for index in 0..diff.deltas().len() {
                    files.push(file(&diff, index)?);
                }
            }
            files.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(files)
        })
    }

    /// The difference as a patch, for people. No diff driver or text conversion of the repository's config is run.
    pub fn diff_text(&self, from: &Sha, to: &Sha, color: bool) -> Result<Vec<u8>, GitError> {
        let color = if color { "--color=always" } else { "--color=never" };
        let answer = Git::new(self.scope(), "diff")
            .args(["-p", "-M", "--no-ext-diff", "--no-textconv", color, from.as_str(), to.as_str(), "--"])
            .run()?;
        Ok(answer.stdout)
    }
}

fn peel(repo: &Repository, id: git2::Oid) -> Result<git2::Tree<'_>, GitError> {
    let object = repo.find_object(id, None).map_err(GitError::library("reading an object"))?;
    object.peel_to_tree().map_err(GitError::library("reading a tree"))
}

/// A file of which nothing but the name changed, by the numbers of where it was and where it is.
fn moved(repo: &Repository, diff: &Diff<'_>, from: usize, to: usize) -> Result<DiffFile, GitError> {
    let delta = |index| diff.get_delta(index).expect("the index is below the number of deltas");
    let place = |index| path(&delta(index)).map(text).unwrap_or_default();
    let blob = repo.find_blob(delta(to).new_file().id()).map_err(GitError::library("reading a file"))?;
    Ok(DiffFile {
        change: Change::Renamed,
        path: place(to),
        old_path: Some(place(from)),
        additions: 0,
        deletions: 0,
        binary: blob.is_binary(),
    })
}

fn file(diff: &Diff<'_>, index: usize) -> Result<DiffFile, GitError> {
    let failed = || GitError::library("comparing files");
    // The patch decides whether the file is binary, so it comes before the delta's flags.
    let patch = Patch::from_diff(diff, index).map_err(failed())?;
    let (_, additions, deletions) = match &patch {
        Some(patch) => patch.line_stats().map_err(failed())?,
        None => (0, 0, 0),
    };
    let delta = diff.get_delta(index).expect("the index is below the number of deltas");
    let place = |file: git2::DiffFile<'_>| file.path().map(text).unwrap_or_default();
    let (old, new) = (place(delta.old_file()), place(delta.new_file()));
    let change = match delta.status() {
        Delta::Added | Delta::Copied | Delta::Untracked => Change::Added,
        Delta::Deleted => Change::Deleted,
        Delta::Renamed => Change::Renamed,
        Delta::Typechange => Change::TypeChanged,
        _ => Change::Modified,
    };
    let binary = patch.as_ref().map_or(delta.flags(), |patch| patch.delta().flags()).is_binary();
    Ok(DiffFile {
        change,
        path: if change == Change::Deleted { old.clone() } else { new },
        old_path: (change == Change::Renamed).then_some(old),
        additions: additions as u64,
        deletions: deletions as u64,
        binary,
    })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
