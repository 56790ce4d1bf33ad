//! What an opened journal holds.

use std::path::PathBuf;

use super::chain::Position;

/// The lines of a journal, and what was set aside to get at them.
#[derive(Debug)]
pub struct Replay {
    /// The good lines, oldest first.
    pub lines: Lines,
    /// The torn tail, if there was one.
    pub torn: Option<Torn>,
}

/// The end of a journal that a crash left half-written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Its length in bytes.
    pub bytes: u64,
    /// The copy beside the journal; `None` when it was opened for reading, which changes nothing.
    pub saved_as: Option<PathBuf>,
}

/// The checked lines of a journal in one buffer.
#[derive(Debug)]
pub struct Lines {
    text: String,
    end: Position,
}

impl Lines {
    pub(super) fn new(text: String, end: Position) -> Lines {
        Lines { text, end }
    }

    /// Each line with its `prev` and without its newline, oldest first.
    pub fn iter(&self) -> LineIter<'_> {
        LineIter { rest: &self.text }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.end.lines
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.end.lines == 0
    }

    /// The place behind the last line, from which [`Follow`](super::Follow) can go on.
    pub fn end(&self) -> Position {
        self.end
    }
}

impl<'a> IntoIterator for &'a Lines {
    type Item = &'a str;
    type IntoIter = LineIter<'a>;

    fn into_iter(self) -> LineIter<'a> {
        self.iter()
    }
}

/// Goes through [`Lines`] without a copy.
#[derive(Debug, Clone)]
pub struct LineIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for LineIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let at = memchr::memchr(b'\n', self.rest.as_bytes())?;
        let line = &self.rest[..at];
        self.rest = &self.rest[at + 1..];
        Some(line)
    }
}
