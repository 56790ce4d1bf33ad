//! What a side changed, and whether two sides' changes can touch each other.

use std::collections::HashSet;

use git2::{ObjectType, Oid, Repository, Tree, TreeEntry};

use crate::git::GitError;

/// The kind of a directory's entry in git's modes.
const KIND: i32 = 0o170_000;
/// An ordinary file.
const FILE: i32 = 0o100_000;

/// The files that differ between two trees, renames not recognised.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Every path that differs.
    paths: HashSet<Vec<u8>>,
    /// Every directory above one of them.
    above: HashSet<Vec<u8>>,
    /// Every directory above a path that is gone.
    above_gone: HashSet<Vec<u8>>,
    /// Every directory above a path that is new.
    above_new: HashSet<Vec<u8>>,
    /// Whether any path is new, also one in the root, which no directory is above.
    has_new: bool,
    is_odd: bool,
}

impl Changes {
    /// Compares two trees. Equal directories are not looked into.
    pub(super) fn between(repo: &Repository, base: Oid, tree: Oid) -> Result<Self, GitError> {
        let mut changes = Self::default();
        let (base, tree) = (find(repo, base)?, find(repo, tree)?);
        changes.compare(repo, &mut Vec::new(), Some(&base), Some(&tree))?;
        Ok(changes)
    }

    /// Whether a merge of both could be anything but both, so that it has to be tried. Nothing can be where
    ///
    /// - they share no path, and no path of one lies below a path of the other; so no file has two sides, also not one
    ///   that a side moved, whose old name it changed too;
    /// - no side can have moved a directory (it has lost files there and has new ones elsewhere) in which the other has
    ///   new files, which git would move after it;
    /// - and neither changed what is no file to another kind, or a submodule.
    pub(super) fn may_touch(&self, other: &Self) -> bool {
        meet(&self.paths, &other.paths)
            || meet(&self.paths, &other.above)
            || meet(&self.above, &other.paths)
            || self.may_move_what_is_new_in(other)
            || other.may_move_what_is_new_in(self)
            || self.is_odd
            || other.is_odd
    }

    fn may_move_what_is_new_in(&self, other: &Self) -> bool {
        self.has_new && meet(&self.above_gone, &other.above_new)
    }

    fn compare(
        &mut self,
        repo: &Repository,
        at: &mut Vec<u8>,
        base: Option<&Tree<'_>>,
        tree: Option<&Tree<'_>>,
    ) -> Result<(), GitError> {
        for entry in tree.into_iter().flatten() {
            let before = base.and_then(|base| base.get_name_bytes(entry.name_bytes()));
            if before
                .as_ref()
                .is_some_and(|b| b.id() == entry.id() && b.filemode_raw() == entry.filemode_raw())
            {
                continue;
            }
            self.differs(repo, at, before.as_ref(), Some(&entry))?;
        }
        for entry in base.into_iter().flatten() {
            if tree.is_none_or(|tree| tree.get_name_bytes(entry.name_bytes()).is_none()) {
                self.differs(repo, at, Some(&entry), None)?;
            }
        }
        Ok(())
    }

    /// An entry that is not the same on both sides. One of them is there.
    fn differs(
        &mut self,
        repo: &Repository,
        at: &mut Vec<u8>,
        before: Option<&TreeEntry<'_>>,
        after: Option<&TreeEntry<'_>>,
    ) -> Result<(), GitError> {
        let Some(name) = after.or(before).map(TreeEntry::name_bytes) else { return Ok(()) };
        let length = at.len();
        if length > 0 {
            at.push(b'/');
        }
        at.extend_from_slice(name);
        let leaf = |entry: Option<&TreeEntry<'_>>| entry.filter(|e| !is_tree(e)).map(TreeEntry::filemode_raw);
        let (old, new) = (leaf(before), leaf(after));
        if old.is_some() || new.is_some() {
            self.add(at, old, new);
        }
        let inner = |entry: Option<&TreeEntry<'_>>| match entry.filter(|e| is_tree(e)) {
            Some(entry) => find(repo, entry.id()).map(Some),
            None => Ok(None),
        };
        let (base, tree) = (inner(before)?, inner(after)?);
        if base.is_some() || tree.is_some() {
            self.compare(repo, at, base.as_ref(), tree.as_ref())?;
        }
        at.truncate(length);
        Ok(())
    }

    fn add(&mut self, path: &[u8], old: Option<i32>, new: Option<i32>) {
        self.paths.insert(path.to_vec());
        put_above(&mut self.above, path);
        match (old, new) {
            (None, Some(_)) => {
                self.has_new = true;
                put_above(&mut self.above_new, path);
            }
            (Some(_), None) => put_above(&mut self.above_gone, path),
            (Some(old), Some(new)) => self.is_odd |= old & KIND != new & KIND,
            (None, None) => {}
        }
        let submodule = |mode: i32| !matches!(mode & KIND, FILE | 0o120_000);
        self.is_odd |= old.is_some_and(submodule) || new.is_some_and(submodule);
    }
}

/// Adds the directories above `path`. The root is none: it is always there, so that nobody can have moved it away; files can
/// be moved into it, though.
fn put_above(dirs: &mut HashSet<Vec<u8>>, path: &[u8]) {
    let mut rest = path;
    while let Some(end) = rest.iter().rposition(|byte| *byte == b'/') {
        rest = &rest[..end];
        if !dirs.insert(rest.to_vec()) {
            return;
        }
    }
}

fn meet(one: &HashSet<Vec<u8>>, two: &HashSet<Vec<u8>>) -> bool {
    !one.is_disjoint(two)
}

fn is_tree(entry: &TreeEntry<'_>) -> bool {
    entry.kind() == Some(ObjectType::Tree)
}

fn find(repo: &Repository, id: Oid) -> Result<Tree<'_>, GitError> {
    repo.find_tree(id).map_err(GitError::library("reading a tree"))
}
