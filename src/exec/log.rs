//! The log of an attempt: kept small while it grows and when it is done, and read from its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;

/// How far from a cut the end of a line is looked for, in bytes.
const LINE_SEARCH: usize = 4096;
/// How much of the end is read to find the last line, in bytes.
const LAST_LINE_WINDOW: u64 = 4096;
/// How long the last line is at most, in characters.
const LAST_LINE_SHOWN: usize = 200;

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimit {
    /// Bytes from the beginning.
    pub head: u64,
    /// Bytes from the end.
    pub tail: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self { head: 4 << 20, tail: 4 << 20 }
    }
}

/// What bounding did to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSize {
    /// How much was written to it, in bytes.
    pub original: u64,
    /// How long it is now, in bytes.
    pub kept: u64,
}

/// A log cannot be read or bounded.
#[derive(Debug, thiserror::Error)]
#[error("cannot {} {}", action.as_str(), path.display())]
pub struct LogError {
    /// What was tried.
    pub action: LogAction,
    /// The log.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// What was tried with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAction {
    /// Reading it.
    Read,
    /// Replacing it by its head and tail.
    Bound,
    /// Giving its middle back to the file system.
    Trim,
}

impl LogAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Bound => "bound",
            Self::Trim => "trim",
        }
    }

    fn at(self, path: &Path) -> impl FnOnce(io::Error) -> LogError {
        move |source| LogError { action: self, path: path.to_owned(), source }
    }
}

/// Bounds a log that is complete: where it is longer than the limit, its middle is replaced by a line that says how
/// many bytes were left out. The cuts are at ends of lines where one is near. The file is replaced, never changed in
/// place, so that a process that still has it open cannot write into what is kept.
pub fn bound_log(path: &Path, limit: &LogLimit) -> Result<LogSize, LogError> {
    bound(path, limit).map_err(LogAction::Bound.at(path))
}

fn bound(path: &Path, limit: &LogLimit) -> io::Result<LogSize> {
    let mut file = File::open(path)?;
    let original = file.metadata()?.len();
    if original <= limit.head.saturating_add(limit.tail) {
        return Ok(LogSize { original, kept: original });
    }
    let mut head = Vec::new();
    (&mut file).take(limit.head).read_to_end(&mut head)?;
    head.truncate(head_cut(&head));
    let tail = read_from(&mut file, original - limit.tail, original)?;
    let tail = &tail[tail_cut(&tail)..];

    let left_out = original - head.len() as u64 - tail.len() as u64;
    let line_break = if head.last().is_none_or(|byte| *byte == b'\n') { "" } else { "\n" };
    let marker = format!("{line_break}[... {left_out} bytes left out ...]\n");
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut bounded = tempfile::NamedTempFile::new_in(directory)?;
    for part in [&head, marker.as_bytes(), tail] {
        bounded.write_all(part)?;
    }
    bounded.persist(path).map_err(|error| error.error)?;
    Ok(LogSize { original, kept: (head.len() + marker.len() + tail.len()) as u64 })
}

/// Gives the middle of a growing log back to the file system, without changing its length or what its writers see.
/// The log's middle then reads as zero bytes, until [`bound_log`] takes it out. Does nothing where the file system
/// cannot do so.
pub fn trim_live(path: &Path, limit: &LogLimit) -> Result<(), LogError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(LogAction::Trim.at(path))?;
    let length = file.metadata().map_err(LogAction::Trim.at(path))?.len();
    // The tail at the end of the run begins later than now, so all before it can go.
    match length.checked_sub(limit.head.saturating_add(limit.tail)) {
        None | Some(0) => Ok(()),
        Some(middle) => punch(&file, limit.head, middle).map_err(LogAction::Trim.at(path)),
    }
}

#[cfg(target_os = "linux")]
fn punch(file: &File, offset: u64, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
fn punch(_file: &File, _offset: u64, _length: u64) -> io::Result<()> {
    Ok(())
}

/// The last `count` lines that begin within the last `max_bytes` of a log, without escape sequences and control
/// characters. A missing log has no lines.
pub fn tail_lines(path: &Path, count: usize, max_bytes: u64) -> Result<Vec<String>, LogError> {
    let Some((text, whole)) = read_end(path, max_bytes).map_err(LogAction::Read.at(path))? else {
        return Ok(Vec::new());
    };
    let mut lines: Vec<String> = text.lines().map(plain).collect();
    if !whole && lines.len() > 1 {
        lines.remove(0);
    }
    Ok(lines.split_off(lines.len().saturating_sub(count)))
}

/// The last line of a log that is not blank, in the form of [`tail_lines`] and cut at 200 characters.
pub fn last_line(path: &Path) -> Result<Option<String>, LogError> {
    let end = read_end(path, LAST_LINE_WINDOW).map_err(LogAction::Read.at(path))?;
    Ok(end.and_then(|(text, _)| text.lines().rev().map(plain).find(|line| !line.trim().is_empty())).map(
        |line| {
            let line = line.trim();
            match line.char_indices().nth(LAST_LINE_SHOWN) {
                Some((cut, _)) => line[..cut].to_owned(),
                None => line.to_owned(),
            }
        },
    ))
}

/// The end of the file, and whether that is all of it.
fn read_end(path: &Path, max_bytes: u64) -> io::Result<Option<(String, bool)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let start = length.saturating_sub(max_bytes);
    let end = read_from(&mut file, start, length)?;
    Ok(Some((String::from_utf8_lossy(&end[tail_start(&end, start)..]).into_owned(), start == 0)))
}

fn read_from(file: &mut File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A terminal shows of a line what stands after its last carriage return; progress bars live on that.
fn plain(line: &str) -> String {
    let stripped = strip_str(line).to_string();
    let shown = stripped.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
    let mut text = String::with_capacity(shown.len());
    for c in shown.chars() {
        match c {
            '\t' => text.push_str("    "),
            c if c.is_control() || changes_direction(c) => {}
            c => text.push(c),
        }
    }
    text
}

/// Whether a character can make text read differently from what it says.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Where the head ends: after its last line, or else before a character that the cut would split.
fn head_cut(head: &[u8]) -> usize {
    let near = head.len().saturating_sub(LINE_SEARCH);
    if let Some(at) = head[near..].iter().rposition(|byte| *byte == b'\n') {
        return near + at + 1;
    }
    let last = head.len().saturating_sub(4);
    let Some(lead) = head[last..].iter().rposition(|byte| *byte & 0xc0 != 0x80).map(|at| last + at) else {
        return head.len();
    };
    // Only an unfinished character has no length of its own; other bytes that are no text are kept as they are.
    match std::str::from_utf8(&head[lead..]) {
        Err(error) if error.error_len().is_none() => lead,
        Ok(_) | Err(_) => head.len(),
    }
}

/// Where the tail begins: at its first line, or else at its first whole character.
fn tail_cut(tail: &[u8]) -> usize {
    let near = &tail[..tail.len().min(LINE_SEARCH)];
    near.iter().position(|byte| *byte == b'\n').map_or_else(|| tail_start(tail, 1), |at| at + 1)
}

/// The bytes to skip so that text cut at `start` begins with a whole character.
fn tail_start(bytes: &[u8], start: u64) -> usize {
    if start == 0 { 0 } else { bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count() }
}
