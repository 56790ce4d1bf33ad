//! Taking a half-made worktree away again, so that the room that it took is there for others.
//!
//! Its files go first, and what git knows of it last: who is killed in between leaves a half-made worktree as before, which is
//! finished or taken away like any other. Only files that its commit has a name for go; where anything else lies there, it stays,
//! and so does the worktree.
#![expect(clippy::disallowed_methods, reason = "removes what the making of lanes has written")]

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use git2::{ObjectType, Repository, Tree};

use super::private::Private;
use super::repo::oid;
use super::unlink::remove_tree;
use super::worktree::HeadFile;
use super::{GitError, Repo};
use crate::id::Sha;

/// Directories in each other that are followed, as when they are written.
const DEEPEST: usize = 200;

impl Repo {
    /// Takes away what was begun of a worktree at `path`, which was to hold the files of `at`. One that was complete once is never
    /// touched. Says whether anything went.
    pub fn abandon(&self, path: &Path, at: &Sha) -> Result<bool, GitError> {
        let worktree = {
            let _administration = self.administer()?;
            match self.reopen(path)? {
                Some(worktree) if worktree.private(self).is_dir() => worktree,
                _ => return Ok(false),
            }
        };
        {
            let private = Private::open(self, &worktree)?;
            if private.is_ready() {
                return Ok(false);
            }
            private.unsettle()?;
            private.forget_index()?;
            // An interrupted making may have begun with another commit.
            let begun = match worktree.head_file()? {
                HeadFile::Commit(begun) if begun != *at && self.has_commit(&begun)? => Some(begun),
                _ => None,
            };
            for commit in begun.iter().chain([at]) {
                self.with(|repo| empty(repo, commit, &worktree.path))?;
            }
        }
        let failed = || GitError::io("removed", &worktree.path);
        if holds_more_than_git(&worktree.path).map_err(failed())? {
            tracing::warn!(path = %worktree.path.display(), "what is not of its commit stays");
            return Ok(true);
        }
        self.forget_modules(&worktree)?;
        self.forget_worktree(&worktree)?;
        let gone = |done: io::Result<()>| match done {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        gone(std::fs::remove_file(worktree.path.join(".git")))
            .and_then(|()| gone(std::fs::remove_dir(&worktree.path)))
            .map_err(failed())?;
        Ok(true)
    }
}

fn holds_more_than_git(dir: &Path) -> io::Result<bool> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.try_fold(false, |more, entry| Ok(more || entry?.file_name() != ".git")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the files of `commit` below `root`.
fn empty(repo: &Repository, commit: &Sha, root: &Path) -> Result<(), GitError> {
    let failed = || GitError::library("reading a tree");
    let tree = repo.find_commit(oid(commit)?).and_then(|commit| commit.tree()).map_err(failed())?;
    remove_files(repo, &tree, root, 0)
}

fn remove_files(repo: &Repository, tree: &Tree<'_>, dir: &Path, depth: usize) -> Result<(), GitError> {
    for entry in tree {
        let name = entry.name_bytes();
        let path = dir.join(OsStr::from_bytes(name));
        let Ok(found) = path.symlink_metadata() else { continue };
        if depth == DEEPEST || leads_elsewhere(name) {
            continue;
        }
        let removed = match entry.kind() {
            Some(ObjectType::Tree) if found.is_dir() => {
                let below = repo.find_tree(entry.id()).map_err(GitError::library("reading a tree"))?;
                remove_files(repo, &below, &path, depth + 1)?;
                std::fs::remove_dir(&path)
            }
            // Nobody was let in yet, so all of it was written by us.
            Some(ObjectType::Commit) if found.is_dir() => remove_tree(&path),
            Some(ObjectType::Blob) if !found.is_dir() => std::fs::remove_file(&path),
            _ => Ok(()),
        };
        match removed {
            Err(error) if !matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
                return Err(GitError::io("removed", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Names that git would not write either.
fn leads_elsewhere(name: &[u8]) -> bool {
    name.is_empty()
        || [&b"."[..], b".."].contains(&name)
        || name.eq_ignore_ascii_case(b".git")
        || name.contains(&b'/')
        || name.contains(&0)
}
