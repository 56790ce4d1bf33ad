//! Files in LFS, with programs that do as git-lfs does, and with git-lfs where it is installed.
#![expect(clippy::disallowed_methods, reason = "tests run git and write files as users and agents do")]

use std::path::Path;
use std::process::Command;

use super::fixture::{Fixture, git, identity, read, sha, write};
use crate::git::{GitError, Shape};
use crate::graph::Lfs;
use crate::id::Sha;

const CONTENT: &str = "a large picture\n";

fn pointer() -> String {
    let content = "6e2a3b1c".repeat(8);
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{content}\nsize {}\n", CONTENT.len())
}

fn skip() -> Shape {
    Shape { lfs: Lfs::Skip, ..Shape::default() }
}

/// A repository in which `big.bin` is a pointer, with a program that turns it into its content and back.
fn with_pointer() -> (Fixture, Sha) {
    let fixture = Fixture::new();
    let files = [
        (".gitattributes", Some("*.bin filter=lfs diff=lfs merge=lfs -text\n".to_owned())),
        ("big.bin", Some(pointer())),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_deref())).collect();
    let start = fixture.commit(&fixture.start, &files);
    write(&fixture.dir.path().join("pointer"), pointer());
    write(&fixture.dir.path().join("content"), CONTENT);
    (fixture, start)
}

fn set_up(fixture: &Fixture) {
    let at = |file: &str| format!("cat > /dev/null; cat '{}'", fixture.dir.path().join(file).display());
    for (key, value) in [
        ("filter.lfs.smudge", at("content")),
        ("filter.lfs.clean", at("pointer")),
        ("filter.lfs.required", "true".to_owned()),
    ] {
        git(&fixture.root, &["config", key, &value]);
    }
}

#[test]
fn p14_pointers_are_named_where_contents_were_wanted() {
    let (fixture, start) = with_pointer();
    let lane = fixture.repo.provision(&fixture.lane_path("auto"), &start).expect("a lane");
    assert_eq!(read(&lane.path.join("big.bin")), pointer());
    assert_eq!(fixture.repo.pointers(&lane).expect("pointers"), ["big.bin"]);
    let lane = fixture.repo.provision_as(&fixture.lane_path("skip"), &start, &skip()).expect("a lane");
    assert_eq!(fixture.repo.pointers(&lane).expect("pointers"), Vec::<String>::new());
    set_up(&fixture);
    let lane = fixture.repo.provision(&fixture.lane_path("set-up"), &start).expect("a lane");
    assert_eq!(read(&lane.path.join("big.bin")), CONTENT);
    assert_eq!(fixture.repo.pointers(&lane).expect("pointers"), Vec::<String>::new());
}

#[test]
fn p14_lfs_is_honoured_or_skipped_and_commits_hold_pointers_either_way() {
    let (fixture, start) = with_pointer();
    set_up(&fixture);
    let repo = &fixture.repo;
    for (name, shape, found) in [("auto", Shape::default(), CONTENT.to_owned()), ("skip", skip(), pointer())]
    {
        let lane = repo.provision_as(&fixture.lane_path(name), &start, &shape).expect("a lane");
        assert_eq!(read(&lane.path.join("big.bin")), found, "{name}");
        assert!(repo.tree_state(&lane, &start).expect("a state").is_clean(), "{name}");
        write(&lane.path.join("big.bin"), "edited\n");
        repo.set_to(&lane, &start).expect("reset");
        assert_eq!(read(&lane.path.join("big.bin")), found, "{name}");
        write(&lane.path.join("other.bin"), CONTENT);
        let commit = repo.commit_all(&lane, &start, "more", &identity()).expect("a commit").expect("one");
        let at = format!("{commit}:other.bin");
        assert_eq!(git(&fixture.root, &["cat-file", "blob", &at]), pointer().trim(), "{name}");
        let told = repo.variables(&lane, &[]).expect("variables");
        assert_eq!(told.iter().any(|(key, _)| key == "GIT_LFS_SKIP_SMUDGE"), name == "skip");
    }
}

#[test]
fn p14_a_missing_git_lfs_is_named_and_the_lane_made_once_it_is_there() {
    let (fixture, start) = with_pointer();
    set_up(&fixture);
    git(&fixture.root, &["config", "filter.lfs.process", "no-such-git-lfs filter-process"]);
    let path = fixture.lane_path("lane");
    match fixture.repo.provision(&path, &start) {
        Err(GitError::Lfs { detail }) => {
            assert!(detail.contains("no-such-git-lfs: not found"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    // Who wants pointers needs no program.
    let lane = fixture.repo.provision_as(&fixture.lane_path("skip"), &start, &skip()).expect("a lane");
    assert_eq!(read(&lane.path.join("big.bin")), pointer());
    git(&fixture.root, &["config", "--unset", "filter.lfs.process"]);
    let lane = fixture.repo.provision(&path, &start).expect("a lane");
    assert_eq!(read(&lane.path.join("big.bin")), CONTENT);
    assert!(fixture.repo.tree_state(&lane, &start).expect("a state").is_clean());
}

#[test]
fn p14_the_real_git_lfs_fills_lanes_from_the_users_objects() {
    let fixture = Fixture::new();
    let there = Command::new("git-lfs").arg("version").output().is_ok_and(|done| done.status.success());
    if !there {
        eprintln!("not run: git-lfs is not installed");
        return;
    }
    git(&fixture.root, &["lfs", "install", "--local"]);
    git(&fixture.root, &["lfs", "track", "*.bin"]);
    write(&fixture.root.join("big.bin"), CONTENT);
    git(&fixture.root, &["add", "-A"]);
    git(&fixture.root, &["commit", "-qm", "large"]);
    let start = sha(&git(&fixture.root, &["rev-parse", "HEAD"]));
    let config = read(&fixture.root.join(".git/config"));
    let repo = &fixture.repo;
    let lane = repo.provision(&fixture.lane_path("auto"), &start).expect("a lane");
    assert_eq!(read(&lane.path.join("big.bin")), CONTENT);
    assert_eq!(git(&lane.path, &["lfs", "ls-files", "--name-only"]), "big.bin");
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "");
    let lane = repo.provision_as(&fixture.lane_path("skip"), &start, &skip()).expect("a lane");
    assert!(read(&lane.path.join("big.bin")).starts_with("version https://git-lfs.github.com/spec/v1\n"));
    assert!(repo.tree_state(&lane, &start).expect("a state").is_clean());
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "");
    write(&lane.path.join("more.bin"), "more\n");
    let commit = repo.commit_all(&lane, &start, "more", &identity()).expect("a commit").expect("one");
    let blob = git(&fixture.root, &["cat-file", "blob", &format!("{commit}:more.bin")]);
    assert!(blob.starts_with("version https://git-lfs"), "{blob}");
    assert!(Path::new(&fixture.root).join(".git/lfs/objects").is_dir());
    assert_eq!(read(&fixture.root.join(".git/config")), config);
}
