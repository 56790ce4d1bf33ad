//! Merges and differences.

use super::fixture::{Fixture, git, sha};
use crate::git::{Change, GitError, Merge};

#[test]
fn trivial_merges_need_no_process() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let (repo, start) = (&fixture.repo, &fixture.start);
    let one = fixture.commit(start, &[("x", Some("1\n"))]);
    let tree = |commit| repo.tree_of(commit).expect("tree");
    let merge = |ours, theirs| repo.merge(ours, theirs).expect("merge");
    assert_eq!(merge(start, &one), Merge::Clean { tree: tree(&one), ff: true });
    assert_eq!(merge(&one, start), Merge::Clean { tree: tree(&one), ff: false });
    assert_eq!(merge(&one, &one), Merge::Clean { tree: tree(&one), ff: true });
    let empty = fixture.commit(start, &[]);
    let other = fixture.commit(&empty, &[]);
    assert_eq!(merge(&other, &one), Merge::Clean { tree: tree(&one), ff: false });
    assert_eq!(merge(&one, &other), Merge::Clean { tree: tree(&one), ff: false });
    before.assert_untouched(&fixture.root);
}

#[test]
fn both_sides_come_together_and_no_checkout_notices() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let ours = fixture.commit(&fixture.start, &[("src/a.txt", Some("ONE\ntwo\nthree\nfour\nfive\n"))]);
    let theirs = fixture.commit(&fixture.start, &[("src/a.txt", Some("one\ntwo\nthree\nfour\nFIVE\n"))]);
    let Merge::Clean { tree, ff: false } = fixture.repo.merge(&ours, &theirs).expect("merge") else {
        panic!("a conflict")
    };
    let text = git(&fixture.root, &["cat-file", "-p", &format!("{tree}:src/a.txt")]);
    assert_eq!(text, "ONE\ntwo\nthree\nfour\nFIVE");
    before.assert_untouched(&fixture.root);
}

#[test]
fn p17_a_conflict_names_the_files_and_shows_the_text() {
    let fixture = Fixture::new();
    let ours = fixture.commit(&fixture.start, &[("README", Some("ours\n")), ("src/a.txt", None)]);
    let theirs =
        fixture.commit(&fixture.start, &[("README", Some("theirs\n")), ("src/a.txt", Some("changed\n"))]);
    let Merge::Conflict { paths, detail, .. } = fixture.repo.merge(&ours, &theirs).expect("merge") else {
        panic!("no conflict")
    };
    assert_eq!(paths, ["README", "src/a.txt"]);
    for expected in ["CONFLICT (content)", "CONFLICT (modify/delete)", "<<<<<<<", "|||||||", "ours", "theirs"]
    {
        assert!(detail.contains(expected), "{expected} is not in:\n{detail}");
    }
    let long = "line\n".repeat(20_000);
    let ours = fixture.commit(&fixture.start, &[("README", Some(&format!("{long}a\n")))]);
    let theirs = fixture.commit(&fixture.start, &[("README", Some(&format!("{long}b\n")))]);
    let Merge::Conflict { detail, .. } = fixture.repo.merge(&ours, &theirs).expect("merge") else {
        panic!("no conflict")
    };
    assert!(detail.len() < 20_000, "{}", detail.len());
}

#[test]
fn unrelated_histories_are_refused_by_name() {
    let fixture = Fixture::new();
    let tree = fixture.repo.tree_of(&fixture.start).expect("tree");
    let orphan = sha(&git(&fixture.root, &["commit-tree", tree.as_str(), "-m", "orphan"]));
    assert!(matches!(fixture.repo.merge(&fixture.start, &orphan), Err(GitError::UnrelatedHistories { .. })));
    assert_eq!(fixture.repo.merge_base(&fixture.start, &orphan).expect("base"), None);
}

#[test]
fn a_diff_knows_what_became_of_each_file() {
    let fixture = Fixture::new();
    let body = "a\nb\nc\nd\ne\nf\ng\nh\n";
    let from = fixture.commit(
        &fixture.start,
        &[("old name", Some(body)), ("gone", Some("x\n")), ("bin", Some("\0a")), ("ünïcode", Some("1\n"))],
    );
    let to = fixture.commit(
        &from,
        &[
            ("old name", None),
            ("new name", Some(&body.replace('a', "A"))),
            ("gone", None),
            ("bin", Some("\0b")),
            ("ünïcode", Some("1\n2\n")),
            ("fresh", Some("1\n2\n3\n")),
        ],
    );
    let files = fixture.repo.diff(&from, &to).expect("diff");
    let seen: Vec<_> = files
        .iter()
        .map(|f| (f.change, f.path.as_str(), f.old_path.as_deref(), f.additions, f.deletions, f.binary))
        .collect();
    assert_eq!(
        seen,
        [
            (Change::Modified, "bin", None, 0, 0, true),
            (Change::Added, "fresh", None, 3, 0, false),
            (Change::Deleted, "gone", None, 0, 1, false),
            (Change::Renamed, "new name", Some("old name"), 1, 1, false),
            (Change::Modified, "ünïcode", None, 1, 0, false),
        ]
    );
    let text =
        |color| String::from_utf8(fixture.repo.diff_text(&from, &to, color).expect("diff")).expect("text");
    assert!(text(false).contains("+A") && !text(false).contains('\u{1b}'));
    assert!(text(true).contains('\u{1b}'));
}
