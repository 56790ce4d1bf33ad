//! A lane's private git directory: a HEAD and an index that only Laneway writes.
//!
//! ```text
//! <common>/laneway/index/<name>/
//!     HEAD     the commit that the index stands for
//!     commondir the repository, as seen from here
//!     index    its tree, with the stat data of the lane's files
//!     at       the same commit and the boot in which that was so, written last: without it, the index is not trusted
//!              to be complete. None of these files is synced, so after a power cut the index is looked through again
//!     shape.json what of its commit the lane holds, where that is not simply all of it
//!     ready    there once the lane has been made completely
//!     young    there as long as an edit can have the time of the making in whole seconds, which is all that git compares
//!     guard    the lock for all of these
//! ```
#![expect(clippy::disallowed_methods, reason = "keeps the private git directories of lanes")]

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::command::{Git, Scope};
use super::cone::Cone;
use super::lfs;
use super::repo::sync_dir;
use super::shape::Shape;
use super::submodules;
use super::young;
use super::{GitError, Repo, RepoLock, Worktree};
use crate::failpoint::{self, Point};
use crate::graph::Lfs;
use crate::id::Sha;

/// The bit of an index entry whose file is not checked out.
pub(super) const SKIP_WORKTREE: u16 = 1 << 14;

/// The private git directory of one lane, locked for as long as this lives.
pub(super) struct Private<'a> {
    repo: &'a Repo,
    worktree: &'a Worktree,
    dir: PathBuf,
    shape: Shape,
    _guard: RepoLock,
}

impl<'a> Private<'a> {
    pub(super) fn open(repo: &'a Repo, worktree: &'a Worktree) -> Result<Self, GitError> {
        let dir = worktree.private(repo);
        let guard = RepoLock::acquire(&dir.join("guard"))?;
        // Nobody else writes here, so under the guard a lock file is the rest of a killed git.
        remove_file(&dir.join("index.lock"))?;
        if !is_like_head(&dir.join("HEAD"))? {
            // For git-lfs, which finds the repository's objects through it. Git goes by GIT_COMMON_DIR.
            write_line(&dir.join("commondir"), "../../..")?;
            // git takes a directory for a git directory only if HEAD looks right.
            write_line(&dir.join("HEAD"), "ref: refs/heads/laneway-has-no-commit-yet")?;
        }
        let shape = Shape::read(&dir)?;
        let private = Self { repo, worktree, dir, shape, _guard: guard };
        if young::is_marked(&private.dir) && young::hides_an_edit(&private)? {
            tracing::debug!(lane = %worktree.path.display(), "files are to be read again");
            private.forget_index()?;
        }
        Ok(private)
    }

    pub(super) fn repo(&self) -> &'a Repo {
        self.repo
    }

    /// The lane's files.
    pub(super) fn root(&self) -> &Path {
        &self.worktree.path
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Says that files are written now whose times are set back.
    pub(super) fn set_young(&self) -> Result<(), GitError> {
        young::mark(&self.dir)
    }

    /// Says that the files are older than any edit of them can be.
    pub(super) fn set_grown(&self) -> Result<(), GitError> {
        young::unmark(&self.dir)
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope::Private {
            git_dir: &self.dir,
            common: self.repo.common_dir(),
            work_tree: &self.worktree.path,
            sparse: !self.shape.sparse.is_empty(),
        }
    }

    /// What of its commit it holds.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Config for calls that write files or compare them, and commit none.
    pub(super) fn filters(&self) -> &'static [&'static str] {
        if self.shape.lfs == Lfs::Skip { lfs::KEEP_POINTERS } else { &[] }
    }

    /// What a look at the lane passes over in submodules. Those of ours are looked at by themselves, so that no config in
    /// them counts.
    pub(super) fn ignored_of_submodules(&self) -> &'static str {
        if submodules::are_in(&self.dir) { "--ignore-submodules=dirty" } else { "--ignore-submodules=none" }
    }

    /// The part of its commit that it holds; `None` where it holds all.
    pub(super) fn cone(&self) -> Option<Cone> {
        self.shape.cone()
    }

    pub(super) fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// The commit that the index stands for; `None` where it cannot be trusted.
    pub(super) fn at(&self) -> Result<Option<Sha>, GitError> {
        if !self.index().exists() {
            return Ok(None);
        }
        let path = self.dir.join("at");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text
                .split_once(' ')
                .filter(|(_, boot)| !boot.trim().is_empty() && boot.trim() == this_boot())
                .and_then(|(commit, _)| Sha::new(commit).ok())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(GitError::io("read", &path)(error)),
        }
    }

    /// Says that the index is about to change.
    pub(super) fn unsettle(&self) -> Result<(), GitError> {
        remove_file(&self.dir.join("at"))
    }

    /// Says that the index stands for `commit` now.
    pub(super) fn settle(&self, commit: &Sha) -> Result<(), GitError> {
        write_line(&self.dir.join("HEAD"), commit.as_str())?;
        write_line(&self.dir.join("at"), &format!("{commit} {}", this_boot()))
    }

    /// Brings the index to the tree of `commit`, keeping the stat data of files that stay the same. No file of the lane is
    /// touched. Without a process where it is there already.
    pub(super) fn index_at(&self, commit: &Sha) -> Result<(), GitError> {
        let at = self.at()?;
        if at.as_ref() == Some(commit) {
            return Ok(());
        }
        let same_tree = match &at {
            Some(at) => match self.repo.tree_of(at) {
                Ok(tree) => tree == self.repo.tree_of(commit)?,
                // No ref held it yet when the user's gc came by; the index is only a memory of it.
                Err(error) if error.is_of_a_lost_object() => false,
                Err(error) => return Err(error),
            },
            None => false,
        };
        if !same_tree {
            self.unsettle()?;
            let git = |how: &str| Git::new(self.scope(), "read-tree").args([how, commit.as_str()]).run();
            if git("--reset").is_err() {
                // A damaged index; starting afresh costs reading the files once.
                self.forget_index()?;
                git("--reset")?;
            }
            self.skip_outside()?;
        }
        self.settle(commit)
    }

    /// Checks `commit` out over whatever is there: files that differ, and untracked ones in the way, are replaced.
    pub(super) fn check_out(&self, commit: &Sha) -> Result<(), GitError> {
        self.unsettle()?;
        let git = || {
            Git::configured(self.scope(), "read-tree", self.filters())
                .args(["--reset", "-u", commit.as_str()])
                .run()
        };
        match git() {
            // Nothing is gained by asking a server again.
            Err(error) if error.is_of_lfs() => return Err(lfs::failure(error)),
            Err(error) => {
                tracing::debug!(%error, "checking out again, with a fresh index");
                self.forget_index()?;
                git()?;
            }
            Ok(_) => {}
        }
        self.settle(commit)
    }

    /// Makes the index that of `commit` afresh, without the stat data that would have files passed over.
    pub(super) fn start_over(&self, commit: &Sha) -> Result<(), GitError> {
        self.forget_index()?;
        Git::new(self.scope(), "read-tree").args(["--reset", commit.as_str()]).run()?;
        self.skip_outside()
    }

    /// Marks the entries outside of the cone that have no file as not checked out. `read-tree` does that only where it writes
    /// files too, and an entry that it brings in anew would seem to be deleted.
    fn skip_outside(&self) -> Result<(), GitError> {
        let Some(cone) = self.cone() else { return Ok(()) };
        let index = git2::Index::open(&self.index()).map_err(GitError::library("reading an index"))?;
        let mut outside = Vec::new();
        for entry in index.iter() {
            let is_marked = entry.flags_extended & SKIP_WORKTREE != 0;
            let on_disk = self.root().join(OsStr::from_bytes(&entry.path));
            if !is_marked && !cone.has(&entry.path) && on_disk.symlink_metadata().is_err() {
                outside.extend_from_slice(&entry.path);
                outside.push(0);
            }
        }
        if outside.is_empty() {
            return Ok(());
        }
        let git = Git::new(self.scope(), "update-index").args(["-z", "--skip-worktree", "--stdin"]);
        git.stdin(outside).run().map(drop)
    }

    /// Drops the index, so that the next checkout writes every file.
    pub(super) fn forget_index(&self) -> Result<(), GitError> {
        self.unsettle()?;
        remove_file(&self.index())
    }

    /// Copies the index to `to`, for those who want to change one that is nobody's.
    pub(super) fn copy_index(&self, to: &Path) -> Result<(), GitError> {
        std::fs::copy(self.index(), to).map(drop).map_err(GitError::io("written", to))
    }

    /// Whether the lane has been made completely.
    pub(super) fn is_ready(&self) -> bool {
        self.dir.join("ready").exists()
    }

    /// Says so for good: what is done in the lane from now on is never overwritten by its making.
    pub(super) fn set_ready(&self) -> Result<(), GitError> {
        let path = self.dir.join("ready");
        let made = failpoint::write(Point::GitFile).and_then(|()| std::fs::File::create(&path));
        made.and_then(|_| sync_dir(&self.dir)).map_err(GitError::io("written", &path))
    }

    /// Gives the agent a copy of the index, which stands for `at`, as its own.
    pub(super) fn hand_out_index(&self, at: &Sha) -> Result<(), GitError> {
        let admin = &self.worktree.admin;
        let to = admin.join("index");
        let tree = self.repo.tree_of(at)?;
        let copy = || -> std::io::Result<()> {
            let temp = tempfile::Builder::new().prefix(".laneway-").tempfile_in(admin)?;
            std::fs::copy(self.index(), temp.path())?;
            self.repo.handed().note(admin, temp.as_file(), tree);
            temp.persist(&to)?;
            Ok(())
        };
        copy().map_err(GitError::io("written", &to))
    }
}

/// Removes a file that may not be there.
pub(super) fn remove_file(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(GitError::io("removed", path)(error)),
    }
}

/// Whether git would take it for a HEAD. A power cut may have left nothing in it.
fn is_like_head(path: &Path) -> Result<bool, GitError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.starts_with("ref: ") || Sha::new(text.trim_end()).is_ok()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(false),
        Err(error) => Err(GitError::io("read", path)(error)),
    }
}

/// The name of the time since the machine was started; empty where the system has none, so that no index is trusted.
pub(super) fn this_boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        if let Some(id) = failpoint::boot_id() {
            return id.to_owned();
        }
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    })
}

/// Writes a line by rename. It is not synced: after a power cut the worst is a slower first look.
fn write_line(path: &Path, line: &str) -> Result<(), GitError> {
    let temp = path.with_extension("new");
    std::fs::write(&temp, format!("{line}\n")).map_err(GitError::io("written", &temp))?;
    std::fs::rename(&temp, path).map_err(GitError::io("written", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sh(dir: &Path, script: &str) {
        let done = Command::new("sh").arg("-ec").arg(script).current_dir(dir).status().unwrap();
        assert!(done.success(), "{script}");
    }

    #[test]
    fn an_index_that_a_power_cut_tore_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        sh(
            dir.path(),
            "git init -q -b main . && git config user.name T && git config user.email t@example.org
             echo one > file && git add file && git commit -qm one",
        );
        let repo = Repo::discover(dir.path()).unwrap();
        let tip = repo.branch_tip("main").unwrap().unwrap();
        let lane = repo.provision(&dir.path().join(".worktrees/g/lane"), &tip).unwrap();
        let private = lane.private(&repo);
        let at = std::fs::read_to_string(private.join("at")).unwrap();
        assert_eq!(at, format!("{tip} {}\n", this_boot()));
        // Neither of the two was synced: what is left of them is anything.
        std::fs::write(private.join("index"), "").unwrap();
        std::fs::write(private.join("HEAD"), "").unwrap();
        std::fs::write(private.join("commondir"), "").unwrap();
        std::fs::write(private.join("at"), format!("{tip} a-boot-before\n")).unwrap();
        assert!(repo.tree_state(&lane, &tip).unwrap().is_clean());
        sh(&lane.path, "echo two > file");
        assert!(!repo.tree_state(&lane, &tip).unwrap().is_clean());
    }
}
