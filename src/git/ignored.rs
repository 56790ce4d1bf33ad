//! Ignored files that a change of commit would take. They never enter the object database, so no custody ref has them:
//! in a lane they go to the trash, in a person's checkout they stop the move.
#![expect(clippy::disallowed_methods, reason = "looks at the files of a lane, and moves them to the trash")]

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use git2::{Delta, ObjectType, Oid};

use super::carry::carry;
use super::command::{Git, Scope};
use super::objects::find_commit;
use super::provision::trash_place;
use super::{GitError, Repo, Worktree};
use crate::id::Sha;

/// How many paths one call of git is given.
const AT_ONCE: usize = 500;

impl Repo {
    /// The ignored files of `work_tree` that stand where `new` has a file and `old`, at which the index of `scope` is, has none.
    /// Checking `new` out would overwrite them without a word.
    pub(super) fn ignored_in_the_way(
        &self,
        scope: Scope<'_>,
        work_tree: &Path,
        old: &Sha,
        new: &Sha,
    ) -> Result<Vec<PathBuf>, GitError> {
        let added = self.added(old, new)?;
        let taken: Vec<&Path> = added.iter().filter_map(|path| occupant(work_tree, path)).collect();
        let mut found = Vec::new();
        for some in taken.chunks(AT_ONCE) {
            let answer = Git::new(scope, "ls-files")
                .args(["-z", "--others", "--ignored", "--exclude-standard", "--"])
                .args(some)
                .env("GIT_LITERAL_PATHSPECS", "1")
                .run()?;
            let names = answer.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            found.extend(names.map(|name| PathBuf::from(OsStr::from_bytes(name))));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// The files that `new` has where `old` has none.
    fn added(&self, old: &Sha, new: &Sha) -> Result<Vec<PathBuf>, GitError> {
        let failed = || GitError::library("comparing trees");
        self.with(|repo| {
            let tree = |commit| find_commit(repo, commit)?.tree().map_err(failed());
            let diff = repo.diff_tree_to_tree(Some(&tree(old)?), Some(&tree(new)?), None).map_err(failed())?;
            let added = diff.deltas().filter(|delta| delta.status() == Delta::Added);
            Ok(added
                .filter_map(|delta| delta.new_file().path_bytes().map(<[u8]>::to_vec))
                .map(|bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes)))
                .collect())
        })
    }

    /// Moves `paths` of a lane to one place in the trash.
    pub(super) fn trash_files(&self, worktree: &Worktree, paths: &[PathBuf]) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let place = trash_place(&self.record_dir().join("trash"), &format!("{}-ignored", worktree.name()))?;
        for path in paths {
            let (from, to) = (worktree.path.join(path), place.join("files").join(path));
            let moved = || -> std::io::Result<()> {
                if let Some(parent) = to.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                carry(&from, &to)
            };
            moved().map_err(GitError::io("moved to the trash", &from))?;
        }
        tracing::info!(files = paths.len(), to = %place.display(), "moved to the trash");
        Ok(())
    }

    /// Whether the bytes of an untracked file are in the object database, where custody has put them. What was ignored when
    /// custody looked, and is not any more, has none there.
    pub(super) fn has_bytes_of(&self, path: &Path) -> Result<bool, GitError> {
        let io = || GitError::io("read", path);
        let found = std::fs::symlink_metadata(path).map_err(io())?;
        let hashed = if found.is_symlink() {
            let target = std::fs::read_link(path).map_err(io())?;
            Oid::hash_object(ObjectType::Blob, target.as_os_str().as_bytes())
        } else if found.is_file() {
            Oid::hash_file(ObjectType::Blob, path)
        } else {
            // A fifo or a socket holds nothing.
            return Ok(true);
        };
        let id = hashed.map_err(GitError::library("hashing a file"))?;
        self.with(|repo| Ok(repo.odb().map_err(GitError::library("opening the objects"))?.exists(id)))
    }
}

/// What stands at `path`, or on the way to it where a directory should be.
fn occupant<'a>(root: &Path, path: &'a Path) -> Option<&'a Path> {
    let mut way: Vec<&Path> = path.ancestors().filter(|part| *part != Path::new("")).collect();
    way.reverse();
    for part in way {
        match std::fs::symlink_metadata(root.join(part)) {
            Ok(found) if found.is_dir() && part != path => {}
            Ok(_) => return Some(part),
            Err(_) => return None,
        }
    }
    None
}
