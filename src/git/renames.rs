//! Files of which nothing but the name changed.

use std::collections::{HashMap, HashSet, VecDeque};
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
    let (mut by_name, mut by_content) = (Gone::new(), Gone::new());
    let mut new = Vec::new();
    for (n, delta) in deltas.iter().enumerate() {
        let side = match delta.status() {
            Delta::Deleted => delta.old_file(),
            Delta::Added => delta.new_file(),
            _ => continue,
        };
        let Some(is_link) = is_link(side.mode()) else { continue };
        parts[n] = Part::Left;
        let (content, name) = ((side.id(), is_link), path(delta).and_then(Path::file_name));
        if delta.status() == Delta::Deleted {
            by_name.entry((content, name)).or_default().push_back(n);
            by_content.entry((content, None)).or_default().push_back(n);
        } else {
            new.push((n, content, name));
        }
    }
    for same_name in [true, false] {
        let gone = if same_name { &mut by_name } else { &mut by_content };
        for &(n, content, name) in &new {
            let Some(left) = gone.get_mut(&(content, name.filter(|_| same_name))) else { continue };
            while parts[n] == Part::Left
                && let Some(from) = left.pop_front()
            {
                if parts[from] == Part::Left {
                    parts[n] = Part::MovedFrom(from);
                    parts[from] = Part::Moved;
                }
            }
        }
    }
    parts
}

/// Files that are gone, in the order of their paths: by content, and by the last part of the path where that counts.
type Gone<'a> = HashMap<((Oid, bool), Option<&'a OsStr>), VecDeque<usize>>;

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
