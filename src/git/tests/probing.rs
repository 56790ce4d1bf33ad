//! Probes against git's own merge, on histories made to be difficult.
#![expect(clippy::disallowed_methods, reason = "runs git as the oracle, and reads how much is asked for")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use git2::{IndexEntry, IndexTime, Oid, Repository, Signature};

use super::fixture::{Fixture, git, identity, sha, write};
use crate::git::Verdict;
use crate::id::Sha;

/// A source of numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap() % n
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

type Files = BTreeMap<String, (u32, String)>;

/// Removes what stands in the way of a file at `path`: a file above it, files below it.
fn make_way(files: &mut Files, path: &str) {
    let inside = format!("{path}/");
    files.retain(|other, _| !other.starts_with(&inside) && !path.starts_with(&format!("{other}/")));
}

fn some_path(dice: &mut Dice) -> String {
    let dirs = ["", "a/", "b/", "a/c/", "d/", "d/e/", "long/way/down/"];
    let names = ["f", "g", "h", "a", "b", "c", "new", "x-y", "x"];
    format!("{}{}", dice.one(&dirs), dice.one(&names))
}

fn text(dice: &mut Dice) -> String {
    let kind = dice.below(9);
    (0..12).fold(String::new(), |text, line| format!("{text}text {kind} line {line}\n"))
}

fn edited(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = dice.below(lines.len().max(1));
    let word = format!("edited {}", dice.below(4));
    if lines.is_empty() {
        lines.push(word);
    } else {
        lines[at] = word;
    }
    lines.join("\n") + "\n"
}

/// Moves every file below `from` to below `to`.
fn move_dir(files: &mut Files, from: &str, to: &str) {
    if to.starts_with(from) {
        return;
    }
    let moved: Vec<String> = files.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in moved {
        // It may have been in the way of one that was moved before it.
        let Some(entry) = files.remove(&path) else { continue };
        let there = format!("{to}{}", &path[from.len()..]);
        make_way(files, &there);
        files.insert(there, entry);
    }
}

/// One change of the sort that merges find difficult.
fn change(files: &mut Files, dice: &mut Dice) {
    let paths: Vec<String> = files.keys().cloned().collect();
    let dirs: BTreeSet<String> =
        paths.iter().filter_map(|p| p.rfind('/').map(|end| p[..=end].to_owned())).collect();
    let dirs: Vec<String> = dirs.into_iter().collect();
    let path = if paths.is_empty() { some_path(dice) } else { dice.one(&paths).clone() };
    match dice.below(14) {
        0..=2 => {
            if let Some(entry) = files.get_mut(&path).filter(|(mode, _)| matches!(*mode, FILE | PROGRAM)) {
                entry.1 = edited(&entry.1, dice);
            }
        }
        3 | 4 => {
            if let Some((mode, mut content)) = files.remove(&path) {
                if mode == FILE && dice.below(2) == 0 {
                    content = edited(&content, dice);
                }
                let there = some_path(dice);
                make_way(files, &there);
                files.insert(there, (mode, content));
            }
        }
        5 => drop(files.remove(&path)),
        6 | 7 if !dirs.is_empty() => {
            let to = format!("{}{}/", dice.one(&["", "moved/", "b/"]), dice.one(&["one", "two", "c"]));
            move_dir(files, &dice.one(&dirs).clone(), &to);
        }
        8 if !dirs.is_empty() => {
            let dir = dice.one(&dirs).clone();
            files.retain(|path, _| !path.starts_with(&dir));
            if dice.below(2) == 0 {
                let file = dir.trim_end_matches('/').to_owned();
                let content = text(dice);
                make_way(files, &file);
                files.insert(file, (FILE, content));
            }
        }
        9 => {
            let mode = *dice.one(&[FILE, PROGRAM, LINK, SUBMODULE]);
            let content = text(dice);
            files.insert(path, (mode, content));
        }
        10 => {
            let content = text(dice);
            let below = format!("{path}/inner");
            make_way(files, &below);
            files.insert(below, (FILE, content));
        }
        _ => {
            let (path, content) = (some_path(dice), text(dice));
            make_way(files, &path);
            files.insert(path, (FILE, content));
        }
    }
}

fn commit(repo: &Repository, files: &Files, parents: &[Oid]) -> Oid {
    let mut index = git2::Index::new().unwrap();
    for (path, (mode, content)) in files {
        let id = if *mode == SUBMODULE {
            Oid::hash_object(git2::ObjectType::Commit, content.as_bytes()).unwrap()
        } else {
            repo.blob(content.as_bytes()).unwrap()
        };
        let time = IndexTime::new(0, 0);
        let entry = IndexEntry {
            ctime: time,
            mtime: time,
            dev: 0,
            ino: 0,
            mode: *mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry).unwrap();
    }
    let tree = repo.find_tree(index.write_tree_to(repo).unwrap()).unwrap();
    let who = Signature::new("A", "a@example.org", &git2::Time::new(1_000_000, 0)).unwrap();
    let parents: Vec<_> = parents.iter().map(|id| repo.find_commit(*id).unwrap()).collect();
    let parents: Vec<_> = parents.iter().collect();
    repo.commit(None, &who, &who, "m", &tree, &parents).unwrap()
}

/// Branches of one history, some of which have merged each other.
fn branches(repo: &Repository, dice: &mut Dice, count: usize) -> Vec<Oid> {
    let mut base = Files::new();
    for _ in 0..10 {
        let (path, content) = (some_path(dice), text(dice));
        make_way(&mut base, &path);
        base.insert(path, (FILE, content));
    }
    let root = commit(repo, &base, &[]);
    let mut tips: Vec<(Oid, Files)> = vec![(root, base); count];
    let calm = dice.below(3) == 0;
    for _ in 0..if calm { count } else { 2 * count } {
        let n = dice.below(count);
        let (mut parents, mut files) = (vec![tips[n].0], tips[n].1.clone());
        for _ in 0..=dice.below(if calm { 1 } else { 3 }) {
            change(&mut files, dice);
        }
        let other = dice.below(count);
        if !calm && dice.below(4) == 0 && tips[other].0 != tips[n].0 {
            // What a merge comes to is anybody's choice.
            parents.push(tips[other].0);
            for (path, entry) in tips[other].1.clone() {
                if dice.below(2) == 0 {
                    make_way(&mut files, &path);
                    files.insert(path, entry);
                }
            }
        }
        tips[n] = (commit(repo, &files, &parents), files);
    }
    tips.into_iter().map(|(tip, _)| tip).collect()
}

/// What git says of one pair.
fn oracle(root: &std::path::Path, ours: &Sha, theirs: &Sha) -> Verdict {
    let output = Command::new("git")
        .args(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"])
        .args([ours.as_str(), theirs.as_str()])
        .current_dir(root)
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => Verdict::Clean,
        Some(1) => {
            let fields = output.stdout.split(|b| *b == 0).skip(1).filter(|f| !f.is_empty());
            let said: Vec<String> = fields.map(|f| String::from_utf8_lossy(f).into_owned()).collect();
            let (ours, theirs) = (format!("~{ours}"), format!("~{theirs}"));
            let own = |path: &String| path.trim_end_matches(&ours).trim_end_matches(&theirs).to_owned();
            let mut paths: Vec<String> = said.iter().map(own).collect();
            if paths != said {
                paths = BTreeSet::from_iter(paths).into_iter().collect();
            }
            Verdict::Conflict { paths }
        }
        None => Verdict::Broken { why: String::new() },
        code => panic!("{code:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn p17_every_pair_of_a_difficult_history_is_judged_as_git_judges_it() {
    let histories = std::env::var("LANEWAY_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let first = std::env::var("LANEWAY_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0_u64);
    let fixture = Fixture::new();
    let library = Repository::open(&fixture.root).unwrap();
    let (mut pairs, mut conflicts, mut unmerged, mut broken) = (0_usize, 0_usize, 0_usize, 0_usize);
    for seed in first..first + histories {
        let tips = branches(&library, &mut Dice(seed), 7);
        let tips: Vec<Sha> = tips.iter().map(|tip| sha(&tip.to_string())).collect();
        let asked: Vec<(Sha, Sha)> = (0..tips.len())
            .flat_map(|a| (a + 1..tips.len()).map(move |b| (a, b)))
            .map(|(a, b)| (tips[a].clone(), tips[b].clone()))
            .collect();
        let mut probe = fixture.repo.probe().unwrap();
        let told = probe.pairs(&asked).unwrap();
        unmerged += asked.len() - probe.merged();
        for ((ours, theirs), mut verdict) in asked.iter().zip(told) {
            if let Verdict::Broken { why } = &mut verdict {
                why.clear();
                broken += 1;
            }
            assert_eq!(verdict, oracle(&fixture.root, ours, theirs), "seed {seed}: {ours} {theirs}");
            pairs += 1;
            conflicts += usize::from(matches!(verdict, Verdict::Conflict { .. }));
        }
    }
    assert!(conflicts > 0 && conflicts < pairs && unmerged > 0, "{pairs} pairs, {conflicts} conflicts");
    eprintln!(
        "{pairs} pairs, {conflicts} conflicts, {unmerged} told without a merge, git broke down over {broken}"
    );
}

fn told(fixture: &Fixture, ours: &Sha, theirs: &Sha) -> (Verdict, usize) {
    let mut probe = fixture.repo.probe().unwrap();
    let verdict = probe.pairs(&[(ours.clone(), theirs.clone())]).unwrap().remove(0);
    (verdict, probe.merged())
}

#[test]
fn p17_a_directory_that_moved_away_under_a_new_file_is_merged_to_be_sure() {
    let f = Fixture::new();
    let base = f.commit(&f.start, &[("d/one", Some("1\n2\n3\n")), ("d/two", Some("4\n5\n6\n"))]);
    let moved =
        [("d/one", None), ("d/two", None), ("e/one", Some("1\n2\n3\n")), ("e/two", Some("4\n5\n6\n"))];
    let ours = f.commit(&base, &moved);
    let theirs = f.commit(&base, &[("d/three", Some("new\n"))]);
    let conflict = Verdict::Conflict { paths: vec!["e/three".to_owned()] };
    assert_eq!(told(&f, &ours, &theirs), (conflict, 1));
    let elsewhere = f.commit(&base, &[("other/three", Some("new\n"))]);
    assert_eq!(told(&f, &ours, &elsewhere), (Verdict::Clean, 0));
}

#[test]
fn p17_a_file_in_the_way_of_a_folder_is_called_as_it_is_called() {
    let f = Fixture::new();
    let ours = f.commit(&f.start, &[("e", Some("a file\n"))]);
    let theirs = f.commit(&f.start, &[("e/one", Some("a folder\n"))]);
    let conflict = Verdict::Conflict { paths: vec!["e".to_owned()] };
    assert_eq!(told(&f, &ours, &theirs), (conflict.clone(), 1));
    assert_eq!(told(&f, &theirs, &ours), (conflict, 1));
}

#[test]
fn p17_a_directory_that_moved_into_the_root_is_merged_to_be_sure() {
    let f = Fixture::new();
    let base = f.commit(&f.start, &[("d/e/one", Some("1\n2\n3\n"))]);
    let ours = f.commit(&base, &[("d/e/src", Some("new\n"))]);
    let theirs = f.commit(&base, &[("d/e/one", None), ("one", Some("1\n2\n3\n"))]);
    // `src` is in the way of where git would put `d/e/src`, which it names in no list.
    assert_eq!(told(&f, &ours, &theirs), (Verdict::Conflict { paths: Vec::new() }, 1));
}

#[test]
fn p17_attributes_in_commits_count_and_are_those_of_our_side() {
    let f = Fixture::new();
    let union = Some("*.txt merge=union\n");
    let text = |word: &str| format!("one\n{word}\nthree\n");
    let conflict = |path: &str| Verdict::Conflict { paths: vec![path.to_owned()] };
    let (ours, theirs) = (text("ours"), text("theirs"));
    for (given, path, verdict) in [
        (".gitattributes", "deep/er/a.txt", Verdict::Clean),
        ("deep/.gitattributes", "deep/er/a.txt", Verdict::Clean),
        ("other/.gitattributes", "deep/er/a.txt", conflict("deep/er/a.txt")),
    ] {
        let base = f.commit(&f.start, &[(given, union), (path, Some(text("two").as_str()))]);
        let one = f.commit(&base, &[(path, Some(ours.as_str()))]);
        let two = f.commit(&base, &[(path, Some(theirs.as_str()))]);
        assert_eq!(told(&f, &one, &two), (verdict.clone(), 1), "{given}");
        let without = f.commit(&one, &[(given, None)]);
        let mut probe = f.repo.probe().unwrap();
        let pairs = [(one.clone(), two.clone()), (without.clone(), two.clone()), (two, without)];
        let told = probe.pairs(&pairs).unwrap();
        assert_eq!(told, [verdict.clone(), conflict(path), verdict], "{given}");
    }
}

#[test]
fn p17_attributes_that_lie_about_in_the_checkout_count_for_nothing() {
    let f = Fixture::new();
    write(&f.root.join(".gitattributes"), "* merge=union\n");
    let ours = f.commit(&f.start, &[("README", Some("ours\n"))]);
    let theirs = f.commit(&f.start, &[("README", Some("theirs\n"))]);
    assert_eq!(told(&f, &ours, &theirs), (Verdict::Conflict { paths: vec!["README".to_owned()] }, 1));
}

#[test]
fn p17_a_probe_leaves_nothing_in_the_repository() {
    let f = Fixture::new();
    let ours = f.commit(&f.start, &[("README", Some("ours\n"))]);
    let theirs = f.commit(&f.start, &[("README", Some("theirs\n"))]);
    let (user, objects) = (f.user(), git(&f.root, &["count-objects", "-v"]));
    let conflict = Verdict::Conflict { paths: vec!["README".to_owned()] };
    assert_eq!(told(&f, &ours, &theirs), (conflict, 1));
    assert_eq!(git(&f.root, &["count-objects", "-v"]), objects);
    assert_eq!(f.user(), user);
}

#[test]
fn p17_commits_without_common_history_spoil_no_other_pair() {
    let f = Fixture::new();
    let tree = git(&f.root, &["rev-parse", "HEAD^{tree}"]);
    let alone = sha(&git(&f.root, &["commit-tree", &tree, "-m", "alone"]));
    let ours = f.commit(&f.start, &[("README", Some("ours\n"))]);
    let theirs = f.commit(&f.start, &[("README", Some("theirs\n"))]);
    let mut probe = f.repo.probe().unwrap();
    let pairs = [(ours.clone(), alone.clone()), (ours, theirs), (f.start.clone(), alone)];
    let told = probe.pairs(&pairs).unwrap();
    assert_eq!((&told[0], &told[2]), (&Verdict::Unrelated, &Verdict::Unrelated));
    assert!(matches!(told[1], Verdict::Conflict { .. }));
}

#[test]
fn p17_what_lies_uncommitted_in_a_lane_is_probed_and_stays_as_it_is() {
    let f = Fixture::new();
    let (one, two) = (f.lane("one"), f.lane("two"));
    write(&one.path.join("new.txt"), "one\n");
    write(&one.path.join("noise.log"), "ignored\n");
    write(&two.path.join("new.txt"), "two\n");
    let index = super::fixture::bytes(&one.admin.join("index"));
    let objects = git(&f.root, &["count-objects", "-v"]);
    let mut probe = f.repo.probe().unwrap();
    let ours = probe.snapshot(&one, &f.start, &identity()).unwrap();
    let theirs = probe.snapshot(&two, &f.start, &identity()).unwrap();
    let told = probe.pairs(&[(ours, theirs)]).unwrap();
    assert_eq!(told, [Verdict::Conflict { paths: vec!["new.txt".to_owned()] }]);
    assert_eq!(super::fixture::bytes(&one.admin.join("index")), index);
    assert_eq!(git(&f.root, &["count-objects", "-v"]), objects);
    // Laneway's own index of the lane still sees what is new.
    assert_eq!(f.repo.tree_state(&one, &f.start).unwrap().files.len(), 1);
}
