//! Named places at which a test has the program die, or a write fail.
//!
//! They stand on both sides of everything that is seen outside, in the program that ships: what is swept is what is
//! used. Nothing is set up unless [`arm`] finds its variables, and then a place costs one load. The `fail` crate would
//! take a lock at each place, is to be compiled out of what ships, and neither kills nor counts.
//!
//! | variable | meaning |
//! |---|---|
//! | `LANEWAY_TEST_CRASH_AT=point:n` | the process kills itself when it is at `point` for the n-th time |
//! | `LANEWAY_TEST_FAIL_AT=point:n:errno` | the n-th write at `point` fails with `ENOSPC`, `EDQUOT` or `EIO` |
//! | `LANEWAY_TEST_POINTS=file` | each point that is passed is appended to `file`, a line each |
//!
//! | `LANEWAY_TEST_BOOT_ID=id` | the machine has been started again: this names its boot |
//! | `LANEWAY_TEST_CLOCK=file` | the clock shows as many milliseconds more as `file` says, whenever it is read |
//!
//! The last two are heard in debug builds only: what ships asks the kernel and nobody else. Agents and gates get none.
#![expect(clippy::disallowed_methods, reason = "reads its variables and writes the list of points")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

const CRASH_AT: &str = "LANEWAY_TEST_CRASH_AT";
const FAIL_AT: &str = "LANEWAY_TEST_FAIL_AT";
const POINTS: &str = "LANEWAY_TEST_POINTS";
const BOOT_ID: &str = "LANEWAY_TEST_BOOT_ID";
const CLOCK: &str = "LANEWAY_TEST_CLOCK";

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)*) => {
        /// A place.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[$doc])* $point,)*
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Point] = &[$(Point::$point),*];

            /// Its name in the variables.
            pub fn name(self) -> &'static str {
                match self {
                    $(Point::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// Before the journal of a new run.
    JournalCreate = "journal.create",
    /// The journal of a new run is there.
    JournalCreated = "journal.created",
    /// Before a batch is appended.
    JournalWrite = "journal.write",
    /// Half of a batch is written.
    JournalTorn = "journal.torn",
    /// A batch is written and not synced.
    JournalSync = "journal.sync",
    /// A batch is durable, and nobody has seen it.
    JournalDurable = "journal.durable",
    /// A batch is durable and shown; what it intends has not begun.
    Published = "published",
    /// Before a file of the record, such as the plan.
    RecordWrite = "record.write",
    /// A file of the record is written under another name.
    RecordRename = "record.rename",
    /// A file of the record is in place.
    RecordWritten = "record.written",
    /// Before a file of the noticeboard.
    BoardWrite = "board.write",
    /// A file of the noticeboard is written under another name.
    BoardRename = "board.rename",
    /// A file of the noticeboard is in place.
    BoardWritten = "board.written",
    /// Before a status file.
    StatusWrite = "status.write",
    /// A status file is in place.
    StatusWritten = "status.written",
    /// A status file that is over is out of sight.
    StatusAside = "status.aside",
    /// Before a request is put aside.
    RequestTake = "request.take",
    /// A request is put aside.
    RequestTaken = "request.taken",
    /// Before a signal is copied into the record.
    SealCopy = "seal.copy",
    /// All signals are copied; the index is not written.
    SealIndex = "seal.index",
    /// Signals are sealed.
    Sealed = "seal.done",
    /// An effect begins.
    EffectBegin = "effect.begin",
    /// An effect is done, and its answer is known to nobody.
    EffectDone = "effect.done",
    /// Before the directory of a lane.
    WorktreeDir = "worktree.dir",
    /// The git directory of a lane is built aside.
    WorktreeAdmin = "worktree.admin",
    /// Git knows the lane.
    WorktreeKnown = "worktree.known",
    /// Before the files of a lane.
    WorktreeFiles = "worktree.files",
    /// The files of a new lane are written; nothing says so.
    WorktreeFilled = "worktree.filled",
    /// Before the files are written that lanes of a commit will share.
    BaseMake = "base.make",
    /// Before files of another commit are changed into those that lanes of a commit will share.
    BaseChange = "base.change",
    /// The files that lanes of a commit will share are written; nothing says so.
    BaseWritten = "base.written",
    /// Lanes of a commit can share its files.
    BaseMade = "base.made",
    /// Before the snapshot of a lane.
    SnapshotMake = "snapshot.make",
    /// The snapshot of a lane is made, aside.
    SnapshotMade = "snapshot.made",
    /// The snapshot is the lane.
    SnapshotTaken = "snapshot.taken",
    /// A lane is ready.
    WorktreeReady = "worktree.ready",
    /// Before a file of a git directory is replaced.
    GitFile = "git.file",
    /// Before a commit is written.
    CommitWrite = "commit.write",
    /// A commit that no ref names is written.
    CommitWritten = "commit.written",
    /// Before a ref moves.
    RefMove = "ref.move",
    /// The files of a checkout have moved; its branch has not.
    RefFiles = "ref.files",
    /// A ref has moved.
    RefMoved = "ref.moved",
    /// Before a ref is deleted.
    RefDelete = "ref.delete",
    /// A ref is deleted.
    RefDeleted = "ref.deleted",
    /// Before something is kept in custody.
    CustodyKeep = "custody.keep",
    /// Something is kept in custody.
    CustodyKept = "custody.kept",
    /// Before a lane is taken away.
    RemoveLane = "remove.lane",
    /// The files of a lane are out of sight.
    RemoveTrashed = "remove.trashed",
    /// The files of a lane are gone; git still knows it.
    RemoveForget = "remove.forget",
    /// A lane is gone.
    Removed = "remove.done",
    /// Before the claims of ports.
    PortsWrite = "ports.write",
    /// Ports are claimed, and no event tells of it.
    PortsWritten = "ports.written",
    /// Before a kept setup result is copied into a lane.
    SetupTake = "setup.take",
    /// A kept setup result is in a lane.
    SetupTaken = "setup.taken",
    /// Before the result of a setup command is kept.
    SetupKeep = "setup.keep",
    /// The result of a setup command is copied aside.
    SetupAside = "setup.aside",
    /// The result of a setup command is kept.
    SetupKept = "setup.kept",
    /// A lane is furnished, and nothing says so.
    FurnishNote = "furnish.note",
    /// It is noted that a lane is furnished.
    FurnishNoted = "furnish.noted",
    /// Before a push.
    Push = "push.send",
    /// A push was answered.
    Pushed = "push.sent",
    /// Before a process.
    ProcessStart = "process.start",
    /// A process runs, and no event tells of it.
    ProcessStarted = "process.started",
    /// Before a file of the local forge.
    ShelfWrite = "shelf.write",
    /// A file of the local forge is written under another name.
    ShelfRename = "shelf.rename",
    /// Before a pull request is opened.
    PrCreate = "pr.create",
    /// A pull request is open.
    PrCreated = "pr.created",
    /// Before a pull request is changed.
    PrUpdate = "pr.update",
    /// A pull request is changed.
    PrUpdated = "pr.updated",
    /// Before a comment.
    PrComment = "pr.comment",
    /// A comment is there.
    PrCommented = "pr.commented",
    /// Before a pull request is merged, or marked as merged.
    PrMerge = "pr.merge",
    /// A pull request is merged, or marked as merged.
    PrMerged = "pr.merged",
    /// Before GitHub is asked to change something.
    GitHubSend = "github.send",
    /// GitHub has answered.
    GitHubSent = "github.sent",
}

impl Point {
    fn named(name: &str) -> Option<Point> {
        Point::ALL.iter().copied().find(|point| point.name() == name)
    }
}

/// A variable of tests that makes no sense; it is better to end than to test nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} cannot be `{value}`")]
pub struct BadVariable {
    variable: &'static str,
    value: String,
}

/// What is to happen at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    point: Point,
    n: u64,
}

#[derive(Debug)]
struct Armed {
    crash: Option<At>,
    fail: Option<(At, Errno)>,
    list: Option<File>,
    boot_id: Option<String>,
    clock: Option<PathBuf>,
    passed: Vec<AtomicU64>,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Reads the variables of this process, once. Without any of them nothing is ever done.
///
/// # Errors
/// [`BadVariable`] when one names no point, no number or no error.
pub fn arm() -> Result<(), BadVariable> {
    let read = |variable: &'static str| {
        std::env::var_os(variable).map(|v| (variable, v.to_string_lossy().into_owned()))
    };
    let (crash, fail, list) = (read(CRASH_AT), read(FAIL_AT), read(POINTS));
    let pretended = |variable| read(variable).filter(|_| cfg!(debug_assertions)).map(|(_, value)| value);
    let (boot_id, clock) = (pretended(BOOT_ID), pretended(CLOCK).map(PathBuf::from));
    if crash.is_none() && fail.is_none() && list.is_none() && boot_id.is_none() && clock.is_none() {
        return Ok(());
    }
    let list = match list {
        None => None,
        Some((variable, value)) => {
            let file = OpenOptions::new().create(true).append(true).open(&value);
            Some(file.map_err(|_| BadVariable { variable, value })?)
        }
    };
    let armed = Armed {
        crash: crash.map(|given| understood(given, place)).transpose()?,
        fail: fail.map(|given| understood(given, failure)).transpose()?,
        list,
        boot_id,
        clock,
        passed: Point::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
    };
    // A second call finds the first one's word, which is the same.
    _ = ARMED.set(armed);
    Ok(())
}

fn understood<T>(
    (variable, value): (&'static str, String),
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, BadVariable> {
    parse(&value).ok_or(BadVariable { variable, value })
}

fn place(text: &str) -> Option<At> {
    let (point, n) = text.split_once(':')?;
    Some(At { point: Point::named(point)?, n: n.parse().ok().filter(|n| *n > 0)? })
}

fn failure(text: &str) -> Option<(At, Errno)> {
    let (at, errno) = text.rsplit_once(':')?;
    let errno = match errno {
        "ENOSPC" => Errno::NOSPC,
        "EDQUOT" => Errno::DQUOT,
        "EIO" => Errno::IO,
        _ => return None,
    };
    Some((place(at)?, errno))
}

/// What a test says is the name of this boot.
pub fn boot_id() -> Option<&'static str> {
    ARMED.get()?.boot_id.as_deref()
}

/// By how many milliseconds a test has set the clock; 0 where nobody has.
pub fn clock_step_ms() -> i64 {
    let file = ARMED.get().and_then(|armed| armed.clock.as_ref());
    let text = file.and_then(|file| std::fs::read_to_string(file).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Whether anything is set up at all.
pub fn is_armed() -> bool {
    ARMED.get().is_some()
}

/// Passes `point`, or does not come back.
pub fn pass(point: Point) {
    if let Some(armed) = ARMED.get() {
        _ = armed.pass(point);
    }
}

/// Passes `point` before a write.
///
/// # Errors
/// The one that a test has asked for.
pub fn write(point: Point) -> io::Result<()> {
    let Some(armed) = ARMED.get() else { return Ok(()) };
    let n = armed.pass(point);
    match armed.fail {
        Some((at, errno)) if at == (At { point, n }) => Err(errno.into()),
        _ => Ok(()),
    }
}

impl Armed {
    /// Returns how often `point` has been passed now.
    fn pass(&self, point: Point) -> u64 {
        let n = self.passed[point as usize].fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(mut list) = self.list.as_ref() {
            // Whoever sweeps misses the line; nothing else depends on it.
            _ = list.write_all(format!("{}\n", point.name()).as_bytes());
        }
        if self.crash == Some(At { point, n }) {
            die();
        }
        n
    }
}

/// Ends the process as the kernel does when it is out of memory: nothing of ours runs any more.
fn die() -> ! {
    _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        for point in Point::ALL {
            assert_eq!(Point::named(point.name()), Some(*point));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(place("push.send:2"), Some(At { point: Point::Push, n: 2 }));
        assert_eq!(failure("ref.move:1:EIO"), Some((At { point: Point::RefMove, n: 1 }, Errno::IO)));
        for text in ["push.send", "push.send:0", "push.send:x", "nowhere:1", ""] {
            assert_eq!(place(text), None, "{text}");
        }
        for text in ["ref.move:1", "ref.move:1:EPERM", "ENOSPC"] {
            assert_eq!(failure(text), None, "{text}");
        }
    }

    #[test]
    fn without_a_variable_nothing_happens() {
        assert!(!is_armed());
        pass(Point::Push);
        assert!(write(Point::JournalWrite).is_ok());
    }
}
