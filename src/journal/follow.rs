//! Reads a journal along with its writer.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::chain::Position;
use super::error::JournalError;
use super::file::{FILE_NAME, Mode, open_existing};
use super::read::read_from;
use super::scan::scan;

/// A reader that hands out complete lines as they come. The caller says when to look, for example when the file
/// was reported as modified.
///
/// A line can be seen before it is synced. Whoever acts on events is the writer; a follower only shows them.
#[derive(Debug)]
pub struct Follow {
    file: File,
    path: PathBuf,
    at: Position,
}

impl Follow {
    /// Follows the journal in `dir` from `at`, which is [`Position::START`] or the end of a replay.
    pub fn open(dir: &Path, at: Position) -> Result<Follow, JournalError> {
        let path = dir.join(FILE_NAME);
        let file = open_existing(&path, Mode::ReadOnly)?;
        Ok(Follow { file, path, at })
    }

    /// Returns the complete lines that came since the last call, with `prev` and without newline.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when they do not follow from what was read before; [`JournalError::Changed`]
    /// when what was read before is no longer in the file.
    pub fn read_new(&mut self) -> Result<Vec<String>, JournalError> {
        let failed = |source| JournalError::Read { path: self.path.clone(), source };
        let len = self.file.metadata().map_err(failed)?.len();
        if len < self.at.bytes {
            return Err(JournalError::Changed {
                path: self.path.clone(),
                expected: self.at.bytes,
                found: len,
            });
        }
        let mut bytes = read_from(&self.file, self.at.bytes).map_err(failed)?;
        let damaged = |line, reason| JournalError::Damaged { path: self.path.clone(), line, reason };
        let end = scan(&bytes, self.at).map_err(|fault| damaged(fault.line, fault.reason))?;
        bytes.truncate(self.at.span_to(&end));
        let text =
            String::from_utf8(bytes).map_err(|_| damaged(self.at.lines + 1, super::Damage::NotUtf8))?;
        self.at = end;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The place behind the last line that was handed out.
    pub fn position(&self) -> Position {
        self.at
    }
}
