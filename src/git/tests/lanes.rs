//! Lanes: made, looked at, committed, reset and removed, whatever an agent does to them.
#![expect(clippy::disallowed_methods, reason = "tests break lanes as agents do")]

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::fixture::{Fixture, bytes, git, identity, read, sha, try_git, write};
use crate::git::{DirtyKind, GitError, Worktree};
use crate::id::Sha;

fn dirty(fixture: &Fixture, lane: &Worktree, against: &Sha) -> Vec<(String, DirtyKind)> {
    let state = fixture.repo.tree_state(lane, against).expect("a state");
    state.files.into_iter().map(|file| (file.path, file.kind)).collect()
}

/// Asserts that git, run by an agent in the lane, finds it detached at `at` and clean.
#[track_caller]
fn assert_rests_at(fixture: &Fixture, lane: &Worktree, at: &Sha) {
    assert_eq!(git(&lane.path, &["rev-parse", "HEAD"]), at.as_str());
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "");
    assert!(!try_git(&lane.path, &["symbolic-ref", "HEAD"]).0, "HEAD is detached");
    let head = fixture.repo.head(lane).expect("HEAD");
    assert_eq!((&head.sha, head.branch), (at, None));
    assert!(fixture.repo.tree_state(lane, at).expect("a state").is_clean());
}

#[test]
fn ar06_a_lane_is_made_detached_and_git_agrees() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let lane = fixture.lane("a");
    assert_rests_at(&fixture, &lane, &fixture.start);
    assert_eq!(lane.admin, fixture.root.join(".git/worktrees/demo-a"));
    assert_eq!(read(&lane.path.join("README")), "hello\n");
    assert!(git(&fixture.root, &["worktree", "list"]).contains(".worktrees/demo/a"));
    git(&fixture.root, &["worktree", "prune"]);
    assert_eq!(fixture.repo.reopen(&lane.path).expect("reopen"), Some(lane));
    assert_eq!(fixture.repo.reopen(&fixture.lane_path("b")).expect("reopen"), None);
    before.assert_untouched(&fixture.root);
}

#[test]
fn a_lane_is_brought_to_its_tip_only_where_nothing_but_the_tip_stands_in_it() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let tip = fixture.commit(&fixture.start, &[("README", Some("landed\n")), ("new", Some("new\n"))]);
    let can_rest = || fixture.repo.can_rest_at(&lane, &tip).expect("an answer");
    assert!(can_rest(), "the lane is clean where it stands");
    write(&lane.path.join("README"), "landed\n");
    assert!(!can_rest(), "half of the landed files");
    write(&lane.path.join("new"), "new\n");
    write(&lane.path.join("x.log"), "ignored\n");
    assert!(can_rest(), "exactly what has landed");
    write(&lane.path.join("mine"), "a person's\n");
    assert!(!can_rest());
    std::fs::remove_file(lane.path.join("mine")).expect("removed");
    git(
        &lane.path,
        &["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "mine"],
    );
    assert!(!can_rest(), "a commit that the tip does not have");
    git(&lane.path, &["reset", "-q", "--hard", tip.as_str()]);
    assert!(!can_rest(), "it is there already");
}

#[test]
fn p09_32_lanes_are_made_at_once_without_a_failure() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    for round in 0..3 {
        let lanes: Vec<Worktree> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..32)
                .map(|n| {
                    let (repo, path) = (fixture.repo.clone(), fixture.lane_path(&format!("r{round}-l{n}")));
                    let start = &fixture.start;
                    scope.spawn(move || repo.provision(&path, start))
                })
                .collect();
            makers.into_iter().map(|maker| maker.join().expect("no panic").expect("a lane")).collect()
        });
        for lane in &lanes {
            assert_rests_at(&fixture, lane, &fixture.start);
        }
    }
    assert_eq!(git(&fixture.root, &["worktree", "list", "--porcelain"]).matches("worktree ").count(), 97);
    before.assert_untouched(&fixture.root);
}

#[test]
fn p16_one_lane_asked_for_by_many_is_made_once() {
    let fixture = Fixture::new();
    let path = fixture.lane_path("a");
    let lanes: Vec<Worktree> = std::thread::scope(|scope| {
        let makers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| fixture.repo.provision(&path, &fixture.start))).collect();
        makers.into_iter().map(|maker| maker.join().expect("no panic").expect("a lane")).collect()
    });
    assert!(lanes.iter().all(|lane| lane == &lanes[0]));
    assert_rests_at(&fixture, &lanes[0], &fixture.start);
}

#[test]
fn p16_provisioning_again_keeps_work_and_finishes_what_is_half_made() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "work\n");
    assert_eq!(fixture.lane("a"), lane);
    assert_eq!(read(&lane.path.join("README")), "work\n");

    let private = fixture.root.join(".git/laneway/index/demo-a");
    std::fs::remove_file(private.join("ready")).expect("as after a crash");
    std::fs::remove_file(lane.path.join("src/a.txt")).expect("as after a crash");
    write(&private.join("index.lock"), "");
    assert_eq!(fixture.lane("a"), lane);
    assert_rests_at(&fixture, &lane, &fixture.start);

    let path = fixture.lane_path("b");
    write(&path.join(".git"), format!("gitdir: {}\n", fixture.root.join(".git/worktrees/demo-b").display()));
    let lane = fixture.lane("b");
    assert_rests_at(&fixture, &lane, &fixture.start);
    std::fs::remove_dir_all(&lane.path).expect("deleted by hand");
    assert_rests_at(&fixture, &fixture.lane("b"), &fixture.start);
}

#[test]
fn p16_a_lane_whose_git_file_was_not_written_to_its_end_is_finished() {
    let fixture = Fixture::new();
    let gitfile = format!("gitdir: {}\n", fixture.root.join(".git/worktrees/demo-a").display());
    for end in [0, 5, gitfile.len() - 4] {
        let path = fixture.lane_path("a");
        write(&path.join(".git"), &gitfile[..end]);
        let lane = fixture.lane("a");
        assert_rests_at(&fixture, &lane, &fixture.start);
        fixture.repo.remove(&lane, &fixture.dir.path().join("trash")).expect("removed");
    }
    write(&fixture.lane_path("b").join(".git"), "gitdir: elsewhere\n");
    let outcome = fixture.repo.provision(&fixture.lane_path("b"), &fixture.start);
    assert!(matches!(outcome, Err(GitError::PathOccupied { .. })), "{outcome:?}");
}

#[test]
fn p16_what_is_not_ours_is_never_taken() {
    let fixture = Fixture::new();
    let refused = |name: &str| {
        let outcome = fixture.repo.provision(&fixture.lane_path(name), &fixture.start);
        assert!(matches!(outcome, Err(GitError::PathOccupied { .. })), "{name}: {outcome:?}");
    };
    write(&fixture.lane_path("files").join("precious"), "x");
    refused("files");
    write(&fixture.lane_path("file"), "x");
    refused("file");
    let theirs = fixture.lane_path("theirs");
    git(&fixture.root, &["worktree", "add", "-q", "--detach", &theirs.to_string_lossy()]);
    refused("theirs");
    git(&fixture.root, &["init", "-q", &fixture.lane_path("repository").to_string_lossy()]);
    refused("repository");
    assert_eq!(read(&fixture.lane_path("files").join("precious")), "x");
}

#[test]
fn p16_a_worktree_of_another_repository_is_never_taken() {
    let (ours, theirs) = (Fixture::new(), Fixture::new());
    let path = ours.dir.path().join("lanes/g/a");
    let lane = ours.repo.provision(&path, &ours.start).expect("a lane");
    let refused = |outcome: Result<(), GitError>| {
        let other = ours.root.join(".git");
        assert!(
            matches!(&outcome, Err(GitError::PathOfAnother { other: o, .. }) if *o == other),
            "{outcome:?}"
        );
    };
    refused(theirs.repo.provision(&path, &theirs.start).map(drop));
    // Here it is known to both.
    std::fs::remove_dir_all(&path).expect("removed");
    theirs.repo.provision(&path, &theirs.start).expect("a lane");
    std::fs::remove_dir_all(&path).expect("removed");
    assert_eq!(ours.repo.provision(&path, &ours.start).expect("its files again"), lane);
    refused(theirs.repo.reopen(&path).map(drop));
    refused(theirs.repo.provision(&path, &theirs.start).map(drop));
    assert_eq!(ours.repo.reopen(&path).expect("reopen"), Some(lane));
}

#[test]
fn p16_of_two_repositories_that_want_a_directory_one_has_it() {
    let (ours, theirs) = (Fixture::new(), Fixture::new());
    for round in 0..40 {
        let path = ours.dir.path().join(format!("lanes/g/{round}"));
        let start = std::sync::Barrier::new(2);
        let take = |of: &Fixture| {
            start.wait();
            of.repo.provision(&path, &of.start).is_ok()
        };
        let (one, two) = std::thread::scope(|scope| {
            let one = scope.spawn(|| take(&ours));
            (take(&theirs), one.join().expect("it ends"))
        });
        assert!(one != two, "round {round}: {one} {two}");
    }
}

#[test]
fn names_that_clash_get_a_number() {
    let fixture = Fixture::new();
    let one = fixture.repo.provision(&fixture.root.join(".worktrees/a-b/c"), &fixture.start).expect("a lane");
    let two = fixture.repo.provision(&fixture.root.join(".worktrees/a/b-c"), &fixture.start).expect("a lane");
    assert_eq!((one.name().as_str(), two.name().as_str()), ("a-b-c", "a-b-c-2"));
    assert_rests_at(&fixture, &two, &fixture.start);
}

#[test]
fn a_lane_of_a_bare_repository_works() {
    let fixture = Fixture::new();
    let bare = fixture.dir.path().join("bare.git");
    git(&fixture.root, &["clone", "-q", "--bare", ".", &bare.to_string_lossy()]);
    let repo = crate::git::Repo::discover(&bare).expect("a repository");
    let lane = repo.provision(&fixture.dir.path().join("lanes/a"), &fixture.start).expect("a lane");
    write(&lane.path.join("new"), "x\n");
    let commit = repo.commit_all(&lane, &fixture.start, "work\n", &identity()).expect("a commit");
    repo.set_to(&lane, &commit.expect("something")).expect("set");
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "");
}

#[test]
fn every_kind_of_change_is_seen_and_ignored_files_are_not() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "changed\n");
    std::fs::remove_file(lane.path.join("src/a.txt")).expect("remove");
    std::fs::remove_file(lane.path.join(".gitignore")).expect("remove");
    symlink("README", lane.path.join(".gitignore")).expect("link");
    write(&lane.path.join("new dir/ünï\nquote\""), "x");
    git(&fixture.root, &["config", "core.excludesFile", &ignore_file(&fixture, "*.log\n")]);
    write(&lane.path.join("noise.log"), "x");
    let mut seen = dirty(&fixture, &lane, &fixture.start);
    seen.sort();
    assert_eq!(
        seen,
        [
            (".gitignore".to_owned(), DirtyKind::TypeChanged),
            ("README".to_owned(), DirtyKind::Modified),
            ("new dir/ünï\nquote\"".to_owned(), DirtyKind::Untracked),
            ("src/a.txt".to_owned(), DirtyKind::Deleted),
        ]
    );
}

fn ignore_file(fixture: &Fixture, text: &str) -> String {
    let path = fixture.dir.path().join("excludes");
    write(&path, text);
    path.to_string_lossy().into_owned()
}

#[test]
fn edits_that_an_agent_hides_are_seen() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    git(&lane.path, &["update-index", "--assume-unchanged", "README"]);
    git(&lane.path, &["update-index", "--skip-worktree", "src/a.txt"]);
    write(&lane.path.join("README"), "sneaky\n");
    write(&lane.path.join("src/a.txt"), "sneaky\n");
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "", "git itself is fooled");
    let names: Vec<String> =
        dirty(&fixture, &lane, &fixture.start).into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, ["README", "src/a.txt"]);
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert_eq!(read(&lane.path.join("README")), "hello\n");
}

#[test]
fn a_private_index_that_was_damaged_is_made_again() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "changed\n");
    let index = fixture.root.join(".git/laneway/index/demo-a/index");
    let next = fixture.commit(&fixture.start, &[("src/a.txt", Some("next\n"))]);
    for damage in ["", "nonsense", &"DIRC\0\0\0\u{2}".repeat(20)] {
        write(&index, damage);
        let seen = dirty(&fixture, &lane, &fixture.start);
        assert_eq!(seen, [("README".to_owned(), DirtyKind::Modified)], "{damage:?}");
        write(&index, damage);
        assert_eq!(dirty(&fixture, &lane, &next).len(), 2, "{damage:?}");
    }
    write(&index, "nonsense");
    fixture.repo.set_to(&lane, &next).expect("reset");
    assert_rests_at(&fixture, &lane, &next);
}

#[test]
fn an_edit_of_the_same_size_and_time_is_seen() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let path = lane.path.join("README");
    let before = std::fs::metadata(&path).expect("stat").modified().expect("a time");
    assert!(dirty(&fixture, &lane, &fixture.start).is_empty());
    write(&path, "HELLO\n");
    std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("open")
        .set_modified(before)
        .expect("set the time");
    assert_eq!(dirty(&fixture, &lane, &fixture.start), [("README".to_owned(), DirtyKind::Modified)]);
}

#[test]
fn what_an_agent_plants_is_not_run() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let (marker, hooks) = (fixture.dir.path().join("marker"), fixture.dir.path().join("hooks"));
    let script = format!("#!/bin/sh\ntouch '{}'\n", marker.display());
    for name in ["fsmonitor", "post-checkout", "post-index-change", "pre-commit", "reference-transaction"] {
        write(&hooks.join(name), &script);
        std::fs::set_permissions(hooks.join(name), PermissionsExt::from_mode(0o755)).expect("mode");
    }
    git(&lane.path, &["config", "core.fsmonitor", &hooks.join("fsmonitor").to_string_lossy()]);
    git(&lane.path, &["config", "core.hooksPath", &hooks.to_string_lossy()]);
    write(&lane.path.join("README"), "changed\n");
    assert_eq!(dirty(&fixture, &lane, &fixture.start).len(), 1);
    let next = fixture
        .repo
        .commit_all(&lane, &fixture.start, "work\n", &identity())
        .expect("a commit")
        .expect("new");
    fixture.repo.custody(&lane, "refs/laneway/custody/demo/1/a", "test", &[]).expect("custody");
    fixture.repo.set_to(&lane, &next).expect("reset");
    fixture.repo.advance("refs/heads/main", Some(&fixture.start), &next).expect("advance");
    assert!(!marker.exists(), "something that an agent planted was run");
    git(&lane.path, &["checkout", "-q", "--detach", fixture.start.as_str()]);
    assert!(marker.exists(), "the trap works");
}

#[test]
fn another_repository_in_place_of_the_lane_is_not_followed() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    std::fs::remove_file(lane.path.join(".git")).expect("remove");
    git(&lane.path, &["init", "-q"]);
    git(&lane.path, &["add", "-A"]);
    git(&lane.path, &["commit", "-qm", "elsewhere"]);
    write(&lane.path.join("README"), "changed\n");
    assert_eq!(dirty(&fixture, &lane, &fixture.start), [("README".to_owned(), DirtyKind::Modified)]);
    assert_eq!(fixture.repo.head(&lane).expect("HEAD").sha, fixture.start);
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert_rests_at(&fixture, &lane, &fixture.start);
    let trash = fixture.root.join(".git/laneway/trash");
    assert_eq!(std::fs::metadata(&trash).expect("trash").mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(trash).expect("trash").count(), 1, "the agent's repository is kept");
}

#[test]
fn committing_takes_new_files_and_leaves_ignored_ones_and_the_agents_index() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let (repo, start) = (&fixture.repo, &fixture.start);
    assert_eq!(repo.commit_all(&lane, start, "nothing\n", &identity()).expect("fine"), None);
    write(&lane.path.join("new"), "x\n");
    write(&lane.path.join("src/a.txt"), "changed\n");
    write(&lane.path.join(".env"), "SECRET=1\n");
    std::fs::remove_file(lane.path.join("README")).expect("remove");
    let index = bytes(&lane.admin.join("index"));
    let commit =
        repo.commit_all(&lane, start, "work\n\nTask: t\n", &identity()).expect("fine").expect("a commit");
    assert_eq!(bytes(&lane.admin.join("index")), index);
    assert_eq!(repo.head(&lane).expect("HEAD").sha, *start);
    assert_eq!(repo.parents(&commit).expect("parents"), std::slice::from_ref(start));
    let names = git(&fixture.root, &["ls-tree", "-r", "--name-only", commit.as_str()]);
    assert_eq!(names.lines().collect::<Vec<_>>(), [".gitignore", "new", "src/a.txt"]);
    assert!(dirty(&fixture, &lane, &commit).is_empty());
    assert_eq!(repo.commit_all(&lane, &commit, "again\n", &identity()).expect("fine"), None);
    repo.set_to(&lane, &commit).expect("set");
    assert_rests_at(&fixture, &lane, &commit);
    assert_eq!(read(&lane.path.join(".env")), "SECRET=1\n");
}

#[test]
fn clean_filters_hold_when_committing() {
    let fixture = Fixture::new();
    git(&fixture.root, &["config", "filter.rot.clean", "tr a-z n-za-m"]);
    git(&fixture.root, &["config", "filter.rot.smudge", "tr a-z n-za-m"]);
    let attributes = "*.rot filter=rot\n*.txt text eol=crlf\n";
    let start =
        fixture.commit(&fixture.start, &[(".gitattributes", Some(attributes)), ("s.rot", Some("uryyb\n"))]);
    let lane = fixture.repo.provision(&fixture.lane_path("a"), &start).expect("a lane");
    assert_eq!(read(&lane.path.join("s.rot")), "hello\n");
    assert_eq!(read(&lane.path.join("src/a.txt")), "one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n");
    assert!(dirty(&fixture, &lane, &start).is_empty());
    write(&lane.path.join("t.rot"), "secret\n");
    write(&lane.path.join("b.txt"), "a\r\n");
    let commit =
        fixture.repo.commit_all(&lane, &start, "work\n", &identity()).expect("fine").expect("a commit");
    assert_eq!(git(&fixture.root, &["cat-file", "-p", &format!("{commit}:t.rot")]), "frperg");
    assert_eq!(git(&fixture.root, &["cat-file", "-s", &format!("{commit}:b.txt")]), "2");
}

#[test]
fn a_repository_inside_the_lane_is_never_committed_as_a_bare_pointer() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    nested(&lane.path.join("vendor/lib"));
    match fixture.repo.commit_all(&lane, &fixture.start, "work\n", &identity()) {
        Err(GitError::NestedRepositories { paths }) => assert_eq!(paths, ["vendor/lib/"]),
        other => panic!("{other:?}"),
    }
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert_rests_at(&fixture, &lane, &fixture.start);
    assert!(!lane.path.join("vendor").exists());
}

/// An agent's own repository, with a commit.
pub(super) fn nested(path: &Path) {
    write(&path.join("inner.txt"), "inner\n");
    write(&path.join("hidden.o"), "object\n");
    write(&path.join(".gitignore"), "*.o\n");
    git(path, &["init", "-q"]);
    git(path, &["add", "."]);
    git(path, &["commit", "-qm", "inner"]);
}

#[test]
fn a_lane_in_the_middle_of_anything_is_brought_to_rest() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let path = &lane.path;
    let theirs = fixture.commit(&fixture.start, &[("README", Some("theirs\n")), ("src/a.txt", None)]);
    let starts: [&[&str]; 4] = [
        &["rebase", theirs.as_str()],
        &["merge", theirs.as_str()],
        &["cherry-pick", theirs.as_str()],
        &["bisect", "start", "HEAD", fixture.start.as_str()],
    ];
    for (n, start) in starts.iter().enumerate() {
        git(path, &["checkout", "-q", "-b", &format!("agent-{n}")]);
        write(&path.join("README"), "mine\n");
        git(path, &["commit", "-qam", "mine"]);
        let ended_well = try_git(path, start).0;
        assert_eq!(ended_well, start[0] == "bisect", "{start:?} stops half way");
        write(&path.join("untracked"), "x\n");
        let head = fixture.repo.head(&lane);
        assert!(head.is_ok(), "{head:?}");
        fixture.repo.set_to(&lane, &theirs).expect("reset");
        assert_rests_at(&fixture, &lane, &theirs);
        assert!(!path.join("untracked").exists());
        let status = git(path, &["status"]);
        assert!(!status.contains("progress") && !status.contains("bisecting"), "{status}");
        fixture.repo.set_to(&lane, &fixture.start).expect("back");
        assert_rests_at(&fixture, &lane, &fixture.start);
    }
    assert_eq!(
        fixture.repo.branches().expect("branches").len(),
        5,
        "branches that agents made are the caller's to judge"
    );
}

type Wreck = fn(&Worktree) -> std::io::Result<()>;

#[test]
fn a_lane_is_made_whole_from_any_wreck() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let next = fixture.commit(&fixture.start, &[("README", Some("next\n")), ("src/a.txt", Some("next\n"))]);
    let wrecks: [(&str, Wreck); 9] = [
        ("no .git", |lane| std::fs::remove_file(lane.path.join(".git"))),
        ("no directory", |lane| std::fs::remove_dir_all(&lane.path)),
        ("no git directory", |lane| std::fs::remove_dir_all(&lane.admin)),
        ("no HEAD", |lane| std::fs::remove_file(lane.admin.join("HEAD"))),
        ("broken HEAD", |lane| std::fs::write(lane.admin.join("HEAD"), "nonsense\n")),
        ("orphan branch", |lane| {
            git(&lane.path, &["checkout", "-q", "--orphan", "new-world"]);
            Ok(())
        }),
        ("broken index", |lane| std::fs::write(lane.admin.join("index"), "nonsense")),
        ("locked index", |lane| std::fs::write(lane.admin.join("index.lock"), "")),
        ("directory behind a link", |lane| {
            std::fs::rename(lane.path.join("src"), lane.path.join("moved"))?;
            symlink("moved", lane.path.join("src"))
        }),
    ];
    for (name, wreck) in wrecks {
        for at in [&fixture.start, &next] {
            fixture.repo.set_to(&lane, &fixture.start).expect("whole");
            wreck(&lane).expect(name);
            fixture.repo.set_to(&lane, at).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_rests_at(&fixture, &lane, at);
            assert!(!lane.path.join("src").is_symlink(), "{name}");
        }
    }
}

#[test]
fn sparse_checkouts_and_config_of_an_agent_hide_nothing() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    git(&lane.path, &["sparse-checkout", "set", "--no-cone", "README"]);
    assert!(!lane.path.join("src/a.txt").exists());
    assert!(!dirty(&fixture, &lane, &fixture.start).is_empty());
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert_rests_at(&fixture, &lane, &fixture.start);
    assert!(lane.path.join("src/a.txt").exists());
}

#[test]
fn setting_back_keeps_ignored_files_and_does_not_rewrite_what_is_right() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("build/out"), "artefact\n");
    write(&lane.path.join("README"), "changed\n");
    let inode = |name: &str| {
        let found = std::fs::metadata(lane.path.join(name)).expect("stat");
        (found.ino(), found.mtime(), found.mtime_nsec())
    };
    let before = inode("src/a.txt");
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert_eq!(inode("src/a.txt"), before, "a file that was right was written again");
    assert_eq!(read(&lane.path.join("build/out")), "artefact\n");
    let next = fixture.commit(&fixture.start, &[(".gitignore", Some("*.log\n"))]);
    fixture.repo.set_to(&lane, &next).expect("set");
    assert!(!lane.path.join("build").exists(), "what is not ignored any more is untracked");
    assert_rests_at(&fixture, &lane, &next);
}

#[test]
fn head_names_the_branch_an_agent_made() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    git(&lane.path, &["checkout", "-q", "-b", "feature/x"]);
    git(&lane.path, &["commit", "-q", "--allow-empty", "-m", "work"]);
    let head = fixture.repo.head(&lane).expect("HEAD");
    assert_eq!(head.branch.as_deref(), Some("feature/x"));
    assert_eq!(Some(head.sha), fixture.repo.branch_tip("feature/x").expect("tip"));
    write(&lane.admin.join("HEAD"), "1111111111111111111111111111111111111111\n");
    assert!(matches!(fixture.repo.head(&lane), Err(GitError::HeadUnborn { .. })));
}

#[test]
fn ar08_removing_keeps_what_is_not_in_the_commit() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let trash = fixture.root.join(".git/laneway/trash");
    let clean = fixture.lane("clean");
    assert_eq!(fixture.repo.remove(&clean, &trash).expect("removed"), None);
    let secret = fixture.lane("secret");
    write(&secret.path.join(".env"), "SECRET=1\n");
    let kept = fixture.repo.remove(&secret, &trash).expect("removed").expect("kept");
    assert_eq!(read(&kept.join(".env")), "SECRET=1\n");
    assert_eq!(std::fs::metadata(&trash).expect("trash").mode() & 0o777, 0o700);
    for lane in [&clean, &secret] {
        assert!(!lane.path.exists() && !lane.admin.exists());
        assert_eq!(fixture.repo.remove(lane, &trash).expect("a repeat is harmless"), None);
    }
    assert_eq!(git(&fixture.root, &["worktree", "list"]).lines().count(), 1);
    assert_rests_at(&fixture, &fixture.lane("secret"), &fixture.start);
    before.assert_untouched(&fixture.root);
}

#[test]
fn ar08_a_locked_worktree_is_left_alone() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    git(&fixture.root, &["worktree", "lock", "--reason", "in use", &lane.path.to_string_lossy()]);
    match fixture.repo.remove(&lane, &fixture.root.join(".git/laneway/trash")) {
        Err(GitError::WorktreeLocked { reason, .. }) => assert_eq!(reason, "in use"),
        other => panic!("{other:?}"),
    }
    assert_rests_at(&fixture, &lane, &fixture.start);
}

#[test]
fn lanes_survive_the_users_housekeeping() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new"), "x\n");
    let commit =
        fixture.repo.commit_all(&lane, &fixture.start, "work\n", &identity()).expect("fine").expect("new");
    fixture.repo.set_ref("refs/laneway/kept", &commit, None).expect("ref");
    git(&fixture.root, &["gc", "-q", "--prune=now"]);
    fixture.repo.set_to(&lane, &commit).expect("set");
    assert_rests_at(&fixture, &lane, &commit);
    assert_eq!(sha(&git(&lane.path, &["rev-parse", "HEAD"])), commit);
}

#[test]
fn p24_pipes_by_the_names_of_gits_own_files_hold_nothing_up() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    std::fs::create_dir_all(lane.path.join("deep/er")).expect("made");
    git(&lane.path, &["init", "-q", "nested"]);
    for name in [".gitignore", "nested/.git/HEAD"] {
        std::fs::remove_file(lane.path.join(name)).expect("removed");
    }
    for name in [".gitignore", "deep/er/.gitattributes", "deep/er/.gitignore", "nested/.git/HEAD", "own"] {
        let path = lane.path.join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).expect("a pipe");
    }
    write(&lane.path.join("deep/er/work"), "work\n");
    let found = dirty(&fixture, &lane, &fixture.start);
    assert!(found.contains(&("deep/er/work".to_owned(), DirtyKind::Untracked)), "{found:?}");
    let commit = fixture.repo.commit_all(&lane, &fixture.start, "work", &identity()).expect("a commit");
    assert!(commit.is_some());
    assert!(lane.path.join("own").symlink_metadata().is_ok(), "what git does not read is not touched");
}

/// Whether nothing is left of a lane at `path`, for git, for the record and on disk.
fn is_gone(fixture: &Fixture, path: &Path) -> bool {
    let known = fixture.repo.reopen(path).expect("reopen").is_some();
    let private = fixture.root.join(".git/laneway/index").join("demo-a");
    !known && !path.exists() && !private.exists()
}

#[test]
fn a18_a_half_made_lane_is_taken_away_wherever_its_making_or_that_was_interrupted() {
    let fixture = Fixture::new();
    let path = fixture.lane_path("a");
    let half = || {
        let lane = fixture.lane("a");
        std::fs::remove_file(fixture.root.join(".git/laneway/index/demo-a/ready")).expect("it was ready");
        lane
    };
    let abandon = || fixture.repo.abandon(&path, &fixture.start).expect("it can be taken away");
    assert!(!abandon(), "there is none");
    half();
    assert!(abandon() && is_gone(&fixture, &path) && !abandon());

    // With a part of the files gone or cut short, and with none of them left.
    half();
    std::fs::remove_dir_all(path.join("src")).expect("it was there");
    write(&path.join("README"), "he");
    assert!(abandon() && is_gone(&fixture, &path));
    let lane = half();
    std::fs::remove_dir_all(&path).expect("it was there");
    assert!(abandon() && is_gone(&fixture, &path), "{lane:?}");

    // Git has forgotten it, and its `.git` stands: the next lane takes the place.
    let lane = half();
    let gitfile = bytes(&path.join(".git"));
    std::fs::remove_dir_all(&path).expect("it was there");
    write(&path.join(".git"), gitfile);
    std::fs::remove_dir_all(&lane.admin).expect("it was there");
    assert!(!abandon());
    assert_rests_at(&fixture, &fixture.lane("a"), &fixture.start);
}

#[test]
fn ar08_what_was_complete_once_and_what_is_somebodys_is_never_abandoned() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "mine");
    assert!(!fixture.repo.abandon(&lane.path, &fixture.start).expect("an answer"));
    std::fs::remove_file(lane.path.join(".git")).expect("it was there");
    assert!(!fixture.repo.abandon(&lane.path, &fixture.start).expect("an answer"));
    assert_eq!(read(&lane.path.join("README")), "mine");
    assert!(!fixture.repo.abandon(&fixture.root, &fixture.start).expect("an answer"), "the user's checkout");

    let half = fixture.lane("b");
    std::fs::remove_file(fixture.root.join(".git/laneway/index/demo-b/ready")).expect("it was ready");
    write(&half.path.join("src/notes"), "mine");
    std::fs::rename(half.path.join("README"), half.path.join("kept")).expect("a rename");
    symlink(&fixture.root, half.path.join("README")).expect("a link");
    assert!(fixture.repo.abandon(&half.path, &fixture.start).expect("an answer"));
    assert_eq!(read(&half.path.join("src/notes")), "mine");
    assert_eq!(read(&fixture.root.join("README")), "hello\n", "no link is followed");
    assert!(!half.path.join("src/a.txt").exists());
    assert!(fixture.repo.reopen(&half.path).expect("reopen").is_some(), "it is still known");
}
