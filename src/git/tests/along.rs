//! Submodules of the user's checkout when its branch is moved.
#![expect(clippy::disallowed_methods, reason = "tests run git and write files as users and agents do")]

use std::path::{Path, PathBuf};

use super::fixture::{git, identity, read, sha, try_git, write};
use super::submodules::{Nested, shell};
use crate::git::{LeftBehind, Why};
use crate::id::Sha;

/// A lane's commit with the submodule, and the one in it, moved to commits that are in the record only.
struct Moved {
    nested: Nested,
    lane: PathBuf,
    tip: Sha,
    core: String,
    deep: String,
}

const MAIN: &str = "refs/heads/main";

impl Moved {
    fn new() -> Self {
        let nested = Nested::new();
        let lane = nested.lane("lane");
        let core = lane.path.join("libs/core");
        write(&core.join("deep/deep.txt"), "two\n");
        git(&core.join("deep"), &["commit", "-qam", "two"]);
        write(&core.join("core.txt"), "two\n");
        git(&core, &["commit", "-qam", "two"]);
        let tip = nested.fixture.repo.commit_all(&lane, &nested.start, "work", &identity());
        let at = |path: &Path| git(path, &["rev-parse", "HEAD"]);
        Self {
            core: at(&core),
            deep: at(&core.join("deep")),
            tip: tip.expect("a commit").expect("one"),
            lane: lane.path,
            nested,
        }
    }

    fn core(&self) -> PathBuf {
        self.nested.fixture.root.join("libs/core")
    }

    fn merge(&self) -> Vec<LeftBehind> {
        let repo = &self.nested.fixture.repo;
        repo.advance(MAIN, Some(&self.nested.start), &self.tip).expect("moved");
        self.follow()
    }

    fn follow(&self) -> Vec<LeftBehind> {
        let repo = &self.nested.fixture.repo;
        repo.take_modules_along(MAIN, &self.nested.start, &self.tip).expect("followed")
    }

    /// The submodules still are as the user had them, and the lane's commit of `core` is theirs all the same.
    #[track_caller]
    fn assert_left(&self, left: &[LeftBehind], at: &str) {
        let core = self.core();
        assert_eq!(left[0].path, core);
        assert_eq!(left[0].commit, sha(&self.core));
        assert_eq!(git(&core, &["rev-parse", "HEAD"]), at);
        self.assert_theirs();
    }

    /// The user's own repositories have the commits, and keep them whatever becomes of the record.
    #[track_caller]
    fn assert_theirs(&self) {
        let modules = self.nested.fixture.root.join(".git/modules/core lib");
        for (dir, commit) in [(modules.clone(), &self.core), (modules.join("modules/deep"), &self.deep)] {
            git(&dir, &["gc", "-q", "--prune=now"]);
            git(&dir, &["cat-file", "-e", commit]);
            git(&dir, &["fsck", "--connectivity-only"]);
        }
    }
}

#[test]
fn p14_a_merge_that_moves_submodules_takes_those_of_the_users_checkout_along() {
    let moved = Moved::new();
    let (root, core) = (&moved.nested.fixture.root, moved.core());
    git(&core, &["switch", "-qc", "mine"]);
    let mine = git(&core, &["rev-parse", "HEAD"]);
    let left = moved.merge();
    assert_eq!(git(root, &["status", "--porcelain"]), "");
    assert_eq!(git(root, &["submodule", "status", "--recursive"]).lines().count(), 2);
    assert_eq!(git(&core, &["rev-parse", "HEAD"]), moved.core);
    assert_eq!(git(&core.join("deep"), &["rev-parse", "HEAD"]), moved.deep);
    assert_eq!(
        (read(&core.join("core.txt")), read(&core.join("deep/deep.txt"))),
        ("two\n".into(), "two\n".into())
    );
    assert_eq!(git(&core, &["rev-parse", "mine"]), mine, "its branch stays");
    moved.assert_theirs();
    // Nobody else has these commits.
    assert!(left.iter().all(|one| matches!(one.why, Why::Unpushed)), "{left:?}");
    assert_eq!(left.iter().map(|one| &one.path).collect::<Vec<_>>(), [&core, &core.join("deep")]);
    git(root, &["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-am", "next"]);
    assert_eq!(git(root, &["rev-parse", "HEAD:libs/core"]), moved.core, "and it is not taken back");
    assert_eq!(moved.follow().len(), 2, "a repeat finds all done");
    assert_eq!(git(root, &["status", "--porcelain"]), "");
}

#[test]
fn p14_a_submodule_in_which_the_user_has_done_something_is_left_alone_and_named() {
    for (deed, is_expected) in [
        ("echo mine >> core.txt", (|why| matches!(why, Why::Changed)) as fn(&Why) -> bool),
        ("git rebase -q --exec false HEAD~1 2>/dev/null || true", |why| matches!(why, Why::Changed)),
        ("echo mine >> deep/deep.txt && git -C deep commit -qam mine", |why| matches!(why, Why::Changed)),
        ("git -C ../.. config submodule.'core lib'.update merge", |why| matches!(why, Why::Configured)),
        ("rm core.txt && git add -A && mkdir core.txt && echo mine > core.txt/mine", |why| {
            matches!(why, Why::Changed)
        }),
    ] {
        let moved = Moved::new();
        let core = moved.core();
        git(&core, &["config", "user.name", "Ada"]);
        git(&core, &["config", "user.email", "ada@example.com"]);
        git(&core.join("deep"), &["config", "user.name", "Ada"]);
        git(&core.join("deep"), &["config", "user.email", "ada@example.com"]);
        shell(&core, deed);
        let (at, status) = (git(&core, &["rev-parse", "HEAD"]), git(&core, &["status", "--porcelain"]));
        let left = moved.merge();
        moved.assert_left(&left, &at);
        assert!(is_expected(&left[0].why), "{deed}: {left:?}");
        assert!(left[0].to_string().contains("git submodule update"), "{}", left[0]);
        assert_eq!(git(&core, &["status", "--porcelain"]), status, "{deed}");
    }
}

#[test]
fn p14_what_is_untracked_or_ignored_in_a_submodule_is_not_written_over() {
    for exclude in ["", "new"] {
        let moved = Moved::new();
        let (lane, core) = (moved.lane.join("libs/core"), moved.core());
        write(&lane.join("new"), "theirs\n");
        git(&lane, &["add", "new"]);
        git(&lane, &["commit", "-qm", "three"]);
        let tip = moved.nested.with_core_at(&git(&lane, &["rev-parse", "HEAD"]));
        write(&moved.nested.fixture.root.join(".git/modules/core lib/info/exclude"), exclude);
        write(&core.join("new"), "mine\n");
        let moved = Moved { core: git(&lane, &["rev-parse", "HEAD"]), tip, ..moved };
        let at = git(&core, &["rev-parse", "HEAD"]);
        let left = moved.merge();
        moved.assert_left(&left, &at);
        assert!(matches!(left[0].why, Why::Failed(_)), "{left:?}");
        assert_eq!(
            (read(&core.join("new")), read(&core.join("core.txt"))),
            ("mine\n".into(), "one\n".into())
        );
    }
}

#[test]
fn p14_submodules_are_not_reached_through_links() {
    let moved = Moved::new();
    let (root, core) = (&moved.nested.fixture.root, moved.core());
    let elsewhere = moved.nested.fixture.dir.path().join("elsewhere");
    // The same files, at the same commit, but behind a link; git would find its way from there.
    let modules = root.join(".git/modules/core lib");
    write(&core.join(".git"), format!("gitdir: {}\n", modules.display()));
    moved.nested.fixture.repo.advance(MAIN, Some(&moved.nested.start), &moved.tip).expect("moved");
    std::fs::rename(root.join("libs"), &elsewhere).expect("moved away");
    std::os::unix::fs::symlink(&elsewhere, root.join("libs")).expect("a link");
    moved.follow();
    assert_eq!(read(&core.join("core.txt")), "one\n");
    std::fs::remove_file(root.join("libs")).expect("removed");
    std::fs::rename(&elsewhere, root.join("libs")).expect("moved back");
    // A repository of an agent's in the place of the user's.
    let (line, other) = (read(&core.join(".git")), moved.nested.fixture.dir.path().join("other"));
    git(
        root,
        &["clone", "-q", "--bare", moved.nested.core.to_str().expect("text"), other.to_str().expect("text")],
    );
    write(&core.join(".git"), format!("gitdir: {}\n", other.display()));
    moved.follow();
    assert_eq!(read(&core.join("core.txt")), "one\n");
    assert!(!try_git(&other, &["cat-file", "-e", &moved.core]).0);
    write(&core.join(".git"), line);
    moved.follow();
    assert_eq!(read(&core.join("core.txt")), "two\n");
}

#[test]
fn p14_a_submodule_that_the_user_never_had_is_named_where_its_commit_is_in_the_record_only() {
    let moved = Moved::new();
    let root = &moved.nested.fixture.root;
    git(root, &["submodule", "--quiet", "deinit", "--all", "--force"]);
    std::fs::remove_dir_all(root.join(".git/modules")).expect("removed");
    let left = moved.merge();
    let [LeftBehind { why: Why::NowhereElse { store }, .. }] = &left[..] else { panic!("{left:?}") };
    git(store, &["cat-file", "-e", &moved.core]);
    assert!(left[0].to_string().contains("git --git-dir="), "{}", left[0]);
    assert_eq!(git(root, &["status", "--porcelain"]), "");
}

#[test]
fn p14_a_move_that_was_cut_off_before_its_submodules_goes_on() {
    let moved = Moved::new();
    let (root, start) = (&moved.nested.fixture.root, &moved.nested.start);
    // As a crash between the files and the branch leaves it.
    git(root, &["read-tree", "-m", "-u", start.as_str(), moved.tip.as_str()]);
    assert_ne!(git(root, &["status", "--porcelain"]), "");
    moved.merge();
    assert_eq!(git(root, &["status", "--porcelain"]), "");
    assert_eq!(git(&moved.core(), &["rev-parse", "HEAD"]), moved.core);
}

#[test]
fn p11_a_store_that_names_another_repository_has_nothing_swept_there() {
    let moved = Moved::new();
    moved.merge();
    let root = &moved.nested.fixture.root;
    shell(
        root,
        "mkdir other && cd other && git init -q && git -c user.name=A -c user.email=a@b commit -q --allow-empty -m one",
    );
    let other = root.join("other");
    let kept = format!("refs/laneway/submodule/{}", git(&other, &["rev-parse", "HEAD"]));
    git(&other, &["update-ref", &kept, "HEAD"]);
    let clones = root.join(".git/modules");
    std::os::unix::fs::symlink("../../other", clones.join("link")).expect("a link");
    let name = "for f in .git/laneway/modules/*/clone; do printf %s \"$NAME\" > \"$f\"; done";
    for path in ["../../other/.git", "core lib/../../../other/.git", "link/.git"] {
        shell(root, &format!("NAME='{}'; {name}", clones.join(path).display()));
        moved.nested.fixture.repo.sweep_submodules().expect("swept");
        assert!(try_git(&other, &["rev-parse", "--verify", &kept]).0, "{path}");
    }
    // The same in the user's clone, which the store is for.
    let own = clones.join("core lib");
    git(&own, &["update-ref", "refs/heads/mine", &moved.core]);
    let held = format!("refs/laneway/submodule/{}", moved.core);
    assert!(try_git(&own, &["rev-parse", "--verify", &held]).0);
    shell(root, &format!("NAME='{}'; {name}", own.display()));
    moved.nested.fixture.repo.sweep_submodules().expect("swept");
    assert!(!try_git(&own, &["rev-parse", "--verify", &held]).0);
}
