//! Letting go of what stores, and the user's repositories of submodules, hold for lanes of runs that are over.

use std::path::{Component, Path};

use super::along::Own;
use super::store::KEPT;
use crate::git::command::Git;
use crate::git::{GitError, Repo};
use crate::id::Sha;

impl Repo {
    /// Drops the refs that hold commits of submodules for lanes, where the commit is held otherwise: in the record's repository where
    /// the user's has it under any ref or its origin has it, in the user's where a branch, a tag or its origin has it. What is held nowhere else stays.
    /// Not while a run is under way.
    pub fn sweep_submodules(&self) -> Result<(), GitError> {
        self.sweep_stores(&self.common_dir().join("modules"))
    }

    fn sweep_stores(&self, clones: &Path) -> Result<(), GitError> {
        for store in self.all_stores()? {
            let own = store.clone_below(clones);
            if let Some(own) = &own {
                own.sweep()?;
            }
            for (name, commit) in store.list_refs(KEPT)? {
                let by_user = own.as_ref().map_or(Ok(false), |own| own.holds(&commit, "refs/"))?;
                if by_user || store.is_from_afar(&commit) {
                    store.delete_ref(&name, &commit)?;
                }
            }
            store.sweep_stores(clones)?;
        }
        Ok(())
    }

    /// The user's repository that this store is for, if it lies below `clones` without a link or a step back on the way. Where it
    /// lies is noted in the store, and agents can write there.
    fn clone_below(&self, clones: &Path) -> Option<Own> {
        let git_dir = self.clone_dir();
        let below = git_dir.strip_prefix(clones).ok()?;
        let goes_down =
            below != Path::new("") && below.components().all(|part| matches!(part, Component::Normal(_)));
        let real = clones.canonicalize().ok()?.join(below);
        let is_itself = git_dir.canonicalize().is_ok_and(|found| found == real);
        let has_objects = git_dir.join("objects").symlink_metadata().is_ok_and(|found| found.is_dir());
        (goes_down && is_itself && has_objects).then_some(Own { git_dir, checkout: None })
    }
}

impl Own {
    fn sweep(&self) -> Result<(), GitError> {
        let answer = Git::new(self.bare_scope(), "for-each-ref")
            .args(["--format=%(refname) %(objectname)", KEPT])
            .run()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        for (name, commit) in text.lines().filter_map(|line| line.split_once(' ')) {
            let Ok(commit) = Sha::new(commit) else { continue };
            let mut held = false;
            for prefix in ["refs/heads/", "refs/remotes/", "refs/tags/"] {
                held = held || self.holds(&commit, prefix)?;
            }
            if held {
                Git::new(self.bare_scope(), "update-ref").args(["-d", name, commit.as_str()]).run()?;
            }
        }
        Ok(())
    }
}
