//! Bringing back what custody kept.
#![expect(clippy::disallowed_methods, reason = "writes the restored files")]

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use git2::{Delta, DiffOptions, FileMode, Oid};

use super::objects::find_commit;
use super::repo::sha;
use super::reset::remove_any;
use super::{GitError, Repo, Worktree};
use crate::id::Sha;

struct Kept {
    path: PathBuf,
    content: Option<(FileMode, Oid)>,
}

impl Repo {
    /// Makes a worktree at `path` that holds what the custody commit `kept` holds, byte for byte: the files of the commit that
    /// HEAD was at, checked out as usual, with the kept files over them. HEAD is detached at that commit, so what was kept shows
    /// as uncommitted changes. `path` must be free, as for [`Repo::provision`].
    pub fn restore(&self, kept: &Sha, path: &Path) -> Result<Worktree, GitError> {
        let base = self.with(|repo| Ok(find_commit(repo, kept)?.parent_ids().next().map(sha)))?;
        let base = base.unwrap_or_else(|| kept.clone());
        let worktree = self.provision(path, &base)?;
        let changes = self.kept_files(&base, kept)?;
        // What is gone goes first: a file may stand where a directory was.
        for file in changes.iter().filter(|file| file.content.is_none()) {
            remove_any(&worktree.path.join(&file.path))?;
        }
        for file in &changes {
            if let Some((mode, id)) = file.content {
                self.write_out(&worktree.path, &file.path, mode, id)?;
            }
        }
        Ok(worktree)
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

/// Removes a file or link that stands where `path` needs a directory; nothing is ever written through a link.
fn clear_way(root: &Path, path: &Path) -> Result<(), GitError> {
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
