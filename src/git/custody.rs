//! Keeping what a lane holds before anything is destroyed: one ref, one commit.
//!
//! ```text
//! custody commit   tree: HEAD's tree with every file that differs, as its bytes are (no filter is run)
//!   parent 1       HEAD, where it names a commit
//!   parent 2       a commit of the agent's index
//!   parent 3       where there is any: the state of an unfinished merge or rebase as its files, and as its parents the
//!                  commits that only the lane's reflog or that state names
//! ```
//! A file that does not differ stays the blob that HEAD has, which a checkout turns into the same bytes again.
//! [`Repo::restore`] brings both back. Ignored files never enter the object database.
//! Of a repository inside the lane the files are kept here; the repository itself goes to the trash when the lane is reset.
#![expect(clippy::disallowed_methods, reason = "reads the files of a lane")]

use std::ffi::{OsStr, OsString};
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
use crate::plain_file::{self, Odd};

/// Custody must also work where the user has no identity, or one that signs.
pub(super) const KEEPER: (&str, &str) = ("Laneway", "laneway@localhost");
/// How deep repositories inside repositories are followed.
const NESTING: u32 = 8;
/// The extended flag of an index entry whose content is not staged yet.
const INTENT_TO_ADD: u16 = 1 << 13;
/// The mode of a submodule.
pub(super) const GITLINK: u32 = 0o160_000;

/// What became of what a lane holds.
enum Held {
    /// It is kept in this commit.
    Kept(Sha),
    /// The files are those of this commit, which something else holds, and so is the rest.
    AllOf(Sha),
    /// There is nothing to keep.
    Nothing,
}

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
        let private = Private::open(self, worktree)?;
        Ok(match self.keep(&private, worktree, ref_name, reason, known)? {
            Held::Kept(commit) => Some(commit),
            Held::AllOf(_) | Held::Nothing => None,
        })
    }

    /// [`Repo::custody`], and then [`Repo::set_to`] `at`, whose outcome comes second. Where the look for the first finds all files in
    /// a commit that has the tree of `at`, it counts for both: what somebody puts there in the moment after it is left alone
    /// then, as it would be a moment later. A second look would have it thrown away, and nothing had kept it.
    pub fn custody_then_set(
        &self,
        worktree: &Worktree,
        (ref_name, reason): (&str, &str),
        known: &[Sha],
        at: &Sha,
    ) -> Result<(Option<Sha>, Result<(), GitError>), GitError> {
        let private = Private::open(self, worktree)?;
        let (kept, seen) = match self.keep(&private, worktree, ref_name, reason, known)? {
            Held::Kept(commit) => (Some(commit), None),
            Held::AllOf(commit) => (None, Some(commit)),
            Held::Nothing => (None, None),
        };
        Ok((kept, self.set_files_seen(&private, worktree, at, seen.as_ref())))
    }

    fn keep(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        ref_name: &str,
        reason: &str,
        known: &[Sha],
    ) -> Result<Held, GitError> {
        let head = match self.head(worktree) {
            Ok(head) => Some(head.sha),
            Err(GitError::HeadUnborn { .. }) => None,
            Err(error) => return Err(error),
        };
        let base = match (&head, private.at()?) {
            (Some(head), _) => head.clone(),
            (None, Some(at)) => at,
            // HEAD is broken and the private index not settled, as after a crash: the files are still somebody's.
            (None, None) => match known.first() {
                Some(known) => known.clone(),
                None if !worktree.path.is_dir() => return Ok(Held::Nothing),
                None => {
                    let found = "no commit that it was made on is known".to_owned();
                    return Err(GitError::HeadUnborn { path: worktree.path.clone(), found });
                }
            },
        };
        let base_tree = self.tree_of(&base)?;
        let index_tree = self.index_tree(worktree)?;
        let left = self.left_behind(worktree, &base, known)?;
        let is_of = if left.is_empty() && self.is_known(&base, known)? {
            self.held_as(private, worktree, known, index_tree.as_ref(), &base_tree)?
        } else {
            None
        };
        let modules = self.custody_of_modules(worktree, is_of.as_ref().unwrap_or(&base), ref_name, reason)?;
        if modules.is_empty()
            && let Some(commit) = is_of
        {
            return Ok(Held::AllOf(commit));
        }
        let changed = if worktree.path.is_dir() {
            changed_files(private, worktree, &base, modules)?
        } else {
            Vec::new()
        };
        let staged = index_tree.as_ref().is_some_and(|tree| *tree != base_tree);
        if changed.is_empty() && !staged && left.is_empty() && self.is_known(&base, known)? {
            return Ok(Held::Nothing);
        }
        let tree = self.tree_with(&base_tree, &changed)?;
        let keeper = Identity { name: KEEPER.0.to_owned(), email: KEEPER.1.to_owned() };
        let base: Vec<Sha> = vec![base];
        let index_tree = index_tree.unwrap_or(base_tree);
        let index = self.commit_plain(&index_tree, &base, &format!("index: {reason}\n"), &keeper)?;
        let mut parents = [base, vec![index]].concat();
        if !left.is_empty() {
            parents.push(self.commit_left(&left, reason, &keeper)?);
        }
        let kept = self.commit_plain(&tree, &parents, &format!("{reason}\n"), &keeper)?;
        self.sync_objects(&kept, known)?;
        failpoint::write(Point::CustodyKeep).map_err(GitError::io("kept", &worktree.path))?;
        self.set_ref(ref_name, &kept, None)?;
        failpoint::pass(Point::CustodyKept);
        Ok(Held::Kept(kept))
    }

    /// The commit whose files and index the lane has, where `known`, or a branch of Laneway's, holds: work that was collected is
    /// committed by Laneway, while HEAD stays. Only the commit that the private index stands for is looked at, which costs nothing
    /// more than a look at HEAD would. Such a branch is deleted only once what it holds has landed or is in custody.
    fn held_as(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        known: &[Sha],
        index: Option<&Sha>,
        base_tree: &Sha,
    ) -> Result<Option<Sha>, GitError> {
        let Some(at) = private.at()?.filter(|_| worktree.path.is_dir()) else { return Ok(None) };
        if !self.is_known(&at, known)? && !self.is_on_a_branch(&at)? {
            return Ok(None);
        }
        let tree = self.tree_of(&at)?;
        let staged = index.is_some_and(|index| index != base_tree && *index != tree);
        Ok((!staged && status(private, &at)?.is_empty()).then_some(at))
    }

    fn is_on_a_branch(&self, commit: &Sha) -> Result<bool, GitError> {
        let answer = Git::new(self.scope(), "for-each-ref")
            .args(["--count=1", "--format=%(refname)", "--contains", commit.as_str(), "refs/heads/laneway/"])
            .run()?;
        Ok(!answer.line().is_empty())
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
        match plain_file::open(&path) {
            Ok(file) => {
                if let Some(tree) = self.handed().tree(&worktree.admin, &file) {
                    return Ok(Some(tree));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // A pipe there would hold up whoever reads it for good.
            Err(error) if Odd::of(&error).is_some() => {
                tracing::warn!(%error, path = %path.display(), "an agent's index is no file");
                return Ok(None);
            }
            Err(error) => return Err(GitError::io("read", &path)(error)),
        }
        let entries = match read_index(&path) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(%error, path = %path.display(), "an agent's index is read by git instead");
                match self.listed_index(worktree) {
                    Ok(entries) => entries,
                    Err(error) => {
                        tracing::warn!(%error, path = %path.display(), "an agent's index cannot be read");
                        return Ok(None);
                    }
                }
            }
        };
        self.with_durable(|repo| {
            let write = || -> Result<Oid, git2::Error> {
                let mut plain = Index::new()?;
                for (name, id, mode) in &entries {
                    // What is only intended to be added, or whose object is gone, holds nothing.
                    if *mode == GITLINK || repo.odb()?.exists(*id) {
                        plain.add(&entry(name, *id, *mode))?;
                    }
                }
                plain.write_tree_to(repo)
            };
            write().map(|tree| Some(sha(tree))).map_err(GitError::library("keeping an index"))
        })
    }

    /// The agent's index as git lists it: also one that is split or sparse, which libgit2 cannot read.
    fn listed_index(&self, worktree: &Worktree) -> Result<Vec<(PathBuf, Oid, u32)>, GitError> {
        let scope = Scope::Checkout {
            git_dir: &worktree.admin,
            common: self.common_dir(),
            work_tree: &worktree.path,
        };
        let answer = Git::new(scope, "ls-files").args(["-z", "--stage"]).run()?;
        let mut entries = Vec::new();
        for line in answer.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let parsed = || {
                let tab = line.iter().position(|byte| *byte == b'\t')?;
                let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
                let mode = u32::from_str_radix(words.next()?, 8).ok()?;
                let id = Oid::from_str(words.next()?).ok()?;
                let stage: u16 = words.next()?.parse().ok()?;
                Some((staged_name(&line[tab + 1..], stage), id, mode))
            };
            let found = || String::from_utf8_lossy(line).into_owned();
            entries.push(
                parsed()
                    .ok_or_else(|| GitError::Output { operation: "ls-files".to_owned(), found: found() })?,
            );
        }
        Ok(entries)
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
                if let Changed::Module { path, id } = file {
                    index.add(&entry(path, *id, GITLINK)).map_err(failed())?;
                }
            }
            index.write_tree_to(repo).map(sha).map_err(failed())
        })
    }
}

/// The entries of an index file; those of a conflict under a name for each side.
fn read_index(path: &Path) -> Result<Vec<(PathBuf, Oid, u32)>, git2::Error> {
    let index = Index::open(path)?;
    let entries = index.iter().filter(|entry| entry.flags_extended & INTENT_TO_ADD == 0);
    Ok(entries
        .map(|entry| (staged_name(&entry.path, (entry.flags >> 12) & 3), entry.id, entry.mode))
        .collect())
}

fn staged_name(path: &[u8], stage: u16) -> PathBuf {
    let mut name = path.to_vec();
    if stage > 0 {
        name.extend_from_slice(format!(".~{stage}~").as_bytes());
    }
    PathBuf::from(OsString::from_vec(name))
}

enum Changed {
    Gone(PathBuf),
    Content {
        path: PathBuf,
        on_disk: PathBuf,
    },
    /// A submodule of ours; what it holds is kept in its store.
    Module {
        path: PathBuf,
        id: Oid,
    },
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
    let scope = Scope::Private { git_dir, common, work_tree: dir, sparse: false };
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
/// Of the submodules that are `kept` by themselves only the commit is one.
fn changed_files(
    private: &Private<'_>,
    worktree: &Worktree,
    base: &Sha,
    kept: Vec<(String, Oid)>,
) -> Result<Vec<Changed>, GitError> {
    let mut changed = Vec::new();
    for entry in status(private, base)? {
        let nested = entry.is_nested_repository();
        let StatusEntry { path, .. } = entry;
        if kept.iter().any(|(module, _)| path == Path::new(module)) {
            continue;
        }
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
    changed.extend(kept.into_iter().map(|(path, id)| Changed::Module { path: path.into(), id }));
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
pub(super) fn write_blob(repo: &Repository, path: &Path) -> Result<Option<(Oid, u32)>, GitError> {
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

pub(super) fn entry(path: &Path, id: Oid, mode: u32) -> IndexEntry {
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
