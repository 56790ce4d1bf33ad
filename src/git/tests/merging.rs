//! Merges and differences.
#![expect(clippy::disallowed_methods, reason = "moves files as a shell does")]

use super::fixture::{Fixture, git, sha, write};
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

#[test]
fn every_file_of_a_large_folder_that_moved_is_known_again() {
    let f = Fixture::new();
    let lines: String = (0..20).map(|n| n.to_string() + " is a line\n").collect();
    for n in 0..1500 {
        write(&f.root.join(format!("old/f{n}")), format!("file {n}\n{lines}"));
    }
    git(&f.root, &["add", "-A"]);
    git(&f.root, &["commit", "-qm", "many"]);
    let from = sha(&git(&f.root, &["rev-parse", "HEAD"]));
    git(&f.root, &["mv", "old", "new"]);
    write(&f.root.join("new/f7"), format!("file 7, edited\n{lines}"));
    git(&f.root, &["commit", "-qam", "moved"]);
    let to = sha(&git(&f.root, &["rev-parse", "HEAD"]));
    let files = f.repo.diff(&from, &to).unwrap();
    assert_eq!(files.len(), 1500);
    assert!(files.iter().all(|file| file.change == Change::Renamed));
    let edited = files.iter().filter(|file| file.additions + file.deletions > 0);
    assert_eq!(edited.map(|file| file.path.as_str()).collect::<Vec<_>>(), ["new/f7"]);
}

/// How files changed, as git says it.
fn statuses(f: &Fixture, from: &str, to: &str) -> Vec<(String, String)> {
    let told = git(&f.root, &["diff", "-z", "--name-status", "-M", from, to]);
    let mut fields = told.split('\0').filter(|field| !field.is_empty());
    let mut all = Vec::new();
    while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
        let path = if status.starts_with('R') { fields.next().unwrap() } else { path };
        all.push((path.to_owned(), status[..1].to_owned()));
    }
    all.sort();
    all
}

#[test]
fn renames_are_those_that_git_finds() {
    let f = Fixture::new();
    let long: String = (0..20).map(|n| n.to_string() + " is a line\n").collect();
    let same = |word: &str| format!("{word}\n{long}");
    for (name, word) in [
        ("a/one", "1"),
        ("b/two", "1"),
        ("odd[1]*", "2"),
        ("dir", "3"),
        ("was/f", "4"),
        ("alike", "5"),
        ("gone", "6"),
    ] {
        write(&f.root.join(name), same(word));
    }
    git(&f.root, &["add", "-A"]);
    git(&f.root, &["commit", "-qm", "before"]);
    for (script, shape) in [
        (
            "mkdir c && git mv a/one c/two && git mv b/two c/one && git mv 'odd[1]*' ':odd?' && sed -i s/5/five/ alike && git mv alike c/alike && git rm -q gone",
            "moves",
        ),
        (
            "git mv dir d && mkdir dir && git mv d dir/in && git mv was/f f && rmdir was 2>/dev/null; git mv f was && git mv gone elsewhere",
            "files and folders",
        ),
        (
            "git rm -q gone && ln -s \"$(cat alike | head -c 20)\" link && git mv alike other && git add -A",
            "links",
        ),
    ] {
        let done =
            std::process::Command::new("sh").args(["-ec", script]).current_dir(&f.root).output().unwrap();
        assert!(done.status.success(), "{shape}: {}", String::from_utf8_lossy(&done.stderr));
        git(&f.root, &["commit", "-qam", shape]);
        let (from, to) = (git(&f.root, &["rev-parse", "HEAD~"]), git(&f.root, &["rev-parse", "HEAD"]));
        let letter = |change| match change {
            Change::Added => "A",
            Change::Modified => "M",
            Change::Deleted => "D",
            Change::Renamed => "R",
            Change::TypeChanged => "T",
        };
        let found = f.repo.diff(&sha(&from), &sha(&to)).unwrap();
        let found: Vec<_> =
            found.into_iter().map(|file| (file.path, letter(file.change).to_owned())).collect();
        assert_eq!(found, statuses(&f, &from, &to), "{shape}");
        git(&f.root, &["reset", "-q", "--hard", "HEAD~"]);
    }
}

#[test]
fn files_of_one_content_go_together_by_name_first() {
    let f = Fixture::new();
    let files = ["a/x", "a/y", "b/z"].map(|path| (path, Some("same\n")));
    let from = f.commit(&f.start, &files);
    let moves = [
        ("a/x", None),
        ("a/y", None),
        ("b/z", None),
        ("c/n", Some("same\n")),
        ("c/x", Some("same\n")),
        ("c/z", Some("same\n")),
    ];
    let to = f.commit(&from, &moves);
    let files = f.repo.diff(&from, &to).unwrap();
    let seen: Vec<_> =
        files.iter().map(|file| (file.old_path.as_deref().unwrap(), file.path.as_str())).collect();
    assert_eq!(seen, [("a/y", "c/n"), ("a/x", "c/x"), ("b/z", "c/z")]);
}
