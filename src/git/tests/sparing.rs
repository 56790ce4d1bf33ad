//! What is not asked or done a second time, and what has it asked again.
#![expect(clippy::disallowed_methods, reason = "tests change files as users and agents do")]

use std::collections::BTreeMap;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};

use super::fixture::{Fixture, git, read, sha, write};
use crate::git::command::{Git, Scope};
use crate::git::repo::oid;
use crate::git::{GitError, Repo, Worktree};
use crate::id::Sha;

const CUSTODY: &str = "refs/laneway/custody/demo/1/before/t/1";

fn custody_then_set(repo: &Repo, lane: &Worktree, known: &[Sha], at: &Sha) -> Option<Sha> {
    let (kept, set) = repo.custody_then_set(lane, (CUSTODY, "before"), known, at).expect("custody");
    set.expect("set");
    kept
}

#[test]
fn a_lane_that_has_all_of_a_commit_is_looked_at_once_and_set_to_one_of_the_same_tree() {
    let fixture = Fixture::new();
    let (repo, lane) = (&fixture.repo, fixture.lane("a"));
    write(&lane.path.join("work.txt"), "work\n");
    let work = repo.commit_all(&lane, &fixture.start, "work", &super::fixture::identity());
    let work = work.expect("committed").expect("there is work");
    let tree = repo.tree_of(&work).expect("tree");
    let parents = [fixture.start.clone(), work.clone()];
    let landed = repo.commit_tree(&tree, &parents, "land", &super::fixture::identity()).expect("commit");
    assert_eq!(custody_then_set(repo, &lane, &[work, landed.clone()], &landed), None);
    assert_eq!(repo.head(&lane).expect("head").sha, landed);
    assert!(repo.tree_state(&lane, &landed).expect("state").is_clean());
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "");
}

#[test]
fn what_stands_in_a_lane_is_kept_and_cleared_although_it_is_looked_at_once() {
    let fixture = Fixture::new();
    let (repo, lane) = (&fixture.repo, fixture.lane("a"));
    let next = fixture.commit(&fixture.start, &[("README", Some("next\n"))]);
    assert_eq!(custody_then_set(repo, &lane, std::slice::from_ref(&next), &next), None);
    assert_eq!(read(&lane.path.join("README")), "next\n");
    write(&lane.path.join("stray"), "by a person\n");
    write(&lane.path.join("README"), "mine\n");
    let kept = custody_then_set(repo, &lane, std::slice::from_ref(&next), &next).expect("kept");
    assert_eq!(git(&fixture.root, &["show", &format!("{kept}:stray")]), "by a person");
    assert_eq!(read(&lane.path.join("README")), "next\n");
    assert!(!lane.path.join("stray").exists());
}

#[test]
fn the_index_that_a_lane_was_handed_out_with_is_known_and_another_is_read() {
    let fixture = Fixture::new();
    let (repo, lane) = (&fixture.repo, fixture.lane("a"));
    let known = std::slice::from_ref(&fixture.start);
    assert_eq!(custody_then_set(repo, &lane, known, &fixture.start), None);
    let index = std::fs::File::open(lane.admin.join("index")).expect("an index");
    let tree = repo.tree_of(&fixture.start).expect("tree");
    assert_eq!(repo.handed().tree(&lane.admin, &index), Some(tree));

    write(&lane.path.join("staged"), "staged\n");
    git(&lane.path, &["add", "staged"]);
    std::fs::remove_file(lane.path.join("staged")).expect("it is there");
    let index = std::fs::File::open(lane.admin.join("index")).expect("an index");
    assert_eq!(repo.handed().tree(&lane.admin, &index), None);
    let kept = custody_then_set(repo, &lane, known, &fixture.start).expect("what is only staged is kept");
    assert_eq!(git(&fixture.root, &["show", &format!("{kept}^2:staged")]), "staged");
}

#[test]
fn what_is_staged_is_kept_although_the_index_ends_with_the_digest_that_it_was_handed_out_with() {
    let fixture = Fixture::new();
    let (repo, lane) = (&fixture.repo, fixture.lane("a"));
    repo.set_to(&lane, &fixture.start).expect("set");
    let staged = fixture.dir.path().join("staged");
    write(&staged, "only staged\n");
    let id = |args: &[&str]| oid(&sha(&git(&fixture.root, args))).expect("an id");
    let old = id(&["rev-parse", "HEAD:README"]);
    let new = id(&["hash-object", "-w", staged.to_str().expect("text")]);
    let path = lane.admin.join("index");
    let mut index = std::fs::read(&path).expect("an index");
    let at = index.windows(20).position(|bytes| bytes == old.as_bytes()).expect("an entry");
    index[at..at + 20].copy_from_slice(new.as_bytes());
    write(&path, &index);
    assert_eq!(git(&lane.path, &["rev-parse", ":README"]), new.to_string(), "git does not mind");

    let kept = repo.custody(&lane, CUSTODY, "before", std::slice::from_ref(&fixture.start));
    let kept = kept.expect("custody").expect("what is only staged is kept");
    assert_eq!(git(&fixture.root, &["show", &format!("{kept}^2:README")]), "only staged");
}

#[test]
fn an_object_counts_as_synced_only_as_the_file_that_was_synced() {
    let fixture = Fixture::new();
    let repo = &fixture.repo;
    let made = fixture.commit(&fixture.start, &[("new", Some("new\n"))]);
    let name = made.as_str();
    let path = fixture.root.join(".git/objects").join(&name[..2]).join(&name[2..]);
    let id = oid(&made).expect("an id");
    assert!(!repo.synced().has(id, &path), "somebody else has written it");
    repo.sync_objects(&made, std::slice::from_ref(&fixture.start)).expect("synced");
    assert!(repo.synced().has(id, &path));
    // As git does that would write it anew.
    let then = Timespec { tv_sec: 0, tv_nsec: 0 };
    let times = Timestamps { last_access: then, last_modification: then };
    rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()).expect("a time");
    assert!(repo.synced().has(id, &path));

    let copy = path.with_extension("copy");
    std::fs::copy(&path, &copy).expect("a copy");
    std::fs::rename(&copy, &path).expect("in its place");
    assert!(!repo.synced().has(id, &path), "this file was never synced");
    std::fs::remove_file(&path).expect("it is there");
    assert!(!repo.synced().has(id, &path));
    let gone = repo.sync_objects(&made, std::slice::from_ref(&fixture.start));
    assert!(gone.is_err(), "what was synced once and is gone since is not passed over");
}

#[test]
fn a_commit_of_ours_is_synced_when_it_is_written() {
    let fixture = Fixture::new();
    let repo = &fixture.repo;
    let tree = repo.tree_of(&fixture.start).expect("tree");
    let parents = std::slice::from_ref(&fixture.start);
    let made = repo.commit_tree(&tree, parents, "made", &super::fixture::identity()).expect("commit");
    let path = fixture.root.join(".git/objects").join(&made.as_str()[..2]).join(&made.as_str()[2..]);
    assert!(repo.synced().has(oid(&made).expect("an id"), &path));
}

#[test]
fn the_branches_of_others_are_those_of_all_that_are_not_laneways() {
    let fixture = Fixture::new();
    let (repo, root) = (&fixture.repo, &fixture.root);
    for branch in ["packed", "both", "deep/er/one", "laneway-like"] {
        git(root, &["branch", branch]);
    }
    repo.set_ref("refs/heads/laneway/demo/a/task/old/1", &fixture.start, None).expect("set");
    git(root, &["pack-refs", "--all"]);
    let next = fixture.commit(&fixture.start, &[("x", Some("1\n"))]);
    git(root, &["branch", "-f", "both", next.as_str()]);
    git(root, &["branch", "deep/loose"]);
    git(root, &["symbolic-ref", "refs/heads/stands-for", "refs/heads/both"]);
    repo.set_ref("refs/heads/laneway/demo/a/task/t/1", &next, None).expect("set");
    write(&root.join(".git/refs/heads/left.lock"), "");
    write(&root.join(".git/refs/heads/torn"), "");

    let mut expected = repo.branches().expect("branches");
    expected.retain(|name, _| !name.starts_with("laneway/"));
    let found = repo.branches_of_others().expect("branches");
    assert_eq!(found, expected);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["both", "deep/er/one", "deep/loose", "laneway-like", "main", "packed"]);
    assert_eq!(found["both"], next);
}

/// Makes so many folders, each inside the one before, that the name of the last is longer than the system takes.
fn nest(dir: &std::path::Path) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(dir, flags, Mode::empty()).expect("a folder");
    for _ in 0..2_200 {
        rustix::fs::mkdirat(&at, "a", Mode::RWXU).expect("made");
        at = rustix::fs::openat(&at, "a", flags, Mode::empty()).expect("opened");
    }
}

#[test]
fn branches_are_found_beside_folders_that_are_too_deep_for_any() {
    let fixture = Fixture::new();
    let (repo, heads) = (&fixture.repo, fixture.root.join(".git/refs/heads"));
    git(&fixture.root, &["branch", "deep/er/one"]);
    nest(&heads);
    let (all, others) = (repo.branches(), repo.branches_of_others());
    // What the test has made is too deep for its own clearing.
    let rm = std::process::Command::new("rm").arg("-rf").arg(heads.join("a")).status();
    assert!(rm.expect("rm").success());
    let names = |found: Result<BTreeMap<String, Sha>, GitError>| -> Vec<String> {
        found.expect("branches").into_keys().collect()
    };
    assert_eq!(names(others), ["deep/er/one", "main"]);
    assert_eq!(names(all), ["deep/er/one", "main"]);
}

#[test]
fn a_config_that_cannot_be_looked_at_is_not_taken_for_none() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let looped = fixture.root.join(".git/worktrees/looped");
    std::os::unix::fs::symlink("looped", &looped).expect("a link");
    let keys = fixture.repo.config_keys(&lane, &fixture.root.join(".worktrees"));
    assert!(matches!(keys, Err(GitError::Io { path, .. }) if path == looped.join("config.worktree")));
}

#[test]
fn config_is_asked_for_again_when_it_has_changed() {
    let fixture = Fixture::new();
    let (repo, lane) = (&fixture.repo, fixture.lane("a"));
    let lanes = fixture.root.join(".worktrees");
    let before = repo.config_keys(&lane, &lanes).expect("keys");
    assert_eq!(repo.config_keys(&lane, &lanes).expect("keys"), before);
    git(&fixture.root, &["config", "alias.x", "!true"]);
    let after = repo.config_keys(&lane, &lanes).expect("keys");
    let config = repo.common_dir().join("config");
    assert!(after[&config].contains_key("alias.x") && !before[&config].contains_key("alias.x"));
    write(&lane.admin.join("config.worktree"), "[a]\n\tb = c\n");
    let own = repo.config_keys(&lane, &lanes).expect("keys");
    assert!(own.contains_key(&lane.admin.join("config.worktree")));
}

#[test]
fn a_worktree_is_found_also_where_its_usual_name_is_somebody_elses() {
    let fixture = Fixture::new();
    let repo = &fixture.repo;
    let path = fixture.lane_path("a");
    // Another worktree has the name that the lane's is to have.
    let usual = repo.usual_admin(&path);
    let name = usual.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let elsewhere = fixture.dir.path().join(&name);
    git(&fixture.root, &["worktree", "add", "-q", "--detach", elsewhere.to_str().expect("text")]);
    assert!(usual.is_dir());
    let lane = fixture.lane("a");
    assert_ne!(lane.admin, usual);
    assert_eq!(repo.reopen(&path).expect("reopened"), Some(lane));
    let other = repo.reopen(&elsewhere).expect("reopened").expect("it is known");
    assert_eq!(other.admin, usual);
}

/// How often a call of `git` has the disk write its cache, as git itself counts it.
fn syncs(fixture: &Fixture, git: Git) -> Result<u32, GitError> {
    let trace = fixture.dir.path().join("trace");
    git.env("GIT_TRACE2_PERF", &trace).run()?;
    let text = read(&trace);
    std::fs::remove_file(&trace).expect("it is there");
    let counted = text.lines().filter_map(|line| line.split_once("name:hardware-flush value:"));
    Ok(counted.filter_map(|(_, count)| count.trim().parse::<u32>().ok()).sum())
}

#[test]
fn objects_are_synced_and_a_private_index_is_not() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    let private = lane.private(&fixture.repo);
    let common = fixture.repo.common_dir().to_owned();
    let scope = Scope::Private { git_dir: &private, common: &common, work_tree: &lane.path, sparse: false };
    write(&lane.path.join("README"), "changed, and of another size\n");
    // The times in the index are no longer the file's: it is written anew.
    let update = Git::new(scope, "update-index").args(["--add", "--cacheinfo"]);
    let blob = sha(&git(&fixture.root, &["rev-parse", "HEAD:README"]));
    let update = update.arg(format!("100644,{blob},other"));
    assert_eq!(syncs(&fixture, update).expect("git runs"), 0);
    let add = Git::new(scope, "add").arg("README");
    assert_eq!(syncs(&fixture, add).expect("git runs"), 1, "the blob");
}
