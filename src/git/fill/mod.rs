//! Writing the files of a brand-new lane, faster than `git` does it: every blob is decoded once and written to all the
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

mod conversion;
mod listing;
mod queue;
mod stat_index;
mod survey;
mod write;

pub(super) use queue::Queue;
pub use survey::{LaneFiles, LeftToGit, Survey, Writer};

use std::path::PathBuf;
use std::time::Duration;

use super::cone::Cone;
use super::private::Private;
use super::{GitError, Repo, Worktree, young};
use crate::id::Sha;
use conversion::Conversion;
use listing::{Entry, Listing};

/// How far mtimes are set back. More than the coarsest time stamp of a file system (2 s).
const SET_BACK: Duration = Duration::from_secs(5);
/// The most lanes that are written side by side: each holds a directory open in each thread, and its stat data in memory.
const SIDE_BY_SIDE: usize = 32;

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
}

/// What was done for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// All of its files are there, and its index describes them.
    Whole,
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
    ) -> Result<Filled, GitError> {
        private.unsettle()?;
        private.set_young()?;
        let job = Job {
            root: worktree.path.clone(),
            index: private.index(),
            commit: at.clone(),
            cone: private.cone(),
        };
        Ok(self.fills().submit(job, |jobs| self.fill_all(jobs)))
    }

    fn fill_all(&self, jobs: &[Job]) -> Vec<Filled> {
        let mut filled = vec![Filled::Rest; jobs.len()];
        let mut left: Vec<usize> = (0..jobs.len()).collect();
        while let Some(&first) = left.first() {
            let Job { commit, cone, .. } = &jobs[first];
            let (mut alike, others): (Vec<usize>, Vec<usize>) =
                left.into_iter().partition(|&job| jobs[job].commit == *commit && jobs[job].cone == *cone);
            left = others;
            left.extend(alike.drain(alike.len().min(SIDE_BY_SIDE)..));
            let of_commit: Vec<&Job> = alike.iter().map(|&job| &jobs[job]).collect();
            match self.fill_alike(commit, cone.as_ref(), &of_commit) {
                Ok(done) => {
                    for (job, done) in alike.into_iter().zip(done) {
                        filled[job] = done;
                    }
                }
                Err(error) => tracing::debug!(%error, %commit, "left to git"),
            }
        }
        young::wait_for_next_tick();
        filled
    }

    /// Fills lanes that are to hold the same.
    fn fill_alike(&self, commit: &Sha, cone: Option<&Cone>, jobs: &[&Job]) -> Result<Vec<Filled>, GitError> {
        let Some(mut listing) = self.with(|repo| Listing::of(repo, commit))? else {
            return Ok(vec![Filled::Rest; jobs.len()]);
        };
        if let Some(cone) = cone {
            listing.leave_out(cone);
        }
        let Conversion::Entries(ours) = conversion::plain(self, commit, &listing)? else {
            return Ok(vec![Filled::Rest; jobs.len()]);
        };
        let is_done = |(entry, plain): (&Entry, &bool)| *plain || entry.left_out;
        let whole = if listing.entries.iter().zip(&ours).all(is_done) { Filled::Whole } else { Filled::Rest };
        let roots: Vec<_> = jobs.iter().map(|job| job.root.as_path()).collect();
        let written = write::files(self, &listing, &ours, &roots)?;
        let outcome = |(job, stats): (&&Job, std::io::Result<Vec<_>>)| {
            let indexed = stats.and_then(|stats| stat_index::write(&job.index, &listing, &stats));
            indexed.map_or_else(
                |error| {
                    tracing::debug!(%error, lane = %job.root.display(), "left to git");
                    Filled::Rest
                },
                |()| whole,
            )
        };
        Ok(jobs.iter().zip(written).map(outcome).collect())
    }
}

#[cfg(test)]
mod tests;
