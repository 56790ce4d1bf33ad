//! What only a lane's git directory or its ignore rules know is not lost either, and everything can be brought back.
#![expect(
    clippy::disallowed_methods,
    reason = "tests break lanes as agents do, and run themselves with less disk"
)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixture::{Fixture, bytes, git, read, sha, try_git, write};
use crate::git::{CUSTODY, GitError, KeptKind, KeptRef, Worktree};
use crate::id::Sha;

const REF: &str = "refs/laneway/custody/demo/1/a";

fn keep(fixture: &Fixture, lane: &Worktree) -> Option<KeptRef> {
    let kept =
        fixture.repo.custody(lane, REF, "test", std::slice::from_ref(&fixture.start)).expect("custody");
    kept.map(|_| fixture.repo.custody_refs().expect("refs").remove(0))
}

/// Everything in the trash, relative to the place that it was put into, sorted.
fn trash(fixture: &Fixture) -> Vec<(PathBuf, PathBuf)> {
    let root = fixture.repo.record_dir().join("trash");
    let mut found: Vec<_> = walkdir::WalkDir::new(&root)
        .min_depth(2)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let inner = entry.path().strip_prefix(&root).expect("inside");
            (inner.components().skip(2).collect(), entry.path().to_owned())
        })
        .collect();
    found.sort();
    found
}

fn trashed(fixture: &Fixture, name: &str) -> String {
    let all = trash(fixture);
    let found = all.iter().find(|(inner, _)| inner == Path::new(name));
    read(&found.unwrap_or_else(|| panic!("{name} is not in the trash: {all:?}")).1)
}

fn reaches(fixture: &Fixture, commit: &str) -> bool {
    try_git(&fixture.root, &["merge-base", "--is-ancestor", commit, REF]).0
}

#[test]
fn p01_commits_that_were_amended_or_reset_away_are_kept() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let commit = |text: &str| {
        write(&lane.path.join("README"), text);
        git(&lane.path, &["commit", "-qam", text]);
        git(&lane.path, &["rev-parse", "HEAD"])
    };
    let (first, second) = (commit("first"), commit("second"));
    git(&lane.path, &["reset", "-q", "--hard", "HEAD~1"]);
    git(&lane.path, &["commit", "-q", "--amend", "-m", "amended"]);
    let amended = git(&lane.path, &["rev-parse", "HEAD"]);
    git(&lane.path, &["reset", "-q", "--hard", fixture.start.as_str()]);
    let kept = keep(&fixture, &lane).expect("kept, though the lane is where it began");
    let KeptKind::Worktree { left: Some(left), .. } = &kept.kind else { panic!("{kept:?}") };
    assert_eq!(fixture.repo.parents(left).expect("parents").len(), 2, "the newest of each line");
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    fixture.repo.remove(&lane, &fixture.repo.record_dir().join("trash")).expect("removed");
    git(&fixture.root, &["reflog", "expire", "--expire=now", "--all"]);
    git(&fixture.root, &["gc", "-q", "--prune=now"]);
    for commit in [first, second, amended] {
        assert!(reaches(&fixture, &commit), "{commit}");
    }
}

#[test]
fn p01_what_is_held_already_is_not_kept_again() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "work");
    git(&lane.path, &["commit", "-qam", "work"]);
    git(&lane.path, &["reset", "-q", "--hard", fixture.start.as_str()]);
    assert!(keep(&fixture, &lane).is_some());
    let again =
        fixture.repo.custody(&lane, &format!("{REF}.2"), "again", std::slice::from_ref(&fixture.start));
    assert_eq!(again.expect("custody"), None);
}

#[test]
fn p01_a_rebase_half_done_is_kept_with_its_stash_and_its_plan() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let theirs = fixture.commit(&fixture.start, &[("README", Some("theirs\n"))]);
    write(&lane.path.join("README"), "mine\n");
    git(&lane.path, &["commit", "-qam", "mine"]);
    let mine = git(&lane.path, &["rev-parse", "HEAD"]);
    write(&lane.path.join("src/a.txt"), "stashed by the rebase\n");
    try_git(&lane.path, &["rebase", "--autostash", theirs.as_str()]);
    let stash = read(&lane.admin.join("rebase-merge/autostash")).trim().to_owned();
    let kept = keep(&fixture, &lane).expect("kept");
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert!(reaches(&fixture, &mine) && reaches(&fixture, &stash));
    let KeptKind::Worktree { left: Some(left), .. } = kept.kind else { panic!("{kept:?}") };
    let names = git(&fixture.root, &["ls-tree", "-r", "--name-only", left.as_str()]);
    assert!(names.lines().any(|name| name == "rebase-merge/head-name"), "{names}");
}

#[test]
fn p01_a_bisect_in_a_clean_lane_is_kept() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    git(&lane.path, &["bisect", "start"]);
    let kept = keep(&fixture, &lane).expect("kept");
    let KeptKind::Worktree { left: Some(left), .. } = kept.kind else { panic!("{kept:?}") };
    assert!(git(&fixture.root, &["show", &format!("{left}:BISECT_LOG")]).contains("bisect"));
}

#[test]
fn p01_ignored_files_that_stand_in_the_way_go_to_the_trash() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join(".env"), "SECRET=1\n");
    write(&lane.path.join("build/deep/out"), "built\n");
    write(&lane.path.join("app.log"), "stays\n");
    let next = fixture.commit(&fixture.start, &[(".env", Some("tracked\n")), ("build", Some("a file\n"))]);
    assert_eq!(keep(&fixture, &lane), None, "ignored files are no work");
    fixture.repo.set_to(&lane, &next).expect("moved");
    assert_eq!(read(&lane.path.join(".env")), "tracked\n");
    assert_eq!(trashed(&fixture, ".env"), "SECRET=1\n");
    assert_eq!(trashed(&fixture, "build/deep/out"), "built\n");
    assert_eq!(read(&lane.path.join("app.log")), "stays\n");
    let objects = git(&fixture.root, &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(!objects.contains("SECRET=1"), "never into the object database");
}

#[test]
fn p01_files_that_only_the_agents_own_ignore_file_hid_go_to_the_trash() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join(".gitignore"), "*.log\n/.env\nbuild/\n*.secret\n");
    write(&lane.path.join("api.secret"), "key\n");
    write(&lane.path.join("new"), "kept by the ref\n");
    assert!(keep(&fixture, &lane).is_some());
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    assert!(!lane.path.join("api.secret").exists() && !lane.path.join("new").exists());
    let names: Vec<PathBuf> = trash(&fixture).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [PathBuf::from("api.secret")], "what the ref has is not kept twice");
    assert_eq!(trashed(&fixture, "api.secret"), "key\n");
}

#[test]
fn p01_an_ignored_file_of_the_user_stops_the_move_of_their_branch() {
    let fixture = Fixture::new();
    write(&fixture.root.join(".env"), "SECRET=1\n");
    let next = fixture.commit(&fixture.start, &[(".env", Some("tracked\n"))]);
    let outcome = fixture.repo.advance("refs/heads/main", Some(&fixture.start), &next);
    match outcome {
        Err(GitError::CheckoutInTheWay { files, .. }) => assert_eq!(files, [".env"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&fixture.root.join(".env")), "SECRET=1\n");
    assert_eq!(fixture.repo.branch_tip("main").expect("read"), Some(fixture.start.clone()));
    std::fs::remove_file(fixture.root.join(".env")).expect("remove");
    let _moved = fixture.repo.advance("refs/heads/main", Some(&fixture.start), &next).expect("moved");
}

#[test]
fn p01_overlaid_files_spare_ignored_ones() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    std::fs::remove_file(lane.path.join(".gitignore")).expect("remove");
    write(&lane.path.join("x.log"), "work\n");
    let kept = keep(&fixture, &lane).expect("kept");
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    write(&lane.path.join("x.log"), "a log by now\n");
    let overlaid = fixture.repo.overlay(&lane, &kept.commit, &[]).expect("laid over");
    assert_eq!(overlaid.files, 2);
    assert_eq!(read(&lane.path.join("x.log")), "work\n");
    assert_eq!(trashed(&fixture, "x.log"), "a log by now\n");
}

#[test]
fn p01_a_lane_whose_head_is_broken_after_a_crash_is_kept_on_what_is_known() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new"), "work\n");
    write(&lane.admin.join("HEAD"), "nonsense\n");
    std::fs::remove_file(fixture.repo.record_dir().join("index").join(lane.name()).join("at"))
        .expect("remove");
    let kept = keep(&fixture, &lane).expect("kept");
    assert_eq!(git(&fixture.root, &["show", &format!("{}:new", kept.commit)]), "work");
    let unknown = fixture.repo.custody(&lane, &format!("{REF}.2"), "x", &[]);
    assert!(unknown.is_ok_and(|kept| kept.is_some()), "the first look has settled the private index");
    std::fs::remove_file(fixture.repo.record_dir().join("index").join(lane.name()).join("at"))
        .expect("remove");
    let outcome = fixture.repo.custody(&lane, &format!("{REF}.3"), "x", &[]);
    assert!(matches!(outcome, Err(GitError::HeadUnborn { .. })), "{outcome:?}");
}

#[test]
fn p01_a_gitfile_that_an_agent_wrote_goes_to_the_trash() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join(".git"), "gitdir: /somewhere/else\n");
    fixture.repo.set_to(&lane, &fixture.start).expect("reset");
    let all = trash(&fixture);
    assert!(all.iter().any(|(_, path)| read(path) == "gitdir: /somewhere/else\n"), "{all:?}");
    assert!(git(&lane.path, &["status", "--porcelain"]).is_empty());
}

#[test]
fn p01_the_git_directories_of_submodules_go_to_the_trash() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.admin.join("modules/sub/HEAD"), "ref: refs/heads/main\n");
    fixture.repo.remove(&lane, &fixture.repo.record_dir().join("trash")).expect("removed");
    let all = trash(&fixture);
    assert!(all.iter().any(|(name, _)| name == Path::new("sub/HEAD")), "{all:?}");
}

/// An index with everything that git allows.
fn staged(lane: &Worktree, intended: bool) {
    let path = &lane.path;
    write(&path.join("README"), "staged\n");
    write(&path.join("both"), "staged\n");
    std::fs::remove_file(path.join("src/a.txt")).expect("remove");
    git(path, &["add", "-A"]);
    write(&path.join("both"), "and changed\n");
    write(&path.join("src/a.txt"), "back again\n");
    write(&path.join("intended"), "not staged yet\n");
    if intended {
        git(path, &["add", "-N", "intended"]);
    }
    git(path, &["update-index", "--skip-worktree", "README"]);
    write(&path.join("README"), "hidden from git\n");
    let odd = path.join(OsStr::from_bytes(b"odd\xff\n\tname"));
    write(&odd, [13, 10, 0, 255]);
    std::fs::set_permissions(&odd, PermissionsExt::from_mode(0o755)).expect("mode");
    symlink("../../outside", path.join("link")).expect("link");
}

fn assert_back(fixture: &Fixture, kept: &KeptRef, lane: &Worktree) {
    let shown = |at: &Path| git(at, &["status", "--porcelain", "-z"]);
    let path = fixture.root.join(".worktrees/restored/x");
    let back = fixture.repo.bring_back(kept, &path, "restored/x").expect("brought back");
    assert_eq!(git(&path, &["symbolic-ref", "HEAD"]), "refs/heads/restored/x");
    for name in [&b"README"[..], b"both", b"src/a.txt", b"intended", b"odd\xff\n\tname"] {
        let name = OsStr::from_bytes(name);
        assert_eq!(bytes(&path.join(name)), bytes(&lane.path.join(name)), "{name:?}");
    }
    assert_eq!(std::fs::read_link(path.join("link")).expect("a link"), Path::new("../../outside"));
    let mode = std::fs::metadata(path.join(OsStr::from_bytes(b"odd\xff\n\tname"))).expect("stat");
    assert_eq!(mode.permissions().mode() & 0o111, 0o111);
    git(&lane.path, &["update-index", "--no-skip-worktree", "README"]);
    git(&lane.path, &["reset", "-q", "--", "intended"]);
    assert_eq!(shown(&path), shown(&lane.path), "staged and unstaged alike");
    assert_eq!(git(&path, &["show", ":both"]), "staged");
    assert_eq!(back.files, 6);
    git(&path, &["commit", "-qam", "goes on"]);
}

#[test]
fn p01_what_was_staged_is_staged_again_and_what_was_not_is_not() {
    let fixture = Fixture::lived_in();
    let before = fixture.user();
    let lane = fixture.lane("a");
    staged(&lane, true);
    let kept = keep(&fixture, &lane).expect("kept");
    let file = |name: &str, staged| {
        let found = fixture.repo.custody_file(&kept, Path::new(name), staged).expect("read");
        found.map(|bytes| String::from_utf8(bytes).expect("text"))
    };
    assert_eq!(file("both", false).as_deref(), Some("and changed\n"));
    assert_eq!(file("both", true).as_deref(), Some("staged\n"));
    assert_eq!((file("src/a.txt", true), file("nope", false), file("src", false)), (None, None, None));
    before.assert_untouched(&fixture.root);
    assert_back(&fixture, &kept, &lane);
}

#[test]
fn p01_a_split_index_is_kept_too() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    staged(&lane, false);
    git(&lane.path, &["update-index", "--split-index"]);
    let kept = keep(&fixture, &lane).expect("kept");
    assert_back(&fixture, &kept, &lane);
}

#[test]
fn p01_a_conflict_is_a_conflict_again() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let theirs = fixture.commit(&fixture.start, &[("README", Some("theirs\n"))]);
    write(&lane.path.join("README"), "mine\n");
    git(&lane.path, &["commit", "-qam", "mine"]);
    try_git(&lane.path, &["merge", theirs.as_str()]);
    let kept = keep(&fixture, &lane).expect("kept");
    let path = fixture.lane_path("back");
    let _back = fixture.repo.bring_back(&kept, &path, "restored/x").expect("brought back");
    assert_eq!(git(&path, &["status", "--porcelain"]), "UU README");
    assert_eq!(git(&path, &["show", ":2:README"]), "mine");
    assert_eq!(read(&path.join("README")), read(&lane.path.join("README")));
}

#[test]
fn p01_nothing_is_overwritten_by_what_is_brought_back() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("README"), "work\n");
    let kept = keep(&fixture, &lane).expect("kept");
    let taken = fixture.dir.path().join("taken");
    write(&taken.join("mine"), "mine\n");
    let outcome = fixture.repo.bring_back(&kept, &taken, "restored/x");
    assert!(matches!(outcome, Err(GitError::PathOccupied { .. })), "{outcome:?}");
    let outcome = fixture.repo.bring_back(&kept, &lane.path, "restored/x");
    assert!(matches!(outcome, Err(GitError::PathOccupied { .. })), "{outcome:?}");
    let outcome = fixture.repo.bring_back(&kept, &fixture.lane_path("b"), "main");
    assert!(matches!(outcome, Err(GitError::RefMoved { .. })), "{outcome:?}");
    assert_eq!(fixture.repo.branch_tip("restored/x").expect("read"), None);
    assert_eq!(read(&taken.join("mine")), "mine\n");
}

#[test]
fn p01_a_kept_branch_comes_back_as_a_branch() {
    let fixture = Fixture::new();
    let work = fixture.commit(&fixture.start, &[("new", Some("work\n"))]);
    fixture.repo.set_ref(REF, &work, None).expect("kept");
    let kept = fixture.repo.custody_refs().expect("refs").remove(0);
    assert_eq!(kept.kind, KeptKind::Commit { parent: Some(fixture.start.clone()) });
    assert!(kept.reference.starts_with(CUSTODY));
    let path = fixture.lane_path("back");
    let back = fixture.repo.bring_back(&kept, &path, "restored/x").expect("brought back");
    assert_eq!((read(&path.join("new")).as_str(), back.files), ("work\n", 0));
    assert_eq!(sha(&git(&path, &["rev-parse", "HEAD"])), work);
}

/// Bytes that do not compress to nothing.
fn noise(words: u64) -> Vec<u8> {
    (0..words).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect()
}

#[test]
fn p11_the_size_of_custody_is_what_only_it_holds() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let noise = noise(4000);
    write(&lane.path.join("big"), &noise);
    let kept = keep(&fixture, &lane).expect("kept");
    let alone = fixture.repo.custody_bytes(&kept).expect("size");
    assert!((10_000..200_000).contains(&alone), "{alone}");
    fixture.repo.set_ref("refs/heads/shares", &kept.commit, None).expect("shared");
    assert_eq!(fixture.repo.custody_bytes(&kept).expect("size"), 0);
}

/// The test below runs itself with this set to the repository.
const FULL: &str = "LANEWAY_TEST_FULL_DISK";

#[test]
fn p11_a_full_disk_stops_before_anything_is_destroyed() {
    if let Some(root) = std::env::var_os(FULL) {
        return on_a_full_disk(Path::new(&root));
    }
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let noise = noise(200_000);
    write(&lane.path.join("big"), &noise);
    let name = std::thread::current().name().expect("tests have names").to_owned();
    // No file can grow beyond 64 KiB there, as where the disk is full; the signal that comes with it is not for us.
    let ran = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().expect("a test binary"))
        .arg(&name)
        .env(FULL, &fixture.root)
        .output()
        .expect("sh");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()));
    assert_eq!(bytes(&lane.path.join("big")), noise);
    assert_eq!(fixture.repo.list_refs(CUSTODY).expect("refs"), []);
    let kept = keep(&fixture, &lane).expect("kept, now that there is room");
    assert_eq!(fixture.repo.custody_file(&kept, Path::new("big"), false).expect("read"), Some(noise));
}

fn on_a_full_disk(root: &Path) {
    let repo = crate::git::Repo::discover(root).expect("a repository");
    let lane = repo.reopen(&root.join(".worktrees/demo/a")).expect("lanes").expect("the lane");
    let start: Sha = repo.branch_tip("main").expect("main").expect("a commit");
    let outcome = repo.custody(&lane, REF, "test", std::slice::from_ref(&start));
    assert!(matches!(outcome, Err(GitError::Library { .. } | GitError::Io { .. })), "{outcome:?}");
}

#[test]
fn p01_work_that_was_collected_is_not_kept_again_but_what_is_added_is() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    write(&lane.path.join("new"), "work\n");
    let work = fixture.repo.commit_all(&lane, &fixture.start, "work", &super::fixture::identity());
    let known = [work.expect("committed").expect("a change")];
    assert_eq!(fixture.repo.custody(&lane, REF, "test", &known).expect("custody"), None);
    write(&lane.path.join("new"), "only staged\n");
    git(&lane.path, &["add", "new"]);
    write(&lane.path.join("new"), "work\n");
    let kept =
        fixture.repo.custody(&lane, REF, "test", &known).expect("custody").expect("what is only staged");
    assert_eq!(git(&fixture.root, &["show", &format!("{kept}^2:new")]), "only staged");
}
