//! Lane status files: for `ls` and `cat`, a projection of the journal, and a way for people to say something.
#![expect(clippy::disallowed_methods, reason = "signal is an IO module")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use super::board::{Board, BoardError, Deed};
use super::digest::digest;
use super::folder::{self, Durable, Stood};
use super::reject::{NodeKind, RejectReason};
use super::settle::Settle;
use super::steady::{Reading, Refusal, SteadyDir};
use crate::failpoint::{self, Point};
use crate::id::LaneId;

/// The most that is read of a status file, in bytes.
const LIMIT: u64 = 64 * 1024;

/// The status of a lane, in order of precedence: of several, the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneStatus {
    /// Not provisioned yet.
    Pending,
    /// Provisioned.
    Active,
    /// All of its tasks have landed.
    MergeReady,
    /// Its pull request is open; the file holds the URL.
    PrCreated,
    /// Its content is in the target.
    Merged,
    /// It cannot go on; the file holds the error.
    Failed,
    /// It was undone.
    Reset,
}

impl LaneStatus {
    /// Every status, the one that counts least first.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Active,
        Self::MergeReady,
        Self::PrCreated,
        Self::Merged,
        Self::Failed,
        Self::Reset,
    ];

    /// The name of its file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::MergeReady => "merge_ready",
            Self::PrCreated => "pr_created",
            Self::Merged => "merged",
            Self::Failed => "failed",
            Self::Reset => "reset",
        }
    }

    /// The status that the files present amount to; `None` where there is none.
    pub fn derive(present: impl IntoIterator<Item = Self>) -> Option<Self> {
        present.into_iter().max()
    }

    /// The bytes of a status file that says `text`: one line end after it.
    pub fn bytes(text: &str) -> Vec<u8> {
        format!("{}\n", text.trim_end()).into_bytes()
    }
}

/// What stands in place of a status file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file with this text; invalid UTF-8 is replaced.
    Text(String),
    /// A file of this size, too large to be read.
    TooLarge {
        /// In bytes.
        size: u64,
    },
    /// Not a file.
    Other(NodeKind),
    /// A file that the system did not let us read.
    Unreadable(io::ErrorKind),
}

/// A status file that somebody else made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Whose.
    pub lane: LaneId,
    /// Which.
    pub status: LaneStatus,
    /// SHA-256 of its bytes; of a description where it has none that can be read.
    pub digest: String,
    /// What it is.
    pub found: Found,
}

/// What [`project`] did and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a touch that is not judged stays where it is"]
pub struct Projection {
    /// Files that were written.
    pub written: Vec<LaneStatus>,
    /// Files that were removed.
    pub removed: Vec<LaneStatus>,
    /// Files of somebody else, still in place. Record them, then project again with their digests as judged.
    pub touched: Vec<Touched>,
    /// Files that may still be being written, still in place.
    pub unsettled: Vec<LaneStatus>,
}

/// Makes the status files of `lane` be exactly `wanted` (status to text).
///
/// A file with other bytes is replaced or removed only if its digest is in `judged`: it is an earlier projection of
/// this run, or its event is durable. Otherwise it is reported and stays, so that a crash cannot lose it. A file
/// that is missing is written again and never reported. Names that are no status are left alone.
pub fn project(
    board: &Board,
    lane: &LaneId,
    wanted: &BTreeMap<LaneStatus, String>,
    judged: &BTreeSet<String>,
    settle: Settle<'_>,
) -> Result<Projection, BoardError> {
    let path = board.lane_dir(lane);
    if let Stood::Other = folder::make_dir(board.root(), &path)? {
        return Err(BoardError::InTheWay { path });
    }
    let place = Place { dir: SteadyDir::open(&path)?, judged, settle };
    let mut out = Projection::default();
    // What is wanted comes first, so that a reader never finds a lane without a status.
    let (first, last): (Vec<_>, Vec<_>) = LaneStatus::ALL.into_iter().partition(|s| wanted.contains_key(s));
    for status in first.into_iter().chain(last) {
        let bytes = wanted.get(&status).map(|text| LaneStatus::bytes(text));
        match place.bring_about(status, bytes.as_deref())? {
            Outcome::Kept => {}
            Outcome::Written => out.written.push(status),
            Outcome::Removed => out.removed.push(status),
            Outcome::Unsettled => out.unsettled.push(status),
            Outcome::Touched { digest, found } => {
                out.touched.push(Touched { lane: lane.clone(), status, digest, found });
            }
        }
    }
    Ok(out)
}

/// The status files of `lane` that are there, with their texts.
pub fn read_lane(board: &Board, lane: &LaneId) -> Result<BTreeMap<LaneStatus, Found>, BoardError> {
    let dir = SteadyDir::open(&board.lane_dir(lane))?;
    let mut all = BTreeMap::new();
    for status in LaneStatus::ALL {
        if let Standing::There { found, .. } = inspect(&dir, status.file_name(), Settle::Ended) {
            all.insert(status, found);
        }
    }
    Ok(all)
}

enum Outcome {
    Kept,
    Written,
    Removed,
    Unsettled,
    Touched { digest: String, found: Found },
}

enum Standing {
    Nothing,
    Unsettled,
    There { digest: String, found: Found },
}

struct Place<'a> {
    dir: SteadyDir,
    judged: &'a BTreeSet<String>,
    settle: Settle<'a>,
}

impl Place<'_> {
    fn bring_about(&self, status: LaneStatus, bytes: Option<&[u8]>) -> Result<Outcome, BoardError> {
        let path = self.dir.path().join(status.file_name());
        match inspect(&self.dir, status.file_name(), self.settle) {
            Standing::Unsettled => return Ok(Outcome::Unsettled),
            Standing::There { digest: there, found: Found::Text(_) }
                if bytes.is_some_and(|wanted| digest(wanted) == there) =>
            {
                return Ok(Outcome::Kept);
            }
            Standing::There { digest, found } if !self.judged.contains(&digest) => {
                return Ok(Outcome::Touched { digest, found });
            }
            Standing::There { .. } if !self.take_away(&path)? => return Ok(Outcome::Unsettled),
            Standing::Nothing if bytes.is_none() => return Ok(Outcome::Kept),
            Standing::There { .. } | Standing::Nothing => {}
        }
        match bytes {
            None => Ok(Outcome::Removed),
            Some(bytes) if put(&path, bytes)? => Ok(Outcome::Written),
            Some(_) => Ok(Outcome::Unsettled),
        }
    }

    /// Removes what stands at `path`, unless it was replaced by something that nobody has judged.
    fn take_away(&self, path: &Path) -> Result<bool, BoardError> {
        let aside = folder::private_name(self.dir.path());
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            outcome => outcome.map_err(|e| BoardError::io(Deed::Move, path, e))?,
        }
        failpoint::pass(Point::StatusAside);
        let name = aside.file_name().expect("a private name has a last part").to_string_lossy();
        let ours = match inspect(&self.dir, &name, Settle::Ended) {
            Standing::There { digest, .. } => self.judged.contains(&digest),
            Standing::Nothing => true,
            Standing::Unsettled => false,
        };
        if !ours {
            move_unless_taken(&aside, path)?;
            return Ok(false);
        }
        discard(&aside)?;
        Ok(true)
    }
}

/// Writes `path` unless something stands there; says whether it did.
fn put(path: &Path, bytes: &[u8]) -> Result<bool, BoardError> {
    failpoint::write(Point::StatusWrite).map_err(|e| BoardError::io(Deed::Write, path, e))?;
    let private = folder::private_name(folder::parent(path));
    folder::replace(&private, bytes, Durable::No)?;
    let moved = move_unless_taken(&private, path)?;
    failpoint::pass(Point::StatusWritten);
    Ok(moved)
}

/// Moves the file `from` to `to` unless something stands there; in any case `from` is gone afterwards.
fn move_unless_taken(from: &Path, to: &Path) -> Result<bool, BoardError> {
    let linked = match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // A directory cannot be linked; it cannot take the place of a file by a rename either.
        Err(_) if from.is_dir() => fs::rename(from, to).map(|()| true),
        outcome => outcome.map(|()| true),
    };
    let linked = linked.map_err(|e| BoardError::io(Deed::Write, to, e))?;
    match fs::remove_file(from) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BoardError::io(Deed::Remove, from, error))
        }
        _ => Ok(linked),
    }
}

/// Removes a file or an empty directory; a directory that holds something is kept beside the status files.
fn discard(path: &Path) -> Result<(), BoardError> {
    let failed = |e| BoardError::io(Deed::Remove, path, e);
    if !fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        return fs::remove_file(path).map_err(failed);
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            let kept = folder::parent(path).join(format!("moved-{}", ulid::Ulid::generate()));
            fs::rename(path, kept).map_err(failed)
        }
        outcome => outcome.map_err(failed),
    }
}

fn inspect(dir: &SteadyDir, name: &str, settle: Settle<'_>) -> Standing {
    let name = OsStr::new(name);
    let described = |found: Found| {
        let digest = digest(format!("{found:?}").as_bytes());
        Standing::There { digest, found }
    };
    let file = match dir.file(name) {
        Ok(file) => file,
        Err(Refusal::Vanished) => return Standing::Nothing,
        Err(Refusal::Refused(reason)) => return described(unreadable(&reason)),
    };
    if !settle.accepts(&name.to_string_lossy(), file.changed()) {
        return Standing::Unsettled;
    }
    match file.bytes(LIMIT) {
        (Reading::Whole(content), bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Standing::There { digest: content.digest, found: Found::Text(text) }
        }
        (Reading::Unsettled, _) => Standing::Unsettled,
        (Reading::Refused(reason), _) => described(unreadable(&reason)),
    }
}

fn unreadable(reason: &RejectReason) -> Found {
    match reason {
        RejectReason::NotAFile { found } => Found::Other(*found),
        RejectReason::TooLarge { size, .. } => Found::TooLarge { size: *size },
        RejectReason::Unreadable { error } => Found::Unreadable(*error),
        _ => Found::Unreadable(io::ErrorKind::Other),
    }
}

#[cfg(test)]
mod tests;
