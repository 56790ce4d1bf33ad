//! Submodules in lanes, those in submodules too.
//!
//! A submodule in a lane is a worktree of its store ([`store`]), made, kept, reset and removed like a lane: whatever holds for a
//! lane's files holds for its. The user's clones and config are read at most. Which ones lie in a lane is noted in its
//! private git directory before the first of them is made, so that what a crash left is known.
//!
//! A lane's commit names the commits of its submodules, and only those count: what is not committed in a submodule is in no result. It
//! is in custody, where the submodule's entry is then the custody commit in its store.
#![expect(
    clippy::disallowed_methods,
    reason = "notes which submodules lie in a lane, and clears their places"
)]

mod along;
mod declared;
mod store;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use git2::{ObjectType, Oid, TreeWalkMode, TreeWalkResult};
use serde::{Deserialize, Serialize};

use super::objects::find_commit;
use super::private::Private;
use super::provision::move_to_trash;
use super::repo::{oid, replace_file, sha};
use super::reset::remove_any;
use super::restore::clear_way;
use super::shape::Shape;
use super::tree_state::{DirtyFile, DirtyKind, StatusEntry, status};
use super::{GitError, Repo, Worktree, is_way_shut};
use crate::id::Sha;
use crate::plan::Share;
pub use along::{LeftBehind, Why};
use declared::Submodule;

/// Where it is noted which submodules lie in a lane.
const FILE: &str = "submodules.json";
/// Of a store: where the user's clone of it is, or would be.
pub(super) const CLONE: &str = "clone";

/// A submodule that lies in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    /// From the lane's root.
    pub(super) path: String,
    /// The folder of its store.
    store: PathBuf,
}

/// One of them, with the means to do something about it.
pub(super) struct Module {
    pub(super) path: String,
    pub(super) store: Repo,
    pub(super) worktree: Worktree,
}

impl Placed {
    fn all(private: &Path) -> Result<Vec<Self>, GitError> {
        let path = private.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        serde_json::from_slice(&bytes).map_err(|error| GitError::io("read", &path)(error.into()))
    }

    fn note(all: &[Self], private: &Path) -> Result<(), GitError> {
        let path = private.join(FILE);
        let text = serde_json::to_vec(all).map_err(|error| GitError::io("written", &path)(error.into()))?;
        replace_file(&path, &text)
    }
}

/// Whether submodules of ours lie in the lane with this private git directory.
pub(super) fn are_in(private: &Path) -> bool {
    private.join(FILE).exists()
}

/// Whether an agent's link, or a file, stands where the submodule's folder or one above it should be. What lies beyond is
/// not the lane's: another lane's submodule, or anything else of the user's.
fn leads_elsewhere(lane: &Worktree, path: &str) -> bool {
    is_way_shut(&lane.path, Path::new(path)) || lane.path.join(path).is_symlink()
}

impl Repo {
    /// The submodules that lie in the lane.
    pub(super) fn modules(&self, worktree: &Worktree) -> Result<Vec<Module>, GitError> {
        let mut modules = Vec::new();
        for Placed { path, store } in Placed::all(&worktree.private(self))? {
            if leads_elsewhere(worktree, &path) {
                continue;
            }
            let store = self.store_at(&store);
            if let Some(worktree) = store.reopen(&worktree.path.join(&path))? {
                modules.push(Module { path, store, worktree });
            }
        }
        Ok(modules)
    }

    /// Brings the submodules of a lane, whose files are those of `at`, to what `at` has. Like a reset it destroys.
    pub(super) fn set_modules(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        at: &Sha,
    ) -> Result<(), GitError> {
        if !private.shape().submodules {
            return Ok(());
        }
        let before = Placed::all(private.dir())?;
        let wanted = self.submodules(at, private.cone().as_ref())?;
        if before.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        let mut stores = Vec::new();
        for one in &wanted {
            stores.push(self.store(one, &self.clones(one, worktree), private.shape().offline)?);
        }
        let place = |(one, store): (&Submodule, &Repo)| Placed {
            path: one.path.clone(),
            store: store.common_dir().to_owned(),
        };
        let after: Vec<Placed> = wanted.iter().zip(&stores).map(place).collect();
        let gone = before.iter().filter(|one| !after.contains(one));
        if before != after {
            Placed::note(&gone.clone().chain(&after).cloned().collect::<Vec<_>>(), private.dir())?;
        }
        for one in gone.clone() {
            self.drop_module(worktree, one)?;
        }
        for (one, store) in wanted.iter().zip(&stores) {
            self.set_module(private, worktree, one, store)?;
        }
        if gone.count() > 0 {
            Placed::note(&after, private.dir())?;
        }
        Ok(())
    }

    /// Takes submodules away that `at` does not have, before its files are written: they may be where these were.
    pub(super) fn drop_modules(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        at: &Sha,
    ) -> Result<(), GitError> {
        let before = Placed::all(private.dir())?;
        if before.is_empty() || !private.shape().submodules {
            return Ok(());
        }
        let wanted = self.submodules(at, private.cone().as_ref())?;
        let is_gone = |one: &&Placed| !wanted.iter().any(|other| other.path == one.path);
        before.iter().filter(is_gone).try_for_each(|one| self.drop_module(worktree, one))
    }

    /// What differs between the lane's files and `at`, but for the submodules that are brought to it after its files.
    pub(super) fn beside_modules(
        &self,
        private: &Private<'_>,
        at: &Sha,
    ) -> Result<Vec<StatusEntry>, GitError> {
        let mut entries = status(private, at)?;
        if private.shape().submodules && !entries.is_empty() {
            let modules = self.submodules(at, private.cone().as_ref())?;
            let is_one = |entry: &StatusEntry| modules.iter().any(|one| Path::new(&one.path) == entry.path);
            entries.retain(|entry| entry.kind() == DirtyKind::Untracked || !is_one(entry));
        }
        Ok(entries)
    }

    fn set_module(
        &self,
        private: &Private<'_>,
        lane: &Worktree,
        one: &Submodule,
        store: &Self,
    ) -> Result<(), GitError> {
        clear_way(&lane.path, Path::new(&one.path))?;
        let path = lane.path.join(&one.path);
        if std::fs::symlink_metadata(&path).is_ok_and(|found| !found.is_dir()) {
            remove_any(&path)?;
        }
        if let Some(found) = store.reopen(&path)? {
            store.keep_head(&found)?;
        }
        // A cone is about the paths of the lane's commit; git checks a submodule out in full.
        // A snapshot in a lane would be in the way of whoever moves or removes it.
        let shape = Shape { sparse: Vec::new(), share: Share::Never, ..private.shape().clone() };
        let worktree = match store.provision_as(&path, &one.commit, &shape) {
            // Files that nobody counts, as no repository was there.
            Err(GitError::PathOccupied { .. } | GitError::PathOfAnother { .. }) => {
                let name = format!("{}-submodule", lane.name());
                move_to_trash(&path, &self.record_dir().join("trash"), &name)?;
                store
                    .provision_as(&path, &one.commit, &shape)
                    .map_err(|error| seen_from_around(error, &one.path))?
            }
            other => other.map_err(|error| seen_from_around(error, &one.path))?,
        };
        store.set_to(&worktree, &one.commit).map_err(|error| seen_from_around(error, &one.path))
    }

    /// Holds on to the commit that a submodule in a lane is at.
    fn keep_head(&self, worktree: &Worktree) -> Result<(), GitError> {
        match self.head(worktree) {
            Ok(head) => self.keep_commit(&head.sha),
            Err(GitError::HeadUnborn { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn drop_module(&self, lane: &Worktree, one: &Placed) -> Result<(), GitError> {
        if leads_elsewhere(lane, &one.path) {
            return Ok(());
        }
        let store = self.store_at(&one.store);
        let path = lane.path.join(&one.path);
        if let Some(worktree) = store.reopen(&path)? {
            store.keep_head(&worktree)?;
            store.remove(&worktree, &self.record_dir().join("trash"))?;
        }
        Ok(())
    }

    /// Repositories on this machine that may have what a submodule needs: the user's clone, and one that an agent made.
    fn clones(&self, one: &Submodule, lane: &Worktree) -> Vec<PathBuf> {
        let parts = Path::new(&one.name).components();
        let is_plain =
            parts.clone().count() > 0 && parts.into_iter().all(|p| matches!(p, Component::Normal(_)));
        let mut clones = Vec::new();
        if is_plain {
            clones.push(self.clone_dir().join("modules").join(&one.name));
            clones.push(lane.admin.join("modules").join(&one.name));
        }
        if !self.is_bare() {
            clones.push(self.root().join(&one.path).join(".git"));
        }
        clones.push(lane.path.join(&one.path).join(".git"));
        clones.retain(|clone| clone.join("objects").is_dir());
        clones
    }

    /// The git directory of the user's that this is, or is a store for.
    pub(super) fn clone_dir(&self) -> PathBuf {
        let text = std::fs::read(self.common_dir().join(CLONE));
        let bytes = text.unwrap_or_default();
        if bytes.is_empty() {
            return self.common_dir().to_owned();
        }
        PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes))
    }

    /// What is not committed in the lane's submodules, by its path from the lane's root. Where `against` has files of its own in the
    /// place of one, they are the lane's.
    pub(super) fn dirty_in_modules(
        &self,
        worktree: &Worktree,
        against: &Sha,
    ) -> Result<Vec<DirtyFile>, GitError> {
        let mut files = Vec::new();
        for module in self.modules(worktree)? {
            let is_vendored = self.link_of(against, &module.path)?.is_none()
                && self.missing_paths(against, std::slice::from_ref(&module.path))?.is_empty();
            if !module.worktree.path.is_dir() || is_vendored {
                continue;
            }
            let head = match module.store.head(&module.worktree) {
                Ok(head) => head.sha,
                Err(GitError::HeadUnborn { .. }) => {
                    files.push(DirtyFile { path: module.path, kind: DirtyKind::Modified });
                    continue;
                }
                Err(error) => return Err(error),
            };
            for file in module.store.tree_state(&module.worktree, &head)?.files {
                files.push(DirtyFile { path: format!("{}/{}", module.path, file.path), kind: file.kind });
            }
        }
        Ok(files)
    }

    /// Keeps what lies in the lane's submodules and is not in `base`, each in its store under the same name, and returns the commit
    /// that stands for each of them.
    pub(super) fn custody_of_modules(
        &self,
        worktree: &Worktree,
        base: &Sha,
        ref_name: &str,
        reason: &str,
    ) -> Result<Vec<(String, Oid)>, GitError> {
        let mut kept = Vec::new();
        for module in self.modules(worktree)? {
            let recorded = self.link_of(base, &module.path)?;
            let known: Vec<Sha> = recorded.iter().cloned().collect();
            let name = module.store.free_name(ref_name)?;
            if let Some(commit) = module.store.custody(&module.worktree, &name, reason, &known)? {
                kept.push((module.path, oid(&commit)?));
                continue;
            }
            match module.store.head(&module.worktree) {
                Ok(head) if recorded.as_ref() != Some(&head.sha) => {
                    module.store.keep_commit(&head.sha)?;
                    kept.push((module.path, oid(&head.sha)?));
                }
                Ok(_) | Err(GitError::HeadUnborn { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// The first name like `name` that no ref has: a try that was cut off may have taken it.
    fn free_name(&self, name: &str) -> Result<String, GitError> {
        let mut free = name.to_owned();
        let mut number = 1;
        while self.read_ref(&free)?.is_some() {
            number += 1;
            free = format!("{name}.{number}");
        }
        Ok(free)
    }

    /// Brings a submodule in a lane to what custody kept of it.
    pub(super) fn restore_module(&self, worktree: &Worktree, path: &str, kept: &Sha) -> Result<(), GitError> {
        let modules = self.modules(worktree)?;
        let Some(module) = modules.into_iter().find(|module| module.path == path) else { return Ok(()) };
        let (head, files) = module.store.kept_parts(kept)?;
        module.store.keep_head(&module.worktree)?;
        module.store.set_to(&module.worktree, &head)?;
        if files {
            let _all = module.store.overlay(&module.worktree, kept, &[])?;
        }
        Ok(())
    }

    /// Forgets the submodules of a lane that is gone.
    pub(super) fn forget_modules(&self, worktree: &Worktree) -> Result<(), GitError> {
        for module in self.modules(worktree)? {
            module.store.keep_head(&module.worktree)?;
            module.store.forget_modules(&module.worktree)?;
            module.store.forget_worktree(&module.worktree)?;
        }
        Ok(())
    }

    /// Deletes the custody ref `name` if it is at `commit`, and with it what was kept under it of submodules, in their stores. That
    /// it is gone already is success.
    pub fn drop_custody(&self, name: &str, commit: &Sha) -> Result<(), GitError> {
        if self.read_ref(name)?.as_ref() == Some(commit) {
            // First, so that whoever is killed here finds the ref again.
            self.drop_custody_of_modules(name)?;
        }
        self.delete_ref(name, commit)
    }

    fn drop_custody_of_modules(&self, name: &str) -> Result<(), GitError> {
        let stores = self.all_stores()?;
        if stores.is_empty() {
            return Ok(());
        }
        let alike: BTreeMap<String, Sha> = self.refs_like(name)?.into_iter().collect();
        let mut others = BTreeSet::new();
        for commit in alike.iter().filter(|(other, _)| *other != name).map(|(_, commit)| commit) {
            self.links_of(commit, &mut others)?;
        }
        for store in stores {
            for (kept, at) in store.refs_like(name)? {
                let is_anothers = kept != name && alike.contains_key(&kept);
                if !is_anothers && !others.contains(&at) {
                    store.drop_custody(&kept, &at)?;
                }
            }
        }
        Ok(())
    }

    /// The ref `name` and those that [`Self::free_name`] may have made of it.
    fn refs_like(&self, name: &str) -> Result<Vec<(String, Sha)>, GitError> {
        let mut refs = self.list_refs(name)?;
        let is_end = |end: &str| end.chars().all(|c| c == '.' || c.is_ascii_digit());
        let is_alike = |end: &str| end.is_empty() || (end.starts_with('.') && is_end(end));
        refs.retain(|(other, _)| other.strip_prefix(name).is_some_and(is_alike));
        Ok(refs)
    }

    /// Adds the commits of all submodules in the tree of `at`.
    fn links_of(&self, at: &Sha, links: &mut BTreeSet<Sha>) -> Result<(), GitError> {
        let failed = || GitError::library("looking for kept submodules");
        self.with(|repo| {
            let tree = find_commit(repo, at)?.tree().map_err(failed())?;
            tree.walk(TreeWalkMode::PreOrder, |_, entry| {
                if entry.kind() == Some(ObjectType::Commit) {
                    links.insert(sha(entry.id()));
                }
                TreeWalkResult::Ok
            })
            .map_err(failed())
        })
    }
}

/// What went wrong in the submodule at `around`, with paths from the lane's root.
fn seen_from_around(error: GitError, around: &str) -> GitError {
    match error {
        GitError::Submodule { name, path, commit, detail, .. } => GitError::Submodule {
            name,
            path: format!("{around}/{path}"),
            outermost: around.to_owned(),
            commit,
            detail,
        },
        other => other,
    }
}
