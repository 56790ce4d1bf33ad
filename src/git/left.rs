//! What only a lane's git directory knows: commits that an agent amended, reset or rebased away, and operations that it
//! did not finish. Both go when the lane is reset or removed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use git2::Index;

use super::command::Git;
use super::custody::{entry, write_blob};
use super::repo::{oid, sha};
use super::{GitError, Identity, Repo, Worktree};
use crate::id::Sha;
use crate::plain_file;

/// More of a file of a lane's git directory is not searched for commits, in bytes.
const MOST_READ: u64 = 4 << 20;
/// Files that name commits of others, or none.
const PASSED_OVER: &[&str] = &["index", "FETCH_HEAD", "modules", "HEAD", "commondir", "gitdir"];
/// What an unfinished operation consists of.
const UNFINISHED: &[&str] = &[
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "MERGE_HEAD",
    "MERGE_MSG",
    "MERGE_MODE",
    "MERGE_AUTOSTASH",
    "SQUASH_MSG",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_LOG",
    "BISECT_START",
    "BISECT_TERMS",
];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The newest of the commits; the others are their ancestors.
    commits: Vec<Sha>,
    /// The files of an unfinished operation, by their names in the git directory.
    state: BTreeMap<PathBuf, PathBuf>,
}

impl Left {
    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.state.is_empty()
    }
}

impl Repo {
    /// What would be lost with the lane's git directory: commits that are reachable neither from `head`, nor from `known`, nor
    /// from any ref, and the files of an unfinished operation.
    pub(super) fn left_behind(
        &self,
        worktree: &Worktree,
        head: &Sha,
        known: &[Sha],
    ) -> Result<Left, GitError> {
        let mut left = Left::default();
        let mut named = BTreeSet::new();
        let mut files = walkdir::WalkDir::new(&worktree.admin).min_depth(1).into_iter();
        while let Some(found) = files.next() {
            // What is just going away holds nothing that could be kept.
            let Ok(found) = found else { continue };
            let name = found.path().strip_prefix(&worktree.admin).unwrap_or(found.path()).to_owned();
            let top = name.iter().next().unwrap_or_default().to_string_lossy().into_owned();
            if PASSED_OVER.contains(&top.as_str()) || top.starts_with("sharedindex.") {
                if found.file_type().is_dir() {
                    files.skip_current_dir();
                }
                continue;
            }
            if !found.file_type().is_file() {
                continue;
            }
            ids_in(found.path(), &mut named)?;
            if UNFINISHED.contains(&top.as_str()) {
                left.state.insert(name, found.into_path());
            }
        }
        if worktree.unfinished().is_none() {
            left.state.clear();
        }
        left.commits = self.unreachable(named, head, known)?;
        Ok(left)
    }

    /// Those of `named` that are commits and that nothing reaches, without the ancestors of others of them.
    fn unreachable(&self, named: BTreeSet<Sha>, head: &Sha, known: &[Sha]) -> Result<Vec<Sha>, GitError> {
        let mut doubtful = Vec::new();
        for id in named {
            if self.has_commit(&id)? && !self.is_reached(&id, head, known)? {
                doubtful.push(id);
            }
        }
        if doubtful.is_empty() {
            return Ok(doubtful);
        }
        let mut ask: Vec<String> = doubtful.iter().map(Sha::to_string).collect();
        for base in std::iter::once(head).chain(known) {
            ask.push(format!("^{base}"));
        }
        let answer = Git::new(self.scope(), "rev-list")
            .args(["--parents", "--stdin", "--not", "--single-worktree", "--all"])
            .stdin(format!("{}\n", ask.join("\n")).into_bytes())
            .run()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let (mut lost, mut inner) = (HashSet::new(), HashSet::new());
        for line in text.lines() {
            let mut ids = line.split(' ');
            lost.extend(ids.next());
            inner.extend(ids);
        }
        doubtful.retain(|id| lost.contains(id.as_str()) && !inner.contains(id.as_str()));
        Ok(doubtful)
    }

    fn is_reached(&self, id: &Sha, head: &Sha, known: &[Sha]) -> Result<bool, GitError> {
        for tip in std::iter::once(head).chain(known) {
            if self.is_ancestor(id, tip)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A commit that holds on to `left`.
    pub(super) fn commit_left(&self, left: &Left, reason: &str, keeper: &Identity) -> Result<Sha, GitError> {
        let tree = self.with_durable(|repo| {
            let failed = || GitError::library("keeping an unfinished operation");
            let mut index = Index::new().map_err(failed())?;
            for (name, file) in &left.state {
                if let Some((id, mode)) = write_blob(repo, file)? {
                    index.add(&entry(name, id, mode)).map_err(failed())?;
                }
            }
            index.write_tree_to(repo).map(sha).map_err(failed())
        })?;
        self.commit_plain(&tree, &left.commits, &format!("left: {reason}\n"), keeper)
    }
}

/// Adds every full object id that a file holds.
fn ids_in(path: &Path, found: &mut BTreeSet<Sha>) -> Result<(), GitError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = plain_file::open(path).and_then(|file| file.take(MOST_READ).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(GitError::io("read", path)(error)),
    }
    for word in bytes.split(|byte| !byte.is_ascii_hexdigit()).filter(|word| word.len() == 40) {
        let id = std::str::from_utf8(word).ok().and_then(|text| Sha::new(text).ok());
        found.extend(id.filter(|id| oid(id).is_ok_and(|id| !id.is_zero())));
    }
    Ok(())
}
