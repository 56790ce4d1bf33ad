//! Moving refs, and what that does to checkouts.
#![expect(clippy::disallowed_methods, reason = "lock files are left as killed processes leave them")]

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::fixture::{Fixture, git, read, try_git, write};
use crate::git::GitError;

const MAIN: &str = "refs/heads/main";

#[test]
fn a_branch_that_is_not_checked_out_moves_by_compare_and_swap() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let (repo, start) = (&fixture.repo, &fixture.start);
    let one = fixture.commit(start, &[("x", Some("1\n"))]);
    let two = fixture.commit(start, &[("x", Some("2\n"))]);
    let lane = "refs/heads/laneway/demo/a/integration";
    repo.advance(lane, None, start).expect("created");
    repo.advance(lane, None, start).expect("a repeat is harmless");
    repo.advance(lane, Some(start), &one).expect("moved");
    match repo.advance(lane, Some(start), &two) {
        Err(GitError::RefMoved { expected, found, .. }) => {
            assert_eq!((expected.as_ref(), found.as_ref()), (Some(start), Some(&one)));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(repo.advance(lane, None, &two), Err(GitError::RefMoved { .. })));
    assert_eq!(repo.read_ref(lane).expect("read"), Some(one));
    before.assert_untouched(&fixture.root);
}

#[test]
fn a_clean_checkout_moves_along_with_its_untracked_files() {
    let fixture = Fixture::new();
    let (repo, start) = (&fixture.repo, &fixture.start);
    write(&fixture.root.join("mine"), "untracked\n");
    let next =
        fixture.commit(start, &[("README", Some("new\n")), ("src/a.txt", None), ("added", Some("a\n"))]);
    let moved = repo.advance(MAIN, Some(start), &next).expect("moved");
    assert_eq!(moved.checkouts, std::slice::from_ref(&fixture.root));
    assert_eq!(git(&fixture.root, &["status", "--porcelain"]), "?? mine");
    assert_eq!(git(&fixture.root, &["rev-parse", "HEAD"]), next.as_str());
    assert_eq!(read(&fixture.root.join("README")), "new\n");
    assert!(!fixture.root.join("src/a.txt").exists());
    assert!(git(&fixture.root, &["reflog", "main"]).contains("laneway"), "the user's reflog tells");
}

#[test]
fn a_dirty_checkout_is_left_alone_and_the_move_refused() {
    for staged in [false, true] {
        let fixture = Fixture::new();
        let next = fixture.commit(&fixture.start, &[("src/a.txt", Some("x\n"))]);
        write(&fixture.root.join("README"), "work\n");
        if staged {
            git(&fixture.root, &["add", "README"]);
        }
        let before = fixture.user();
        match fixture.repo.advance(MAIN, Some(&fixture.start), &next) {
            Err(GitError::CheckoutDirty { path, branch, files }) => {
                assert_eq!((path, branch.as_str()), (fixture.root.clone(), MAIN));
                assert_eq!(files, ["README"]);
            }
            other => panic!("{other:?}"),
        }
        before.assert_untouched(&fixture.root);
    }
}

#[test]
fn untracked_and_hidden_work_is_never_overwritten() {
    let fixture = Fixture::new();
    let next = fixture.commit(&fixture.start, &[("added", Some("theirs\n")), ("README", Some("theirs\n"))]);
    write(&fixture.root.join("added"), "mine\n");
    let before = fixture.user();
    match fixture.repo.advance(MAIN, Some(&fixture.start), &next) {
        Err(GitError::CheckoutInTheWay { files, .. }) => assert_eq!(files, ["added"]),
        other => panic!("{other:?}"),
    }
    before.assert_untouched(&fixture.root);
    git(&fixture.root, &["clean", "-fdq"]);
    git(&fixture.root, &["update-index", "--assume-unchanged", "README"]);
    write(&fixture.root.join("README"), "hidden work\n");
    let before = fixture.user();
    assert!(matches!(
        fixture.repo.advance(MAIN, Some(&fixture.start), &next),
        Err(GitError::CheckoutDirty { .. })
    ));
    before.assert_untouched(&fixture.root);
}

#[test]
fn a_checkout_whose_index_does_not_know_its_files_any_more_moves_along_and_work_in_it_stays() {
    let fixture = Fixture::new();
    let next = fixture.commit(&fixture.start, &[("README", Some("theirs\n"))]);
    let anew = || {
        let text = read(&fixture.root.join("README"));
        std::fs::remove_file(fixture.root.join("README")).expect("a file");
        // Another inode, as in a copy.
        write(&fixture.root.join("other"), "");
        write(&fixture.root.join("README"), &text);
        std::fs::remove_file(fixture.root.join("other")).expect("a file");
    };
    anew();
    fixture.repo.advance(MAIN, Some(&fixture.start), &next).expect("nothing differs");
    assert_eq!(read(&fixture.root.join("README")), "theirs\n");
    let after = fixture.commit(&next, &[("README", Some("more\n"))]);
    write(&fixture.root.join("README"), "work\n");
    anew();
    assert!(matches!(fixture.repo.advance(MAIN, Some(&next), &after), Err(GitError::CheckoutDirty { .. })));
    assert_eq!(read(&fixture.root.join("README")), "work\n");
}

#[test]
fn every_checkout_of_the_branch_counts() {
    let fixture = Fixture::new();
    let linked = fixture.dir.path().join("linked");
    git(&fixture.root, &["worktree", "add", "-q", "-b", "topic", &linked.to_string_lossy()]);
    let next = fixture.commit(&fixture.start, &[("README", Some("new\n"))]);
    write(&linked.join("README"), "work\n");
    let advance = || fixture.repo.advance("refs/heads/topic", Some(&fixture.start), &next);
    assert!(matches!(advance(), Err(GitError::CheckoutDirty { .. })));
    git(&linked, &["checkout", "-q", "README"]);
    advance().expect("moved");
    assert_eq!(git(&linked, &["status", "--porcelain"]), "");
    assert_eq!(read(&linked.join("README")), "new\n");
}

#[test]
fn a_branch_under_rebase_is_busy() {
    let fixture = Fixture::new();
    let root = &fixture.root;
    let next = fixture.commit(&fixture.start, &[("README", Some("theirs\n"))]);
    write(&root.join("README"), "mine\n");
    git(root, &["commit", "-qam", "mine"]);
    let mine = fixture.repo.branch_tip("main").expect("tip").expect("main");
    assert!(!try_git(root, &["rebase", next.as_str()]).0, "the rebase stops at a conflict");
    match fixture.repo.advance(MAIN, Some(&mine), &next) {
        Err(GitError::CheckoutBusy { operation, .. }) => assert_eq!(operation, "a rebase"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_branch_whose_next_commit_concludes_a_merge_is_busy() {
    let fixture = Fixture::new();
    let root = &fixture.root;
    let next = fixture.commit(&fixture.start, &[("README", Some("theirs\n"))]);
    git(root, &["branch", "side", next.as_str()]);
    git(root, &["merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side"]);
    assert_eq!(git(root, &["status", "--porcelain"]), "");
    match fixture.repo.advance(MAIN, Some(&fixture.start), &next) {
        Err(GitError::CheckoutBusy { operation, .. }) => assert_eq!(operation, "a merge"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_move_that_died_between_files_and_ref_is_finished() {
    let fixture = Fixture::new();
    let next = fixture.commit(&fixture.start, &[("README", Some("new\n")), ("added", Some("a\n"))]);
    git(&fixture.root, &["read-tree", "-m", "-u", fixture.start.as_str(), next.as_str()]);
    fixture.repo.advance(MAIN, Some(&fixture.start), &next).expect("finished");
    assert_eq!(git(&fixture.root, &["status", "--porcelain"]), "");
}

#[test]
fn a_branch_of_many_racers_is_moved_by_one() {
    let fixture = Fixture::new();
    let name = "refs/heads/laneway/demo/a/integration";
    fixture.repo.advance(name, None, &fixture.start).expect("created");
    let commits: Vec<_> =
        (0..8).map(|n| fixture.commit(&fixture.start, &[("x", Some(&n.to_string()))])).collect();
    let won = std::thread::scope(|scope| {
        let racers: Vec<_> = commits
            .iter()
            .map(|commit| {
                let (repo, start) = (&fixture.repo, &fixture.start);
                scope.spawn(move || repo.advance(name, Some(start), commit))
            })
            .collect();
        let ends = racers.into_iter().map(|racer| racer.join().expect("no panic"));
        let mut won = 0;
        for end in ends {
            match end {
                Ok(_) => won += 1,
                Err(GitError::RefMoved { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        won
    });
    assert_eq!(won, 1);
}

#[test]
fn refs_are_set_listed_and_deleted_with_care() {
    let fixture = Fixture::new();
    let (repo, start) = (&fixture.repo, &fixture.start);
    let next = fixture.commit(start, &[("x", Some("1\n"))]);
    let name = "refs/laneway/custody/demo/1/a";
    repo.set_ref(name, start, None).expect("set");
    repo.set_ref(name, start, None).expect("a repeat is harmless");
    assert!(matches!(repo.set_ref(name, &next, None), Err(GitError::RefMoved { .. })));
    repo.set_ref(name, &next, Some(start)).expect("moved");
    repo.set_ref("refs/heads/laneway/demo/a/task/t/1", &next, None).expect("a task branch");
    assert_eq!(repo.list_refs("refs/laneway/").expect("list"), [(name.to_owned(), next.clone())]);
    let branches = repo.branches().expect("branches");
    assert_eq!(branches.keys().collect::<Vec<_>>(), ["laneway/demo/a/task/t/1", "main"]);
    assert!(matches!(repo.delete_ref(name, start), Err(GitError::RefMoved { .. })));
    git(&fixture.root, &["pack-refs", "--all"]);
    repo.delete_ref(name, &next).expect("deleted");
    repo.delete_ref(name, &next).expect("a repeat is harmless");
    assert_eq!(repo.read_ref(name).expect("read"), None);
    assert!(matches!(repo.delete_ref(MAIN, start), Err(GitError::CheckoutBusy { .. })));
    assert_eq!(repo.branch_tip("main").expect("tip").as_ref(), Some(start));
}

/// A lock of a lane's branch as somebody killed has left it, a minute old.
fn old_lock(fixture: &Fixture, branch: &str, text: &str) -> PathBuf {
    let path = fixture.root.join(".git").join(format!("{branch}.lock"));
    write(&path, text);
    let file = File::options().write(true).open(&path).expect("it was written");
    file.set_modified(SystemTime::now() - Duration::from_mins(1)).expect("a time");
    path
}

#[test]
fn a_lock_that_a_killed_process_left_is_removed_and_anybody_elses_stays() {
    let fixture = Fixture::new();
    let (repo, start) = (&fixture.repo, &fixture.start);
    let next = fixture.commit(start, &[("x", Some("1\n"))]);
    let after = fixture.commit(&next, &[("x", Some("2\n"))]);
    let branch = "refs/heads/laneway/demo/a/integration";
    repo.advance(branch, None, start).expect("created");

    let left = old_lock(&fixture, branch, "");
    repo.advance(branch, Some(start), &next).expect("an empty lock that nobody has open is nobody's");
    assert!(!left.exists());
    let left = old_lock(&fixture, branch, &format!("{after}\n"));
    repo.advance(branch, Some(&next), &after).expect("so is one of the very same move");
    assert!(!left.exists());

    let others = old_lock(&fixture, branch, &format!("{start}\n"));
    repo.advance(branch, Some(&after), &next).expect_err("somebody moves it elsewhere");
    assert!(others.exists());
    std::fs::remove_file(&others).expect("it is there");
    let held = old_lock(&fixture, branch, "");
    let open = File::open(&held).expect("it is there");
    repo.advance(branch, Some(&after), &next).expect_err("somebody has it open");
    assert!(held.exists());
    drop(open);
    repo.delete_ref(branch, &after).expect("now nobody has");
    assert!(!held.exists());
}
