//! The one function that moves branches, with care for every checkout of them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::command::{Git, Scope};
use super::refs::{moved, patiently, read, swap};
use super::repo::oid;
use super::tree_state::parse_status;
use super::worktree::{admin_dirs, path_of_admin};
use super::{GitError, Repo};
use crate::failpoint::{self, Point};
use crate::id::Sha;
use crate::plain_file;

/// A worktree that has a branch checked out, or is in the middle of something with it.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) path: PathBuf,
    pub(super) git_dir: PathBuf,
    /// What is under way there that the branch must not move under.
    pub(super) operation: Option<&'static str>,
}

/// What moving a branch took along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advanced {
    /// Checkouts of the branch whose index and files were moved along.
    pub checkouts: Vec<PathBuf>,
}

impl Repo {
    /// Moves `branch_ref` (a full name) from `old` to `new`; `old = None` creates it.
    ///
    /// Every worktree's HEAD is read first. A checkout of the branch moves along when it has no uncommitted changes and
    /// no untracked file stands in the way, else nothing moves and [`GitError::CheckoutDirty`] or
    /// [`GitError::CheckoutInTheWay`] says why. A lost race is [`GitError::RefMoved`]. A branch that is at `new` already is left alone, so a repeat after a crash is harmless.
    pub fn advance(&self, branch_ref: &str, old: Option<&Sha>, new: &Sha) -> Result<Advanced, GitError> {
        let found = self.read_ref(branch_ref)?;
        if found.as_ref() == Some(new) {
            return Ok(Advanced::default());
        }
        if found.as_ref() != old {
            return Err(moved(branch_ref, old, found));
        }
        self.hold(new)?;
        let advanced = self.advance_to(branch_ref, old, new)?;
        self.let_go(new);
        Ok(advanced)
    }

    fn advance_to(&self, branch_ref: &str, old: Option<&Sha>, new: &Sha) -> Result<Advanced, GitError> {
        let checkouts = self.checkouts_of(branch_ref)?;
        match (old, checkouts.is_empty()) {
            (_, true) => {
                self.with_durable(|repo| swap(repo, branch_ref, old, new)).map(|()| Advanced::default())
            }
            (Some(old), false) => self.advance_with(branch_ref, old, new, checkouts),
            (None, false) => {
                let path = checkouts.into_iter().map(|checkout| checkout.path).next().unwrap_or_default();
                let operation = "a checkout without commits";
                Err(GitError::CheckoutBusy { path, branch: branch_ref.to_owned(), operation })
            }
        }
    }

    /// Files first, under the ref's lock: a crash in between leaves staged changes that equal `new`, and the repeat goes
    /// on from there. The other way round, the next `commit -a` in the checkout would revert the merged work.
    fn advance_with(
        &self,
        branch: &str,
        old: &Sha,
        new: &Sha,
        checkouts: Vec<Checkout>,
    ) -> Result<Advanced, GitError> {
        for checkout in &checkouts {
            if let Some(operation) = checkout.operation {
                let path = checkout.path.clone();
                return Err(GitError::CheckoutBusy { path, branch: branch.to_owned(), operation });
            }
        }
        let failed = || GitError::library("moving a branch");
        let target = oid(new)?;
        self.with_durable(|repo| {
            let mut transaction = repo.transaction().map_err(failed())?;
            patiently(repo, branch, Some(new), "locking a branch", || transaction.lock_ref(branch))?;
            let found = read(repo, branch)?;
            if found.as_ref() != Some(old) {
                return Err(moved(branch, Some(old), found));
            }
            failpoint::write(Point::RefMove).map_err(GitError::io("moved", Path::new(branch)))?;
            let mut done: Vec<&Checkout> = Vec::new();
            for checkout in &checkouts {
                if let Err(error) = self.move_files(checkout, branch, old, new) {
                    self.move_back(&done, branch, old, new)?;
                    return Err(error);
                }
                done.push(checkout);
            }
            failpoint::pass(Point::RefFiles);
            let committed =
                transaction.set_target(branch, target, None, "laneway").and_then(|()| transaction.commit());
            if let Err(error) = committed {
                self.move_back(&done, branch, old, new)?;
                return Err(failed()(error));
            }
            failpoint::pass(Point::RefMoved);
            Ok(())
        })?;
        Ok(Advanced { checkouts: checkouts.into_iter().map(|checkout| checkout.path).collect() })
    }

    fn move_back(&self, done: &[&Checkout], branch: &str, old: &Sha, new: &Sha) -> Result<(), GitError> {
        done.iter().try_for_each(|checkout| self.move_files(checkout, branch, new, old))
    }

    fn move_files(&self, checkout: &Checkout, branch: &str, old: &Sha, new: &Sha) -> Result<(), GitError> {
        let dirty = |files| {
            let path = checkout.path.clone();
            Err(GitError::CheckoutDirty { path, branch: branch.to_owned(), files })
        };
        let in_the_way = |files| {
            let path = checkout.path.clone();
            Err(GitError::CheckoutInTheWay { path, branch: branch.to_owned(), files })
        };
        let scope = Scope::Checkout {
            git_dir: &checkout.git_dir,
            common: self.common_dir(),
            work_tree: &checkout.path,
        };
        let changed = changed_since(scope, old, Modules::Commits)?;
        if !changed.is_empty() {
            // A crash between files and ref: the files are there already, and submodules come after the ref.
            let moved = changed_since(scope, new, Modules::Aside)?.is_empty();
            return if moved { Ok(()) } else { dirty(changed) };
        }
        let ignored = self.ignored_in_the_way(scope, &checkout.path, old, new)?;
        if !ignored.is_empty() {
            return in_the_way(ignored.iter().map(|path| path.to_string_lossy().into_owned()).collect());
        }
        let move_on = || Git::new(scope, "read-tree").args(["-m", "-u", old.as_str(), new.as_str()]).run();
        let mut moved = move_on();
        if matches!(&moved, Err(GitError::Failed { stderr, .. }) if stderr.contains("not uptodate")) {
            // In a copied checkout every file looks new to the index, although nothing differs. What does differ stays so.
            Git::new(scope, "update-index").args(["-q", "--refresh"]).accept(&[0, 1]).run()?;
            moved = move_on();
        }
        match moved {
            Err(GitError::Failed { code: Some(128), stderr, .. }) if would_clobber(&stderr) => {
                let files = named_files(&stderr);
                if stderr.to_lowercase().contains("untracked") { in_the_way(files) } else { dirty(files) }
            }
            other => other.map(drop),
        }
    }

    /// The worktrees whose HEAD is `branch_ref`, or that rebase or bisect it. Those whose directory is gone are left out.
    pub(super) fn checkouts_of(&self, branch_ref: &str) -> Result<Vec<Checkout>, GitError> {
        let mut found = Vec::new();
        // There are as many worktrees as lanes: where one is, is asked only of those that count.
        let mut look = |path: Option<&Path>, git_dir: PathBuf| -> Result<(), GitError> {
            let head = read_text(&git_dir.join("HEAD"))?;
            let on_branch =
                head.as_deref().is_some_and(|head| head.strip_prefix("ref: ") == Some(branch_ref));
            let operation =
                if on_branch { commit_pending(&git_dir) } else { under_way(&git_dir, branch_ref)? };
            if !on_branch && operation.is_none() {
                return Ok(());
            }
            let path = path.map_or_else(|| path_of_admin(&git_dir), |path| Ok(Some(path.to_owned())))?;
            if let Some(path) = path.filter(|path| path.is_dir()) {
                found.push(Checkout { path, git_dir, operation });
            }
            Ok(())
        };
        if !self.is_bare() {
            look(Some(self.root()), self.common_dir().to_owned())?;
        }
        for admin in admin_dirs(self.common_dir())? {
            look(None, admin)?;
        }
        Ok(found)
    }
}

/// What counts of submodules when a checkout is compared with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modules {
    /// The commits that they are at.
    Commits,
    /// Only the commits that the index has for them.
    Aside,
}

/// Tracked files that differ from `commit`, in the index or in the worktree, by their content. The index is not refreshed.
pub(super) fn changed_since(
    scope: Scope<'_>,
    commit: &Sha,
    modules: Modules,
) -> Result<Vec<String>, GitError> {
    let ignored = match modules {
        Modules::Commits => "--ignore-submodules=dirty",
        Modules::Aside => "--ignore-submodules=all",
    };
    // `status` finds what differs between index and files; `diff-index` what differs between commit and index.
    let status = Git::new(scope, "status")
        .args(["--porcelain", "-z", "--untracked-files=no", "--no-renames", ignored])
        .run()?;
    let mut files: Vec<String> = parse_status(&status.stdout)?
        .into_iter()
        .filter(|entry| entry.worktree != b' ')
        .map(|entry| entry.path.to_string_lossy().into_owned())
        .collect();
    let staged = Git::new(scope, "diff-index")
        .args(["--cached", "--name-only", "-z", "--no-renames", commit.as_str(), "--"])
        .run()?;
    files.extend(
        staged
            .stdout
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned()),
    );
    files.sort();
    files.dedup();
    Ok(files)
}

fn would_clobber(stderr: &str) -> bool {
    ["would be overwritten", "not uptodate", "would lose untracked", "would be removed", "needs update"]
        .iter()
        .any(|phrase| stderr.contains(phrase))
}

/// The files that `read-tree` names between quotes.
fn named_files(stderr: &str) -> Vec<String> {
    let quoted = |line: &str| line.split('\'').nth(1).map(str::to_owned);
    stderr.lines().filter_map(quoted).collect()
}

/// What the next commit in a checkout would conclude: moving its branch would give that commit a parent that nobody saw.
pub(super) fn commit_pending(git_dir: &Path) -> Option<&'static str> {
    let states =
        [("MERGE_HEAD", "a merge"), ("CHERRY_PICK_HEAD", "a cherry-pick"), ("REVERT_HEAD", "a revert")];
    states.into_iter().find(|(file, _)| git_dir.join(file).exists()).map(|(_, operation)| operation)
}

fn under_way(git_dir: &Path, branch_ref: &str) -> Result<Option<&'static str>, GitError> {
    let short = branch_ref.strip_prefix("refs/heads/").unwrap_or(branch_ref);
    let states = [
        ("rebase-merge/head-name", branch_ref, "a rebase"),
        ("rebase-apply/head-name", branch_ref, "a rebase"),
        ("BISECT_START", short, "a bisect"),
    ];
    for (file, name, operation) in states {
        if read_text(&git_dir.join(file))?.as_deref() == Some(name) {
            return Ok(Some(operation));
        }
    }
    Ok(None)
}

fn read_text(path: &Path) -> Result<Option<String>, GitError> {
    match plain_file::read(path, plain_file::MOST_BYTES) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(GitError::io("read", path)(error)),
    }
}
