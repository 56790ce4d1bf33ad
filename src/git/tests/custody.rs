//! Nothing that a lane holds gets lost.
#![expect(clippy::disallowed_methods, reason = "tests break lanes as agents do")]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::fixture::{Fixture, bytes, git, identity, read, write};
use super::lanes::nested;
use crate::git::{GitError, Worktree};
use crate::id::Sha;

const REF: &str = "refs/laneway/custody/demo/1/a";

fn keep(fixture: &Fixture, lane: &Worktree) -> Option<Sha> {
    fixture.repo.custody(lane, REF, "test", std::slice::from_ref(&fixture.start)).expect("custody")
}

#[test]
fn p01_a_lane_with_nothing_new_leaves_no_ref() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join(".env"), "SECRET=1\n");
    assert_eq!(keep(&fixture, &lane), None);
    assert_eq!(fixture.repo.read_ref(REF).expect("read"), None);
    git(&lane.path, &["commit", "-q", "--allow-empty", "-m", "work"]);
    let work = fixture.repo.head(&lane).expect("HEAD").sha;
    let kept = keep(&fixture, &lane).expect("a commit that nobody else holds");
    assert_eq!(fixture.repo.parents(&kept).expect("parents")[0], work);
    assert_eq!(fixture.repo.read_ref(REF).expect("read"), Some(kept));
}

#[test]
fn p01_work_that_a_branch_of_ours_or_the_lanes_history_holds_is_not_kept_again() {
    let fixture = Fixture::new();
    let repo = &fixture.repo;
    let known = std::slice::from_ref(&fixture.start);
    let collected = |name: &str| {
        let lane = fixture.lane(name);
        write(&lane.path.join("work"), name);
        let commit = repo.commit_all(&lane, &fixture.start, "work", &identity()).expect("a commit");
        (lane, commit.expect("one"))
    };
    // HEAD is where the agent left it; the commit is Laneway's, and nobody holds it.
    let (lane, work) = collected("a");
    let later = fixture.commit(&work, &[("later", Some("later\n"))]);
    assert_eq!(repo.custody(&lane, REF, "test", &[later]).expect("custody"), None);
    git(&fixture.root, &["branch", "laneway/g/a/task/t/1", work.as_str()]);
    assert_eq!(repo.custody(&lane, REF, "test", known).expect("custody"), None);
    assert_eq!(repo.remove(&lane, &repo.record_dir().join("trash")).expect("removed"), None);
    // What came after it is kept, and so is what only a branch of the user's holds.
    let (lane, work) = collected("b");
    git(&fixture.root, &["branch", "mine", work.as_str()]);
    assert!(repo.custody(&lane, REF, "test", known).expect("custody").is_some());
    let (lane, work) = collected("c");
    git(&fixture.root, &["branch", "laneway/g/c/task/t/1", work.as_str()]);
    write(&lane.path.join("work"), "more");
    let kept = repo.custody(&lane, &format!("{REF}2"), "test", known).expect("custody").expect("kept");
    assert_eq!(git(&fixture.root, &["show", &format!("{kept}:work")]), "more");
}

#[test]
fn p01_every_kind_of_work_comes_back_byte_for_byte() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let attributes = "*.txt text eol=crlf\n*.rot filter=rot\n";
    let start = fixture.commit(
        &fixture.start,
        &[
            (".gitattributes", Some(attributes)),
            ("same.txt", Some("same\n")),
            ("mixed.txt", Some("a\n")),
            ("s.rot", Some("uryyb\n")),
            ("t.rot", Some("uryyb\n")),
            ("dir/file", Some("x\n")),
            ("plain", Some("x\n")),
        ],
    );
    let lane = fixture.repo.provision(&fixture.lane_path("a"), &start).expect("a lane");
    let path = &lane.path;
    write(&path.join("mixed.txt"), "crlf\r\nlf\ncr\rnone");
    write(&path.join("new.txt"), "lf only\n");
    write(&path.join("t.rot"), "changed\n");
    write(&path.join("bin"), [0, 255, 13, 10, 0]);
    write(&path.join("deep/script"), "#!/bin/sh\n");
    std::fs::set_permissions(path.join("deep/script"), PermissionsExt::from_mode(0o755)).expect("mode");
    symlink("../outside", path.join("link")).expect("link");
    std::fs::remove_file(path.join("README")).expect("remove");
    std::fs::remove_dir_all(path.join("dir")).expect("remove");
    write(&path.join("dir"), "now a file\n");
    std::fs::remove_file(path.join("plain")).expect("remove");
    write(&path.join("plain/inner"), "now a directory\n");
    write(&path.join("src/a.txt"), "hidden\r\n");
    git(path, &["update-index", "--assume-unchanged", "src/a.txt"]);
    write(&path.join("staged"), "staged\n");
    git(path, &["add", "staged"]);
    write(&path.join("staged"), "and changed\n");
    write(&path.join(".env"), "SECRET=1\n");
    write(&path.join("fifo.log"), "ignored\n");
    let kept = fixture.repo.custody(&lane, REF, "test", &[]).expect("custody").expect("a commit");

    let all = git(&fixture.root, &["rev-list", "--objects", REF]);
    assert!(!all.contains(".env"), "ignored files never enter the object database");
    assert_eq!(git(&fixture.root, &["cat-file", "-p", &format!("{kept}^2:staged")]), "staged");
    assert_eq!(git(&fixture.root, &["log", "-1", "--format=%s", kept.as_str()]), "test");
    git(&fixture.root, &["fsck", "--strict"]);

    let back = fixture.repo.restore(&kept, &fixture.lane_path("back")).expect("restored");
    for name in [
        "mixed.txt",
        "new.txt",
        "t.rot",
        "s.rot",
        "same.txt",
        "bin",
        "deep/script",
        "dir",
        "plain/inner",
        "src/a.txt",
        "staged",
    ] {
        assert_eq!(bytes(&back.path.join(name)), bytes(&path.join(name)), "{name}");
    }
    let link = std::fs::read_link(back.path.join("link")).expect("a link");
    assert_eq!(link.to_string_lossy(), "../outside");
    assert!(!back.path.join("README").exists());
    assert!(!back.path.join(".env").exists());
    let mode = std::fs::metadata(back.path.join("deep/script")).expect("stat").permissions().mode();
    assert_eq!(mode & 0o100, 0o100);
    assert_eq!(fixture.repo.head(&back).expect("HEAD").sha, start);
    before.assert_untouched(&fixture.root);
}

#[test]
fn p01_work_that_is_only_staged_is_kept() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "only in the index\n");
    git(&lane.path, &["add", "README"]);
    write(&lane.path.join("README"), "hello\n");
    let kept = keep(&fixture, &lane).expect("kept");
    assert_eq!(git(&fixture.root, &["cat-file", "-p", &format!("{kept}^2:README")]), "only in the index");
}

#[test]
fn p01_a_lane_in_conflict_is_kept_with_every_side() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let theirs = fixture.commit(&fixture.start, &[("README", Some("theirs\n"))]);
    write(&lane.path.join("README"), "mine\n");
    git(&lane.path, &["commit", "-qam", "mine"]);
    super::fixture::try_git(&lane.path, &["merge", theirs.as_str()]);
    let kept = keep(&fixture, &lane).expect("kept");
    let show = |name: &str| git(&fixture.root, &["cat-file", "-p", &format!("{kept}{name}")]);
    assert!(show(":README").contains("<<<<<<<"));
    assert_eq!((show("^2:README.~2~"), show("^2:README.~3~")), ("mine".to_owned(), "theirs".to_owned()));
}

#[test]
fn p01_broken_lanes_are_kept_as_far_as_they_go() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new"), "work\n");
    std::fs::remove_file(lane.path.join(".git")).expect("remove");
    write(&lane.admin.join("index"), "nonsense");
    write(&lane.admin.join("HEAD"), "nonsense\n");
    let kept = keep(&fixture, &lane).expect("kept");
    assert_eq!(git(&fixture.root, &["cat-file", "-p", &format!("{kept}:new")]), "work");
    std::fs::remove_dir_all(&lane.path).expect("remove");
    std::fs::remove_dir_all(&lane.admin).expect("remove");
    assert_eq!(keep(&fixture, &lane), None, "nothing is left to keep");
}

#[test]
fn p01_files_of_a_repository_inside_the_lane_are_kept() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    nested(&lane.path.join("vendor"));
    nested(&lane.path.join("vendor/deeper"));
    write(&lane.path.join("vendor/uncommitted"), "x\n");
    write(&lane.path.join("vendor/noise.log"), "ignored by the lane\n");
    let kept = keep(&fixture, &lane).expect("kept");
    let names = git(&fixture.root, &["ls-tree", "-r", "--name-only", kept.as_str(), "vendor"]);
    let expected = [
        "vendor/.gitignore",
        "vendor/deeper/.gitignore",
        "vendor/deeper/inner.txt",
        "vendor/inner.txt",
        "vendor/uncommitted",
    ];
    assert_eq!(names.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn p01_custody_changes_nothing_in_the_lane_and_never_overwrites_a_ref() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "work\n");
    let before =
        (bytes(&lane.admin.join("index")), bytes(&lane.admin.join("HEAD")), read(&lane.path.join("README")));
    let first = keep(&fixture, &lane).expect("kept");
    let after =
        (bytes(&lane.admin.join("index")), bytes(&lane.admin.join("HEAD")), read(&lane.path.join("README")));
    assert_eq!(before, after);
    write(&lane.path.join("README"), "more work\n");
    let outcome = fixture.repo.custody(&lane, REF, "test", &[]);
    assert!(matches!(outcome, Err(GitError::RefMoved { .. })), "{outcome:?}");
    assert_eq!(fixture.repo.read_ref(REF).expect("read"), Some(first));
}

#[test]
fn p01_a_dangling_link_is_kept_as_a_link() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    symlink("/nowhere/at/all", lane.path.join("dangling")).expect("link");
    let kept = keep(&fixture, &lane).expect("kept");
    assert_eq!(git(&fixture.root, &["cat-file", "-p", &format!("{kept}:dangling")]), "/nowhere/at/all");
}

#[test]
fn what_was_kept_is_laid_over_a_lane_that_has_moved_on_without_undoing_that() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "dirty\n");
    write(&lane.path.join("src/a.txt"), "dirty\n");
    write(&lane.path.join("new/file"), "new\n");
    write(&lane.path.join("blocked/file"), "new\n");
    std::fs::remove_file(lane.path.join(".gitignore")).expect("remove");
    let kept = keep(&fixture, &lane).expect("kept");
    let moved =
        [("src/a.txt", Some("theirs\n")), ("new/other", Some("theirs\n")), ("blocked", Some("theirs\n"))];
    let moved = fixture.commit(&fixture.start, &moved);
    fixture.repo.set_to(&lane, &moved).expect("moved on");
    let overlaid = fixture.repo.overlay(&lane, &kept, &[]).expect("laid over");
    assert_eq!((overlaid.files, overlaid.held_back), (3, vec!["blocked/file".into(), "src/a.txt".into()]));
    assert_eq!(read(&lane.path.join("README")), "dirty\n");
    assert_eq!(read(&lane.path.join("new/file")), "new\n");
    assert!(!lane.path.join(".gitignore").exists());
    for theirs in ["src/a.txt", "new/other", "blocked"] {
        assert_eq!(read(&lane.path.join(theirs)), "theirs\n", "{theirs}");
    }
    assert_eq!(fixture.repo.head(&lane).expect("HEAD").sha, moved);
    let status = git(&lane.path, &["status", "--porcelain"]);
    assert_eq!(status, "D .gitignore\n M README\n?? new/file", "uncommitted again");
}

#[test]
fn nothing_is_laid_out_beside_the_lane() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let blob = git(&fixture.root, &["hash-object", "-w", "README"]);
    let list = fixture.dir.path().join("list");
    let literally = |name: &str, mode: &str, id: &str| {
        let id: Vec<u8> =
            (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).expect("hex")).collect();
        write(&list, [format!("{mode} {name}\0").as_bytes(), &id].concat());
        git(&fixture.root, &["hash-object", "-t", "tree", "-w", "--literally", &list.display().to_string()])
    };
    for (dir, name) in [("..", "planted"), (".GIT", "config")] {
        let inner = literally(name, "100644", &blob);
        let tree = literally(dir, "40000", &inner);
        let start = fixture.start.as_str();
        let kept = super::fixture::sha(&git(&fixture.root, &["commit-tree", &tree, "-p", start, "-m", "x"]));
        let overlaid = fixture.repo.overlay(&lane, &kept, &[]).expect("laid over");
        assert_eq!(overlaid.held_back, [format!("{dir}/{name}")]);
        assert!(!lane.path.join(dir).join(name).exists());
    }
}

#[test]
fn p01_a_pipe_in_the_place_of_an_agents_index_holds_nobody_up() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new.txt"), "new\n");
    let index = lane.admin.join("index");
    if index.exists() {
        std::fs::remove_file(&index).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &index,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from(0o600),
        0,
    )
    .unwrap();
    let kept = fixture.repo.custody(&lane, "refs/laneway/custody/g/1/pipe", "why", &[]).unwrap();
    assert!(kept.is_some());
}
