//! Room on the disk of the worktrees: what a lane takes, what those take that are being made, and what stays free.
//!
//! A lane is not begun where there is no room for it. While others are being made it waits for them, as what they take in the end
//! is only then known; else nobody here can say what would make room, and the loop is asked
//! ([`NoRoom`]).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Context;
use super::effects::chain;
use crate::git::{LaneFiles, Shape};
use crate::id::{LaneId, Sha};
use crate::plan::Share;
use crate::state::State;
use crate::view::size;

/// What stays free for the journal and everything else, in bytes, where the disk is not a small one.
const RESERVE: u64 = 64 << 20;
/// The part of a small disk that stays free.
const PART: u64 = 16;
/// What a file takes in an index, in bytes; there are two, the agent's and ours.
const INDEXED: u64 = 256;
/// What a lane takes that shares its files with others.
const SNAPSHOT: Need = Need { bytes: 1 << 20, files: 0 };
/// How many times a lane has to fit that is made ahead of its time, for what is built in it and beside it.
const TIMES: u64 = 4;

/// Why a lane is not begun: what it takes, what is free, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoRoom {
    pub(super) what: String,
}

/// What is about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Need {
    bytes: u64,
    files: u64,
}

impl Need {
    fn of(lane: LaneFiles) -> Self {
        let files = (lane.files + lane.dirs) as u64;
        Self { bytes: lane.bytes + lane.files as u64 * INDEXED, files }
    }

    fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), files: self.files.saturating_add(other.files) }
    }

    fn times(self, times: u64) -> Self {
        Self { bytes: self.bytes.saturating_mul(times), files: self.files.saturating_mul(times) }
    }
}

/// What a disk has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    free: u64,
    reserve: u64,
    /// `None` where the file system has no fixed number of them.
    files: Option<u64>,
}

impl Left {
    /// `None` where nobody can say; the making of the lane will.
    fn at(root: &Path) -> Option<Self> {
        let standing = root.ancestors().find(|part| part.exists())?;
        let disk = rustix::fs::statvfs(standing).ok().filter(|disk| disk.f_blocks > 0)?;
        let total = disk.f_blocks.saturating_mul(disk.f_frsize);
        Some(Self {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            reserve: RESERVE.min(total / PART),
            files: (disk.f_files > 0).then_some(disk.f_favail),
        })
    }

    fn holds(self, need: Need) -> bool {
        need.bytes.saturating_add(self.reserve) <= self.free
            && self.files.is_none_or(|files| need.files <= files)
    }
}

/// What is free where lanes are made, in bytes, and how many like `lane` can be begun there; `None` where nobody can say.
pub(super) fn fits(root: &Path, lane: LaneFiles) -> Option<(u64, u64)> {
    let (left, need) = (Left::at(root)?, Need::of(lane));
    let by_files = left.files.map_or(u64::MAX, |files| files / need.files.max(1));
    let by_bytes = left.free.saturating_sub(left.reserve) / need.bytes.max(1);
    Some((left.free, by_bytes.min(by_files)))
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: Mutex<Taken>,
    changed: Condvar,
    /// What lanes take; `None` where only git can say.
    needs: Mutex<HashMap<Holding, Option<Need>>>,
    /// How many lanes whose making was interrupted may be made on at once.
    resumable: AtomicUsize,
}

/// A commit, and the folders of it that are held.
type Holding = (Sha, Vec<String>);

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    by: BTreeMap<u64, Need>,
}

/// Room that is somebody's until this goes.
pub(super) struct Claim<'a> {
    claims: &'a Claims,
    number: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.lock().by.remove(&self.number);
        self.claims.changed.notify_all();
    }
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, taken: &mut Taken, need: Need) -> Claim<'_> {
        taken.next += 1;
        taken.by.insert(taken.next, need);
        Claim { claims: self, number: taken.next }
    }

    /// Takes `need` where `root` has it beside what others are about to take.
    fn try_take(&self, need: Need, root: &Path) -> Result<Claim<'_>, Left> {
        let mut taken = self.lock();
        let all = taken.by.values().fold(need, |all, other| all.plus(*other));
        match Left::at(root) {
            Some(left) if !left.holds(all) => Err(left),
            _ => Ok(self.claim(&mut taken, need)),
        }
    }

    /// Waits until one of those who take room is done. Says whether there was any.
    fn wait(&self) -> bool {
        let taken = self.lock();
        if taken.by.is_empty() {
            return false;
        }
        drop(self.changed.wait(taken).unwrap_or_else(PoisonError::into_inner));
        true
    }

    /// Says how many lanes may be made on whose making was interrupted: as many as there are places.
    pub(super) fn set_places(&self, state: &State) {
        let places = usize::try_from(state.plan().settings.max_parallel).unwrap_or(usize::MAX);
        let taken = state.tasks.iter().filter(|task| task.is_live()).count();
        self.resumable.store(places.saturating_sub(taken), Ordering::SeqCst);
    }

    /// Whether one more of them may be.
    pub(super) fn may_resume(&self) -> bool {
        let one_less = |places: usize| places.checked_sub(1);
        self.resumable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

/// Takes the room that `lane` needs to be made at `at`. What an interrupted making of it has left goes, where the room
/// is not there otherwise. It may take as long as others need to be made.
pub(super) fn take<'a>(context: &'a Context, lane: &LaneId, at: &Sha) -> Result<Claim<'a>, NoRoom> {
    let root = &context.plan.places.worktrees;
    let mut abandoned = false;
    loop {
        // The loop has ended; what is begun now would be known to nobody.
        if let Some(what) = context.full.borrow().clone() {
            return Err(NoRoom { what });
        }
        let known = need_of(context, lane, at).unwrap_or_default();
        let left = match context.claims.try_take(known, root) {
            Ok(claim) => return Ok(claim),
            Err(left) => left,
        };
        // The first of those that share may have been made meanwhile.
        let need = if shares(context, lane, at) { SNAPSHOT } else { known };
        if let Ok(claim) = context.claims.try_take(need, root) {
            return Ok(claim);
        }
        if !std::mem::replace(&mut abandoned, true) {
            abandon(context, lane, at);
        } else if !context.claims.wait() {
            return Err(no_room(lane, root, need, left));
        }
    }
}

/// Takes away what an interrupted making of the lane has left; others wait for the room that it gives.
pub(super) fn abandon(context: &Context, lane: &LaneId, at: &Sha) {
    let claim = context.claims.claim(&mut context.claims.lock(), Need::default());
    let path = &context.lane(lane).worktree;
    if let Err(error) = context.project.repo.abandon(path, at) {
        tracing::warn!(error = chain(&error), path = %path.display(), "a half-made worktree stays");
    }
    drop(claim);
}

/// Takes the room for a lane that nobody waits for; `None` where it is better kept for others.
pub(super) fn spare<'a>(context: &'a Context, lane: &LaneId, at: &Sha) -> Option<Claim<'a>> {
    let root = &context.plan.places.worktrees;
    let whole = need_of(context, lane, at).unwrap_or_default();
    let need = whole.times(TIMES);
    let claim = context.claims.try_take(need, root).ok()?;
    context.claims.lock().by.insert(claim.number, whole);
    Some(claim)
}

/// What a lane takes, as found when the first of its commit was made; `None` where only git can say.
fn need_of(context: &Context, lane: &LaneId, at: &Sha) -> Option<Need> {
    let shape = context.shape(lane);
    let key = (at.clone(), shape.sparse.clone());
    // Held while it is found out, as lanes of a commit come together.
    let mut needs = context.claims.needs.lock().unwrap_or_else(PoisonError::into_inner);
    *needs.entry(key).or_insert_with(|| {
        if shares(context, lane, at) {
            return Some(SNAPSHOT);
        }
        // What is wrong with the commit is said by the making of the lane.
        context.project.repo.size_of_lane(at, &shape).ok().flatten().map(Need::of)
    })
}

/// Whether the lane shares files that are written already.
fn shares(context: &Context, lane: &LaneId, at: &Sha) -> bool {
    let Shape { share, sparse, .. } = context.shape(lane);
    let repo = &context.project.repo;
    let root = &context.plan.places.worktrees;
    let standing = root.ancestors().find(|part| part.exists()).unwrap_or(root);
    share == Share::Auto
        && sparse.is_empty()
        && repo.can_share(standing).is_ok()
        && repo.is_written_once(at).unwrap_or(false)
}

fn no_room(lane: &LaneId, root: &Path, need: Need, left: Left) -> NoRoom {
    let at = root.display();
    let what = match left.files {
        Some(files) if need.files > files => {
            format!("lane `{lane}` takes {} files and folders in {at}, where {files} can be made", need.files)
        }
        _ => format!(
            "lane `{lane}` takes about {} in {at}, where {} are free, of which {} stay free for the record",
            size(need.bytes),
            size(left.free),
            size(left.reserve)
        ),
    };
    NoRoom { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Left = Left { free: 1000, reserve: 100, files: Some(10) };

    #[test]
    fn a18_what_stays_free_counts_and_so_do_files() {
        let need = |bytes, files| Need { bytes, files };
        assert!(FULL.holds(need(900, 10)));
        assert!(!FULL.holds(need(901, 0)) && !FULL.holds(need(0, 11)));
        assert!(Left { files: None, ..FULL }.holds(need(0, u64::MAX)));
        assert!(!FULL.holds(need(1, 1).times(u64::MAX).plus(need(1, 1))), "nothing overflows");
    }

    #[test]
    fn a18_what_others_are_about_to_take_counts_until_they_have() {
        let claims = Claims::default();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("not/there/yet");
        let free = Left::at(&root).unwrap().free;
        let most = Need { bytes: free / 10 * 6, files: 0 };
        let first = claims.try_take(most, &root).ok().unwrap();
        assert!(claims.try_take(most, &root).is_err());
        drop(first);
        assert!(claims.try_take(most, &root).is_ok());
        assert!(!claims.wait(), "nobody takes anything");
    }

    #[test]
    fn a18_as_many_interrupted_lanes_go_on_as_there_are_places() {
        let claims = Claims::default();
        claims.resumable.store(2, Ordering::SeqCst);
        assert_eq!([(); 4].map(|()| claims.may_resume()), [true, true, false, false]);
    }
}
