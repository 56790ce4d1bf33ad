//! What a worktree was furnished with, by path: none of it is for a commit, also where it is ignored no longer.
#![expect(clippy::disallowed_methods, reason = "notes what was brought in the private git directory")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Ignores, ignored};
use crate::git::command::{Git, Scope};
use crate::git::private::Private;
use crate::git::repo::replace_file;
use crate::git::{DirtyKind, GitError, Repo, Worktree};
use crate::id::Sha;

/// Of the private git directory: the paths, each with a NUL after it; folders end in `/`.
const FILE: &str = "brought";

impl Private<'_> {
    /// Notes what git ignores in the lane now.
    pub(super) fn note_brought(&self) -> Result<(), GitError> {
        let answer = Git::configured(self.scope(), "status", self.filters())
            .args(["--porcelain", "-z", "--untracked-files=normal", "--ignored=matching", "--no-renames"])
            .arg(self.ignored_of_submodules())
            .run()?;
        let mut paths = Vec::new();
        for entry in answer.stdout.split(|byte| *byte == 0) {
            if let Some(path) = entry.strip_prefix(b"!! ") {
                paths.extend_from_slice(path);
                paths.push(0);
            }
        }
        replace_file(&self.dir().join(FILE), &paths)
    }

    /// What was noted and is not tracked in `commit`, so that it is no work. Folders end in `/`.
    pub(in crate::git) fn brought(&self, commit: &Sha) -> Result<Vec<String>, GitError> {
        let path = self.dir().join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        // A name that is not text is no path of a commit that `diff` would show either.
        let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let names: Vec<String> = names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect();
        self.repo().missing_paths(commit, &names)
    }
}

impl Repo {
    /// Files that the worktree was furnished with and that a commit from `base` to `commit` adds all the same. What `public`
    /// has, commits and files, may be taken in.
    pub fn brought_in(
        &self,
        worktree: &Worktree,
        base: &Sha,
        commit: &Sha,
        public: Option<&Sha>,
    ) -> Result<Vec<String>, GitError> {
        let mut brought = Private::open(self, worktree)?.brought(base)?;
        if let Some(public) = public {
            brought = self.missing_paths(public, &brought)?;
        }
        if brought.is_empty() || base == commit {
            return Ok(Vec::new());
        }
        // One that a later commit takes out again would be in what is pushed, also where it came and went on a branch that was
        // merged, or lies behind a commit without parents or one that a replacement hides.
        let answer = Git::configured(self.scope(), "log", &["log.showRoot=true"])
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .args(["-z", "--format=", "--name-only", "--no-renames", "--diff-filter=A"])
            .arg("--diff-merges=separate")
            .arg(format!("{base}..{commit}"))
            .args(public.map(|public| format!("^{public}")))
            .run()?;
        let names = answer.stdout.split(|byte| *byte == 0).map(<[u8]>::trim_ascii_start);
        let mut added: Vec<String> = names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .filter(|name| is_among(&brought, name))
            .collect();
        added.sort();
        added.dedup();
        Ok(added)
    }

    /// What the worktree was furnished with that is not ignored any more and not in `commit`.
    pub fn brought_left(&self, worktree: &Worktree, commit: &Sha) -> Result<Vec<String>, GitError> {
        let brought = Private::open(self, worktree)?.brought(commit)?;
        if brought.is_empty() {
            return Ok(Vec::new());
        }
        let files = self.tree_state(worktree, commit)?.files.into_iter();
        let left = files.filter(|file| file.kind == DirtyKind::Untracked && is_among(&brought, &file.path));
        Ok(left.map(|file| file.path).collect())
    }
}

impl Repo {
    /// The files of a worktree, made from `at`, below `paths` that git would commit: new ones that it does not ignore, and tracked ones
    /// that differ.
    pub fn not_ignored_of(
        &self,
        worktree: &Worktree,
        at: &Sha,
        paths: &[String],
    ) -> Result<Vec<String>, GitError> {
        let is_below = |file: &str| paths.iter().any(|path| Path::new(file).starts_with(path));
        let files = self.tree_state(worktree, at)?.files.into_iter();
        Ok(files.map(|file| file.path).filter(|file| is_below(file)).collect())
    }

    /// Those of `paths` that git would not ignore in the main worktree if they were made there: neither as a file nor as a
    /// folder, nor what lies in it. None in a bare repository, which has nothing to compare with.
    pub fn never_ignored(&self, paths: &[String]) -> Result<Vec<String>, GitError> {
        if self.is_bare() {
            return Ok(Vec::new());
        }
        let scope =
            Scope::Checkout { git_dir: self.common_dir(), common: self.common_dir(), work_tree: self.root() };
        let asked: Vec<PathBuf> =
            paths.iter().flat_map(|path| [path.into(), Path::new(path).join("file")]).collect();
        let ignored = ignored(scope, &asked, Ignores::Index)?;
        let is_ignored =
            |path: &&String| asked.iter().any(|one| one.starts_with(path) && ignored.contains(one));
        Ok(paths.iter().filter(|path| !is_ignored(path)).cloned().collect())
    }
}

/// Whether `path` is one of `brought`, or lies in a folder that is.
pub(in crate::git) fn is_among(brought: &[String], path: &str) -> bool {
    brought.iter().any(|one| path == one || (one.ends_with('/') && path.starts_with(one.as_str())))
}
