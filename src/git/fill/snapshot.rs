//! Filling lanes with snapshots of a base.

use std::path::Path;

use super::difference::Difference;
use super::listing::Listing;
use super::{Filled, Job, Sources, stat_index, write};
use crate::git::share::{Age, Base, Bases, NotShared};
use crate::git::{GitError, Repo};
use crate::id::Sha;

/// A base is made from another one where at most one of so many paths differs. Of 20,000 files, writing those that differ took a
/// ninth of the time of writing all where 12 did, about half of it where an eighth or a quarter did, and as long where half did.
const PART: usize = 4;
/// So many paths may always differ: neither way takes long then.
const FEW: usize = 16;

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
        let made = match self.make_from_near(bases, &tree, listing) {
            Ok(Some(base)) => Ok(base),
            Ok(None) => self.make_whole(bases, &tree, listing),
            Err(error) => {
                tracing::debug!(%error, %tree, "its files are not made from those of another tree");
                self.make_whole(bases, &tree, listing)
            }
        };
        match made {
            Ok(base) => take(bases, &base, jobs, filled),
            Err(error) => tracing::debug!(%error, %tree, "lanes do not share their files"),
        }
    }

    /// Makes a base from the one that differs least from it. `None` where all differ too much.
    fn make_from_near(
        &self,
        bases: &Bases<'_>,
        tree: &Sha,
        listing: &Listing,
    ) -> Result<Option<Base>, NotShared> {
        let most = (listing.entries.len() / PART).max(FEW);
        let Some(near) = bases.near(tree, most)? else { return Ok(None) };
        let Some(known) = near.read_index()? else { return Ok(None) };
        let difference = Difference::new(&known, listing);
        let made = bases.make_from(&near, tree, |files, index| {
            finish(files, index, listing, difference.apply(self, files)?)
        });
        made.map(Some)
    }

    fn make_whole(&self, bases: &Bases<'_>, tree: &Sha, listing: &Listing) -> Result<Base, NotShared> {
        bases.make(tree, |files, index| {
            let ours = vec![true; listing.entries.len()];
            finish(files, index, listing, write::files(self, listing, &ours, &[files])?.remove(0))
        })
    }
}

/// Writes the index of a base.
fn finish(files: &Path, index: &Path, listing: &Listing, stats: write::Written) -> Result<(), NotShared> {
    let written = stats.and_then(|stats| stat_index::write(index, listing, &stats));
    written.map_err(NotShared::io("written", files))
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
