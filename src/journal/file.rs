//! The journal file: create, open, append.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::chain::{LineHash, Position, check_body, push_line};
use super::error::{Damage, JournalError};
use super::read::read_from;
use super::record::sync_dir;
use super::replay::{Lines, Replay, Torn};
use super::scan::scan;
use crate::failpoint::{self, Point};

/// The name of the journal in a run's directory.
pub(super) const FILE_NAME: &str = "journal.jsonl";

/// What an opened journal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The file is never changed; a torn tail is left alone and not read.
    ReadOnly,
    /// A torn tail is saved and cut. The caller holds the lock of the graph.
    Append,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    ReadOnly,
    Ready,
    Poisoned,
}

/// One run's journal, open.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    end: Position,
    state: State,
    buffer: Vec<u8>,
}

/// What [`verify`] found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many lines hang together, from the first.
    pub lines: u64,
    /// The digest of the last of them.
    pub head: LineHash,
    /// Bytes behind them that are no line: a torn tail, or a write that is under way.
    pub torn_bytes: u64,
}

/// Checks the chain of the journal in `dir` from end to end and changes nothing.
///
/// # Errors
/// [`JournalError::Damaged`] names the first bad line.
pub fn verify(dir: &Path) -> Result<Verified, JournalError> {
    let (journal, replay) = Journal::open(dir, Mode::ReadOnly)?;
    Ok(Verified {
        lines: journal.end.lines,
        head: journal.end.head,
        torn_bytes: replay.torn.map_or(0, |torn| torn.bytes),
    })
}

impl Journal {
    /// Creates an empty journal in `dir`, which exists. The name is on disk when this returns.
    ///
    /// # Errors
    /// [`JournalError::Exists`] when there is one; it is never replaced.
    pub fn create(dir: &Path) -> Result<Journal, JournalError> {
        let path = dir.join(FILE_NAME);
        failpoint::write(Point::JournalCreate)
            .map_err(|source| JournalError::Open { path: path.clone(), source })?;
        let file = match OpenOptions::new().create_new(true).read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(JournalError::Exists { path });
            }
            Err(source) => return Err(JournalError::Open { path, source }),
        };
        file.sync_all().map_err(|source| JournalError::Sync { path: path.clone(), source })?;
        sync_dir(dir).map_err(|source| JournalError::Sync { path: dir.to_owned(), source })?;
        failpoint::pass(Point::JournalCreated);
        Ok(Journal { file, path, end: Position::START, state: State::Ready, buffer: Vec::new() })
    }

    /// Opens the journal in `dir` and checks its chain.
    ///
    /// A torn tail, which no well-formed line follows, is left out; with [`Mode::Append`] it is saved beside the
    /// journal as `journal.torn-<n>` and cut. Lines that a crashed writer had not synced yet are synced first.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when a bad line lies before a well-formed one; nothing is changed then.
    pub fn open(dir: &Path, mode: Mode) -> Result<(Journal, Replay), JournalError> {
        let path = dir.join(FILE_NAME);
        let file = open_existing(&path, mode)?;
        let mut bytes =
            read_from(&file, 0).map_err(|source| JournalError::Read { path: path.clone(), source })?;
        let end = scan(&bytes, Position::START).map_err(|fault| JournalError::Damaged {
            path: path.clone(),
            line: fault.line,
            reason: fault.reason,
        })?;
        let good = Position::START.span_to(&end);
        let torn = match (&bytes[good..], mode) {
            ([], _) => None,
            (tail, Mode::ReadOnly) => Some(Torn { bytes: tail.len() as u64, saved_as: None }),
            (tail, Mode::Append) => Some(set_aside(dir, &file, end.bytes, tail)?),
        };
        let state = match mode {
            Mode::ReadOnly => State::ReadOnly,
            Mode::Append => {
                file.sync_data().map_err(|source| JournalError::Sync { path: path.clone(), source })?;
                State::Ready
            }
        };
        bytes.truncate(good);
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(&path, &error))?;
        let journal = Journal { file, path, end, state, buffer: Vec::new() };
        Ok((journal, Replay { lines: Lines::new(text, end), torn }))
    }

    /// Appends one line a body with one write and one fdatasync; they are on disk when this returns `Ok`.
    ///
    /// A body is the text of a JSON object, in one line and without `prev`.
    ///
    /// # Errors
    /// [`JournalError::Body`] writes nothing and harms nothing. After every other error the journal is poisoned:
    /// whether the batch is on disk is known to nobody but the next [`Journal::open`].
    pub fn append(&mut self, bodies: &[String]) -> Result<(), JournalError> {
        check_bodies(bodies)?;
        self.append_checked(bodies.iter().map(String::as_str))
    }

    /// Appends bodies that passed [`check_bodies`].
    pub(super) fn append_checked<'a>(
        &mut self,
        bodies: impl Iterator<Item = &'a str>,
    ) -> Result<(), JournalError> {
        match self.state {
            State::Ready => {}
            State::ReadOnly => {
                return Err(JournalError::ReadOnly { path: self.path.clone() });
            }
            State::Poisoned => {
                return Err(JournalError::Poisoned { path: self.path.clone() });
            }
        }
        self.buffer.clear();
        let mut end = self.end;
        for body in bodies {
            end.head = push_line(&mut self.buffer, body, &end.head);
            end.lines += 1;
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        end.bytes += self.buffer.len() as u64;
        // Whatever goes wrong from here on, only the next open can say what the file holds.
        self.state = State::Poisoned;
        self.check_untouched()?;
        self.write_buffer()?;
        self.end = end;
        self.state = State::Ready;
        Ok(())
    }

    /// The place behind the last line.
    pub fn end(&self) -> Position {
        self.end
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another writer would break the chain, and lines in a deleted file are lost: both are found before the write.
    fn check_untouched(&self) -> Result<(), JournalError> {
        let now = self.file.metadata();
        let now = now.map_err(|source| JournalError::Read { path: self.path.clone(), source })?;
        if now.nlink() == 0 {
            return Err(JournalError::Deleted { path: self.path.clone() });
        }
        if now.len() != self.end.bytes {
            return Err(JournalError::Changed {
                path: self.path.clone(),
                expected: self.end.bytes,
                found: now.len(),
            });
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> Result<(), JournalError> {
        if let Err(source) = failpoint::write(Point::JournalWrite).and_then(|()| self.write_all()) {
            // A full disk takes the front of a batch. Nobody was told of these lines, so they go again; where
            // even that fails, the next open finds them whole or as a torn tail.
            _ = self.file.set_len(self.end.bytes);
            return Err(JournalError::Write { path: self.path.clone(), source });
        }
        failpoint::write(Point::JournalSync)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| JournalError::Sync { path: self.path.clone(), source })?;
        failpoint::pass(Point::JournalDurable);
        Ok(())
    }

    /// In one write, but where a test wants to come in between.
    fn write_all(&mut self) -> io::Result<()> {
        let first = if failpoint::is_armed() { self.buffer.len() / 2 } else { self.buffer.len() };
        self.file.write_all(&self.buffer[..first])?;
        failpoint::write(Point::JournalTorn)?;
        self.file.write_all(&self.buffer[first..])
    }
}

/// Checks that each body can be made a line.
pub(super) fn check_bodies(bodies: &[String]) -> Result<(), JournalError> {
    bodies
        .iter()
        .enumerate()
        .try_for_each(|(index, body)| check_body(body).map_err(|source| JournalError::Body { index, source }))
}

pub(super) fn open_existing(path: &Path, mode: Mode) -> Result<File, JournalError> {
    OpenOptions::new().read(true).append(mode == Mode::Append).open(path).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => JournalError::Missing { path },
            _ => JournalError::Open { path, source },
        }
    })
}

/// Saves `tail` beside the journal, on disk, and only then cuts it off at `end`.
fn set_aside(dir: &Path, file: &File, end: u64, tail: &[u8]) -> Result<Torn, JournalError> {
    let (path, mut copy) = new_torn_file(dir)?;
    let done = copy
        .write_all(tail)
        .and_then(|()| copy.sync_all())
        .and_then(|()| sync_dir(dir))
        .and_then(|()| file.set_len(end));
    match done {
        Ok(()) => Ok(Torn { bytes: tail.len() as u64, saved_as: Some(path) }),
        Err(source) => Err(JournalError::SetAside { path, source }),
    }
}

fn new_torn_file(dir: &Path) -> Result<(PathBuf, File), JournalError> {
    let mut number = 1_u32;
    loop {
        let path = dir.join(format!("journal.torn-{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(JournalError::SetAside { path, source }),
        }
    }
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> JournalError {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = memchr::memchr_iter(b'\n', good).count() as u64 + 1;
    JournalError::Damaged { path: path.to_owned(), line, reason: Damage::NotUtf8 }
}
