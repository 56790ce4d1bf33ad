//! Bringing back what custody kept.
#![expect(clippy::disallowed_methods, reason = "writes the restored files")]

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use git2::{Delta, DiffOptions, ErrorCode, FileMode, Oid, Tree};

use super::objects::find_commit;
use super::repo::sha;
use super::reset::remove_any;
use super::shape::Shape;
use super::{GitError, Repo, Worktree};
use crate::id::Sha;

/// The mode of a directory in a tree.
const DIRECTORY: i32 = 0o040_000;

struct Kept {
    path: PathBuf,
    content: Option<(FileMode, Oid)>,
}

impl Kept {
    fn is_module(&self) -> bool {
        matches!(self.content, Some((FileMode::Commit, _)))
    }
}

/// What came of giving kept files back.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlaid {
    /// Files that were written or removed.
    pub files: usize,
    /// Files that were left as they stand in the worktree: its commit has another version of them than the one that was
    /// changed, so the kept version would undo what came in meanwhile. And folders that were not to be given back.
    pub held_back: Vec<String>,
}

impl Repo {
    /// Makes a worktree at `path` that holds what the custody commit `kept` holds, byte for byte: the files of the commit that
    /// HEAD was at, checked out as usual, with the kept files over them. HEAD is detached at that commit, so what was kept shows
    /// as uncommitted changes. `path` must be free, as for [`Repo::provision`].
    pub fn restore(&self, kept: &Sha, path: &Path) -> Result<Worktree, GitError> {
        let base = self.custody_base(kept)?.unwrap_or_else(|| kept.clone());
        let has_modules = self.kept_files(&base, kept)?.iter().any(Kept::is_module);
        let shape = Shape { submodules: has_modules, offline: true, ..Shape::default() };
        let worktree = self.provision_as(path, &base, &shape)?;
        let _all = self.overlay(&worktree, kept, &[])?;
        Ok(worktree)
    }

    /// Writes the files of the custody commit `kept` over those of a worktree that is clean at its HEAD, byte for byte, so that
    /// they show as uncommitted changes again. HEAD and index stay. A file of which HEAD has another version than the commit that
    /// `kept` was made on is held back.
    /// Files below a folder of `without` are held back too; such a folder is named once.
    pub fn overlay(
        &self,
        worktree: &Worktree,
        kept: &Sha,
        without: &[PathBuf],
    ) -> Result<Overlaid, GitError> {
        let Some(base) = self.custody_base(kept)? else {
            return Ok(Overlaid::default());
        };
        let head = self.head(worktree)?.sha;
        let mut overlaid = Overlaid::default();
        let mut changes = Vec::new();
        let mut folders: BTreeSet<&Path> = BTreeSet::new();
        for file in self.kept_files(&base, kept)? {
            if let Some(folder) = without.iter().find(|folder| file.path.starts_with(folder)) {
                folders.insert(folder);
            } else if self.fits(&base, &head, &file.path)? {
                changes.push(file);
            } else {
                overlaid.held_back.push(file.path.to_string_lossy().into_owned());
            }
        }
        overlaid.held_back.extend(folders.iter().map(|folder| folder.to_string_lossy().into_owned()));
        // What is gone goes first: a file may stand where a directory was.
        for file in changes.iter().filter(|file| file.content.is_none()) {
            remove_any(&worktree.path.join(&file.path))?;
        }
        let tracked = self.in_tree(&head, &changes)?;
        // The worktree is clean, so what stands where its commit has nothing is ignored.
        let ignored: Vec<PathBuf> = changes
            .iter()
            .zip(tracked)
            .filter(|(file, tracked)| {
                file.content.is_some() && !tracked && stands(&worktree.path, &file.path)
            })
            .map(|(file, _)| file.path.clone())
            .collect();
        self.trash_files(worktree, &ignored)?;
        for file in &changes {
            if let Some((mode, id)) = file.content {
                self.write_out(&worktree.path, &file.path, mode, id)?;
            }
        }
        for file in &changes {
            if let (Some((FileMode::Commit, id)), Some(path)) = (file.content, file.path.to_str()) {
                self.restore_module(worktree, path, &sha(id))?;
            }
        }
        overlaid.files = changes.len();
        Ok(overlaid)
    }

    /// The commit that HEAD was at when `kept` was made.
    fn custody_base(&self, kept: &Sha) -> Result<Option<Sha>, GitError> {
        Ok(self.parents(kept)?.into_iter().next())
    }

    /// Whether a change to `path` that was made on `base` can be written over `head`: what stands there, and on the way
    /// there, is the same in both.
    fn fits(&self, base: &Sha, head: &Sha, path: &Path) -> Result<bool, GitError> {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git"));
        if !path.components().all(inside) {
            return Ok(false);
        }
        if base == head {
            return Ok(true);
        }
        self.with(|repo| {
            let tree =
                |commit| find_commit(repo, commit)?.tree().map_err(GitError::library("comparing trees"));
            let (base, head) = (tree(base)?, tree(head)?);
            let is_way = |entry: Option<(Oid, i32)>| entry.is_none_or(|(_, mode)| mode == DIRECTORY);
            for place in path.ancestors().filter(|place| *place != Path::new("")) {
                let (was, is) = (at(&base, place)?, at(&head, place)?);
                if was != is && (place == path || !is_way(was) || !is_way(is)) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Which of `files` the commit has something in the place of.
    fn in_tree(&self, commit: &Sha, files: &[Kept]) -> Result<Vec<bool>, GitError> {
        self.with(|repo| {
            let tree = find_commit(repo, commit)?.tree().map_err(GitError::library("comparing trees"))?;
            files.iter().map(|file| Ok(at(&tree, &file.path)?.is_some())).collect()
        })
    }

    fn kept_files(&self, base: &Sha, kept: &Sha) -> Result<Vec<Kept>, GitError> {
        let failed = || GitError::library("comparing trees");
        self.with(|repo| {
            let tree = |commit| find_commit(repo, commit)?.tree().map_err(failed());
            let mut options = DiffOptions::new();
            options.include_typechange(true);
            let diff = repo
                .diff_tree_to_tree(Some(&tree(base)?), Some(&tree(kept)?), Some(&mut options))
                .map_err(failed())?;
            let mut files = Vec::new();
            for delta in diff.deltas() {
                let (old, new) = (delta.old_file(), delta.new_file());
                let gone = delta.status() == Delta::Deleted;
                let bytes = if gone { old.path_bytes() } else { new.path_bytes() }.unwrap_or_default();
                files.push(Kept {
                    path: PathBuf::from(std::ffi::OsStr::from_bytes(bytes)),
                    content: (!gone).then(|| (new.mode(), new.id())),
                });
            }
            Ok(files)
        })
    }

    fn write_out(&self, root: &Path, path: &Path, mode: FileMode, id: Oid) -> Result<(), GitError> {
        if mode == FileMode::Commit {
            return Ok(());
        }
        let place = root.join(path);
        remove_any(&place)?;
        clear_way(root, path)?;
        let content = self.with(|repo| {
            let blob = repo.find_blob(id).map_err(GitError::library("reading a kept file"))?;
            Ok(blob.content().to_vec())
        })?;
        let write = || -> std::io::Result<()> {
            if let Some(parent) = place.parent() {
                std::fs::create_dir_all(parent)?;
            }
            if mode == FileMode::Link {
                return std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(&content), &place);
            }
            let mut file = std::fs::File::options().write(true).create_new(true).open(&place)?;
            file.write_all(&content)?;
            if mode == FileMode::BlobExecutable {
                let bits = file.metadata()?.permissions().mode();
                file.set_permissions(PermissionsExt::from_mode(bits | 0o111 & (bits >> 2) | 0o100))?;
            }
            Ok(())
        };
        write().map_err(GitError::io("restored", &place))
    }
}

fn stands(root: &Path, path: &Path) -> bool {
    std::fs::symlink_metadata(root.join(path)).is_ok()
}

/// What stands at `path` in a tree.
fn at(tree: &Tree<'_>, path: &Path) -> Result<Option<(Oid, i32)>, GitError> {
    match tree.get_path(path) {
        Ok(entry) => Ok(Some((entry.id(), entry.filemode()))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(GitError::library("comparing trees")(error)),
    }
}

/// Removes a file or link that stands where `path` needs a directory; nothing is ever written through a link.
pub(super) fn clear_way(root: &Path, path: &Path) -> Result<(), GitError> {
    let mut place = root.to_owned();
    for part in path.parent().into_iter().flat_map(Path::iter) {
        place.push(part);
        let blocked = std::fs::symlink_metadata(&place).is_ok_and(|found| !found.is_dir());
        if blocked {
            remove_any(&place)?;
        }
    }
    Ok(())
}
