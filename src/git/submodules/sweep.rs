//! Letting go of what stores, and the user's repositories of submodules, hold for lanes of runs that are over.

use std::path::Path;

use super::along::Own;
use super::store::KEPT;
use crate::git::command::Git;
use crate::git::{GitError, Repo, is_way_shut};
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

    /// The user's repository that this store is for, if it lies below `clones` without a link on the way. Where it lies is noted in the
    /// store, and agents can write there.
    fn clone_below(&self, clones: &Path) -> Option<Own> {
        let git_dir = self.clone_dir();
        let below = git_dir.strip_prefix(clones).ok()?.to_owned();
        let is_plain = |dir: &Path| dir.symlink_metadata().is_ok_and(|found| found.is_dir());
        let is_there =
            !is_way_shut(clones, &below) && is_plain(&git_dir) && is_plain(&git_dir.join("objects"));
        is_there.then_some(Own { git_dir, checkout: None })
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
