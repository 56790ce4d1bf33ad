//! Submodules in the user's checkouts go along with a branch that was moved under them.
//!
//! Without that, a merged lane that moves a submodule would leave it behind in the checkout, as changed: the next `git commit -a`
//! there would take the move back. And a commit that an agent made in a submodule would be nowhere but in the record. So
//! first that commit is brought into the user's own repository of the submodule, held by a ref; then what is checked out goes to
//! it as `git submodule update` would have it go, where nobody has done anything there. Nothing is reached through a link.
#![expect(clippy::disallowed_methods, reason = "looks at the submodules of the user's checkouts")]

use std::path::{Path, PathBuf};

use super::declared::Submodule;
use super::store::{KEPT, LOCAL};
use crate::git::advance::{Modules, changed_since, commit_pending};
use crate::git::command::{Git, Scope};
use crate::git::{GitError, Repo, is_way_shut};
use crate::id::Sha;
use crate::plain_file;

/// A submodule in a checkout of the user's that is not as it should be after its branch was moved, and why.
#[derive(Debug)]
pub struct LeftBehind {
    /// Where it lies.
    pub path: PathBuf,
    /// The commit that the branch names now.
    pub commit: Sha,
    /// Why it is named.
    pub why: Why,
}

/// Why a submodule is named.
#[derive(Debug)]
pub enum Why {
    /// It was not at the commit that the branch named before.
    Elsewhere,
    /// It holds changes that are not committed, or git is in the middle of something there.
    Changed,
    /// What git says against it: untracked files are in its way, say.
    Failed(GitError),
    /// The user's config has it updated in another way than by checking out.
    Configured,
    /// The user has no repository of it, and the commit is in the record's only.
    NowhereElse {
        /// The record's repository of the submodule.
        store: PathBuf,
    },
    /// It is neither in the user's repository of it nor in the record's.
    Missing,
    /// It went along, but its origin does not have the commit as far as is known here.
    Unpushed,
}

impl std::fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, commit) = (self.path.display(), self.commit.short());
        let update = format!("`git submodule update` there brings it to {commit}");
        match &self.why {
            Why::Elsewhere => {
                write!(
                    f,
                    "submodule {path} was left alone, as it was not at the commit recorded before: {update}"
                )
            }
            Why::Changed => {
                write!(
                    f,
                    "submodule {path} was left alone, as it has changes: commit or stash them, then {update}"
                )
            }
            Why::Failed(error) => write!(f, "submodule {path} was left alone: {error}: {update}"),
            Why::Configured => {
                write!(
                    f,
                    "submodule {path} was left alone, as your config has another way to update it: {update}"
                )
            }
            Why::NowhereElse { store } => write!(
                f,
                "commit {commit} of submodule {path} is in {} only: `git --git-dir={0} push origin {}:refs/heads/<branch>` publishes it",
                store.display(),
                self.commit
            ),
            Why::Missing => {
                write!(f, "commit {commit} of submodule {path} is not on this machine: {update}")
            }
            Why::Unpushed => write!(
                f,
                "commit {commit} of submodule {path} is not known to be pushed: `git push origin {}:refs/heads/<branch>` there publishes it",
                self.commit
            ),
        }
    }
}

/// A repository whose submodules are looked at: the user's, or that of one of its submodules.
struct Around<'a> {
    /// What has its commits, and whose record has the stores of its submodules.
    known: &'a Repo,
    /// Where the user's repositories of its submodules lie.
    git_dir: &'a Path,
    /// Its checkout; `None` where it has none that may be touched.
    checkout: Option<&'a Path>,
    /// Whether it is, or lies in, the main worktree, which is the user's for sure.
    is_main: bool,
    /// Where it lies, to be told.
    shown: &'a Path,
}

/// The user's repository of a submodule.
pub(super) struct Own {
    pub(super) git_dir: PathBuf,
    /// Where it is checked out.
    pub(super) checkout: Option<PathBuf>,
}

impl Own {
    fn scope(&self) -> Scope<'_> {
        let work_tree = self.checkout.as_deref().unwrap_or(&self.git_dir);
        Scope::Checkout { git_dir: &self.git_dir, common: &self.git_dir, work_tree }
    }

    pub(super) fn bare_scope(&self) -> Scope<'_> {
        Scope::Common { common: &self.git_dir, cwd: &self.git_dir }
    }

    /// Whether a ref of its whose name begins with `prefix` holds the commit.
    pub(super) fn holds(&self, commit: &Sha, prefix: &str) -> Result<bool, GitError> {
        // Code 129: there is no such commit.
        let answer = Git::new(self.bare_scope(), "for-each-ref")
            .args(["--count=1", "--format=%(refname)", "--contains", commit.as_str(), prefix])
            .accept(&[0, 1, 128, 129])
            .run()?;
        Ok(answer.code == 0 && !answer.line().is_empty())
    }

    fn head(&self) -> Result<Option<String>, GitError> {
        let answer = Git::new(self.bare_scope(), "rev-parse")
            .args(["--verify", "--quiet", "HEAD^{commit}"])
            .accept(&[0, 1, 128])
            .run()?;
        Ok(Some(answer.line()).filter(|line| !line.is_empty()))
    }

    fn is_busy(&self) -> bool {
        let states = ["rebase-merge", "rebase-apply", "BISECT_START"];
        commit_pending(&self.git_dir).is_some() || states.iter().any(|file| self.git_dir.join(file).exists())
    }
}

impl Repo {
    /// Takes the submodules of the user's checkouts of `branch_ref` along, after that was moved from `old` to `new`, and returns
    /// those that somebody has to look at. To repeat it is harmless.
    pub fn take_modules_along(
        &self,
        branch_ref: &str,
        old: &Sha,
        new: &Sha,
    ) -> Result<Vec<LeftBehind>, GitError> {
        let mut left = Vec::new();
        let mut is_main_there = false;
        for checkout in self.checkouts_of(branch_ref)? {
            let is_main = checkout.git_dir == self.common_dir();
            is_main_there |= is_main;
            if self.is_lane(&checkout.git_dir) {
                continue;
            }
            let around = Around {
                known: self,
                git_dir: &checkout.git_dir,
                checkout: checkout.operation.is_none().then_some(checkout.path.as_path()),
                is_main,
                shown: &checkout.path,
            };
            around.take_along(old, new, &mut left)?;
        }
        if !is_main_there {
            // Nothing of it is checked out, but what was made is to be in the user's repositories.
            let root = self.root();
            let around = Around {
                known: self,
                git_dir: self.common_dir(),
                checkout: None,
                is_main: true,
                shown: root,
            };
            around.take_along(old, new, &mut left)?;
        }
        Ok(left)
    }
}

impl Around<'_> {
    fn take_along(&self, old: &Sha, new: &Sha, left: &mut Vec<LeftBehind>) -> Result<(), GitError> {
        for one in self.known.submodules(new, None)? {
            let before = self.known.link_of(old, &one.path)?;
            if before.as_ref() == Some(&one.commit) {
                continue;
            }
            if let Err(error) = self.take_one(&one, before.as_ref(), left) {
                let path = self.shown.join(&one.path);
                left.push(LeftBehind { path, commit: one.commit, why: Why::Failed(error) });
            }
        }
        Ok(())
    }

    fn take_one(
        &self,
        one: &Submodule,
        before: Option<&Sha>,
        left: &mut Vec<LeftBehind>,
    ) -> Result<(), GitError> {
        let shown = self.shown.join(&one.path);
        let mut tell = |why| left.push(LeftBehind { path: shown.clone(), commit: one.commit.clone(), why });
        let store = self.known.store_with(one)?;
        let Some(own) = self.own(one) else {
            // Without a repository of the user's the commit is where it was, but it may be nowhere else.
            if let Some(store) = store.filter(|store| !store.is_from_afar(&one.commit)) {
                tell(Why::NowhereElse { store: store.common_dir().to_owned() });
            }
            return Ok(());
        };
        if !own.holds(&one.commit, "refs/")? {
            let Some(store) = &store else {
                tell(Why::Missing);
                return Ok(());
            };
            bring(store, &own, &one.commit)?;
        }
        if let Some(why) = self.check_out(&own, one, before)? {
            tell(why);
        } else if !own.holds(&one.commit, "refs/remotes/")? {
            tell(Why::Unpushed);
        }
        if let (Some(store), Some(before)) = (&store, before)
            && store.has_commit(before)?
        {
            let moved = own.head()?.as_deref() == Some(one.commit.as_str());
            let inner = Around {
                known: store,
                git_dir: &own.git_dir,
                checkout: own.checkout.as_deref().filter(|_| moved),
                is_main: self.is_main,
                shown: &shown,
            };
            inner.take_along(before, &one.commit, left)?;
        }
        Ok(())
    }

    /// Checks the commit out where the submodule is as it was recorded; says why it did not.
    fn check_out(&self, own: &Own, one: &Submodule, before: Option<&Sha>) -> Result<Option<Why>, GitError> {
        let Some(head) = own.checkout.as_ref().map(|_| own.head()).transpose()? else { return Ok(None) };
        if head.as_deref() == Some(one.commit.as_str()) {
            return Ok(None);
        }
        let Some(before) = before.filter(|before| head.as_deref() == Some(before.as_str())) else {
            return Ok(Some(Why::Elsewhere));
        };
        if own.is_busy() || !changed_since(own.scope(), before, Modules::Commits)?.is_empty() {
            return Ok(Some(Why::Changed));
        }
        if self.is_updated_otherwise(one)? {
            return Ok(Some(Why::Configured));
        }
        let checked_out = Git::new(own.scope(), "checkout")
            .args([
                "--quiet",
                "--detach",
                "--no-overwrite-ignore",
                "--no-recurse-submodules",
                one.commit.as_str(),
            ])
            .run();
        match checked_out {
            Ok(_) => Ok(None),
            Err(error @ GitError::Failed { .. }) => Ok(Some(Why::Failed(error))),
            Err(error) => Err(error),
        }
    }

    /// Whether the user's config wants submodules merged or rebased, or left alone, when they are updated.
    fn is_updated_otherwise(&self, one: &Submodule) -> Result<bool, GitError> {
        let answer = Git::new(Scope::Common { common: self.git_dir, cwd: self.git_dir }, "config")
            .args(["--get", &format!("submodule.{}.update", one.name)])
            .accept(&[0, 1])
            .run()?;
        Ok(answer.code == 0 && answer.line() != "checkout")
    }

    /// The user's repository of a submodule, and whether it is what is checked out in its place.
    fn own(&self, one: &Submodule) -> Option<Own> {
        let name = Path::new("modules").join(&one.name);
        let is_plain = |dir: &Path| dir.symlink_metadata().is_ok_and(|found| found.is_dir());
        let absorbed = self.git_dir.join(&name);
        let is_repository = |dir: &Path| is_plain(dir) && is_plain(&dir.join("objects"));
        let absorbed = (!is_way_shut(self.git_dir, &name) && is_repository(&absorbed)).then_some(absorbed);
        let path = self.checkout.filter(|root| !is_way_shut(root, Path::new(&one.path)));
        let path = path.map(|root| root.join(&one.path)).filter(|path| is_plain(path));
        let dot_git = path.as_ref().map(|path| path.join(".git"));
        // Of old, a submodule had its repository in its own folder.
        if let Some(inside) = dot_git.clone().filter(|dir| self.is_main && is_repository(dir)) {
            return Some(Own { git_dir: inside, checkout: path });
        }
        let git_dir = absorbed?;
        let checkout = path.filter(|_| dot_git.is_some_and(|file| leads_to(&file, &git_dir)));
        Some(Own { git_dir, checkout })
    }
}

impl Repo {
    /// The store of a submodule, if it has the commit.
    fn store_with(&self, one: &Submodule) -> Result<Option<Self>, GitError> {
        let Some(store) = self.made_store(one) else { return Ok(None) };
        Ok(store.has_commit(&one.commit)?.then_some(store))
    }

    /// Whether a worktree's git directory is that of a lane, which is its agent's.
    fn is_lane(&self, git_dir: &Path) -> bool {
        let name = git_dir.file_name().unwrap_or_default();
        git_dir != self.common_dir() && self.record_dir().join("index").join(name).is_dir()
    }

    /// Whether this store knows the commit from where the submodule comes from.
    pub(super) fn is_from_afar(&self, commit: &Sha) -> bool {
        let own = Own { git_dir: self.common_dir().to_owned(), checkout: None };
        own.holds(commit, "refs/remotes/").is_ok_and(|holds| holds)
    }
}

/// Fetches the commit out of the record into the user's repository, to a ref, so that no housekeeping takes it.
fn bring(store: &Repo, own: &Own, commit: &Sha) -> Result<(), GitError> {
    store.keep_commit(commit)?;
    let quietly =
        ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
    Git::configured(own.bare_scope(), "fetch", LOCAL)
        .args(quietly)
        .arg(store.common_dir())
        .arg(format!("{KEPT}{commit}:{KEPT}{commit}"))
        .run()
        .map(drop)
}

/// Whether a `.git` file names this git directory.
fn leads_to(file: &Path, git_dir: &Path) -> bool {
    let Ok(text) = plain_file::read_text(file, plain_file::MOST_BYTES) else { return false };
    let named =
        text.trim_end().strip_prefix("gitdir: ").zip(file.parent()).map(|(to, around)| around.join(to));
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    named.is_some_and(|named| real(&named).is_some_and(|named| real(git_dir) == Some(named)))
}
