//! How one line is made and taken apart: the body, then `prev`.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::error::BodyFault;

const HEX: &[u8; 16] = b"0123456789abcdef";
const MEMBER: &[u8] = b"\"prev\":\"";
const CLOSE: &[u8] = b"\"}";
const TAIL_LEN: usize = MEMBER.len() + 64 + CLOSE.len();

/// The SHA-256 of a line without its newline, in lower-case hex; all zeros before the first line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineHash([u8; 64]);

impl LineHash {
    /// What the first line of a journal has as `prev`.
    pub const START: LineHash = LineHash([b'0'; 64]);

    /// The digest of `line`, which has no newline.
    pub fn of(line: &[u8]) -> LineHash {
        let digest = Sha256::digest(line);
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 0x0f)];
        }
        LineHash(hex)
    }

    /// The 64 hex digits.
    #[expect(clippy::missing_panics_doc, reason = "an invariant: only `of` and `START` make a value")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str()[..10])
    }
}

impl Serialize for LineHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A place between two lines: how far somebody has read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it.
    pub bytes: u64,
    /// Lines before it.
    pub lines: u64,
    /// The digest of the line before it.
    pub head: LineHash,
}

impl Position {
    /// Before the first line.
    pub const START: Position = Position { bytes: 0, lines: 0, head: LineHash::START };

    /// The bytes between `self` and `later`, as a length in memory.
    pub(super) fn span_to(&self, later: &Position) -> usize {
        usize::try_from(later.bytes - self.bytes).expect("both ends were found in one buffer")
    }
}

/// Writes `body` with `prev` and a newline to `out`, and returns the digest of the new line.
///
/// `body` has passed [`check_body`].
pub(super) fn push_line(out: &mut Vec<u8>, body: &str, prev: &LineHash) -> LineHash {
    let from = out.len();
    let open = &body.as_bytes()[..body.len() - 1];
    out.extend_from_slice(open);
    // The only body without members is `{}`, perhaps with white space.
    if open.trim_ascii_end() != b"{" {
        out.push(b',');
    }
    out.extend_from_slice(MEMBER);
    out.extend_from_slice(prev.as_bytes());
    out.extend_from_slice(CLOSE);
    let hash = LineHash::of(&out[from..]);
    out.push(b'\n');
    hash
}

/// Returns the hex digits of `prev` at the end of `line`; `None` where it does not end so.
///
/// That the digits are hex is not looked at: they are only ever compared with a [`LineHash`].
pub(super) fn prev_of(line: &[u8]) -> Option<&[u8]> {
    let at = line.len().checked_sub(TAIL_LEN)?;
    let digits = line[at..].strip_prefix(MEMBER)?.strip_suffix(CLOSE)?;
    matches!(line[..at].last(), Some(b',' | b'{' | b' ' | b'\t')).then_some(digits)
}

/// Whether `line` is a JSON object that ends in `prev`.
pub(super) fn is_well_formed(line: &[u8]) -> bool {
    prev_of(line).is_some() && std::str::from_utf8(line).is_ok_and(|text| members(text).is_ok())
}

/// Checks that `body` can be made a line: one JSON object, in one line, without `prev`.
pub(super) fn check_body(body: &str) -> Result<(), BodyFault> {
    if memchr::memchr2(b'\n', b'\r', body.as_bytes()).is_some() {
        return Err(BodyFault::LineBreak);
    }
    if !body.starts_with('{') || !body.ends_with('}') {
        return Err(BodyFault::NotAnObject { source: None });
    }
    match members(body) {
        Ok(Members { prev: false }) => Ok(()),
        Ok(Members { prev: true }) => Err(BodyFault::HasPrev),
        Err(source) => Err(BodyFault::NotAnObject { source: Some(source) }),
    }
}

fn members(text: &str) -> Result<Members, serde_json::Error> {
    serde_json::from_str(text)
}

/// What is looked at in an object: whether a member is named `prev`.
struct Members {
    prev: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut found = Members { prev: false };
        while let Some(Key { is_prev }) = map.next_key()? {
            found.prev |= is_prev;
            map.next_value::<IgnoredAny>()?;
        }
        Ok(found)
    }
}

struct Key {
    is_prev: bool,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key { is_prev: name == "prev" })
    }
}
