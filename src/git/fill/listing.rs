//! What a tree holds, in the order of the index.

use git2::{Oid, Repository, Tree};

use crate::git::GitError;
use crate::git::cone::Cone;
use crate::git::repo::oid;
use crate::id::Sha;

/// Directories in each other that are followed: more of them are nobody's sources, and each takes room on the stack.
const DEEPEST: usize = 200;

/// An entry of the index: a file, a link, or a submodule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) id: Oid,
    /// Whether it has no file in a sparse lane.
    pub(super) left_out: bool,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Executable,
    Link,
    Submodule,
}

impl Kind {
    fn of(mode: i32) -> Option<Self> {
        Some(match mode {
            // Git wrote the second for a while, and reads it as the first.
            0o100_644 | 0o100_664 => Self::File,
            0o100_755 => Self::Executable,
            0o120_000 => Self::Link,
            0o160_000 => Self::Submodule,
            _ => return None,
        })
    }

    /// As the index has it.
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::File => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Link => 0o120_000,
            Self::Submodule => 0o160_000,
        }
    }
}

/// A directory, with what the index's cache of trees says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dir {
    /// From the root, without a slash at the end; the root's is empty.
    pub(super) path: Vec<u8>,
    pub(super) tree: Oid,
    /// Entries below it, at any depth.
    pub(super) entries: usize,
    /// Directories right in it.
    pub(super) subtrees: usize,
    /// Entries right in it, by their number.
    files: Vec<usize>,
    /// Whether it is not made in a sparse lane.
    pub(super) left_out: bool,
}

impl Dir {
    /// Entries right in it.
    pub(super) fn files_of(&self) -> &[usize] {
        &self.files
    }

    /// Its own name.
    pub(super) fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

/// A tree with all that is below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// In the order of the index.
    pub(super) entries: Vec<Entry>,
    /// Parents before their children, the root first.
    pub(super) dirs: Vec<Dir>,
}

impl Listing {
    /// The tree of `commit`; `None` where it holds names or modes that git has to judge.
    pub(super) fn of(repo: &Repository, commit: &Sha) -> Result<Option<Self>, GitError> {
        let failed = || GitError::library("reading a tree");
        let commit = repo.find_commit(oid(commit)?).map_err(failed())?;
        let tree = commit.tree().map_err(failed())?;
        let mut listing = Self { entries: Vec::new(), dirs: Vec::new() };
        let whole = listing.add(repo, &tree, Vec::new()).map_err(failed())?;
        Ok(whole.then_some(listing))
    }

    /// The tree itself.
    pub(super) fn tree(&self) -> Oid {
        self.dirs[0].tree
    }

    /// Leaves out what is outside of `cone`.
    pub(super) fn leave_out(&mut self, cone: &Cone) {
        for dir in &mut self.dirs {
            dir.left_out = !cone.has_dir(&dir.path);
            for &file in &dir.files {
                self.entries[file].left_out = dir.left_out;
            }
        }
    }

    /// Adds a directory and everything below it. Says whether all of it is plain.
    fn add(&mut self, repo: &Repository, tree: &Tree<'_>, path: Vec<u8>) -> Result<bool, git2::Error> {
        if path.split(|byte| *byte == b'/').nth(DEEPEST).is_some() {
            return Ok(false);
        }
        let at = self.dirs.len();
        let before = self.entries.len();
        self.dirs.push(Dir {
            path,
            tree: tree.id(),
            entries: 0,
            subtrees: 0,
            files: Vec::new(),
            left_out: false,
        });
        for entry in tree {
            if is_odd(entry.name_bytes()) {
                return Ok(false);
            }
            let path = joined(&self.dirs[at].path, entry.name_bytes());
            if entry.filemode() == 0o040_000 {
                self.dirs[at].subtrees += 1;
                if !self.add(repo, &repo.find_tree(entry.id())?, path)? {
                    return Ok(false);
                }
            } else if let Some(kind) = Kind::of(entry.filemode_raw()) {
                if kind == Kind::Link && is_like_gitmodules(entry.name_bytes()) {
                    return Ok(false);
                }
                self.dirs[at].files.push(self.entries.len());
                self.entries.push(Entry { path, kind, id: entry.id(), left_out: false });
            } else {
                return Ok(false);
            }
        }
        self.dirs[at].entries = self.entries.len() - before;
        // A tree that holds a name twice is not in order, as one is not that somebody made by hand.
        Ok(self.entries[before..].is_sorted_by(|a, b| a.path < b.path))
    }
}

fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

/// Names that git refuses, or may refuse, to write: what some file system takes for `.git`, and what leads elsewhere.
fn is_odd(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    let like_git = lower
        .strip_prefix(b".git")
        .is_some_and(|rest| rest.first().is_none_or(|&byte| b" .:\\".contains(&byte)));
    name.is_empty()
        || name == b"."
        || name == b".."
        || name.iter().any(|byte| b"/\\\0".contains(byte))
        || like_git
        || lower.starts_with(b"git~")
}

/// Names that git does not write as links: what it reads there would lie elsewhere.
fn is_like_gitmodules(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    [&b".gitmodules"[..], b"gitmod~", b"gi7eba~"].iter().any(|start| lower.starts_with(start))
}
