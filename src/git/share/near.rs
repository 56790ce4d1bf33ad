//! Which base another one is made from.

use std::path::Path;

use git2::Repository;

use super::NotShared;
use super::bases::{Base, Bases, entries, is_aside, seconds_now};
use crate::git::GitError;
use crate::git::repo::oid;
use crate::id::Sha;
use crate::plain_file;

/// More than the name of a tree takes, in bytes.
const MOST_BYTES: u64 = 100;

impl Bases<'_> {
    /// The base that differs least from `tree`, in at most `most` paths, if there is one that is as it was made.
    pub(in crate::git) fn near(&self, tree: &Sha, most: usize) -> Result<Option<Base>, NotShared> {
        let mut found = Vec::new();
        for path in entries(&self.dir).map_err(NotShared::io("read", &self.dir))? {
            let Some(other) = self.recorded(&path) else { continue };
            match self.repo.with(|repo| differing(repo, &other, tree)) {
                Ok(paths) if paths <= most => found.push((paths, self.key(&other))),
                Ok(_) => {}
                // As when the tree was collected as garbage.
                Err(error) => tracing::debug!(%error, tree = %other, "it is not compared"),
            }
        }
        found.sort();
        for (_, key) in found {
            if let Some(base) = self.as_made(&key)? {
                // The age of a base counts for all of its files, and these came from the future, before the clock was set back.
                if base.made_at()? <= seconds_now() {
                    return Ok(Some(base));
                }
            }
        }
        Ok(None)
    }

    /// The tree that a base says it is of, if its name says so too: then it is of our surroundings as well.
    fn recorded(&self, path: &Path) -> Option<Sha> {
        if is_aside(path) {
            return None;
        }
        let text = plain_file::read_text(&Base::in_dir(path).tree, MOST_BYTES).ok()?;
        let tree = Sha::new(text.trim()).ok()?;
        (path.file_name()? == self.key(&tree).as_str()).then_some(tree)
    }
}

/// In how many paths two trees differ. No blob is read.
fn differing(repo: &Repository, one: &Sha, other: &Sha) -> Result<usize, GitError> {
    let failed = || GitError::library("comparing trees");
    let tree = |sha| repo.find_tree(oid(sha)?).map_err(failed());
    let diff = repo.diff_tree_to_tree(Some(&tree(one)?), Some(&tree(other)?), None);
    Ok(diff.map_err(failed())?.deltas().len())
}
