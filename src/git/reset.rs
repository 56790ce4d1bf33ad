//! Bringing a lane to a commit, from whatever state an agent left it in.
#![expect(clippy::disallowed_methods, reason = "repairs a lane and its git directory")]

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::command::Git;
use super::private::{Private, remove_file};
use super::provision::move_to_trash;
use super::repo::replace_file;
use super::tree_state::{DirtyKind, StatusEntry, status};
use super::worktree::{HeadFile, gitfile_line};
use super::{GitError, Repo, Worktree, submodules};
use crate::id::Sha;
use crate::plain_file;

/// What git keeps in a worktree's git directory while something is under way, and what an agent could plant there.
const STATE: &[&str] = &[
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "MERGE_HEAD",
    "MERGE_MSG",
    "MERGE_MODE",
    "MERGE_RR",
    "MERGE_AUTOSTASH",
    "AUTO_MERGE",
    "SQUASH_MSG",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "BISECT_LOG",
    "BISECT_START",
    "BISECT_NAMES",
    "BISECT_TERMS",
    "BISECT_RUN",
    "BISECT_EXPECTED_REV",
    "BISECT_ANCESTORS_OK",
    "BISECT_FIRST_PARENT",
    "refs/bisect",
    "refs/rewritten",
    "index.lock",
    "HEAD.lock",
    "config.worktree",
    "config.worktree.lock",
    "info/sparse-checkout",
    "NOTES_MERGE_WORKTREE",
];

impl Repo {
    /// Brings the lane to `at`: HEAD detached there, index and files set, whatever was under way removed, untracked files
    /// gone, ignored files left. A lost `.git`, directory or git directory is made again.
    ///
    /// It destroys: [`Repo::custody`] comes first. A repository inside the lane is moved to the record's `trash/`.
    pub fn set_to(&self, worktree: &Worktree, at: &Sha) -> Result<(), GitError> {
        self.set_files(&Private::open(self, worktree)?, worktree, at)
    }

    pub(super) fn set_files(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        at: &Sha,
    ) -> Result<(), GitError> {
        self.set_files_seen(private, worktree, at, None)
    }

    /// With the commit that has been seen, since `private` was opened, to have all the files of the lane.
    pub(super) fn set_files_seen(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        at: &Sha,
        seen: Option<&Sha>,
    ) -> Result<(), GitError> {
        // The repair may bring a lost directory back, and what is done to submodules changes files.
        let seen = seen.filter(|_| worktree.path.is_dir() && !submodules::are_in(private.dir()));
        self.repair(worktree, at)?;
        self.drop_modules(private, worktree, at)?;
        let known = private.at()?;
        let there = match &known {
            Some(known) if self.tree_of(known)? != self.tree_of(at)? => false,
            Some(known) if seen == Some(known) => {
                private.index_at(at)?;
                true
            }
            Some(_) => status(private, at)?.is_empty(),
            None => false,
        };
        if !there {
            self.overwrite(private, worktree, at)?;
        }
        self.set_modules(private, worktree, at)?;
        finish(private, worktree, at)
    }

    /// Files that are right already are not written again, so that builds in the lane stay valid.
    fn overwrite(&self, private: &Private<'_>, worktree: &Worktree, at: &Sha) -> Result<(), GitError> {
        self.spare_ignored(private, worktree, at)?;
        private.check_out(at)?;
        if self.clean(private, worktree, at)?.is_empty() {
            return Ok(());
        }
        // Stat data can fit where it should not: a directory replaced by a link to where it was moved.
        private.forget_index()?;
        private.check_out(at)?;
        let left = self.clean(private, worktree, at)?;
        if left.is_empty() {
            return Ok(());
        }
        let name = |entry: &StatusEntry| entry.path.to_string_lossy().into_owned();
        Err(GitError::StillDirty { path: worktree.path.clone(), files: left.iter().map(name).collect() })
    }

    /// Moves the ignored files that `at` has a file in the place of to the trash.
    fn spare_ignored(&self, private: &Private<'_>, worktree: &Worktree, at: &Sha) -> Result<(), GitError> {
        let base = match (private.at()?, worktree.head_file()?) {
            (Some(base), _) | (None, HeadFile::Commit(base)) => base,
            (None, _) => at.clone(),
        };
        let base = if self.has_commit(&base)? { base } else { at.clone() };
        if self.tree_of(&base)? == self.tree_of(at)? {
            return Ok(());
        }
        private.index_at(&base)?;
        let taken = self.ignored_in_the_way(private.scope(), &worktree.path, &base, at)?;
        self.trash_files(worktree, &taken)
    }

    /// Removes untracked files and says what still differs. What custody cannot have seen goes to the trash.
    fn clean(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        at: &Sha,
    ) -> Result<Vec<StatusEntry>, GitError> {
        let left = self.beside_modules(private, at)?;
        if left.is_empty() {
            return Ok(left);
        }
        for nested in left.iter().filter(|entry| entry.is_nested_repository()) {
            let from = worktree.path.join(&nested.path);
            move_to_trash(&from, &self.record_dir().join("trash"), &format!("{}-nested", worktree.name()))?;
        }
        let mut unseen = Vec::new();
        for entry in left.iter().filter(|entry| entry.kind() == DirtyKind::Untracked) {
            if !entry.is_nested_repository() && !self.has_bytes_of(&worktree.path.join(&entry.path))? {
                unseen.push(entry.path.clone());
            }
        }
        self.trash_files(worktree, &unseen)?;
        Git::new(private.scope(), "clean").args(["-ffdq", "--", "."]).run()?;
        self.beside_modules(private, at)
    }

    /// Makes the lane's directory, its `.git` file and its git directory usable again, without looking at the files.
    /// `at` is where HEAD goes if it is lost.
    fn repair(&self, worktree: &Worktree, at: &Sha) -> Result<(), GitError> {
        let path = &worktree.path;
        if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
            return Err(GitError::PathOccupied { path: path.clone() });
        }
        std::fs::create_dir_all(path).map_err(GitError::io("created", path))?;
        self.repair_gitfile(worktree)?;
        let admin = &worktree.admin;
        if !admin.is_dir() {
            let _administration = self.administer()?;
            return self.make_admin(worktree, at);
        }
        let gitfile = [path.join(".git").as_os_str().as_bytes(), b"\n"].concat();
        for (name, content) in [("gitdir", gitfile.as_slice()), ("commondir", b"../..\n")] {
            let file = admin.join(name);
            if plain_file::read(&file, plain_file::MOST_BYTES).ok().as_deref() != Some(content) {
                replace_file(&file, content)?;
            }
        }
        for name in STATE {
            remove_any(&admin.join(name))?;
        }
        Ok(())
    }

    /// Makes sure that the lane's `.git` is the file that it should be. A directory in its place (a repository that an
    /// agent made there) goes to the trash.
    fn repair_gitfile(&self, worktree: &Worktree) -> Result<(), GitError> {
        let file = worktree.path.join(".git");
        let line = gitfile_line(&worktree.admin);
        match std::fs::symlink_metadata(&file) {
            Ok(found)
                if found.is_file()
                    && plain_file::read(&file, plain_file::MOST_BYTES).ok().as_deref() == Some(&line) =>
            {
                return Ok(());
            }
            // A crash may have cut the line short; anything else was put there by somebody.
            Ok(found)
                if found.is_file()
                    && plain_file::read(&file, plain_file::MOST_BYTES)
                        .is_ok_and(|there| line.starts_with(&there)) =>
            {
                remove_file(&file)?;
            }
            Ok(_) => {
                let trash = self.record_dir().join("trash");
                move_to_trash(&file, &trash, &format!("{}-dotgit", worktree.name()))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(GitError::io("read", &file)(error)),
        }
        replace_file(&file, &line)
    }
}

/// Sets HEAD and the agent's index, once the files are right.
pub(super) fn finish(private: &Private<'_>, worktree: &Worktree, at: &Sha) -> Result<(), GitError> {
    let there = matches!(worktree.head_file()?, HeadFile::Commit(found) if found == *at);
    if !there {
        replace_file(&worktree.admin.join("HEAD"), format!("{at}\n").as_bytes())?;
    }
    private.repo().hand_out_cone(private, worktree)?;
    private.hand_out_index(at)
}

/// Removes a file, a link or a directory that may not be there.
pub(super) fn remove_any(path: &Path) -> Result<(), GitError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path).map_err(GitError::io("removed", path)),
        Ok(_) => remove_file(path),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(GitError::io("read", path)(error)),
    }
}
