use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;
use crate::git::Worktree;
use crate::git::fill::Sources;
use crate::git::shape::Shape;
use crate::id::Sha;
use crate::plan::Share;

mod near;

/// Set in the process that runs on btrfs.
const DISK: &str = "LANEWAY_TEST_BTRFS";
/// What is run there once more: what lanes are like is the same.
const SAME: [&str; 3] = ["git::fill::tests::", "git::tests::lanes::", "git::share::"];

fn sh(dir: &Path, script: &str) -> String {
    let done = Command::new("sh").arg("-ec").arg(script).current_dir(dir).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Runs `script` where a new btrfs is mounted at `$DISK`; `None` where nobody lets us.
fn on_btrfs(script: &str) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    fs::File::create(&image).unwrap().set_len(1 << 30).unwrap();
    let mount = dir.path().join("disk");
    fs::create_dir(&mount).unwrap();
    // A mount of our own namespace, which goes with the last process in it.
    let mounting = format!(
        "mkfs.btrfs -q -f '{}'; mount -o loop '{}' '{}'",
        image.display(),
        image.display(),
        mount.display()
    );
    let in_namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-ec"]).arg(format!("{mounting}; {script}"));
        command.env(DISK, &mount).env("TMPDIR", &mount).output().unwrap()
    };
    if !in_namespace(&format!("btrfs subvolume create '{}/probe'", mount.display())).status.success() {
        eprintln!("skipped: no btrfs can be made and mounted here");
        return None;
    }
    Some(in_namespace(script))
}

#[test]
fn p10_p16_all_about_lanes_holds_on_btrfs_too() {
    if std::env::var_os(DISK).is_some() {
        return;
    }
    let this = std::env::current_exe().unwrap();
    let script = format!("exec '{}' {} --test-threads=2", this.display(), SAME.join(" "));
    let Some(output) = on_btrfs(&script) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("snapshots_are_what_git_makes ... ok"), "{said}");
}

/// A repository on btrfs, in the process that runs there.
struct Made {
    dir: tempfile::TempDir,
    repo: Repo,
    tip: Sha,
}

impl Made {
    fn new() -> Option<Self> {
        std::env::var_os(DISK)?;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        fs::create_dir(&root).unwrap();
        sh(
            &root,
            "git init -q -b main . && git config user.name T && git config user.email t@example.org
             mkdir -p a/b && echo one > a/one && echo two > a/b/two && echo '#!/bin/sh' > run && chmod +x run && ln -s a/one link
             printf '/ignored\\n' > .gitignore && git add -A && git commit -qm one",
        );
        let repo = Repo::discover(&root).unwrap();
        let tip = repo.branch_tip("main").unwrap().unwrap();
        Some(Self { dir, repo, tip })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("repo/.worktrees").join(name)
    }

    fn lane(&self, name: &str) -> Worktree {
        self.repo.provision(&self.path(name), &self.tip).unwrap()
    }

    fn is_shared(&self, name: &str) -> bool {
        btrfs::is_subvolume(&self.path(name))
    }

    fn expect_as_git_makes_it(&self, lane: &Worktree) {
        let theirs = lane.path.with_file_name("theirs");
        sh(self.repo.root(), &format!("git worktree add -q --detach '{}' main", theirs.display()));
        let diff = format!("diff -r --no-dereference -x .git '{}' .", theirs.display());
        assert_eq!(sh(&lane.path, &diff), "");
        let modes = "find . -path ./.git -prune -o -printf '%p %y %m %l\\n' | sort";
        assert_eq!(sh(&lane.path, modes), sh(&theirs, modes));
        assert_eq!(sh(&lane.path, "git ls-files -s -t"), sh(&theirs, "git ls-files -s -t"));
        assert_eq!(sh(&lane.path, "git status --porcelain --ignored"), "");
        assert!(self.repo.tree_state(lane, &self.tip).unwrap().is_clean());
        sh(self.repo.root(), &format!("git worktree remove --force '{}'", theirs.display()));
    }
}

#[test]
fn p10_snapshots_are_what_git_makes() {
    let Some(made) = Made::new() else { return };
    for name in ["g/first", "g/second"] {
        let lane = made.lane(name);
        assert!(made.is_shared(name));
        made.expect_as_git_makes_it(&lane);
        assert_eq!(fs::read_dir(made.path("g")).unwrap().count(), if name == "g/first" { 1 } else { 2 });
    }
    assert_eq!(made.repo.bases().unwrap().len(), 1, "both are of one base, and nothing is left beside it");
    // Each has its own files.
    fs::write(made.path("g/first").join("a/one"), "changed\n").unwrap();
    assert_eq!(sh(&made.path("g/first"), "git status --porcelain"), " M a/one\n");
    assert_eq!(sh(&made.path("g/second"), "git status --porcelain && cat a/one"), "one\n");
    assert_eq!(sh(&made.lane("g/third").path, "cat a/one"), "one\n");
}

#[test]
fn p10_the_first_status_of_a_snapshot_reads_no_file_and_a_quick_edit_is_seen() {
    let Some(made) = Made::new() else { return };
    for name in ["g/young", "g/grown"] {
        let lane = made.lane(name);
        let index = fs::metadata(lane.admin.join("index")).unwrap();
        let file = lane.path.join("a/one");
        assert!(
            fs::metadata(&file).unwrap().mtime() < index.mtime(),
            "git reads what is as young as its index"
        );
        let times =
            sh(&lane.path, "touch -r a/one ../times-of-it; echo eno > a/one; touch -r ../times-of-it a/one");
        assert_eq!(times, "");
        assert!(!made.repo.tree_state(&lane, &made.tip).unwrap().is_clean(), "{name}");
        assert_eq!(made.repo.verified().0.lock().unwrap().len(), 1);
        // The next one's base is older than any edit of it.
        let base = made.repo.bases().unwrap().remove(0).path.join("index");
        let made_at = fs::metadata(base).unwrap().mtime();
        while rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec <= made_at {
            std::thread::yield_now();
        }
    }
    assert!(
        made.repo.reopen(&made.path("g/young")).unwrap().unwrap().private(&made.repo).join("young").exists()
    );
    assert!(
        !made.repo.reopen(&made.path("g/grown")).unwrap().unwrap().private(&made.repo).join("young").exists()
    );
}

#[test]
fn p16_a_base_that_somebody_changed_is_made_anew() {
    let changes = [
        "echo evil > a/one",
        "touch -d 2001-01-01 a/one",
        "rm link && ln -s a/two link",
        "rm run",
        "echo more > more",
        "printf x > ../index",
    ];
    for change in changes {
        let Some(made) = Made::new() else { return };
        made.lane("g/first");
        sh(&made.repo.bases().unwrap()[0].path.join("files"), change);
        // As another process sees it.
        let again = Repo::discover(made.repo.root()).unwrap();
        let lane = again.provision(&made.path("g/second"), &made.tip).unwrap();
        assert!(made.is_shared("g/second"), "{change}");
        made.expect_as_git_makes_it(&lane);
    }
}

#[test]
fn p10_what_git_converts_and_who_wants_no_sharing_are_written() {
    let Some(made) = Made::new() else { return };
    made.lane("g/first");
    let never = Shape { share: Share::Never, ..Shape::default() };
    let lane = made.repo.provision_as(&made.path("g/own"), &made.tip, &never).unwrap();
    assert!(!made.is_shared("g/own"));
    made.expect_as_git_makes_it(&lane);
    // The same tree is another one's files with other settings, and then it is git that writes them.
    sh(made.repo.root(), "mkdir -p .git/info && echo '* text eol=crlf' > .git/info/attributes");
    let lane = made.lane("g/converted");
    assert!(!made.is_shared("g/converted"));
    assert_eq!(sh(&lane.path, "cat a/one"), "one\r\n");
    sh(made.repo.root(), "echo '*.nothing text' > .git/info/attributes");
    made.expect_as_git_makes_it(&made.lane("g/plain"));
    assert!(made.is_shared("g/plain"));
    assert_eq!(made.repo.bases().unwrap().len(), 2);
}

#[test]
fn p10_a_folder_that_passes_its_group_on_and_one_that_is_not_empty_are_written() {
    let Some(made) = Made::new() else { return };
    made.lane("g/first");
    fs::create_dir_all(made.path("s")).unwrap();
    sh(&made.path("s"), "chmod g+s .");
    made.expect_as_git_makes_it(&made.lane("s/lane"));
    assert!(!made.is_shared("s/lane"));
    sh(&made.path(""), "btrfs subvolume create apart");
    made.expect_as_git_makes_it(&made.lane("apart/lane"));
    assert!(!made.is_shared("apart/lane"));
    let error = made.repo.can_share(&made.path("apart")).unwrap_err();
    assert!(matches!(error, NotShared::Apart), "{error}");
    made.repo.can_share(&made.path("g")).unwrap();

    let sources = Sources::of(&made.repo).unwrap();
    let bases = Bases::open(&made.repo, &sources).unwrap();
    let base = bases.find(&made.repo.tree_of(&made.tip).unwrap()).unwrap().unwrap();
    let root = made.path("g/theirs");
    fs::create_dir(&root).unwrap();
    sh(&root, "echo gitdir > .git && echo theirs > theirs");
    let index = made.dir.path().join("index");
    let refused = bases.take(&base, Empty { root: &root, index: &index }).unwrap_err();
    assert!(matches!(refused, NotShared::Occupied { .. }), "{refused}");
    assert_eq!(sh(&root, "cat .git theirs && ls -A"), "gitdir\ntheirs\n.git\ntheirs\n");
}

#[test]
fn p11_bases_are_few_and_go_without_their_lanes() {
    let Some(mut made) = Made::new() else { return };
    made.lane("g/lane-0");
    for n in 1..=6 {
        sh(made.repo.root(), &format!("echo {n} > number && git add number && git commit -qm {n}"));
        made.tip = made.repo.branch_tip("main").unwrap().unwrap();
        made.lane(&format!("g/lane-{n}"));
        assert!(made.is_shared(&format!("g/lane-{n}")));
        assert!(made.repo.bases().unwrap().len() <= 4);
    }
    for base in made.repo.bases().unwrap() {
        made.repo.drop_base(&base).unwrap();
    }
    assert_eq!(made.repo.bases().unwrap(), []);
    for n in 1..=6 {
        assert_eq!(
            sh(&made.path(&format!("g/lane-{n}")), "git status --porcelain && cat number"),
            format!("{n}\n")
        );
    }
}

#[test]
fn p11_a_snapshot_is_removed_or_kept_like_any_lane_and_what_leaves_it_is_kept() {
    let Some(made) = Made::new() else { return };
    let trash = made.repo.record_dir().join("trash");
    let gone = made.lane("g/gone");
    assert_eq!(made.repo.remove(&gone, &trash).unwrap(), None);
    assert!(!gone.path.exists() && fs::read_dir(&trash).unwrap().next().is_none());

    let kept = made.lane("g/kept");
    fs::write(kept.path.join("ignored"), "mine").unwrap();
    let place = made.repo.remove(&kept, &trash).unwrap().unwrap();
    assert_eq!(fs::read_to_string(place.join("ignored")).unwrap(), "mine");

    // A snapshot is a file system of its own: nothing in it can simply be renamed into the trash.
    let reset = made.lane("g/reset");
    sh(
        &reset.path,
        "git init -q nested && echo x > nested/x && mkdir nested/empty && rm .git && git init -q .",
    );
    made.repo.set_to(&reset, &made.tip).unwrap();
    made.expect_as_git_makes_it(&reset);
    let found = sh(&trash, "ls -d */files/empty */files/HEAD | wc -l");
    assert_eq!(found.trim(), "2");
}

/// What a process leaves that was killed at any step is finished, or taken away, by the next one.
#[test]
fn p16_what_a_crash_left_of_a_snapshot_is_finished() {
    let Some(made) = Made::new() else { return };
    made.lane("g/first");
    let dir = made.repo.bases_dir();
    // Killed with a base half written, with one half removed, and with a snapshot that is nobody's yet.
    sh(
        &dir,
        "mkdir new-a new-b new-c && btrfs subvolume create new-a/files && echo half > new-a/files/half
         echo gone > new-b/x && btrfs subvolume snapshot \"$(ls -d */index | head -1 | xargs dirname)/files\" new-c/files",
    );
    let lane = made.lane("g/second");
    made.expect_as_git_makes_it(&lane);
    assert_eq!(made.repo.bases().unwrap().len(), 1);
    // Killed when the snapshot was in its place and nothing said so.
    let path = made.path("g/third");
    let worktree = {
        let _administration = made.repo.administer().unwrap();
        made.repo.register(&path, &made.tip, &Shape::default()).unwrap()
    };
    {
        let private = crate::git::private::Private::open(&made.repo, &worktree).unwrap();
        made.repo.fill(&private, &worktree, &made.tip, Share::Auto).unwrap();
    }
    assert!(made.is_shared("g/third"));
    let again = Repo::discover(made.repo.root()).unwrap();
    let lane = again.provision(&path, &made.tip).unwrap();
    made.expect_as_git_makes_it(&lane);
}
