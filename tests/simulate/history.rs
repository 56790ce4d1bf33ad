//! Commits as far as it matters which work they hold and what they descend from.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use laneway::id::Sha;

use crate::chance::mixed;

/// The commit that every lane is cut from.
pub(crate) fn root() -> Sha {
    named(1)
}

/// A commit id whose short form tells it from the others.
fn named(n: u64) -> Sha {
    Sha::new(&format!("{:016x}{n:024x}", mixed(n))).expect("forty hexadecimal digits are a commit id")
}

/// Which pieces of work a commit holds, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Works(Vec<u64>);

impl Works {
    fn add(&mut self, work: usize) {
        let (at, bit) = (work / 64, work % 64);
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << bit;
    }

    pub(crate) fn take_in(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    /// `self` less what is in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let rest = self.0.iter().enumerate();
        Self(rest.map(|(word, mine)| mine & !other.0.get(word).copied().unwrap_or(0)).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Every piece, in order.
    pub(crate) fn each(&self) -> impl Iterator<Item = usize> + '_ {
        let bits = |(word, held): (usize, &u64)| {
            let held = *held;
            (0..64).filter(move |bit| held >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        };
        self.0.iter().enumerate().flat_map(bits)
    }

    pub(crate) fn holds(&self, work: usize) -> bool {
        self.0.get(work / 64).is_some_and(|word| word >> (work % 64) & 1 == 1)
    }
}

struct Commit {
    parents: Vec<Sha>,
    works: Rc<Works>,
    /// What was taken back on the way here. No merge brings it again: it is in what both sides descend from.
    gone: Rc<Works>,
    mark: String,
}

/// All commits of the simulated repository.
pub(crate) struct History {
    commits: HashMap<Sha, Commit>,
    count: u64,
    works: usize,
    /// Whether it is known what commits hold; of a hundred thousand it is not.
    tracks: bool,
}

impl History {
    pub(crate) fn new(tracks: bool) -> Self {
        let (works, gone) = (Rc::default(), Rc::default());
        let first = Commit { parents: Vec::new(), works, gone, mark: String::new() };
        Self { commits: HashMap::from([(root(), first)]), count: 1, works: 0, tracks }
    }

    pub(crate) fn tracks(&self) -> bool {
        self.tracks
    }

    /// A commit with the content of its parents.
    pub(crate) fn commit(&mut self, parents: &[&Sha], mark: String) -> Sha {
        let holds = self.union(parents);
        self.put(parents.iter().copied().cloned().collect(), holds, mark)
    }

    /// A commit on `parent` that has `taken` no more.
    pub(crate) fn without(&mut self, parent: &Sha, taken: &Works, mark: String) -> Sha {
        let mut gone = (*self.gone_of(parent)).clone();
        gone.take_in(taken);
        let works = self.works_of(parent).without(taken);
        self.put(vec![parent.clone()], (Rc::new(works), Rc::new(gone)), mark)
    }

    /// What a commit has that its first parent has not.
    pub(crate) fn brought_by(&self, commit: &Sha) -> Works {
        let before = self.first_parent(commit).map(|parent| self.works_of(parent)).unwrap_or_default();
        self.works_of(commit).without(&before)
    }

    /// A commit with the content of `content` that descends from `parent` only: a squashed merge.
    pub(crate) fn squash(&mut self, parent: &Sha, content: &Sha) -> Sha {
        let holds = self.union(&[parent, content]);
        self.put(vec![parent.clone()], holds, "squashed".to_owned())
    }

    /// A commit that adds a new piece of work, with the work's number.
    pub(crate) fn work(&mut self, parent: &Sha, mark: String) -> (Sha, usize) {
        let work = self.works;
        self.works += 1;
        let mut works = (*self.works_of(parent)).clone();
        if self.tracks {
            works.add(work);
        }
        let gone = self.gone_of(parent);
        (self.put(vec![parent.clone()], (Rc::new(works), gone), mark), work)
    }

    fn put(&mut self, parents: Vec<Sha>, (works, gone): (Rc<Works>, Rc<Works>), mark: String) -> Sha {
        self.count += 1;
        let sha = named(self.count);
        self.commits.insert(sha.clone(), Commit { parents, works, gone, mark });
        sha
    }

    fn union(&self, of: &[&Sha]) -> (Rc<Works>, Rc<Works>) {
        if !self.tracks {
            return (Rc::default(), Rc::default());
        }
        let (mut all, mut gone) = (Works::default(), Works::default());
        for sha in of {
            all.take_in(&self.works_of(sha));
            gone.take_in(&self.gone_of(sha));
        }
        (Rc::new(all.without(&gone)), Rc::new(gone))
    }

    pub(crate) fn gone_of(&self, sha: &Sha) -> Rc<Works> {
        self.commits.get(sha).map(|commit| Rc::clone(&commit.gone)).unwrap_or_default()
    }

    /// What `tip` has that `target` neither has nor had and gave back.
    pub(crate) fn missing(&self, tip: &Sha, target: &Sha) -> Vec<usize> {
        let missing = self.works_of(tip).without(&self.works_of(target));
        missing.without(&self.gone_of(target)).each().collect()
    }

    pub(crate) fn works_of(&self, sha: &Sha) -> Rc<Works> {
        self.commits.get(sha).map(|commit| Rc::clone(&commit.works)).unwrap_or_default()
    }

    pub(crate) fn mark_of(&self, sha: &Sha) -> &str {
        self.commits.get(sha).map_or("", |commit| &commit.mark)
    }

    pub(crate) fn first_parent(&self, sha: &Sha) -> Option<&Sha> {
        self.commits.get(sha)?.parents.first()
    }

    /// Whether `old` is `new` or one of those that it descends from. Not known where contents are not: then only what is
    /// near counts.
    pub(crate) fn is_ancestor(&self, old: &Sha, new: &Sha) -> bool {
        let mut seen = HashSet::new();
        let mut look = vec![new];
        let most = if self.tracks { usize::MAX } else { 8 };
        while let Some(at) = look.pop() {
            if at == old {
                return true;
            }
            if seen.len() < most && seen.insert(at) {
                look.extend(self.commits.get(at).into_iter().flat_map(|commit| &commit.parents));
            }
        }
        false
    }

    /// Whether merging `tip` into `target` would change nothing.
    pub(crate) fn adds_nothing(&self, tip: &Sha, target: &Sha) -> bool {
        self.is_ancestor(tip, target) || self.tracks && self.missing(tip, target).is_empty()
    }
}
