//! Files of which nothing but the name changed.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;

use git2::{Delta, Diff, DiffDelta, FileMode, Oid};

/// What a delta of a diff without renames is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What it says.
    Itself,
    /// A new file that was moved from where the delta of this number has it gone.
    MovedFrom(usize),
    /// A file that is gone because it was moved.
    Moved,
    /// To be compared with the others of this kind.
    Left,
}

/// Of each delta what it is. Of several files with one content, those go together that have one name. Where a file has become a
/// directory, or the other way round, all is left: whoever names the one names what is in the other too.
pub(super) fn parts(diff: &Diff<'_>) -> Vec<Part> {
    let deltas: Vec<DiffDelta<'_>> = diff.deltas().collect();
    let paths: HashSet<&Path> = deltas.iter().filter_map(path).collect();
    if paths.iter().any(|path| path.ancestors().skip(1).any(|above| paths.contains(above))) {
        return vec![Part::Left; deltas.len()];
    }
    let mut parts = vec![Part::Itself; deltas.len()];
    let mut gone: HashMap<(Oid, bool), Vec<usize>> = HashMap::new();
    for (n, delta) in deltas.iter().enumerate() {
        let side = match delta.status() {
            Delta::Deleted => delta.old_file(),
            Delta::Added => delta.new_file(),
            _ => continue,
        };
        let Some(is_link) = is_link(side.mode()) else { continue };
        parts[n] = Part::Left;
        if delta.status() == Delta::Deleted {
            gone.entry((side.id(), is_link)).or_default().push(n);
        }
    }
    for same_name in [true, false] {
        for (n, delta) in deltas.iter().enumerate() {
            if parts[n] != Part::Left || delta.status() != Delta::Added {
                continue;
            }
            let new = delta.new_file();
            let Some(left) = is_link(new.mode()).and_then(|link| gone.get_mut(&(new.id(), link))) else {
                continue;
            };
            let name = |delta: &DiffDelta<'_>| path(delta).and_then(Path::file_name).map(OsStr::to_owned);
            let found = left.iter().position(|&gone| !same_name || name(&deltas[gone]) == name(delta));
            if let Some(from) = found.map(|at| left.remove(at)) {
                parts[n] = Part::MovedFrom(from);
                parts[from] = Part::Moved;
            }
        }
    }
    parts
}

/// Where it is, or was.
pub(super) fn path<'a>(delta: &DiffDelta<'a>) -> Option<&'a Path> {
    delta.new_file().path().or_else(|| delta.old_file().path())
}

/// Whether it is a link; `None` for what is no file.
fn is_link(mode: FileMode) -> Option<bool> {
    match mode {
        FileMode::Blob | FileMode::BlobExecutable | FileMode::BlobGroupWritable => Some(false),
        FileMode::Link => Some(true),
        _ => None,
    }
}
