//! A lane's worktree: where it is, how git knows it, and where its HEAD is.
#![expect(clippy::disallowed_methods, reason = "reads the git directory of a lane, never the lane itself")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::repo::oid;
use super::{GitError, Repo};
use crate::id::Sha;
use crate::plain_file;

/// A lane's worktree. Both paths are recorded when it is made, and never looked up through the lane itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Worktree {
    /// Where its files are.
    pub path: PathBuf,
    /// Its git directory, `<common>/worktrees/<name>`: HEAD and index as its agent sees them.
    pub admin: PathBuf,
}

/// Where a lane's HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub sha: Sha,
    /// The branch that an agent checked out, without `refs/heads/`; `None` when HEAD is detached, as Laneway leaves it.
    pub branch: Option<String>,
}

/// What a HEAD file holds.
pub(super) enum HeadFile {
    Commit(Sha),
    /// A symbolic ref, by its full name.
    Symbolic(String),
    /// Nothing that git could use, or no file.
    Broken(String),
}

impl Worktree {
    /// What an agent began in the lane with git and did not finish, if anything.
    pub fn unfinished(&self) -> Option<&'static str> {
        let states = [
            ("rebase-merge", "a rebase"),
            ("rebase-apply", "a rebase"),
            ("MERGE_HEAD", "a merge"),
            ("CHERRY_PICK_HEAD", "a cherry-pick"),
            ("REVERT_HEAD", "a revert"),
            ("BISECT_LOG", "a bisect"),
        ];
        states.into_iter().find(|(file, _)| self.admin.join(file).exists()).map(|(_, what)| what)
    }

    /// The name under which git knows it.
    pub fn name(&self) -> String {
        self.admin.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The lane's private git directory, which only Laneway writes: `<common>/laneway/index/<name>`.
    pub(super) fn private(&self, repo: &Repo) -> PathBuf {
        repo.record_dir().join("index").join(self.admin.file_name().unwrap_or_default())
    }

    pub(super) fn head_file(&self) -> Result<HeadFile, GitError> {
        let path = self.admin.join("HEAD");
        let text = match plain_file::read(&path, plain_file::MOST_BYTES) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                String::new()
            }
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        if let Some(target) = text.strip_prefix("ref:") {
            return Ok(HeadFile::Symbolic(target.trim().to_owned()));
        }
        Ok(Sha::new(&text).map_or(HeadFile::Broken(text), HeadFile::Commit))
    }
}

impl Repo {
    /// The worktree that git knows at `path`, found in `<common>/worktrees/*/gitdir` and not through the lane's `.git`.
    /// It is returned even where its directory is gone; where another repository has its worktree there now, it is
    /// [`GitError::PathOfAnother`].
    pub fn reopen(&self, path: &Path) -> Result<Option<Worktree>, GitError> {
        let wanted = resolved(path);
        let is_for = |admin: &Path| -> Result<bool, GitError> {
            Ok(path_of_admin(admin)?.is_some_and(|found| found == wanted || resolved(&found) == wanted))
        };
        // Git knows a path once, and a lane nearly always by the first name that it could have: the others, as many as there
        // are lanes, are read only where that one is somebody else's.
        let mut known = Some(self.usual_admin(&wanted)).filter(|admin| admin.is_dir());
        if !known.as_deref().map_or(Ok(false), is_for)? {
            known = None;
            for admin in admin_dirs(self.common_dir())? {
                if is_for(&admin)? {
                    known = Some(admin);
                    break;
                }
            }
        }
        let Some(admin) = known else { return Ok(None) };
        self.ensure_not_of_another(&wanted)?;
        Ok(Some(Worktree { path: wanted, admin }))
    }

    /// The git directory that a worktree at `path` gets where its name is free: named for the last two parts of the path
    /// (the graph and the lane).
    pub(super) fn usual_admin(&self, path: &Path) -> PathBuf {
        let parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }
        };
        let name: String = parts.iter().rev().flat_map(|part| part.chars().map(plain).chain(['-'])).collect();
        self.common_dir().join("worktrees").join(name.trim_matches('-'))
    }

    /// Where worktrees are, or were, that git knows, with the links in their paths resolved.
    pub fn known_worktrees(&self) -> Result<BTreeSet<PathBuf>, GitError> {
        let mut known = BTreeSet::new();
        for admin in admin_dirs(self.common_dir())? {
            known.extend(path_of_admin(&admin)?.map(|path| resolved(&path)));
        }
        Ok(known)
    }

    /// Worktrees of which `git worktree prune` would forget that they were there: their folders are gone, and nobody locked them.
    pub fn prunable(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut gone = Vec::new();
        for admin in admin_dirs(self.common_dir())? {
            let Some(path) = path_of_admin(&admin)? else { continue };
            if !admin.join("locked").exists() && path.join(".git").symlink_metadata().is_err() {
                gone.push(path);
            }
        }
        Ok(gone)
    }

    /// Refuses a directory that is another repository's worktree: its `.git` says so, and so does that repository. A `.git`
    /// alone says nothing, as an agent can replace it; neither does what cannot be read.
    pub(super) fn ensure_not_of_another(&self, path: &Path) -> Result<(), GitError> {
        let Ok(line) = plain_file::read(&path.join(".git"), plain_file::MOST_BYTES) else { return Ok(()) };
        let Some(admin) = line.strip_prefix(b"gitdir: ") else { return Ok(()) };
        let admin = path.join(OsStr::from_bytes(admin.trim_ascii_end()));
        let Ok(Some(known)) = path_of_admin(&admin) else { return Ok(()) };
        let Some(other) = admin.parent().and_then(Path::parent) else { return Ok(()) };
        let place = |dir: &Path| std::fs::metadata(dir).map(|found| (found.dev(), found.ino())).ok();
        // The store of a submodule is no repository of somebody else's.
        let is_store = other.parent().is_some_and(|stores| stores.ends_with("laneway/modules"));
        if is_store || resolved(&known) != resolved(path) || place(other) == place(self.common_dir()) {
            return Ok(());
        }
        Err(GitError::PathOfAnother { path: path.to_owned(), other: other.to_owned() })
    }

    /// The lane's HEAD. Only commits of HEAD are judged, whatever branch an agent made up.
    ///
    /// A HEAD that names no commit (an orphan branch, a broken file) is [`GitError::HeadUnborn`].
    pub fn head(&self, worktree: &Worktree) -> Result<Head, GitError> {
        let unborn = |found: String| GitError::HeadUnborn { path: worktree.path.clone(), found };
        let (sha, branch, found) = match worktree.head_file()? {
            HeadFile::Commit(sha) => (Some(sha.clone()), None, sha.to_string()),
            HeadFile::Symbolic(name) => {
                let branch = name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned();
                (self.read_ref(&name)?, Some(branch), name)
            }
            HeadFile::Broken(found) => (None, None, found),
        };
        let Some(sha) = sha else { return Err(unborn(found)) };
        let id = oid(&sha)?;
        if self.with(|repo| Ok(repo.find_commit(id).is_ok()))? {
            Ok(Head { sha, branch })
        } else {
            Err(unborn(found))
        }
    }
}

/// The git directories of all linked worktrees, in order of name.
pub(super) fn admin_dirs(common: &Path) -> Result<Vec<PathBuf>, GitError> {
    let dir = common.join("worktrees");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(GitError::io("read", &dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(GitError::io("read", &dir))?.path());
    }
    found.sort();
    Ok(found)
}

/// The worktree that an admin directory belongs to; `None` where the directory is incomplete or just going away.
pub(super) fn path_of_admin(admin: &Path) -> Result<Option<PathBuf>, GitError> {
    let file = admin.join("gitdir");
    let mut bytes = match plain_file::read(&file, plain_file::MOST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(GitError::io("read", &file)(error)),
    };
    bytes.truncate(bytes.trim_ascii_end().len());
    let gitfile = admin.join(PathBuf::from(std::ffi::OsString::from_vec(bytes)));
    Ok(gitfile.parent().map(Path::to_owned))
}

/// `path` with its links resolved, also where its last parts do not exist.
pub(super) fn resolved(path: &Path) -> PathBuf {
    if let Ok(found) = std::fs::canonicalize(path) {
        return found;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => resolved(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The line that a worktree's `.git` file holds.
pub(super) fn gitfile_line(admin: &Path) -> Vec<u8> {
    [b"gitdir: ", admin.as_os_str().as_bytes(), b"\n"].concat()
}
