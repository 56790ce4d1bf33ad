//! Directories and whole files: made, replaced and moved so that a reader never sees half of one.
#![expect(clippy::disallowed_methods, reason = "signal is an IO module")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::board::{BoardError, Deed};
use crate::failpoint::{self, Point};

/// Attempts to put up a tree that somebody deletes at the same time.
const TRIES: usize = 8;

/// What stood where a directory is needed.
pub(super) enum Stood {
    Directory,
    Nothing,
    Other,
}

/// Makes the directory `path` below the existing or not yet existing `root`, and whatever lies between.
/// Below `root` a symbolic link does not count as a directory.
pub(super) fn make_dir(root: &Path, path: &Path) -> Result<Stood, BoardError> {
    for _ in 1..TRIES {
        match try_make_dir(root, path) {
            // Deleted or replaced between two steps: `create_dir_all` then says any of these.
            Err(error) if is_tried_again(error.kind()) => {}
            outcome => return outcome.map_err(|e| BoardError::io(Deed::Create, path, e)),
        }
    }
    try_make_dir(root, path).map_err(|e| match above(root) {
        Some(path) if e.kind() != io::ErrorKind::NotFound => BoardError::InTheWay { path },
        _ => BoardError::io(Deed::Create, path, e),
    })
}

fn is_tried_again(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory)
}

/// What stands at `root`, or above it, and leads to no directory: a file, or a link to nothing.
fn above(root: &Path) -> Option<PathBuf> {
    let standing = root.ancestors().find(|part| part.symlink_metadata().is_ok())?;
    (!standing.is_dir()).then(|| standing.to_path_buf())
}

fn try_make_dir(root: &Path, path: &Path) -> io::Result<Stood> {
    fs::create_dir_all(root)?;
    let mut at = root.to_path_buf();
    let mut stood = Stood::Directory;
    let below = path.strip_prefix(root).unwrap_or(path);
    for part in below {
        at.push(part);
        stood = make_last(&at)?;
        if matches!(stood, Stood::Other) {
            return Ok(stood);
        }
    }
    Ok(stood)
}

/// Makes the last part of `path`, whose parent has just been made or seen to be a directory of ours.
pub(super) fn make_last(path: &Path) -> io::Result<Stood> {
    match fs::create_dir(path) {
        Ok(()) => Ok(Stood::Nothing),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_dir = fs::symlink_metadata(path)?.is_dir();
            Ok(if is_dir { Stood::Directory } else { Stood::Other })
        }
        Err(error) => Err(error),
    }
}

/// A private name in `dir` that no reader takes for a file of the protocol.
pub(super) fn private_name(dir: &Path) -> PathBuf {
    dir.join(format!(".{}.tmp", ulid::Ulid::generate()))
}

/// Whether a write must outlive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Yes,
    No,
}

/// Writes `bytes` to `path` by way of a private file in the same directory.
pub(super) fn replace(path: &Path, bytes: &[u8], durable: Durable) -> Result<(), BoardError> {
    replace_with(path, durable, |file| file.write_all(bytes))
}

/// Like [`replace`], with the content written by `fill_in`.
pub(super) fn replace_with(
    path: &Path,
    durable: Durable,
    fill_in: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), BoardError> {
    let dir = parent(path);
    let private = private_name(dir);
    let failed = |source| BoardError::io(Deed::Write, path, source);
    let mut file = File::create_new(&private).map_err(failed)?;
    let written =
        failpoint::write(Point::BoardWrite).and_then(|()| fill_in(&mut file)).and_then(|()| match durable {
            Durable::Yes => file.sync_all(),
            Durable::No => Ok(()),
        });
    drop(file);
    failpoint::pass(Point::BoardRename);
    if let Err(error) = written.and_then(|()| fs::rename(&private, path)) {
        // The first error is the one to tell; a private file left behind is never read.
        _ = fs::remove_file(&private);
        return Err(failed(error));
    }
    if durable == Durable::Yes {
        sync_dir(dir)?;
    }
    failpoint::pass(Point::BoardWritten);
    Ok(())
}

/// Makes the names in `dir` outlive a crash of the machine.
pub(super) fn sync_dir(dir: &Path) -> Result<(), BoardError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| BoardError::io(Deed::Sync, dir, e))
}

/// The directory that holds `path`.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().expect("a file of the noticeboard has a directory")
}
