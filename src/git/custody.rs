//! Keeping what a lane holds before anything is destroyed: one ref, one commit.
//!
//! ```text
//! custody commit   tree: HEAD's tree with every file that differs, as its bytes are (no filter is run)
//!   parent 1       HEAD, where it names a commit
//!   parent 2       a commit of the agent's index
//! ```
//! A file that does not differ stays the blob that HEAD has, which a checkout turns into the same bytes again.
//! [`Repo::restore`] brings both back. Ignored files never enter the object database.
//! Of a repository inside the lane the files are kept here; the repository itself goes to the trash when the lane is reset.
#![expect(clippy::disallowed_methods, reason = "reads the files of a lane")]

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use git2::{Index, IndexEntry, IndexTime, Oid, Repository};

use super::command::{Git, Scope};
use super::private::Private;
use super::repo::{oid, sha};
use super::tree_state::{StatusEntry, status};
use super::{GitError, Identity, Repo, Worktree};
use crate::failpoint::{self, Point};
use crate::id::Sha;

/// Custody must also work where the user has no identity, or one that signs.
const KEEPER: (&str, &str) = ("Laneway", "laneway@localhost");
/// How deep repositories inside repositories are followed.
const NESTING: u32 = 8;

impl Repo {
    /// Keeps everything that the lane holds and that could get lost, under `ref_name` (of `refs/laneway/custody/`), and returns
    /// the commit. `None` where there is nothing to keep: files and index are HEAD's, and HEAD is reachable from one of
    /// `known`. Nothing in the lane changes. Name the attempt's start and the lane's tip as `known`: the history behind them is
    /// taken to be durable, and with none given all of it is walked.
    pub fn custody(
        &self,
        worktree: &Worktree,
        ref_name: &str,
        reason: &str,
        known: &[Sha],
    ) -> Result<Option<Sha>, GitError> {
        let head = match self.head(worktree) {
            Ok(head) => Some(head.sha),
            Err(GitError::HeadUnborn { .. }) => None,
            Err(error) => return Err(error),
        };
        let private = Private::open(self, worktree)?;
        let base = match (&head, private.at()?) {
            (Some(head), _) => head.clone(),
            (None, Some(at)) => at,
            (None, None) => return Ok(None),
        };
        let changed =
            if worktree.path.is_dir() { changed_files(&private, worktree, &base)? } else { Vec::new() };
        let base_tree = self.tree_of(&base)?;
        let index_tree = self.index_tree(worktree)?;
        let staged = index_tree.as_ref().is_some_and(|tree| *tree != base_tree);
        if changed.is_empty() && !staged && self.is_known(&base, known)? {
            return Ok(None);
        }
        let tree = self.tree_with(&base_tree, &changed)?;
        let keeper = Identity { name: KEEPER.0.to_owned(), email: KEEPER.1.to_owned() };
        let base: Vec<Sha> = vec![base];
        let index_tree = index_tree.unwrap_or(base_tree);
        let index = self.commit_plain(&index_tree, &base, &format!("index: {reason}\n"), &keeper)?;
        let parents = [base, vec![index]].concat();
        let kept = self.commit_plain(&tree, &parents, &format!("{reason}\n"), &keeper)?;
        self.sync_objects(&kept, known)?;
        failpoint::write(Point::CustodyKeep).map_err(GitError::io("kept", &worktree.path))?;
        self.set_ref(ref_name, &kept, None)?;
        failpoint::pass(Point::CustodyKept);
        Ok(Some(kept))
    }

    fn is_known(&self, commit: &Sha, known: &[Sha]) -> Result<bool, GitError> {
        for other in known {
            if self.is_ancestor(commit, other)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tree of the agent's index; a path with conflicts keeps every side as `<path>.~1~` to `.~3~`. `None` where the
    /// index is missing or beyond reading: then the files are all there is to keep.
    fn index_tree(&self, worktree: &Worktree) -> Result<Option<Sha>, GitError> {
        let path = worktree.admin.join("index");
        if !path.exists() {
            return Ok(None);
        }
        self.with_durable(|repo| {
            let read = || -> Result<Oid, git2::Error> {
                let mut plain = Index::new()?;
                for mut entry in Index::open(&path)?.iter() {
                    let stage = (entry.flags >> 12) & 3;
                    if stage > 0 {
                        entry.path.extend_from_slice(format!(".~{stage}~").as_bytes());
                    }
                    entry.flags = 0;
                    entry.flags_extended = 0;
                    plain.add(&entry)?;
                }
                plain.write_tree_to(repo)
            };
            match read() {
                Ok(tree) => Ok(Some(sha(tree))),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "an agent's index cannot be read");
                    Ok(None)
                }
            }
        })
    }

    fn tree_with(&self, base: &Sha, changed: &[Changed]) -> Result<Sha, GitError> {
        let failed = || GitError::library("writing a custody tree");
        let base = oid(base)?;
        self.with_durable(|repo| {
            let mut index = Index::new().map_err(failed())?;
            index.read_tree(&repo.find_tree(base).map_err(failed())?).map_err(failed())?;
            // What is gone goes first: a file may stand now where a directory was.
            for file in changed {
                if let Changed::Gone(path) = file {
                    index.remove(path, 0).map_err(failed())?;
                }
            }
            for file in changed {
                if let Changed::Content { path, on_disk } = file
                    && let Some((id, mode)) = write_blob(repo, on_disk)?
                {
                    index.add(&entry(path, id, mode)).map_err(failed())?;
                }
            }
            index.write_tree_to(repo).map(sha).map_err(failed())
        })
    }
}

enum Changed {
    Gone(PathBuf),
    Content { path: PathBuf, on_disk: PathBuf },
}

/// The files of a repository inside the lane that neither it nor the lane ignores. Our git directory lists them: the nested
/// one's config could run anything.
fn nested_files(
    private: &Private<'_>,
    worktree: &Worktree,
    dir: &Path,
    depth: u32,
) -> Result<Vec<PathBuf>, GitError> {
    let Scope::Private { git_dir, common, .. } = private.scope() else {
        return Ok(Vec::new());
    };
    let scope = Scope::Private { git_dir, common, work_tree: dir };
    let mut git = Git::new(scope, "ls-files")
        .args(["-z", "--others", "--exclude-standard"])
        .env("GIT_INDEX_FILE", git_dir.join("no-index"));
    let ignored = worktree.path.join(".gitignore");
    if ignored.is_file() {
        git = git.arg("--exclude-from").arg(ignored);
    }
    let answer = git.run()?;
    let mut files = Vec::new();
    for name in answer.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let path = PathBuf::from(OsStr::from_bytes(name));
        if !name.ends_with(b"/") {
            files.push(path);
        } else if depth > 0 {
            let inner = nested_files(private, worktree, &dir.join(&path), depth - 1)?;
            files.extend(inner.into_iter().map(|file| path.join(file)));
        }
    }
    Ok(files)
}

/// The files that differ from `base`, those inside nested repositories one by one.
fn changed_files(private: &Private<'_>, worktree: &Worktree, base: &Sha) -> Result<Vec<Changed>, GitError> {
    let mut changed = Vec::new();
    for entry in status(private, base)? {
        let nested = entry.is_nested_repository();
        let StatusEntry { path, .. } = entry;
        let on_disk = worktree.path.join(&path);
        if nested || is_dir(&on_disk)? {
            // A directory that stands where a file (or a submodule) was is listed as the file alone.
            if !nested {
                changed.push(Changed::Gone(path.clone()));
            }
            for inner in nested_files(private, worktree, &on_disk, NESTING)? {
                changed.push(Changed::Content { on_disk: on_disk.join(&inner), path: path.join(inner) });
            }
        } else if std::fs::symlink_metadata(&on_disk).is_ok() {
            changed.push(Changed::Content { path, on_disk });
        } else {
            changed.push(Changed::Gone(path));
        }
    }
    Ok(changed)
}

fn is_dir(path: &Path) -> Result<bool, GitError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(GitError::io("read", path)(error)),
    }
}

/// Writes the bytes of a file, or the target of a link, as a blob. `None` for what is neither (a fifo, a socket).
fn write_blob(repo: &Repository, path: &Path) -> Result<Option<(Oid, u32)>, GitError> {
    let failed = || GitError::library("keeping a file");
    let found = std::fs::symlink_metadata(path).map_err(GitError::io("read", path))?;
    if found.is_symlink() {
        let target = std::fs::read_link(path).map_err(GitError::io("read", path))?;
        let id = repo.blob(&target.into_os_string().into_vec()).map_err(failed())?;
        return Ok(Some((id, 0o120_000)));
    }
    if !found.is_file() {
        return Ok(None);
    }
    let mut file = std::fs::File::open(path).map_err(GitError::io("read", path))?;
    // No path is given along, so no filter is chosen.
    let mut writer = repo.blob_writer(None).map_err(failed())?;
    std::io::copy(&mut file, &mut writer).map_err(GitError::io("kept", path))?;
    let mode = if found.permissions().mode() & 0o100 == 0 { 0o100_644 } else { 0o100_755 };
    Ok(Some((writer.commit().map_err(failed())?, mode)))
}

fn entry(path: &Path, id: Oid, mode: u32) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_os_str().as_bytes().to_vec(),
    }
}
