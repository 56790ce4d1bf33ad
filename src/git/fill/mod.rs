//! Writing the files of a brand-new lane, faster than `git` does it: where the file system can, as a snapshot of what was written
//! before ([`share`](super::share)); else every blob is decoded once and written to all the
//! lanes that wait for it, by several threads, and the index is written with the stat data of the files, so that the
//! first `git status` reads none of them.
//!
//! ```text
//! lanes that wait ──> queue ──> listing ──> conversion ──> write ──> stat_index
//!                     (who      (the tree)  (what only     (files)   (one index a lane)
//!                     leads)                git can write)
//! ```
//!
//! Whatever is not plain (filters, line ends, encodings, submodules, odd names, odd file systems) is left to
//! `git read-tree -u`, which finds everything else in place. So is everything that goes wrong here: git either can do it, or
//! says better what is in the way. A lane counts as made only once the whole of it is there.
//!
//! **mtimes are set back**, by [`SET_BACK`]: git does not believe stat data that is as young as its index and would read
//! every file again. That is right only here, where nothing was ever built: in a directory that is in use, `make` and
//! `cargo` would take stale results for good ones.

mod below;
mod conversion;
mod difference;
mod listing;
mod queue;
mod snapshot;
mod stat_index;
mod survey;
mod write;

pub(super) use conversion::Sources;
use queue::Lead;
pub(super) use queue::Queue;
pub use survey::{LaneFiles, LeftToGit, Survey, Writer};

use std::path::PathBuf;
use std::time::Duration;

use super::cone::Cone;
use super::private::Private;
use super::share::Empty;
use super::{GitError, Repo, Worktree, young};
use crate::id::Sha;
use crate::plan::Share;
use conversion::Conversion;
use listing::{Entry, Listing};
use write::Written;

/// How far mtimes are set back. More than the coarsest time stamp of a file system (2 s).
const SET_BACK: Duration = Duration::from_secs(5);
/// The most lanes that are written side by side: each holds a directory open in each thread, and its stat data in memory. With
/// more of them the file system jumps about between their directories, which costs it more than decoding once more.
const SIDE_BY_SIDE: usize = 8;

/// A lane that wants its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// Its directory, which holds nothing but `.git`.
    root: PathBuf,
    /// Where its private index goes.
    index: PathBuf,
    /// What it is to hold.
    commit: Sha,
    /// The part of it that it is to hold; `None`: all.
    cone: Option<Cone>,
    /// Whether its files may be shared with others.
    share: Share,
}

impl Job {
    fn empty(&self) -> Empty<'_> {
        Empty { root: &self.root, index: &self.index }
    }

    fn wants_the_same_as(&self, other: &Self) -> bool {
        self.commit == other.commit && self.cone == other.cone && self.share == other.share
    }
}

/// What was done for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// All of its files are there, and its index describes them.
    Whole,
    /// The same, and they are older than any edit of them can be.
    Grown,
    /// The rest, which may be all, is git's to write.
    Rest,
}

impl Repo {
    /// Writes the files of a lane that holds none, and its private index, which does not count yet: [`Private::settle`].
    pub(super) fn fill(
        &self,
        private: &Private<'_>,
        worktree: &Worktree,
        at: &Sha,
        share: Share,
    ) -> Result<Filled, GitError> {
        private.unsettle()?;
        private.set_young()?;
        let job = Job {
            root: worktree.path.clone(),
            index: private.index(),
            commit: at.clone(),
            cone: private.cone(),
            share,
        };
        let filled = self.fills().submit(job, |lead| self.fill_all(lead));
        if filled == Filled::Grown {
            private.set_grown()?;
        }
        Ok(filled)
    }

    fn fill_all(&self, lead: &mut Lead<'_>) -> Vec<Filled> {
        let filled = self.fill_alike(lead).unwrap_or_else(|error| {
            tracing::debug!(%error, commit = %lead.wanted().commit, "left to git");
            vec![Filled::Rest; lead.jobs().len()]
        });
        if filled.iter().any(|filled| *filled != Filled::Grown) {
            young::wait_for_next_tick();
        }
        filled
    }

    /// Fills lanes that are to hold the same. What has to be known before the first file is written is time for others to come.
    fn fill_alike(&self, lead: &mut Lead<'_>) -> Result<Vec<Filled>, GitError> {
        let Job { commit, cone, share, .. } = &lead.wanted().clone();
        let sources = Sources::of(self)?;
        let bases = match (share, cone) {
            (Share::Auto, None) => self.open_bases(&sources),
            _ => None,
        };
        let mut filled = vec![Filled::Rest; lead.jobs().len()];
        let known = match &bases {
            Some(bases) => self.take_known(bases, commit, lead.jobs(), &mut filled)?,
            None => false,
        };
        if filled.iter().all(|filled| *filled != Filled::Rest) {
            return Ok(filled);
        }
        let Some(mut listing) = self.with(|repo| Listing::of(repo, commit))? else { return Ok(filled) };
        if let Some(cone) = cone {
            listing.leave_out(cone);
        }
        let Conversion::Entries(ours) = conversion::plain(self, &sources, commit, &listing)? else {
            return Ok(filled);
        };
        let is_done = |(entry, plain): (&Entry, &bool)| *plain || entry.left_out;
        let whole = if listing.entries.iter().zip(&ours).all(is_done) { Filled::Whole } else { Filled::Rest };
        if !known {
            lead.take_on();
            filled.resize(lead.jobs().len(), Filled::Rest);
        }
        let jobs = lead.jobs();
        if let Some(bases) = bases.filter(|_| whole == Filled::Whole && !known) {
            self.take_new(&bases, &listing, jobs, &mut filled);
        }
        let left = jobs.iter().zip(&mut filled).filter(|(_, filled)| **filled == Filled::Rest);
        let (rest, outcomes): (Vec<&Job>, Vec<&mut Filled>) = left.unzip();
        if rest.is_empty() {
            return Ok(filled);
        }
        let roots: Vec<_> = rest.iter().map(|job| job.root.as_path()).collect();
        let written = write::files(self, &listing, &ours, &roots)?;
        let indexed = write_indexes(rest.iter().copied().zip(written), &listing);
        for ((job, outcome), done) in rest.iter().zip(outcomes).zip(indexed) {
            match done {
                Ok(()) => *outcome = whole,
                Err(error) => tracing::debug!(%error, lane = %job.root.display(), "left to git"),
            }
        }
        Ok(filled)
    }
}

/// Side by side, as an index of a large tree is megabytes to put together and to digest.
fn write_indexes<'a>(
    lanes: impl Iterator<Item = (&'a Job, Written)>,
    listing: &Listing,
) -> Vec<std::io::Result<()>> {
    std::thread::scope(|scope| {
        let one = |(job, stats): (&'a Job, Written)| {
            scope.spawn(move || stat_index::write(&job.index, listing, &stats?))
        };
        let all: Vec<_> = lanes.map(one).collect();
        all.into_iter().map(|one| one.join().expect("threads do not panic")).collect()
    })
}

#[cfg(test)]
pub(super) mod tests;
