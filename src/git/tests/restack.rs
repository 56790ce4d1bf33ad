//! Landings of upstream work, of every kind, against what a true merge would have made of them.

#![expect(clippy::disallowed_methods, reason = "the number of histories is read from the environment")]

use std::collections::BTreeMap;

use git2::{Oid, Repository, Signature};

use super::fixture::{Fixture, identity, sha};
use crate::git::{Landing, Merge};
use crate::id::Sha;

/// A generator that needs no crate: xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Merge,
    Squash,
    Rebase,
}

/// A history that grows at random. The target exists twice: as it is, and as it would be if every landing were a merge.
struct History<'a> {
    fixture: &'a Fixture,
    git: Repository,
    dice: Dice,
    words: u64,
    target: Sha,
    merged: Sha,
}

impl<'a> History<'a> {
    fn new(fixture: &'a Fixture, seed: u64) -> Self {
        let git = Repository::open(&fixture.root).expect("a repository");
        let mut history = Self {
            fixture,
            git,
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            words: 0,
            target: fixture.start.clone(),
            merged: fixture.start.clone(),
        };
        let lines = |file: u64| (0..12).map(|n| format!("{file} {n}\n")).collect::<Vec<_>>().concat();
        let files = (0..3).map(|file| (format!("f{file}"), lines(file))).collect();
        let root = history.commit(&files, &[]);
        (history.target, history.merged) = (root.clone(), root);
        history
    }

    fn files(&self, commit: &Sha) -> BTreeMap<String, String> {
        let commit = self.git.find_commit(Oid::from_str(commit.as_str()).expect("an id")).expect("a commit");
        let tree = commit.tree().expect("a tree");
        let text = |entry: &git2::TreeEntry<'_>| {
            let blob = self.git.find_blob(entry.id()).expect("a file");
            String::from_utf8(blob.content().to_vec()).expect("text")
        };
        tree.iter().map(|entry| (entry.name().expect("a name").to_owned(), text(&entry))).collect()
    }

    fn commit(&self, files: &BTreeMap<String, String>, parents: &[&Sha]) -> Sha {
        let mut tree = self.git.treebuilder(None).expect("a tree");
        for (name, text) in files {
            let blob = self.git.blob(text.as_bytes()).expect("a file");
            tree.insert(name, blob, 0o100_644).expect("an entry");
        }
        let tree = self.git.find_tree(tree.write().expect("a tree")).expect("a tree");
        self.with_tree(&tree, parents)
    }

    fn with_tree(&self, tree: &git2::Tree<'_>, parents: &[&Sha]) -> Sha {
        let parents: Vec<_> = parents
            .iter()
            .map(|sha| self.git.find_commit(Oid::from_str(sha.as_str()).expect("an id")).expect("a commit"))
            .collect();
        let who = Signature::new("T", "t@example.org", &git2::Time::new(1, 0)).expect("a signature");
        let id = self.git.commit(None, &who, &who, "c", tree, &parents.iter().collect::<Vec<_>>());
        sha(&id.expect("a commit").to_string())
    }

    fn tree_as(&self, tree: &Sha, parents: &[&Sha]) -> Sha {
        let tree = self.git.find_tree(Oid::from_str(tree.as_str()).expect("an id")).expect("a tree");
        self.with_tree(&tree, parents)
    }

    /// Changes, adds or removes a line, or makes or removes a file.
    fn edit(&mut self, tip: &Sha) -> Sha {
        let mut files = self.files(tip);
        self.words += 1;
        let word = format!("w{}\n", self.words);
        let name = format!("f{}", self.dice.roll(3));
        match (files.get_mut(&name), self.dice.roll(12)) {
            (_, 0) => drop(files.insert(format!("new{}", self.words), word)),
            (Some(_), 1) => drop(files.remove(&name)),
            (None, _) => drop(files.insert(name, word)),
            (Some(text), _) => {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                let at = usize::try_from(self.dice.roll(lines.len().max(1) as u64)).expect("small");
                match self.dice.roll(3) {
                    0 if !lines.is_empty() => drop(lines.remove(at)),
                    1 if !lines.is_empty() => lines[at] = &word,
                    _ => lines.insert(at, &word),
                }
                *text = lines.concat();
            }
        }
        self.commit(&files, &[tip])
    }

    fn edits(&mut self, tip: &Sha, most: u64) -> Sha {
        let mut tip = tip.clone();
        for _ in 0..self.dice.roll(most + 1) {
            tip = self.edit(&tip);
        }
        tip
    }

    fn merge(&self, ours: &Sha, theirs: &Sha) -> Option<Sha> {
        match self.fixture.repo.merge(ours, theirs).expect("a merge") {
            Merge::Clean { ff: true, .. } => Some(theirs.clone()),
            Merge::Clean { tree, .. } => Some(self.tree_as(&tree, &[ours, theirs])),
            Merge::Conflict { .. } => None,
        }
    }

    /// Somebody else's work on the target, the same in both of its histories.
    fn others(&mut self) {
        let tip = self.target.clone();
        let after = self.edits(&tip, 2);
        if self.merged == tip {
            self.merged = after.clone();
        } else if after != tip {
            let files = self.files(&after);
            self.merged = self.commit(&files, &[&self.merged]);
        }
        self.target = after;
    }

    /// Lands `head` in the target; the second is where a merge of it would stand. `None`: it conflicts.
    fn land(&mut self, head: &Sha, how: How) -> Option<(Sha, Sha)> {
        let landed = match how {
            How::Merge => self.merge_commit(head)?,
            How::Squash => {
                let merged = self.merge_commit(head)?;
                self.commit(&self.files(&merged), &[&self.target])
            }
            How::Rebase => self.rebase(head)?,
        };
        let files = self.files(&landed);
        self.merged = self.commit(&files, &[&self.merged, head]);
        self.target = landed.clone();
        Some((landed, self.merged.clone()))
    }

    fn merge_commit(&self, head: &Sha) -> Option<Sha> {
        let Merge::Clean { tree, .. } = self.fixture.repo.merge(&self.target, head).expect("a merge") else {
            return None;
        };
        Some(self.tree_as(&tree, &[&self.target, head]))
    }

    /// Each commit of `head` that is none of the target's, merges left out, on top of the target.
    fn rebase(&self, head: &Sha) -> Option<Sha> {
        let mut walk = self.git.revwalk().expect("a walk");
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).expect("an order");
        walk.push(Oid::from_str(head.as_str()).expect("an id")).expect("a start");
        walk.hide(Oid::from_str(self.target.as_str()).expect("an id")).expect("an end");
        let mut tip = self.target.clone();
        for id in walk {
            let commit = self.git.find_commit(id.expect("an id")).expect("a commit");
            if commit.parent_count() > 1 {
                continue;
            }
            let onto = self.git.find_commit(Oid::from_str(tip.as_str()).expect("an id")).expect("a commit");
            let mut index = self.git.cherrypick_commit(&commit, &onto, 0, None).expect("a pick");
            if index.has_conflicts() {
                return None;
            }
            let tree = index.write_tree_to(&self.git).expect("a tree");
            tip = self.tree_as(&sha(&tree.to_string()), &[&tip]);
        }
        Some(tip)
    }
}

/// What restacking gave and what a merge would have given: files, or a conflict.
type Answer = Option<BTreeMap<String, String>>;

/// One random story of a lane with `upstreams` upstreams.
fn story(fixture: &Fixture, seed: u64, how: How, upstreams: usize) -> Option<(Answer, Answer)> {
    let mut history = History::new(fixture, seed);
    let mut heads = Vec::new();
    for _ in 0..upstreams {
        history.others();
        let base = history.target.clone();
        let first = history.edit(&base);
        heads.push(history.edits(&first, 3));
    }
    let start = history.target.clone();
    let mut lane = history.edits(&start, 2);
    let mut held = heads.clone();
    for head in &heads {
        lane = history.merge(&lane, head)?;
        lane = history.edits(&lane, 2);
    }
    if history.dice.roll(2) == 0 {
        history.others();
        lane = history.merge(&lane, &history.target.clone())?;
    }
    for (head, held) in heads.iter_mut().zip(&mut held) {
        // Late work of the upstream, which the lane may take in or not.
        *head = history.edits(&head.clone(), 2);
        if history.dice.roll(3) == 0 {
            *head = history.merge(&head.clone(), &history.target.clone())?;
        }
        if history.dice.roll(2) == 0 {
            lane = history.merge(&lane, head)?;
            held.clone_from(head);
        }
    }
    lane = history.edits(&lane, 2);
    let (mut ours, mut oracle) = (Some(lane.clone()), Some(lane));
    for (head, held) in heads.iter().zip(held) {
        history.others();
        let (landed, merged) = history.land(head, how)?;
        let landing = Landing { landed: landed.clone(), head: head.clone(), held };
        ours = ours.and_then(|tip| {
            match fixture.repo.restack(&tip, &landing, &[], &identity()).expect("a restack") {
                Merge::Clean { ff: true, .. } => Some(landed.clone()),
                Merge::Clean { tree, .. } => Some(history.tree_as(&tree, &[&tip, &landed])),
                Merge::Conflict { .. } => None,
            }
        });
        oracle = oracle.and_then(|tip| history.merge(&tip, &merged));
        if ours.is_none() || oracle.is_none() {
            break;
        }
    }
    Some((ours.map(|tip| history.files(&tip)), oracle.map(|tip| history.files(&tip))))
}

#[test]
fn ar21_a_lane_is_restacked_as_a_true_merge_would_have_it() {
    let fixture = Fixture::new();
    let seeds = std::env::var("LANEWAY_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let (mut stories, mut conflicts) = (0_u64, 0_u64);
    for seed in 1..=seeds {
        for how in [How::Merge, How::Squash, How::Rebase] {
            for upstreams in [1, 2] {
                let Some((ours, oracle)) = story(&fixture, seed, how, upstreams) else { continue };
                assert_eq!(ours, oracle, "seed {seed}, {how:?}, {upstreams} upstreams");
                stories += 1;
                conflicts += u64::from(oracle.is_none());
            }
        }
    }
    assert!(stories > seeds && conflicts < stories / 2, "{stories} stories, {conflicts} conflicts");
    eprintln!("{stories} stories, {conflicts} with a conflict");
}
