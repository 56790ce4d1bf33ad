//! An index with the stat data of the files it describes, in git's version 2 (3 where entries have no file) with its cache of
//! trees.
//!
//! The format: <https://git-scm.com/docs/index-format>.

use std::io::Write;
use std::path::Path;

use git2::{IndexEntry, IndexTime};
use sha1::{Digest, Sha1};

use crate::git::private::SKIP_WORKTREE;

use super::listing::{Dir, Entry, Kind, Listing};

/// What git compares to know that a file is the one that it wrote; cut off to 32 bits, as git does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stat {
    pub(super) ctime: [u32; 2],
    pub(super) mtime: [u32; 2],
    pub(super) dev: u32,
    pub(super) ino: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u32,
}

impl From<&IndexEntry> for Stat {
    fn from(entry: &IndexEntry) -> Self {
        let time = |time: IndexTime| [time.seconds().cast_unsigned(), time.nanoseconds()];
        Self {
            ctime: time(entry.ctime),
            mtime: time(entry.mtime),
            dev: entry.dev,
            ino: entry.ino,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.file_size,
        }
    }
}

/// The longest name whose length the flags can tell; git looks for the end of longer ones.
const LENGTH: usize = 0xfff;

/// The flag of an entry that has more flags.
const EXTENDED: u16 = 0x4000;

/// Writes the index by rename. It is not synced, as nothing of a private git directory is.
pub(super) fn write(path: &Path, listing: &Listing, stats: &[Stat]) -> std::io::Result<()> {
    let bytes = encode(listing, stats);
    let dir = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new().prefix(".laneway-").tempfile_in(dir)?;
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.write_all(&bytes)?;
    file.persist(path)?;
    Ok(())
}

/// Entries of which nothing is known have no stat data: git looks at them.
fn encode(listing: &Listing, stats: &[Stat]) -> Vec<u8> {
    let mut out = Vec::with_capacity(listing.entries.len() * 112);
    out.extend_from_slice(b"DIRC");
    let is_sparse = listing.entries.iter().any(|entry| entry.left_out);
    number(&mut out, if is_sparse { 3 } else { 2 });
    number(&mut out, small(listing.entries.len()));
    for (entry, stat) in listing.entries.iter().zip(stats) {
        put_entry(&mut out, entry, stat);
    }
    let trees = trees(&listing.dirs);
    out.extend_from_slice(b"TREE");
    number(&mut out, small(trees.len()));
    out.extend_from_slice(&trees);
    let sum = Sha1::digest(&out);
    out.extend_from_slice(&sum);
    out
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry, stat: &Stat) {
    let before = out.len();
    for word in [stat.ctime, stat.mtime, [stat.dev, stat.ino], [entry.kind.mode(), stat.uid]].concat() {
        number(out, word);
    }
    number(out, stat.gid);
    number(out, if entry.kind == Kind::Submodule { 0 } else { stat.size });
    out.extend_from_slice(entry.id.as_bytes());
    let length = u16::try_from(entry.path.len().min(LENGTH)).expect("at most 12 bits");
    let extended = if entry.left_out { EXTENDED } else { 0 };
    out.extend_from_slice(&(length | extended).to_be_bytes());
    if entry.left_out {
        out.extend_from_slice(&SKIP_WORKTREE.to_be_bytes());
    }
    out.extend_from_slice(&entry.path);
    // One to eight of them, up to the next multiple of eight.
    let padded = (out.len() - before) / 8 * 8 + 8;
    out.resize(before + padded, 0);
}

/// Of each directory the name, how many entries are below it, how many directories right in it, and its tree.
fn trees(dirs: &[Dir]) -> Vec<u8> {
    let mut out = Vec::new();
    for dir in dirs {
        out.extend_from_slice(dir.name());
        out.push(0);
        out.extend_from_slice(format!("{} {}\n", dir.entries, dir.subtrees).as_bytes());
        out.extend_from_slice(dir.tree.as_bytes());
    }
    out
}

fn number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("an index holds less than 2^32 of anything")
}
