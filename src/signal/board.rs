//! Where everything on the noticeboard stands, and how it is put up.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::folder::{self, Durable, Stood};
use super::kind::Folder;
use crate::id::{LaneId, TaskId};

/// What was being done to a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Making a directory.
    Create,
    /// Reading a file or a directory.
    Read,
    /// Writing a file.
    Write,
    /// Moving a file or directory.
    Move,
    /// Removing a file.
    Remove,
    /// Making it outlive a crash.
    Sync,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "make directory",
            Self::Read => "read",
            Self::Write => "write",
            Self::Move => "move",
            Self::Remove => "remove",
            Self::Sync => "sync",
        })
    }
}

/// Why the noticeboard, or the record of its files, could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The system refused.
    #[error("failed to {deed} {}", path.display())]
    Io {
        /// What was tried.
        deed: Deed,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory is not there (any more): put the board up and try again.
    #[error("{} is not there", path.display())]
    Gone {
        /// The directory.
        path: PathBuf,
    },
    /// Something that is not a directory stands where Laneway needs one.
    #[error("{} is not a directory; move it away", path.display())]
    InTheWay {
        /// What stands there.
        path: PathBuf,
    },
}

impl BoardError {
    pub(super) fn io(deed: Deed, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { deed, path: path.to_path_buf(), source: source.into() }
    }
}

/// What [`Board::put_up`] and [`Board::put_up_attempt`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a directory that was made again has to be watched again"]
pub struct PutUp {
    /// Directories that were not there and are now.
    pub created: Vec<PathBuf>,
    /// Paths where something else than a directory stands; left as they are.
    pub in_the_way: Vec<PathBuf>,
}

impl PutUp {
    fn directory(&mut self, root: &Path, path: PathBuf) -> Result<(), BoardError> {
        let stood = folder::make_dir(root, &path)?;
        self.note(path, &stood);
        Ok(())
    }

    /// Like [`PutUp::directory`] for one whose parent was put up just now, without walking down to it again.
    fn directory_in(&mut self, root: &Path, parent: &Stood, path: PathBuf) -> Result<Stood, BoardError> {
        let stood = match parent {
            Stood::Other => Stood::Other,
            Stood::Directory | Stood::Nothing => match folder::make_last(&path) {
                Ok(stood) => stood,
                // Somebody deletes at the same time, or it cannot be made; the walk finds out which.
                Err(_) => folder::make_dir(root, &path)?,
            },
        };
        self.note(path, &stood);
        Ok(stood)
    }

    fn note(&mut self, path: PathBuf, stood: &Stood) {
        match stood {
            Stood::Directory => {}
            Stood::Nothing => self.created.push(path),
            Stood::Other => self.in_the_way.push(path),
        }
    }
}

/// The noticeboard of one run: `<repo>/.laneway/<graph>/<n>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    root: PathBuf,
}

impl Board {
    /// The board at `root`, which need not exist.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `lanes/`.
    pub fn lanes_dir(&self) -> PathBuf {
        self.root.join("lanes")
    }

    /// The status files of `lane`.
    pub fn lane_dir(&self, lane: &LaneId) -> PathBuf {
        self.lanes_dir().join(lane.as_str())
    }

    /// What attempt `attempt` (from 1) of `task` reads and writes.
    pub fn attempt_dir(&self, task: &TaskId, attempt: u32) -> PathBuf {
        self.root.join("tasks").join(task.as_str()).join(attempt.to_string())
    }

    /// What the attempt's agent writes: its `LANEWAY_SIGNALS`.
    pub fn signals_dir(&self, task: &TaskId, attempt: u32) -> PathBuf {
        self.attempt_dir(task, attempt).join("signals")
    }

    /// Notes of other tasks to the attempt.
    pub fn inbox_dir(&self, task: &TaskId, attempt: u32) -> PathBuf {
        self.attempt_dir(task, attempt).join("inbox")
    }

    /// Answers to the attempt's questions, each named as its question.
    pub fn answers_dir(&self, task: &TaskId, attempt: u32) -> PathBuf {
        self.attempt_dir(task, attempt).join("answers")
    }

    /// What the attempt's agent is given to read.
    pub fn context_dir(&self, task: &TaskId, attempt: u32) -> PathBuf {
        self.attempt_dir(task, attempt).join("context")
    }

    /// What reviewer `round` (from 1) of the attempt's work reads and writes.
    pub fn review_dir(&self, task: &TaskId, attempt: u32, round: u32) -> PathBuf {
        self.attempt_dir(task, attempt).join(format!("review-{round}"))
    }

    /// What that reviewer writes: its `LANEWAY_SIGNALS`.
    pub fn review_signals_dir(&self, task: &TaskId, attempt: u32, round: u32) -> PathBuf {
        self.review_dir(task, attempt, round).join("signals")
    }

    /// Requests to the run.
    pub fn control_dir(&self) -> PathBuf {
        self.root.join("control")
    }

    /// Requests whose event is durable.
    pub fn taken_dir(&self) -> PathBuf {
        self.control_dir().join("taken")
    }

    /// Makes the directories of the board that are missing; any number of times.
    pub fn put_up(&self, lanes: &[LaneId]) -> Result<PutUp, BoardError> {
        let mut up = PutUp::default();
        let fixed = [self.lanes_dir(), self.root.join("tasks"), self.control_dir(), self.taken_dir()];
        for dir in fixed.into_iter().chain(lanes.iter().map(|lane| self.lane_dir(lane))) {
            up.directory(&self.root, dir)?;
        }
        Ok(up)
    }

    /// Makes the directories of an attempt that are missing; any number of times. All of them at once and before
    /// the agent starts: a file in a directory that is watched only after it was seen has raised no notice.
    pub fn put_up_attempt(&self, task: &TaskId, attempt: u32) -> Result<PutUp, BoardError> {
        let mut up = PutUp::default();
        let attempt_dir = folder::make_dir(&self.root, &self.attempt_dir(task, attempt))?;
        let read =
            [self.context_dir(task, attempt), self.inbox_dir(task, attempt), self.answers_dir(task, attempt)];
        for dir in read {
            up.directory_in(&self.root, &attempt_dir, dir)?;
        }
        let signals = self.signals_dir(task, attempt);
        let stood = up.directory_in(&self.root, &attempt_dir, signals.clone())?;
        for folder in Folder::ALL {
            up.directory_in(&self.root, &stood, signals.join(folder.name()))?;
        }
        Ok(up)
    }

    /// Makes the directories of a review that are missing; any number of times.
    pub fn put_up_review(&self, task: &TaskId, attempt: u32, round: u32) -> Result<PutUp, BoardError> {
        let mut up = PutUp::default();
        let dir = folder::make_dir(&self.root, &self.review_dir(task, attempt, round))?;
        let signals = self.review_signals_dir(task, attempt, round);
        let stood = up.directory_in(&self.root, &dir, signals.clone())?;
        for folder in Folder::ALL {
            up.directory_in(&self.root, &stood, signals.join(folder.name()))?;
        }
        Ok(up)
    }

    /// Writes a file of the board so that a reader sees all of it or nothing. Its directory is made if it is
    /// missing. Not synced: the board can be put up again from the record.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), BoardError> {
        let dir = folder::parent(path);
        match folder::make_dir(&self.root, dir)? {
            Stood::Other => Err(BoardError::InTheWay { path: dir.to_path_buf() }),
            Stood::Directory | Stood::Nothing => folder::replace(path, bytes, Durable::No),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at real files")]
mod tests {
    use std::fs;

    use super::*;

    fn board() -> (tempfile::TempDir, Board) {
        let dir = tempfile::tempdir().unwrap();
        let board = Board::new(dir.path().join(".laneway/shop/1"));
        (dir, board)
    }

    #[test]
    fn p24_the_board_is_put_up_again_after_any_part_was_deleted() {
        let (_dir, board) = board();
        let lanes = [LaneId::new("api").unwrap(), LaneId::new("ui").unwrap()];
        let task = TaskId::new("types").unwrap();
        let first = board.put_up(&lanes).unwrap();
        assert_eq!(first.created.len(), 6);
        assert_eq!(board.put_up(&lanes).unwrap(), PutUp::default());
        assert_eq!(board.put_up_attempt(&task, 1).unwrap().created.len(), 9);
        fs::remove_dir_all(board.signals_dir(&task, 1)).unwrap();
        assert_eq!(board.put_up_attempt(&task, 1).unwrap().created.len(), 6);
        fs::remove_dir_all(board.root().parent().unwrap().parent().unwrap()).unwrap();
        assert_eq!(board.put_up(&lanes).unwrap(), first);
    }

    #[test]
    fn p24_the_board_is_put_up_while_somebody_deletes_it() {
        let (_dir, board) = board();
        let lanes = [LaneId::new("api").unwrap()];
        std::thread::scope(|scope| {
            let deleting = scope.spawn(|| {
                for _ in 0..200 {
                    // The outcome does not matter: the other thread makes directories in what is being removed.
                    _ = fs::remove_dir_all(board.root());
                }
            });
            while !deleting.is_finished() {
                // Losing eight times in a row is possible; a wrong kind of error is not.
                if let Err(BoardError::Io { source, .. }) = board.put_up(&lanes) {
                    let raced = [io::ErrorKind::NotFound, io::ErrorKind::AlreadyExists];
                    assert!(raced.contains(&source.kind()), "{source}");
                }
            }
        });
        _ = board.put_up(&lanes).unwrap();
        assert!(board.lane_dir(&lanes[0]).is_dir());
    }

    #[test]
    fn what_is_no_directory_is_named_and_left_alone() {
        let (_dir, board) = board();
        let task = TaskId::new("types").unwrap();
        _ = board.put_up_attempt(&task, 1).unwrap();
        let concerns = board.signals_dir(&task, 1).join("concerns");
        fs::remove_dir(&concerns).unwrap();
        std::os::unix::fs::symlink("/tmp", &concerns).unwrap();
        let up = board.put_up_attempt(&task, 1).unwrap();
        assert_eq!(up.in_the_way, std::slice::from_ref(&concerns));
        assert!(concerns.is_symlink());
        let error = board.write_file(&concerns.join("x"), b"text").unwrap_err();
        assert!(matches!(error, BoardError::InTheWay { .. }), "{error}");
    }

    #[test]
    fn what_stands_above_the_board_and_is_no_directory_is_named() {
        for depth in 0..3 {
            let (_dir, board) = board();
            let path = board.root().ancestors().nth(depth).unwrap();
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a file").unwrap();
            let error = board.put_up(&[]).unwrap_err();
            assert!(matches!(&error, BoardError::InTheWay { path: found } if found == path), "{error:?}");
        }
    }

    #[test]
    fn below_a_link_nothing_of_an_attempt_is_made() {
        let (dir, board) = board();
        let task = TaskId::new("types").unwrap();
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        _ = board.put_up(&[]).unwrap();
        let task_dir = board.attempt_dir(&task, 1).parent().unwrap().to_path_buf();
        std::os::unix::fs::symlink(&elsewhere, &task_dir).unwrap();
        assert_eq!(board.put_up_attempt(&task, 1).unwrap().in_the_way.len(), 9);
        fs::remove_file(&task_dir).unwrap();
        fs::create_dir_all(board.attempt_dir(&task, 1)).unwrap();
        std::os::unix::fs::symlink(&elsewhere, board.signals_dir(&task, 1)).unwrap();
        let up = board.put_up_attempt(&task, 1).unwrap();
        assert_eq!((up.created.len(), up.in_the_way.len()), (3, 6));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn a_written_file_is_whole_and_leaves_nothing_beside_it() {
        let (_dir, board) = board();
        let path = board.root().join("tasks/types/1/task.json");
        board.write_file(&path, b"one").unwrap();
        board.write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
