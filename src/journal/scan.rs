//! Checks the chain in a buffer: how much of it is good, and whether what is not is a torn tail or damage.

use std::ops::Range;
use std::thread;

use super::chain::{LineHash, Position, is_well_formed, prev_of};
use super::error::Damage;
use super::read::threads_for;

/// The first line that is not what it was when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// From 1.
    pub(super) line: u64,
    pub(super) reason: Damage,
}

/// Checks the lines of `bytes`, which begin at `from`, and returns where the good ones end.
///
/// What lies behind that place is a torn tail: no well-formed line is in it.
pub(super) fn scan(bytes: &[u8], from: Position) -> Result<Position, Fault> {
    let complete = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let chain = check_chain(&bytes[..complete], from.head).or_else(|broken| {
        refuse_damage(&bytes[broken.at..complete], from.lines + broken.lines + 1)?;
        Ok(Chain { lines: broken.lines, end: broken.at, head: broken.head })
    })?;
    let chain = without_torn_last(bytes, from.head, chain);
    Ok(Position { bytes: from.bytes + chain.end as u64, lines: from.lines + chain.lines, head: chain.head })
}

/// No line vouches for the last one, so it has to be well-formed in itself. The one before it is vouched for.
fn without_torn_last(bytes: &[u8], head: LineHash, chain: Chain) -> Chain {
    let Some(lines) = bytes[..chain.end].strip_suffix(b"\n") else {
        return chain;
    };
    let (start, last) = last_line(lines);
    if is_well_formed(last) {
        return chain;
    }
    let head = bytes[..start].strip_suffix(b"\n").map_or(head, |lines| LineHash::of(last_line(lines).1));
    Chain { lines: chain.lines - 1, end: start, head }
}

/// The last of `lines`, which has no newline at its end, and where it begins.
fn last_line(lines: &[u8]) -> (usize, &[u8]) {
    let start = memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1);
    (start, &lines[start..])
}

/// A stretch of lines that hang together.
struct Chain {
    lines: u64,
    /// Where the last line ends, behind its newline.
    end: usize,
    head: LineHash,
}

/// Where a stretch stops hanging together.
struct Broken {
    /// Good lines before the bad one.
    lines: u64,
    /// Where the bad line begins.
    at: usize,
    /// The digest of the line before it.
    head: LineHash,
}

/// Looks at `rest`, which begins with the bad line number `line`: without a well-formed line it is a torn tail.
fn refuse_damage(rest: &[u8], line: u64) -> Result<(), Fault> {
    let mut rest = complete_lines(rest);
    let Some(first) = rest.next() else { return Ok(()) };
    let next = rest.next();
    let follows = next.into_iter().chain(rest).any(is_well_formed);
    match (is_well_formed(first), follows) {
        (false, false) => Ok(()),
        (false, true) if std::str::from_utf8(first).is_err() => Err(Fault { line, reason: Damage::NotUtf8 }),
        (false, true) => Err(Fault { line, reason: Damage::Malformed }),
        (true, _) => Err(broken_link(line, first, next)),
    }
}

/// Tells which of two lines that do not fit was touched: a changed `prev` breaks the link to the next line too.
fn broken_link(line: u64, first: &[u8], next: Option<&[u8]>) -> Fault {
    let next_fits =
        next.is_none_or(|next| prev_of(next).is_none_or(|prev| prev == LineHash::of(first).as_bytes()));
    if line == 1 || !next_fits {
        Fault { line, reason: Damage::NotLinked }
    } else {
        Fault { line: line - 1, reason: Damage::Changed { next: line } }
    }
}

/// The lines of `bytes` that end in a newline, without it.
fn complete_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', bytes).map(move |at| {
        let line = &bytes[from..at];
        from = at + 1;
        line
    })
}

/// Checks `lines`, each with its newline. Every link can be checked alone, so a long journal is cut in pieces,
/// one a core; each piece hashes the line before its first once more.
fn check_chain(lines: &[u8], head: LineHash) -> Result<Chain, Broken> {
    let pieces = pieces(lines);
    let results: Vec<Result<Chain, Broken>> = thread::scope(|scope| {
        let (first, others) = pieces.split_first().expect("there is at least one piece");
        let others: Vec<_> = others
            .iter()
            .map(|piece| {
                scope.spawn(|| {
                    let (_, before) = last_line(&lines[..piece.start - 1]);
                    check_piece(lines, piece.clone(), LineHash::of(before))
                })
            })
            .collect();
        let first = check_piece(lines, first.clone(), head);
        std::iter::once(first)
            .chain(others.into_iter().map(|thread| thread.join().expect("checking bytes does not panic")))
            .collect()
    });
    let mut whole = Chain { lines: 0, end: 0, head };
    for result in results {
        match result {
            Ok(piece) => whole = Chain { lines: whole.lines + piece.lines, ..piece },
            Err(broken) => {
                return Err(Broken { lines: whole.lines + broken.lines, ..broken });
            }
        }
    }
    Ok(whole)
}

/// Cuts `lines` at newlines into about equal pieces; at least one, and none but the only one is empty.
fn pieces(lines: &[u8]) -> Vec<Range<usize>> {
    let threads = threads_for(lines.len());
    let mut pieces = Vec::with_capacity(threads);
    let mut start = 0;
    for piece in 1..threads {
        let aim = (lines.len() / threads * piece).max(start);
        let end = memchr::memchr(b'\n', &lines[aim..]).map_or(lines.len(), |at| aim + at + 1);
        if end > start && end < lines.len() {
            pieces.push(start..end);
            start = end;
        }
    }
    pieces.push(start..lines.len());
    pieces
}

fn check_piece(lines: &[u8], piece: Range<usize>, head: LineHash) -> Result<Chain, Broken> {
    let mut chain = Chain { lines: 0, end: piece.start, head };
    for line in complete_lines(&lines[piece]) {
        if prev_of(line) != Some(chain.head.as_bytes()) {
            return Err(Broken { lines: chain.lines, at: chain.end, head: chain.head });
        }
        chain = Chain { lines: chain.lines + 1, end: chain.end + line.len() + 1, head: LineHash::of(line) };
    }
    Ok(chain)
}
