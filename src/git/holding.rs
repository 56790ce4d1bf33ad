//! What is being made is held by a ref before anything comes to depend on it, so that no branch ever names what the user's
//! housekeeping took away.
//!
//! `git gc --prune=now` removes every loose object that no ref, index or HEAD holds when it looks, however new. Between
//! the writing of objects and the ref that names them it can take them, and a ref that is set then makes the repository
//! a broken one. So: first the end of a gc that is at work, a look whether everything is there, a ref (under
//! `refs/laneway/making/`), and where a gc is at work again, all of it again. From then on every gc sees the ref. What was lost is
//! written again.

#![expect(clippy::disallowed_methods, reason = "reads the lock of git gc, and waiting is bounded by a clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use git2::Repository;
use rustix::process::{Pid, test_kill_process};

use super::objects::find_commit;
use super::refs::swap;
use super::repo::sha;
use super::{GitError, Repo};
use crate::id::Sha;
use crate::plain_file;

/// How long a gc is waited for; one that takes longer was looking at refs either long ago or not yet.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
/// How often something is made that is pruned while it is made.
const TRIES: u32 = 40;
/// What was never taken up is let go after a day, in seconds.
const STALE: i64 = 24 * 60 * 60;
/// Where commits are held that are being made.
const MAKING: &str = "refs/laneway/making/";

impl Repo {
    /// Runs `make`, which writes objects, and runs it again where the user's housekeeping took them from under it.
    pub fn unpruned<T>(&self, mut make: impl FnMut() -> Result<T, GitError>) -> Result<T, GitError> {
        let mut tries = 1;
        loop {
            match make() {
                Err(error) if tries < TRIES && error.is_of_a_lost_object() => {
                    tracing::debug!(%error, "made again");
                    self.outwait_gc();
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    /// Holds `commit` by a ref until [`Self::let_go`]; [`GitError::ObjectGone`] where part of it is missing already.
    pub(super) fn hold(&self, commit: &Sha) -> Result<(), GitError> {
        self.outwait_gc();
        self.assure_whole(commit)?;
        self.put_held(commit)?;
        // One that began just now has much to do before it looks at refs; one that is at work still may have looked.
        if !self.outwait_gc() {
            return Ok(());
        }
        let whole = self.assure_whole(commit);
        if whole.is_err() {
            self.let_go(commit);
        }
        whole
    }

    /// Whether all is there that the commit adds to its parents.
    fn assure_whole(&self, commit: &Sha) -> Result<(), GitError> {
        let parents =
            self.with(|repo| Ok(find_commit(repo, commit)?.parent_ids().map(sha).collect::<Vec<_>>()))?;
        self.assure_objects(commit, &parents)
    }

    /// Several may hold one commit, as lanes begin where another ends: who has set its own ref lets it go for all.
    fn put_held(&self, commit: &Sha) -> Result<(), GitError> {
        let mut tries = 1;
        loop {
            match self.with(|repo| swap(repo, &name_of(commit), None, commit)) {
                // It was there, and let go before it could be read.
                Err(GitError::RefMoved { found: None, .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.held_here().insert(commit.clone());
        Ok(())
    }

    /// Drops what holds `commit` since it was made: nothing is to come of it, or a later one that is held has it.
    pub fn let_go(&self, commit: &Sha) {
        self.held_here().remove(commit);
        self.drop_held(commit);
    }

    fn drop_held(&self, commit: &Sha) {
        if let Err(error) = self.with(|repo| drop_ref(repo, &name_of(commit))) {
            // It holds a little more than it has to, until it is swept.
            tracing::debug!(%error, "a commit is held on");
        }
    }

    /// Drops all that this process holds: nothing is under way that anything could come of.
    pub fn let_all_go(&self) {
        let held = std::mem::take(&mut *self.held_here());
        for commit in &held {
            self.drop_held(commit);
        }
    }

    /// What is held now, by whomever.
    pub fn held(&self) -> Result<Vec<Sha>, GitError> {
        Ok(self.list_refs(MAKING)?.into_iter().map(|(_, commit)| commit).collect())
    }

    /// Drops what has been held for a day: nothing came of it.
    pub fn sweep_held(&self) {
        if let Err(error) = self.with(sweep) {
            tracing::debug!(%error, "commits are held on");
        }
    }

    /// Waits for the end of a `git gc` that is at work now; says whether there was one.
    fn outwait_gc(&self) -> bool {
        let lock = self.common_dir().join("gc.pid");
        let start = Instant::now();
        let mut waited = false;
        while start.elapsed() < PATIENCE && is_held(&lock) {
            waited = true;
            std::thread::sleep(PAUSE);
        }
        waited
    }
}

/// Whether the process that the lock of gc names lives. A killed gc leaves its lock behind, and its number to others.
fn is_held(lock: &std::path::Path) -> bool {
    let Ok(text) = plain_file::read_text(lock, plain_file::MOST_BYTES) else { return false };
    let pid = text.split_whitespace().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    let is_git = |pid: &Pid| {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
        // Where no name can be had, living is enough.
        name.map_or(true, |name| name.starts_with("git"))
    };
    pid.filter(|pid| test_kill_process(*pid).is_ok()).as_ref().is_some_and(is_git)
}

fn name_of(commit: &Sha) -> String {
    format!("{MAKING}{commit}")
}

fn drop_ref(repo: &Repository, name: &str) -> Result<(), GitError> {
    match repo.find_reference(name).and_then(|mut held| held.delete()) {
        Err(error) if error.code() != git2::ErrorCode::NotFound => {
            Err(GitError::library("letting a commit go")(error))
        }
        _ => Ok(()),
    }
}

fn sweep(repo: &Repository) -> Result<(), GitError> {
    let failed = || GitError::library("listing what is held");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
    for held in repo.references_glob(&format!("{MAKING}*")).map_err(failed())? {
        let mut held = held.map_err(failed())?;
        let age = held.peel_to_commit().map_or(0, |commit| now - commit.time().seconds());
        if age > STALE {
            held.delete().map_err(failed())?;
        }
    }
    Ok(())
}
