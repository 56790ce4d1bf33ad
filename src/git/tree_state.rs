//! What differs between a lane's files and a commit, and making a commit of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::bring::is_among;
use super::command::Git;
use super::private::Private;
use super::{GitError, Identity, Repo, Worktree};
use crate::id::Sha;

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DirtyKind {
    /// Its content or mode.
    Modified,
    /// It is gone.
    Deleted,
    /// It is new, and not ignored.
    Untracked,
    /// It became a link, or a link became a file.
    TypeChanged,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyFile {
    /// Where it is, relative to the lane. A repository inside the lane is one entry that ends in `/`.
    pub path: String,
    /// How it differs.
    pub kind: DirtyKind,
}

/// What differs between a lane's files and a commit. Ignored files do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeState {
    /// The files, in git's order.
    pub files: Vec<DirtyFile>,
}

impl TreeState {
    /// Whether the lane's files are exactly the commit's.
    pub fn is_clean(&self) -> bool {
        self.files.is_empty()
    }
}

/// One entry of `git status --porcelain -z`.
pub(super) struct StatusEntry {
    /// The letter for what differs between index and files.
    pub(super) worktree: u8,
    pub(super) path: PathBuf,
}

impl StatusEntry {
    pub(super) fn kind(&self) -> DirtyKind {
        match self.worktree {
            b'?' => DirtyKind::Untracked,
            b'D' => DirtyKind::Deleted,
            b'T' => DirtyKind::TypeChanged,
            _ => DirtyKind::Modified,
        }
    }

    /// Whether this is a repository of its own, lying in the lane.
    pub(super) fn is_nested_repository(&self) -> bool {
        self.worktree == b'?' && self.path.as_os_str().as_bytes().ends_with(b"/")
    }
}

impl Repo {
    /// Compares the lane's files with `against`, through the lane's private index: flags like assume-unchanged that an agent
    /// set in its own index hide nothing.
    pub fn tree_state(&self, worktree: &Worktree, against: &Sha) -> Result<TreeState, GitError> {
        let private = Private::open(self, worktree)?;
        let mut files: Vec<DirtyFile> = status(&private, against)?
            .iter()
            .map(|entry| DirtyFile { path: entry.path.to_string_lossy().into_owned(), kind: entry.kind() })
            .collect();
        files.extend(self.dirty_in_modules(worktree, against)?);
        Ok(TreeState { files })
    }

    /// Commits the lane's files, untracked ones included and ignored ones not, on top of `parent`; clean filters hold.
    /// `None` where the tree equals the parent's. HEAD and the agent's index stay as they are.
    ///
    /// A repository inside the lane is [`GitError::NestedRepositories`]: a commit would hold a pointer to it and lose the files.
    pub fn commit_all(
        &self,
        worktree: &Worktree,
        parent: &Sha,
        message: &str,
        author: &Identity,
    ) -> Result<Option<Sha>, GitError> {
        let private = Private::open(self, worktree)?;
        // New files there are what builds leave; were they needed, the gate will miss them.
        let left = self.dirty_in_modules(worktree, parent)?;
        let left = left.into_iter().filter(|file| file.kind != DirtyKind::Untracked);
        let paths: Vec<String> = left.map(|file| file.path).collect();
        if !paths.is_empty() {
            return Err(GitError::SubmoduleDirty { paths });
        }
        // What the lane was furnished with is no work, also where it is ignored no longer.
        let brought = private.brought(parent)?;
        let is_brought = |entry: &StatusEntry| {
            entry.kind() == DirtyKind::Untracked && is_among(&brought, &entry.path.to_string_lossy())
        };
        let (left_out, dirty): (Vec<_>, Vec<_>) = status(&private, parent)?.into_iter().partition(is_brought);
        let left_out: Vec<PathBuf> = left_out.into_iter().map(|entry| entry.path).collect();
        if dirty.is_empty() {
            return Ok(None);
        }
        let nested: Vec<String> = dirty
            .iter()
            .filter(|entry| entry.is_nested_repository())
            .map(|entry| entry.path.to_string_lossy().into_owned())
            .collect();
        if !nested.is_empty() {
            return Err(GitError::NestedRepositories { paths: nested });
        }
        private.unsettle()?;
        let mut afresh = false;
        let commit = self.unpruned(|| {
            // The user's `git gc` looks at no index of ours. A new one reads every file once more and writes again what was
            // taken from under the old one.
            if std::mem::replace(&mut afresh, true) {
                private.start_over(parent)?;
            }
            self.write_all(&private, parent, message, author, &left_out)
        })?;
        private.settle(commit.as_ref().unwrap_or(parent))?;
        Ok(commit)
    }

    fn write_all(
        &self,
        private: &Private<'_>,
        parent: &Sha,
        message: &str,
        author: &Identity,
        left_out: &[PathBuf],
    ) -> Result<Option<Sha>, GitError> {
        // Files outside of a sparse lane's part that somebody made are work like any other.
        let add = Git::configured(private.scope(), "add", &["diff.ignoreSubmodules=dirty"]).arg("-A");
        let add = if private.cone().is_some() { add.arg("--sparse") } else { add };
        // Only what is not ignored is named: git refuses to be told of anything else.
        let mut paths = b".\0".to_vec();
        for path in left_out {
            paths.extend_from_slice(b":(exclude,literal)");
            paths.extend_from_slice(path.as_os_str().as_bytes());
            paths.push(0);
        }
        add.args(["--pathspec-from-file=-", "--pathspec-file-nul"]).stdin(paths).run()?;
        let tree = Git::new(private.scope(), "write-tree").run()?.sha("write-tree")?;
        if tree == self.tree_of(parent)? {
            return Ok(None);
        }
        let commit = self.commit_tree(&tree, std::slice::from_ref(parent), message, author)?;
        Ok(Some(commit))
    }
}

/// What differs between the lane's files and `against`.
pub(super) fn status(private: &Private<'_>, against: &Sha) -> Result<Vec<StatusEntry>, GitError> {
    private.index_at(against)?;
    let look = || {
        Git::configured(private.scope(), "status", private.filters())
            .args(["--porcelain", "-z", "--untracked-files=all", "--ignored=no", "--no-renames"])
            .arg(private.ignored_of_submodules())
            .may_refresh()
            .run()
    };
    let answer = match look() {
        Err(GitError::Failed { stderr, .. }) if stderr.contains("index file") => {
            // Our index did not survive a power cut.
            private.forget_index()?;
            private.index_at(against)?;
            look()?
        }
        other => other?,
    };
    let entries = parse_status(&answer.stdout)?;
    Ok(entries.into_iter().filter(|entry| entry.worktree != b' ').collect())
}

/// Reads `XY path NUL` entries; renames must be off.
pub(super) fn parse_status(stdout: &[u8]) -> Result<Vec<StatusEntry>, GitError> {
    let mut entries = Vec::new();
    for field in stdout.split(|byte| *byte == 0).filter(|field| !field.is_empty()) {
        let [_, worktree, b' ', path @ ..] = field else {
            let found = String::from_utf8_lossy(field).into_owned();
            return Err(GitError::Output { operation: "status".to_owned(), found });
        };
        entries.push(StatusEntry { worktree: *worktree, path: PathBuf::from(OsStr::from_bytes(path)) });
    }
    Ok(entries)
}
