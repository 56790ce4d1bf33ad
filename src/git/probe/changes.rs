//! What a side changed, and whether two sides' changes can touch each other.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::iter::Peekable;

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
    /// Every directory that is gone.
    gone: HashSet<Vec<u8>>,
    /// Every directory above a path that is new.
    above_new: HashSet<Vec<u8>>,
    /// Whether any path is new, also one in the root, which no directory is above.
    has_new: bool,
    is_odd: bool,
    /// What is said in the directories in which something differs.
    pub(super) attributes: Given,
}

/// Which attributes `.gitattributes` give to files, on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Given {
    #[default]
    None,
    Same,
    Others,
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
    /// - no side can have moved a directory (it is gone there, and there are new files elsewhere) in which the other has
    ///   new files, which git would move after it; of one that still stands git moves nothing;
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
        self.has_new && meet(&self.gone, &other.above_new)
    }

    fn compare(
        &mut self,
        repo: &Repository,
        at: &mut Vec<u8>,
        base: Option<&Tree<'_>>,
        tree: Option<&Tree<'_>>,
    ) -> Result<(), GitError> {
        let [before, now] =
            [base, tree].map(|tree| tree.and_then(|tree| tree.get_name(".gitattributes")).map(|e| e.id()));
        self.attributes = self.attributes.max(match before.or(now) {
            None => Given::None,
            Some(_) if before == now => Given::Same,
            Some(_) => Given::Others,
        });
        let (mut old, mut new) = (entries(base), entries(tree));
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => in_order(old, new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(()),
            };
            let before = old.next_if(|_| order.is_le());
            let after = new.next_if(|_| order.is_ge());
            if before.as_ref().map(standing) != after.as_ref().map(standing) {
                self.differs(repo, at, before.as_ref(), after.as_ref())?;
            }
        }
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
        if base.is_some() && tree.is_none() {
            self.gone.insert(at.clone());
        }
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
            (Some(old), Some(new)) => self.is_odd |= old & KIND != new & KIND,
            (_, None) => {}
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

fn entries<'a>(tree: Option<&'a Tree<'_>>) -> Peekable<impl Iterator<Item = TreeEntry<'a>>> {
    tree.into_iter().flatten().peekable()
}

fn standing(entry: &TreeEntry<'_>) -> (Oid, i32) {
    (entry.id(), entry.filemode_raw())
}

/// The order of a tree's entries: by name, that of a directory taken with a slash at its end. So a file and a directory of one name
/// are two entries, of which one is gone and the other new.
fn in_order(one: &TreeEntry<'_>, two: &TreeEntry<'_>) -> Ordering {
    let (a, b) = (one.name_bytes(), two.name_bytes());
    let common = a.len().min(b.len());
    let next = |name: &[u8], entry| name.get(common).copied().or_else(|| is_tree(entry).then_some(b'/'));
    a[..common].cmp(&b[..common]).then_with(|| next(a, one).cmp(&next(b, two)))
}

fn is_tree(entry: &TreeEntry<'_>) -> bool {
    entry.kind() == Some(ObjectType::Tree)
}

fn find(repo: &Repository, id: Oid) -> Result<Tree<'_>, GitError> {
    repo.find_tree(id).map_err(GitError::library("reading a tree"))
}
