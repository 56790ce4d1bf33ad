//! Looking at what custody keeps, bringing it back beside everything else, and letting go of it.
#![expect(clippy::disallowed_methods, reason = "looks whether a place is free, and writes a HEAD")]

use std::path::Path;

use git2::ErrorCode;

use super::command::{Git, Scope};
use super::custody::KEEPER;
use super::objects::find_commit;
use super::repo::{replace_file, sha};
use super::worktree::resolved;
use super::{GitError, Repo, Worktree};
use crate::event::Timestamp;
use crate::id::Sha;

/// Where custody refs are.
pub const CUSTODY: &str = "refs/laneway/custody/";

/// What a custody ref holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptKind {
    /// What stood in a worktree.
    Worktree {
        /// The commit that HEAD was at.
        head: Sha,
        /// A commit of what was staged.
        index: Sha,
        /// A commit that holds on to what else only the lane's git directory knew.
        left: Option<Sha>,
    },
    /// A commit with its history: a branch that was removed or moved.
    Commit {
        /// Its first parent.
        parent: Option<Sha>,
    },
}

/// A custody ref, as far as git knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRef {
    /// Its full name.
    pub reference: String,
    /// Where it points.
    pub commit: Sha,
    /// What that is.
    pub kind: KeptKind,
    /// When the commit was made; for a worktree, when it was kept.
    pub at: Timestamp,
    /// The first line of the commit's message; for a worktree, why it was kept.
    pub subject: String,
}

/// Something that was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its worktree.
    pub worktree: Worktree,
    /// The branch that is checked out there, without `refs/heads/`.
    pub branch: String,
    /// Files that differ from the branch's commit.
    pub files: usize,
}

impl KeptRef {
    /// The commit that its files are a change of.
    pub fn base(&self) -> Option<&Sha> {
        match &self.kind {
            KeptKind::Worktree { head, .. } => Some(head),
            KeptKind::Commit { parent } => parent.as_ref(),
        }
    }
}

impl Repo {
    /// Every custody ref, in order of name.
    pub fn custody_refs(&self) -> Result<Vec<KeptRef>, GitError> {
        self.list_refs(CUSTODY)?
            .into_iter()
            .map(|(reference, commit)| self.kept_ref(reference, commit))
            .collect()
    }

    fn kept_ref(&self, reference: String, commit: Sha) -> Result<KeptRef, GitError> {
        self.with(|repo| {
            let found = find_commit(repo, &commit)?;
            let parents: Vec<Sha> = found.parent_ids().map(sha).collect();
            let ours = found.committer().email_bytes() == KEEPER.1.as_bytes();
            let says = |at: &Sha, what: &str| -> Result<bool, GitError> {
                Ok(find_commit(repo, at)?.message_bytes().starts_with(what.as_bytes()))
            };
            let kind = match parents.as_slice() {
                [head, index, rest @ ..] if ours && says(index, "index: ")? => KeptKind::Worktree {
                    head: head.clone(),
                    index: index.clone(),
                    left: rest.first().cloned(),
                },
                _ => KeptKind::Commit { parent: parents.first().cloned() },
            };
            let subject = String::from_utf8_lossy(found.summary_bytes().unwrap_or_default()).into_owned();
            let at = Timestamp(found.time().seconds().saturating_mul(1000));
            Ok(KeptRef { reference, commit, kind, at, subject })
        })
    }

    /// The commit that the files of a custody commit are a change of, and whether there are any: where it is a commit that
    /// somebody made, itself and no.
    pub(super) fn kept_parts(&self, commit: &Sha) -> Result<(Sha, bool), GitError> {
        Ok(match self.kept_ref(String::new(), commit.clone())?.kind {
            KeptKind::Worktree { head, .. } => (head, true),
            KeptKind::Commit { .. } => (commit.clone(), false),
        })
    }

    /// The bytes on disk that only this ref holds on to. What two refs share counts for neither.
    pub fn custody_bytes(&self, kept: &KeptRef) -> Result<u64, GitError> {
        let answer = Git::new(self.scope(), "rev-list")
            .args(["--disk-usage", "--objects", kept.commit.as_str(), "--not"])
            .arg(format!("--exclude={}", kept.reference))
            .arg("--all")
            .run()?;
        let line = answer.line();
        line.trim()
            .parse()
            .map_err(|_| GitError::Output { operation: "rev-list --disk-usage".to_owned(), found: line })
    }

    /// The bytes of a kept file, or of what was staged of it; `None` where there is no such file.
    pub fn custody_file(
        &self,
        kept: &KeptRef,
        path: &Path,
        staged: bool,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let commit = match &kept.kind {
            KeptKind::Worktree { index, .. } if staged => index,
            _ => &kept.commit,
        };
        self.with(|repo| {
            let failed = || GitError::library("reading a kept file");
            let tree = find_commit(repo, commit)?.tree().map_err(failed())?;
            let entry = match tree.get_path(path) {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
                Err(error) => return Err(failed()(error)),
            };
            let Ok(object) = entry.to_object(repo) else { return Ok(None) };
            Ok(object.as_blob().map(|blob| blob.content().to_vec()))
        })
    }

    /// Brings `kept` back in a worktree of its own at `path`, on a new branch: what was committed is the branch's commit, what was
    /// staged is staged, and what was neither is in the files, byte for byte. Nothing that is there is touched: `path` must be
    /// missing or empty, or it is [`GitError::PathOccupied`], and the branch new, or it is [`GitError::RefMoved`].
    pub fn bring_back(&self, kept: &KeptRef, path: &Path, branch: &str) -> Result<Restored, GitError> {
        let full = format!("refs/heads/{branch}");
        if let Some(found) = self.read_ref(&full)? {
            return Err(GitError::RefMoved { name: full, expected: None, found: Some(found) });
        }
        if self.reopen(path)?.is_some() || !is_free(path)? {
            return Err(GitError::PathOccupied { path: resolved(path) });
        }
        let (worktree, head) = match &kept.kind {
            KeptKind::Worktree { head, .. } => (self.restore(&kept.commit, path)?, head),
            KeptKind::Commit { .. } => (self.provision(path, &kept.commit)?, &kept.commit),
        };
        self.set_ref(&full, head, None)?;
        replace_file(&worktree.admin.join("HEAD"), format!("ref: {full}\n").as_bytes())?;
        if let KeptKind::Worktree { index, .. } = &kept.kind {
            self.stage(&worktree, index)?;
        }
        let files = self.tree_state(&worktree, head)?.files.len();
        Ok(Restored { worktree, branch: branch.to_owned(), files })
    }

    /// Sets the index that git shows to the tree of `commit`; sides of a conflict are sides of a conflict again.
    fn stage(&self, worktree: &Worktree, commit: &Sha) -> Result<(), GitError> {
        let scope = Scope::Checkout {
            git_dir: &worktree.admin,
            common: self.common_dir(),
            work_tree: &worktree.path,
        };
        Git::new(scope, "read-tree").args(["--reset", commit.as_str()]).run()?;
        let sides = self.sides(commit)?;
        if !sides.is_empty() {
            Git::new(scope, "update-index").args(["-z", "--index-info"]).stdin(sides).run()?;
        }
        // Its stat data is all that changes.
        Git::new(scope, "update-index").args(["-q", "--refresh"]).may_refresh().accept(&[0, 1]).run()?;
        Ok(())
    }

    /// Lines for `update-index --index-info` that make sides of a conflict of the names that custody gave them.
    fn sides(&self, commit: &Sha) -> Result<Vec<u8>, GitError> {
        let failed = || GitError::library("reading a kept index");
        self.with(|repo| {
            let tree = find_commit(repo, commit)?.tree().map_err(failed())?;
            let mut index = git2::Index::new().map_err(failed())?;
            index.read_tree(&tree).map_err(failed())?;
            let mut lines = Vec::new();
            for entry in index.iter() {
                let Some((name, stage)) = side(&entry.path) else { continue };
                let Some(plain) = index_has(&index, name) else { continue };
                if plain {
                    continue;
                }
                let zero = "0".repeat(40);
                lines.extend_from_slice(format!("0 {zero}\t").as_bytes());
                lines.extend_from_slice(&entry.path);
                lines.push(0);
                lines.extend_from_slice(format!("{:o} {} {stage}\t", entry.mode, entry.id).as_bytes());
                lines.extend_from_slice(name);
                lines.push(0);
            }
            Ok(lines)
        })
    }
}

/// The name and the stage that a name like `file.~2~` stands for.
fn side(path: &[u8]) -> Option<(&[u8], u8)> {
    let [name @ .., b'.', b'~', stage @ b'1'..=b'3', b'~'] = path else { return None };
    Some((name, *stage - b'0'))
}

fn index_has(index: &git2::Index, name: &[u8]) -> Option<bool> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = Path::new(std::ffi::OsStr::from_bytes(name));
    (!name.is_empty()).then(|| index.get_path(path, 0).is_some())
}

fn is_free(path: &Path) -> Result<bool, GitError> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(GitError::io("read", path)(error)),
    }
}
