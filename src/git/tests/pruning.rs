//! A user who takes the trash out while something is being made: what no ref holds yet can be gone a moment later.
#![expect(clippy::disallowed_methods, reason = "takes objects away as a prune does")]

use super::fixture::{Fixture, git, identity, try_git, write};
use crate::git::GitError;
use crate::git::command::Git;
use crate::git::private::Private;

#[test]
fn p09_what_is_missing_is_never_landed() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new"), "made\n");
    let (repo, start) = (&fixture.repo, &fixture.start);
    let commit = repo.commit_all(&lane, start, "work\n", &identity()).expect("fine").expect("a commit");
    repo.sync_objects(&commit, std::slice::from_ref(start)).expect("all is there");
    let blob = git(&fixture.root, &["rev-parse", &format!("{commit}:new")]);
    let loose = fixture.root.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(&loose).expect("it is loose");
    match repo.sync_objects(&commit, std::slice::from_ref(start)) {
        Err(GitError::ObjectGone { id }) => assert_eq!(id, blob),
        other => panic!("{other:?}"),
    }
    git(&fixture.root, &["hash-object", "-w", &lane.path.join("new").to_string_lossy()]);
    git(&fixture.root, &["update-ref", "refs/kept", commit.as_str()]);
    git(&fixture.root, &["repack", "-adq"]);
    assert!(!loose.exists());
    repo.sync_objects(&commit, std::slice::from_ref(start)).expect("packed is there too");
}

#[test]
fn p09_no_branch_moves_to_a_commit_of_which_something_is_missing() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new"), "made\n");
    let (repo, start) = (&fixture.repo, &fixture.start);
    let commit = repo.commit_all(&lane, start, "work\n", &identity()).expect("fine").expect("a commit");
    let blob = git(&fixture.root, &["rev-parse", &format!("{commit}:new")]);
    let loose = fixture.root.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let kept = std::fs::read(&loose).expect("it is loose");
    std::fs::remove_file(&loose).expect("it is there");
    for name in ["refs/heads/work", "refs/laneway/custody/demo/1/a"] {
        let moved = repo.set_ref(name, &commit, None);
        assert!(matches!(moved, Err(GitError::ObjectGone { .. })), "{moved:?}");
        assert_eq!(repo.read_ref(name).expect("readable"), None);
    }
    std::fs::write(&loose, kept).expect("put back");
    repo.set_ref("refs/heads/work", &commit, None).expect("whole again");
    assert_eq!(repo.list_refs("refs/laneway/making/").expect("refs"), []);
}

#[test]
fn p09_a_commit_that_was_pruned_before_a_ref_held_it_is_made_again() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let (repo, start) = (&fixture.repo, &fixture.start);
    write(&lane.path.join("src/new"), "made\n");
    let lost = repo.commit_all(&lane, start, "work\n", &identity()).expect("fine").expect("a commit");
    git(&fixture.root, &["prune", "--expire=now"]);
    assert!(try_git(&fixture.root, &["cat-file", "-e", lost.as_str()]).0, "it is held while it is made");
    git(&fixture.root, &["update-ref", "-d", &format!("refs/laneway/making/{lost}")]);
    git(&fixture.root, &["prune", "--expire=now"]);
    assert!(!try_git(&fixture.root, &["cat-file", "-e", lost.as_str()]).0, "nothing held it");
    let commit = repo.commit_all(&lane, start, "again\n", &identity()).expect("fine").expect("a commit");
    git(&fixture.root, &["update-ref", "refs/kept", commit.as_str()]);
    git(&fixture.root, &["fsck", "--no-dangling"]);
    assert_eq!(git(&fixture.root, &["cat-file", "-p", &format!("{commit}:src/new")]), "made");
}

#[test]
fn p09_an_index_that_names_pruned_files_is_made_again() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let (repo, start) = (&fixture.repo, &fixture.start);
    write(&lane.path.join("src/new"), "made\n");
    let private = Private::open(repo, &lane).expect("ours");
    Git::new(private.scope(), "add").args(["-A", "--", "."]).run().expect("added");
    git(&fixture.root, &["prune", "--expire=now"]);
    let error = Git::new(private.scope(), "write-tree").run().expect_err("the file is gone");
    assert!(error.is_of_a_lost_object(), "{error:?}");
    private.start_over(start).expect("a new index");
    Git::new(private.scope(), "add").args(["-A", "--", "."]).run().expect("added again");
    Git::new(private.scope(), "write-tree").run().expect("all is there");
}

#[test]
fn p16_a_lane_is_made_while_git_removes_the_empty_folder_of_worktrees() {
    let fixture = Fixture::new();
    let worktrees = fixture.root.join(".git/worktrees");
    let trash = fixture.root.join(".git/laneway/trash");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sweeping = scope.spawn(|| {
            let mut swept = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // What `git worktree prune` does when it is done; it fails where a lane stands.
                swept += usize::from(std::fs::remove_dir(&worktrees).is_ok());
            }
            swept
        });
        let made = (0..50).try_for_each(|_| {
            let lane = fixture.repo.provision(&fixture.lane_path("a"), &fixture.start)?;
            fixture.repo.remove(&lane, &trash).map(drop)
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(sweeping.join().expect("it ends") > 0, "nothing was swept");
        made.expect("every lane is made and removed");
    });
}

#[test]
fn p09_several_hold_one_commit_and_let_it_go_at_once() {
    let f = Fixture::new();
    let commit = f.commit(&f.start, &[("x", Some("1\n"))]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    f.repo.hold(&commit).unwrap();
                    f.repo.let_go(&commit);
                }
            });
        }
    });
    assert!(f.repo.held().unwrap().is_empty());
}
