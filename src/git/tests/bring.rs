//! Ignored files of the main worktree that lanes get a copy of.
#![expect(clippy::disallowed_methods, reason = "tests make and read files")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::fixture::{Fixture, git, identity, read, write};
use crate::git::{LeftOut, Shape, Worktree};

fn with_ignored(fix: &Fixture, patterns: &str) -> crate::id::Sha {
    fix.commit(&fix.start, &[(".gitignore", Some(patterns))])
}

fn lane_at(fix: &Fixture, name: &str, at: &crate::id::Sha) -> Worktree {
    fix.repo.provision(&fix.lane_path(name), at).expect("a lane")
}

fn globs(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn p12_a_lane_gets_what_is_asked_for_and_no_other_secret() {
    let fix = Fixture::new();
    let at = with_ignored(&fix, ".env*\nnode_modules/\nsecrets/\n");
    write(&fix.root.join(".env"), "TOKEN=1\n");
    write(&fix.root.join(".env.local"), "TOKEN=2\n");
    write(&fix.root.join("secrets/key"), "k");
    write(&fix.root.join("app/node_modules/dep/index.js"), "1");
    std::fs::set_permissions(fix.root.join(".env"), PermissionsExt::from_mode(0o600)).expect("chmod");
    let before = fix.user();

    let lane = lane_at(&fix, "plain", &at);
    let nothing = fix.repo.bring(&lane, &[], &[]).expect("brought");
    assert_eq!(nothing, crate::git::Brought::default());
    assert!(!lane.path.join(".env").exists());

    let brought = fix.repo.bring(&lane, &globs(&[".env", "app/*"]), &[]).expect("brought");
    assert_eq!((brought.copied.files, brought.left_out), (2, vec![]));
    assert_eq!(read(&lane.path.join(".env")), "TOKEN=1\n");
    let mode = lane.path.join(".env").metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(read(&lane.path.join("app/node_modules/dep/index.js")), "1");
    assert!(!lane.path.join(".env.local").exists() && !lane.path.join("secrets").exists());
    assert!(fix.repo.tree_state(&lane, &at).expect("state").is_clean());
    assert_eq!(fix.user(), before);
}

#[test]
fn p12_worktreeinclude_names_ignored_files_as_gitignore_does() {
    let fix = Fixture::new();
    let at = with_ignored(&fix, ".env*\ncache/\n");
    write(&fix.root.join(".worktreeinclude"), "# for lanes\n.env*\n!.env.prod\ncache/keep/\n");
    write(&fix.root.join(".env"), "1");
    write(&fix.root.join("sub/.env.test"), "2");
    write(&fix.root.join(".env.prod"), "no");
    write(&fix.root.join("cache/keep/a"), "3");
    write(&fix.root.join("cache/drop/b"), "no");
    write(&fix.root.join(".envrc-notes"), "4");
    let lane = lane_at(&fix, "lane", &at);
    assert!(fix.repo.has_include());
    let brought = fix.repo.bring(&lane, &[], &[fix.root.join(".worktrees")]).expect("brought");
    assert_eq!((brought.copied.files, brought.left_out), (4, vec![]));
    assert_eq!(read(&lane.path.join("sub/.env.test")), "2");
    assert_eq!(read(&lane.path.join("cache/keep/a")), "3");
    assert!(!lane.path.join(".env.prod").exists() && !lane.path.join("cache/drop").exists());

    // A second lane does not get the first one's copies as if they were the user's.
    let second = lane_at(&fix, "second", &at);
    let again = fix.repo.bring(&second, &[], &[fix.root.join(".worktrees")]).expect("brought");
    assert_eq!(again.copied.files, 4);
}

#[test]
fn p12_what_a_commit_would_take_up_is_left_out_and_said() {
    let fix = Fixture::new();
    let at = with_ignored(&fix, "*.log\nnested/\n");
    write(&fix.root.join("notes.txt"), "the user's own");
    write(&fix.root.join("nested/repo/file"), "x");
    git(&fix.root, &["init", "-q", "nested/repo"]);
    let lane = lane_at(&fix, "lane", &at);
    let brought = fix.repo.bring(&lane, &globs(&["notes.txt", "nested", "gone.log"]), &[]).expect("brought");
    assert_eq!(brought.copied.files, 0);
    let expected = [
        LeftOut::Missing { glob: "gone.log".into() },
        LeftOut::Repository { path: PathBuf::from("nested/repo/") },
        LeftOut::NotIgnored { path: PathBuf::from("notes.txt") },
    ];
    assert_eq!(brought.left_out, expected);
    assert!(fix.repo.tree_state(&lane, &at).expect("state").is_clean());
}

#[test]
fn p12_what_the_lane_tracks_is_not_brought_though_it_is_ignored() {
    let fix = Fixture::new();
    let at = fix.commit(&fix.start, &[(".gitignore", Some("*.log\n")), ("kept.log", Some("tracked\n"))]);
    write(&fix.root.join("kept.log"), "the user's");
    let lane = lane_at(&fix, "lane", &at);
    std::fs::remove_file(lane.path.join("kept.log")).expect("removed");
    let brought = fix.repo.bring(&lane, &globs(&["*.log"]), &[]).expect("brought");
    assert_eq!(brought.left_out, [LeftOut::NotIgnored { path: PathBuf::from("kept.log") }]);
    assert!(!lane.path.join("kept.log").exists());
}

#[test]
fn p12_a_sparse_lane_ignores_what_the_folders_that_it_does_not_hold_say() {
    let fix = Fixture::new();
    let files = [
        ("svc/a", "a\n"),
        ("libs/x/b", "b\n"),
        (".gitignore", "*.key\n"),
        ("libs/.gitignore", "!pub.key\n"),
        ("libs/x/.gitignore", ".env\n"),
    ];
    let at = fix.commit(&fix.start, &files.map(|(path, text)| (path, Some(text))));
    write(&fix.root.join("libs/pub.key"), "public\n");
    write(&fix.root.join("libs/x/.env"), "TOKEN=1\n");
    let shape = Shape { sparse: vec!["svc".to_owned()], ..Shape::default() };
    let lane = fix.repo.provision_as(&fix.lane_path("lane"), &at, &shape).expect("a lane");
    let brought = fix.repo.bring(&lane, &globs(&["libs/x/.env", "libs/*.key"]), &[]).expect("brought");
    assert_eq!(brought.left_out, [LeftOut::NotIgnored { path: PathBuf::from("libs/pub.key") }]);
    assert_eq!(read(&lane.path.join("libs/x/.env")), "TOKEN=1\n");
    fix.repo.set_furnished(&lane, "it").expect("noted");
    assert_eq!(fix.repo.commit_all(&lane, &at, "work", &identity()).expect("committed"), None);
}

#[test]
fn p12_links_stay_links_and_nothing_is_written_through_one() {
    let fix = Fixture::new();
    let outside = fix.dir.path().join("outside");
    std::fs::create_dir_all(&outside).expect("a folder");
    let at = with_ignored(&fix, "*.env\nlinks/\n");
    write(&fix.root.join("links/real"), "r");
    symlink("real", fix.root.join("links/near")).expect("a link");
    symlink(&outside, fix.root.join("links/far")).expect("a link");
    write(&fix.root.join("dir/local.env"), "s");
    let lane = lane_at(&fix, "lane", &at);
    // In this lane `dir` is a link to somewhere else.
    symlink(&outside, lane.path.join("dir")).expect("a link");
    let brought = fix.repo.bring(&lane, &globs(&["links", "dir/*.env"]), &[]).expect("brought");
    assert_eq!(std::fs::read_link(lane.path.join("links/near")).expect("a link"), Path::new("real"));
    assert_eq!(std::fs::read_link(lane.path.join("links/far")).expect("a link"), outside);
    assert_eq!(brought.leading_out, [PathBuf::from("links/far")]);
    assert_eq!(brought.left_out, [LeftOut::InTheWay { path: PathBuf::from("dir/local.env") }]);
    assert!(std::fs::read_dir(&outside).expect("readable").next().is_none());
}

#[test]
fn p12_what_the_lane_has_already_is_not_copied_over_and_a_torn_try_is_finished() {
    let fix = Fixture::new();
    let at = with_ignored(&fix, "*.env\n");
    write(&fix.root.join("a.env"), "main");
    write(&fix.root.join("b.env"), "main");
    let lane = lane_at(&fix, "lane", &at);
    write(&lane.path.join("a.env"), "lane");
    let brought = fix.repo.bring(&lane, &globs(&["*.env"]), &[]).expect("brought");
    assert_eq!(brought.copied.files, 1);
    assert_eq!(
        (read(&lane.path.join("a.env")), read(&lane.path.join("b.env"))),
        ("lane".into(), "main".into())
    );
    let changed = |path: &str| lane.path.join(path).metadata().expect("there").modified().expect("a time");
    assert!(changed("b.env") < changed(".gitignore"), "what was built elsewhere must not seem up to date");
}

#[test]
fn p12_a_folder_in_the_place_of_a_furnished_one_is_not_taken_for_it() {
    let fix = Fixture::new();
    let lane = lane_at(&fix, "lane", &fix.start);
    assert_eq!(fix.repo.furnished(&lane).expect("read"), None);
    fix.repo.set_furnished(&lane, "one").expect("noted");
    assert_eq!(fix.repo.furnished(&lane).expect("read").as_deref(), Some("one"));
    std::fs::rename(&lane.path, fix.dir.path().join("aside")).expect("moved");
    fix.repo.set_to(&lane, &fix.start).expect("made again");
    assert_eq!(fix.repo.furnished(&lane).expect("read"), None);
}
