//! Making a lane's worktree, all or nothing, and taking it away.
//!
//! The administrative step is ours and not `git worktree add`'s: the git directory is built aside and renamed into place,
//! under the repository lock, so that no other git ever meets half of it (`failed to read .../commondir`), and no config
//! is touched. The files are then checked out outside the lock, many lanes at a time.
#![expect(clippy::disallowed_methods, reason = "makes and removes the directories of lanes")]

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::carry::carry;
use super::command::Git;
use super::fill::Filled;
use super::lfs;
use super::private::Private;
use super::repo::sync_dir;
use super::reset::{finish, remove_any};
use super::shape::Shape;
use super::share::removed_at_once;
use super::unlink::remove_tree;
use super::worktree::{gitfile_line, resolved};
use super::{GitError, Repo, Worktree};
use crate::failpoint::{self, Point};
use crate::id::Sha;
use crate::plain_file;

/// How often the folder of the worktrees is made again that git removes when it is empty.
const SWEPT_TRIES: u32 = 1000;

impl Repo {
    /// Makes a worktree at `path`, detached at `at`. Where it is there already, complete, it is returned as it is, with
    /// whatever work it holds. What a crash left half-made is finished. A directory that holds anything that is not
    /// Laneway's is [`GitError::PathOccupied`], and a worktree of another repository [`GitError::PathOfAnother`].
    pub fn provision(&self, path: &Path, at: &Sha) -> Result<Worktree, GitError> {
        self.provision_as(path, at, &Shape::default())
    }

    /// Like [`Repo::provision`]; one that is made anew holds what `shape` says. A folder of it that the commit does not
    /// have is [`GitError::NoSuchFolder`].
    pub fn provision_as(&self, path: &Path, at: &Sha, shape: &Shape) -> Result<Worktree, GitError> {
        let (worktree, new) = {
            let _administration = self.administer()?;
            match self.reopen(path)? {
                Some(worktree) if worktree.private(self).is_dir() => (worktree, false),
                Some(worktree) => return Err(GitError::PathOccupied { path: worktree.path }),
                None => (self.register(path, at, shape)?, true),
            }
        };
        let private = Private::open(self, &worktree)?;
        if private.is_ready() && worktree.path.join(".git").exists() {
            return Ok(worktree);
        }
        if new {
            self.sweep_held();
        }
        failpoint::write(Point::WorktreeFiles).map_err(GitError::io("written", &worktree.path))?;
        if new && self.fill(&private, &worktree, at, shape.share)? != Filled::Rest {
            failpoint::pass(Point::WorktreeFilled);
            private.settle(at)?;
            finish(&private, &worktree, at)?;
            self.set_modules(&private, &worktree, at)?;
        } else {
            self.set_files(&private, &worktree, at)?;
            lfs::note_pointers(&private)?;
        }
        private.set_ready()?;
        failpoint::pass(Point::WorktreeReady);
        Ok(worktree)
    }

    /// Makes the lane known to git, its directory holding nothing but `.git`.
    pub(super) fn register(&self, path: &Path, at: &Sha, shape: &Shape) -> Result<Worktree, GitError> {
        self.ensure_folders(&shape.sparse, at)?;
        let path = resolved(path);
        self.ensure_not_of_another(&path)?;
        self.ensure_free(&path)?;
        failpoint::write(Point::WorktreeDir)
            .and_then(|()| std::fs::create_dir_all(&path))
            .map_err(GitError::io("created", &path))?;
        let worktree = Worktree { admin: self.free_admin(&path), path };
        // The rest of a lane of this name that git has forgotten: its index describes other files.
        remove_any(&worktree.private(self))?;
        let private = worktree.private(self);
        std::fs::create_dir_all(&private).map_err(GitError::io("created", &private))?;
        shape.write(&private)?;
        let gitfile = worktree.path.join(".git");
        // Another repository, with its own lock, may want the directory at this moment: whoever makes the file has it. It is never
        // there in part, which that one would take for the rest of a crash of its own.
        let written = place_new(&gitfile, &gitfile_line(&worktree.admin), &private.join("gitfile"));
        if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
            return Err(GitError::PathOccupied { path: worktree.path });
        }
        written.map_err(GitError::io("written", &gitfile))?;
        self.make_admin(&worktree, at)?;
        Ok(worktree)
    }

    /// A directory can be taken if it is missing, empty, or holds what a crash left of ours: a `.git` file that points into
    /// this repository's worktrees, at nothing, or that was not written to its end. That file is removed.
    fn ensure_free(&self, path: &Path) -> Result<(), GitError> {
        let occupied = || Err(GitError::PathOccupied { path: path.to_owned() });
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                // It may be a folder above it that is none.
                let standing = path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(path);
                return Err(GitError::PathOccupied { path: standing.to_owned() });
            }
            Err(error) => return Err(GitError::io("read", path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(GitError::io("read", path))?.file_name());
        }
        if names.is_empty() {
            return Ok(());
        }
        let gitfile = path.join(".git");
        if names != [".git"] || !std::fs::symlink_metadata(&gitfile).is_ok_and(|found| found.is_file()) {
            return occupied();
        }
        let line =
            plain_file::read(&gitfile, plain_file::MOST_BYTES).map_err(GitError::io("read", &gitfile))?;
        let ours = [b"gitdir: ", self.common_dir().join("worktrees").as_os_str().as_bytes(), b"/"].concat();
        let pointed = line
            .strip_prefix(b"gitdir: ")
            .map(|rest| Path::new(std::ffi::OsStr::from_bytes(rest.trim_ascii())));
        let at_nothing = pointed.is_some_and(|admin| !admin.exists());
        // The crash may have come before the whole of the line, or any of it, was written.
        if ours.starts_with(&line) || (line.starts_with(&ours) && at_nothing) {
            std::fs::remove_file(&gitfile).map_err(GitError::io("removed", &gitfile))
        } else {
            occupied()
        }
    }

    /// A git directory for a worktree at `path` whose name is not taken.
    fn free_admin(&self, path: &Path) -> PathBuf {
        let usual = self.usual_admin(path);
        let name = usual.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = (2_u32..).map(|n| usual.with_file_name(format!("{name}-{n}")));
        let mut free = std::iter::once(usual.clone()).chain(numbered).filter(|admin| !admin.exists());
        free.next().expect("some number is free")
    }

    /// Builds the git directory aside and renames it into place.
    pub(super) fn make_admin(&self, worktree: &Worktree, at: &Sha) -> Result<(), GitError> {
        let parent = self.common_dir().join("worktrees");
        let build = || -> std::io::Result<()> {
            std::fs::create_dir_all(self.record_dir())?;
            let aside = tempfile::Builder::new().prefix("admin-").tempdir_in(self.record_dir())?;
            let gitdir = [worktree.path.join(".git").as_os_str().as_bytes(), b"\n"].concat();
            std::fs::write(aside.path().join("HEAD"), format!("{at}\n"))?;
            std::fs::write(aside.path().join("commondir"), "../..\n")?;
            std::fs::write(aside.path().join("gitdir"), gitdir)?;
            failpoint::write(Point::WorktreeAdmin)?;
            move_below(aside.path(), &parent, &worktree.admin)?;
            // It is not there any more to be removed.
            drop(aside.keep());
            failpoint::pass(Point::WorktreeKnown);
            sync_dir(&parent)
        };
        build().map_err(GitError::io("created", &worktree.admin))
    }

    /// Takes the lane away: out of sight by one rename, then forgotten by git. Where it holds anything that is not in its
    /// commit, ignored files too, it is kept in `trash` (mode 0700) and its place there is returned; else its files are
    /// deleted. [`Repo::custody`] comes first. A worktree that somebody locked is [`GitError::WorktreeLocked`].
    pub fn remove(&self, worktree: &Worktree, trash: &Path) -> Result<Option<PathBuf>, GitError> {
        let lock = worktree.admin.join("locked");
        match plain_file::read(&lock, plain_file::MOST_BYTES) {
            Ok(reason) => {
                let reason = String::from_utf8_lossy(&reason).trim().to_owned();
                return Err(GitError::WorktreeLocked { path: worktree.path.clone(), reason });
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(GitError::io("read", &lock)(error)),
        }
        let mut kept = None;
        if worktree.path.is_dir() {
            failpoint::pass(Point::RemoveLane);
            let disposable = self.is_disposable(worktree)?;
            let moved = move_to_trash(&worktree.path, trash, &worktree.name())?;
            failpoint::pass(Point::RemoveTrashed);
            if disposable {
                removed_at_once(&moved);
                let place = moved.parent().unwrap_or(&moved);
                remove_tree(place).map_err(GitError::io("removed", place))?;
            } else {
                kept = Some(moved);
            }
        }
        failpoint::pass(Point::RemoveForget);
        self.forget_modules(worktree)?;
        self.forget_worktree(worktree)?;
        failpoint::pass(Point::Removed);
        Ok(kept)
    }

    /// Whether the lane's directory holds exactly the files of its commit and nothing else.
    fn is_disposable(&self, worktree: &Worktree) -> Result<bool, GitError> {
        let private = Private::open(self, worktree)?;
        let Some(at) = private.at()? else { return Ok(false) };
        private.index_at(&at)?;
        let answer = Git::configured(private.scope(), "status", private.filters())
            .args(["--porcelain", "-z", "--untracked-files=normal", "--ignored=traditional", "--no-renames"])
            .arg(private.ignored_of_submodules())
            .run()?;
        if !answer.stdout.is_empty() {
            return Ok(false);
        }
        drop(private);
        for module in self.modules(worktree)? {
            if !module.store.is_disposable(&module.worktree)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has git and the record know nothing of the lane any more.
    pub(super) fn forget_worktree(&self, worktree: &Worktree) -> Result<(), GitError> {
        let _administration = self.administer()?;
        self.forget(worktree)
    }

    /// Removes what git and the record know of the lane. Renamed first, so that nobody meets half of it.
    fn forget(&self, worktree: &Worktree) -> Result<(), GitError> {
        let record = self.record_dir();
        let modules = worktree.admin.join("modules");
        if modules.is_dir() {
            // The git directories of submodules, with commits that may be nowhere else.
            move_to_trash(&modules, &record.join("trash"), &format!("{}-modules", worktree.name()))?;
        }
        let aside = tempfile::Builder::new()
            .prefix("admin-")
            .tempdir_in(&record)
            .map_err(GitError::io("written to", &record))?;
        for (from, name) in [(worktree.admin.clone(), "admin"), (worktree.private(self), "private")] {
            match std::fs::rename(&from, aside.path().join(name)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(GitError::io("removed", &from)(error)),
            }
        }
        aside.close().map_err(GitError::io("removed", &record))
    }
}

/// Renames the directory `aside` to `to` in `parent`, which is made where it is missing. `git worktree prune` removes it
/// whenever nothing is in it, so it can go between any two steps.
fn move_below(aside: &Path, parent: &Path, to: &Path) -> std::io::Result<()> {
    let mut tries = 1;
    loop {
        let moved = std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::metadata(parent))
            .and_then(|found| std::fs::set_permissions(aside, found.permissions()))
            .and_then(|()| std::fs::rename(aside, to));
        match moved {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < SWEPT_TRIES => tries += 1,
            done => return done,
        }
    }
}

/// Moves `from` to a place of its own in `trash`, which nobody but the user can read.
pub(super) fn move_to_trash(from: &Path, trash: &Path, name: &str) -> Result<PathBuf, GitError> {
    let place = trash_place(trash, name)?.join("files");
    carry(from, &place).map_err(GitError::io("moved to the trash", from))?;
    tracing::info!(from = %from.display(), to = %place.display(), "moved to the trash");
    Ok(place)
}

/// Makes a place of its own in `trash`.
pub(super) fn trash_place(trash: &Path, name: &str) -> Result<PathBuf, GitError> {
    let make = || -> std::io::Result<PathBuf> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(trash)?;
        std::fs::set_permissions(trash, PermissionsExt::from_mode(0o700))?;
        Ok(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(trash)?.keep())
    };
    make().map_err(GitError::io("created", trash))
}

/// Makes a file that is there whole or not at all, by way of `aside`. Where that lies on another file system it is written in place.
fn place_new(path: &Path, bytes: &[u8], aside: &Path) -> std::io::Result<()> {
    std::fs::write(aside, bytes)?;
    let linked = std::fs::hard_link(aside, path);
    std::fs::remove_file(aside)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            File::create_new(path).and_then(|mut file| file.write_all(bytes))
        }
        linked => linked,
    }
}
