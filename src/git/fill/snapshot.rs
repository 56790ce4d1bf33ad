//! Filling lanes with snapshots of a base.

use super::listing::Listing;
use super::{Filled, Job, Sources, stat_index, write};
use crate::git::share::{Age, Base, Bases, NotShared};
use crate::git::{GitError, Repo};
use crate::id::Sha;

impl Repo {
    /// The bases, where there can be any.
    pub(super) fn open_bases(&self, sources: &Sources) -> Option<Bases<'_>> {
        match Bases::open(self, sources) {
            Ok(bases) => Some(bases),
            Err(NotShared::FileSystem) => None,
            Err(error) => {
                tracing::debug!(%error, "lanes do not share their files");
                None
            }
        }
    }

    /// Fills those of the lanes that can be snapshots, where the base of their commit is there. `false` where it is not.
    pub(super) fn take_known(
        &self,
        bases: &Bases<'_>,
        commit: &Sha,
        jobs: &[Job],
        filled: &mut [Filled],
    ) -> Result<bool, GitError> {
        match bases.find(&self.tree_of(commit)?) {
            Ok(Some(base)) => {
                take(bases, &base, jobs, filled);
                return Ok(true);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, %commit, "its lanes do not share their files"),
        }
        Ok(false)
    }

    /// The same with a new base. All of `listing` is written as it is.
    pub(super) fn take_new(&self, bases: &Bases<'_>, listing: &Listing, jobs: &[Job], filled: &mut [Filled]) {
        if !jobs.iter().any(|job| bases.ensure_suits(job.empty()).is_ok()) {
            return;
        }
        let tree = crate::git::repo::sha(listing.tree());
        let made = bases.make(&tree, |files, index| {
            let ours = vec![true; listing.entries.len()];
            let stats = write::files(self, listing, &ours, &[files])?.remove(0);
            let written = stats.and_then(|stats| stat_index::write(index, listing, &stats));
            written.map_err(NotShared::io("written", files))
        });
        match made {
            Ok(base) => take(bases, &base, jobs, filled),
            Err(error) => tracing::debug!(%error, %tree, "lanes do not share their files"),
        }
    }
}

fn take(bases: &Bases<'_>, base: &Base, jobs: &[Job], filled: &mut [Filled]) {
    for (job, filled) in jobs.iter().zip(filled) {
        match bases.take(base, job.empty()) {
            Ok(Age::Grown) => *filled = Filled::Grown,
            Ok(Age::Young) => *filled = Filled::Whole,
            Err(error) => {
                tracing::debug!(%error, lane = %job.root.display(), "it does not share its files");
            }
        }
    }
}
