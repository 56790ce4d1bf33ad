//! Submodules in lanes.
#![expect(clippy::disallowed_methods, reason = "tests run git and write files as users and agents do")]

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixture::{Fixture, git, identity, read, sha, write};
use super::userstate::UserState;
use crate::git::{DirtyKind, GitError, Shape, Worktree};
use crate::id::Sha;

/// A user whose project has a submodule `libs/core` (named `core lib`) with a submodule `deep` in it, cloned and checked out.
pub(super) struct Nested {
    pub(super) fixture: Fixture,
    pub(super) start: Sha,
    /// Where the submodules come from.
    pub(super) core: PathBuf,
}

pub(super) fn shape() -> Shape {
    Shape { submodules: true, ..Shape::default() }
}

fn upstream(at: &Path, file: &str) {
    std::fs::create_dir_all(at).expect("a directory");
    git(at, &["init", "-q", "-b", "main"]);
    write(&at.join(file), "one\n");
    git(at, &["add", "-A"]);
    git(at, &["commit", "-qm", "one"]);
}

const ALLOWED: [&str; 2] = ["-c", "protocol.file.allow=always"];

fn allowed<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&ALLOWED[..], args].concat()
}

impl Nested {
    pub(super) fn new() -> Self {
        let fixture = Fixture::new();
        let dir = fixture.dir.path().canonicalize().expect("a path");
        let (core, deep) = (dir.join("core"), dir.join("deep"));
        upstream(&deep, "deep.txt");
        upstream(&core, "core.txt");
        git(&core, &allowed(&["submodule", "--quiet", "add", "../deep", "deep"]));
        git(&core, &["commit", "-qm", "two"]);
        let root = &fixture.root;
        let add =
            ["submodule", "--quiet", "add", "--name", "core lib", core.to_str().expect("text"), "libs/core"];
        git(root, &allowed(&add));
        git(root, &allowed(&["submodule", "--quiet", "update", "--init", "--recursive"]));
        git(root, &["commit", "-qm", "submodules"]);
        let start = sha(&git(root, &["rev-parse", "HEAD"]));
        Self { fixture, start, core }
    }

    pub(super) fn lane(&self, name: &str) -> Worktree {
        self.fixture.repo.provision_as(&self.fixture.lane_path(name), &self.start, &shape()).expect("a lane")
    }

    /// A commit of the project with the submodule at `commit`.
    pub(super) fn with_core_at(&self, commit: &str) -> Sha {
        let root = &self.fixture.root;
        let index = self.fixture.dir.path().join("link-index");
        let script = format!(
            "export GIT_INDEX_FILE='{}'; git read-tree {} && git update-index --cacheinfo 160000,{commit},libs/core &&
             git commit-tree -p {1} -m moved $(git write-tree)",
            index.display(),
            self.start
        );
        sha(&shell(root, &script))
    }

    fn dirty(&self, lane: &Worktree, against: &Sha) -> Vec<(String, DirtyKind)> {
        let state = self.fixture.repo.tree_state(lane, against).expect("a state");
        state.files.into_iter().map(|file| (file.path, file.kind)).collect()
    }
}

#[track_caller]
pub(super) fn shell(cwd: &Path, script: &str) -> String {
    let done = Command::new("sh").arg("-ec").arg(script).current_dir(cwd).output().expect("sh");
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Everything in a directory but what git keeps there: path, kind with permissions, and bytes.
fn contents(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let entries =
        walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter().map(Result::unwrap);
    let ours =
        entries.filter(|entry| entry.file_name() != ".git" && !entry.path().starts_with(root.join(".git")));
    ours.map(|entry| {
        let found = entry.metadata().expect("a file");
        let bytes = if found.is_file() { std::fs::read(entry.path()).expect("bytes") } else { Vec::new() };
        (entry.path().strip_prefix(root).expect("below").to_owned(), found.permissions().mode(), bytes)
    })
    .collect()
}

#[test]
fn p14_a_lane_has_its_submodules_as_git_makes_them_and_the_user_keeps_theirs() {
    let nested = Nested::new();
    let root = &nested.fixture.root;
    let (before, config) = (UserState::of(root), read(&root.join(".git/config")));
    let clone = contents(&root.join(".git/modules"));
    // Nothing but the user's clones is needed.
    std::fs::rename(&nested.core, nested.core.with_extension("away")).expect("moved");
    let lane = nested.lane("ours");
    assert_eq!(UserState::of(root), before);
    assert_eq!(read(&root.join(".git/config")), config);
    assert_eq!(contents(&root.join(".git/modules")), clone);
    std::fs::rename(nested.core.with_extension("away"), &nested.core).expect("moved");
    let theirs = nested.fixture.dir.path().join("theirs");
    git(root, &["worktree", "add", "-q", "--detach", theirs.to_str().expect("text"), nested.start.as_str()]);
    git(&theirs, &allowed(&["submodule", "--quiet", "update", "--init", "--recursive"]));
    assert_eq!(contents(&lane.path), contents(&theirs));
    for args in [
        &["status", "--porcelain", "--ignored"][..],
        &["ls-files", "-s", "-t", "--recurse-submodules"],
        &[
            "submodule",
            "foreach",
            "--recursive",
            "--quiet",
            "git rev-parse HEAD && git ls-files -s -t && git status --short",
        ],
    ] {
        assert_eq!(git(&lane.path, args), git(&theirs, args), "{args:?}");
    }
    assert_eq!(nested.dirty(&lane, &nested.start), []);
    // What an agent does with them leaves all as it is.
    git(&lane.path, &["submodule", "--quiet", "update", "--recursive"]);
    assert_eq!(git(&lane.path, &["status", "--porcelain"]), "");
    assert_eq!(nested.dirty(&lane, &nested.start), []);
    // Made again, nothing is done.
    assert_eq!(nested.lane("ours"), lane);
    let without = nested.fixture.repo.provision(&nested.fixture.lane_path("without"), &nested.start);
    assert_eq!(
        std::fs::read_dir(without.expect("a lane").path.join("libs/core")).expect("a directory").count(),
        0
    );
}

#[test]
fn p14_a_commit_that_an_agent_makes_in_a_submodule_is_there_for_every_lane() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let lane = nested.lane("one");
    let core = lane.path.join("libs/core");
    write(&core.join("core.txt"), "two\n");
    assert_eq!(nested.dirty(&lane, &nested.start), [("libs/core/core.txt".to_owned(), DirtyKind::Modified)]);
    match repo.commit_all(&lane, &nested.start, "work", &identity()) {
        Err(GitError::SubmoduleDirty { paths }) => assert_eq!(paths, ["libs/core/core.txt"]),
        other => panic!("{other:?}"),
    }
    git(&core, &["commit", "-qam", "two"]);
    assert_eq!(nested.dirty(&lane, &nested.start), [("libs/core".to_owned(), DirtyKind::Modified)]);
    let commit = repo.commit_all(&lane, &nested.start, "work", &identity()).expect("a commit").expect("one");
    assert_eq!(nested.dirty(&lane, &commit), []);
    let head = git(&core, &["rev-parse", "HEAD"]);
    // The lane goes, and another one has it still.
    assert_eq!(repo.remove(&lane, &repo.record_dir().join("trash")).expect("removed"), None);
    let other = repo.provision_as(&nested.fixture.lane_path("two"), &commit, &shape()).expect("a lane");
    assert_eq!(git(&other.path.join("libs/core"), &["rev-parse", "HEAD"]), head);
    assert_eq!(read(&other.path.join("libs/core/core.txt")), "two\n");
    repo.set_to(&other, &nested.start).expect("back");
    assert_eq!(read(&other.path.join("libs/core/core.txt")), "one\n");
    assert_eq!(read(&other.path.join("libs/core/deep/deep.txt")), "one\n");
    assert_eq!(nested.dirty(&other, &nested.start), []);
}

#[test]
fn p14_whatever_became_of_submodules_a_reset_mends_them_and_custody_brings_it_back() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let lane = nested.lane("lane");
    let core = lane.path.join("libs/core");
    write(&core.join("core.txt"), "committed\n");
    git(&core, &["commit", "-qam", "an agent's"]);
    let made = git(&core, &["rev-parse", "HEAD"]);
    write(&core.join("core.txt"), "not committed\n");
    write(&core.join("new"), "new\n");
    write(&core.join("deep/deep.txt"), "deep\n");
    let known = std::slice::from_ref(&nested.start);
    let kept =
        repo.custody(&lane, "refs/laneway/custody/t/1/a", "why", known).expect("custody").expect("some");
    repo.set_to(&lane, &nested.start).expect("reset");
    assert_eq!(nested.dirty(&lane, &nested.start), []);
    assert!(!core.join("new").exists());
    assert_eq!(repo.custody(&lane, "refs/laneway/custody/t/1/b", "why", known).expect("custody"), None);
    let place = nested.fixture.dir.path().join("restored");
    let back = repo.restore(&kept, &place).expect("restored");
    assert_eq!(read(&back.path.join("libs/core/core.txt")), "not committed\n");
    assert_eq!(read(&back.path.join("libs/core/new")), "new\n");
    assert_eq!(read(&back.path.join("libs/core/deep/deep.txt")), "deep\n");
    assert_eq!(git(&back.path.join("libs/core"), &["rev-parse", "HEAD"]), made);
    for damage in [
        "rm -rf libs/core",
        "rm -rf libs/core && echo file > libs/core",
        "rm libs/core/.git && git -C libs/core init -q && git -C libs/core config core.fsmonitor 'touch ../../../run'",
        "git rm -q --cached libs/core && rm -rf libs/core .gitmodules",
        "mv libs/core moved",
        "git -C libs/core checkout -q --orphan nothing",
    ] {
        shell(&lane.path, damage);
        repo.set_to(&lane, &nested.start).expect(damage);
        assert_eq!(nested.dirty(&lane, &nested.start), [], "{damage}");
        assert_eq!(read(&core.join("deep/deep.txt")), "one\n", "{damage}");
        assert_eq!(git(&lane.path, &["status", "--porcelain"]), "", "{damage}");
        assert!(
            !lane.path.join("run").exists() && !lane.path.parent().expect("a parent").join("run").exists()
        );
    }
}

#[test]
fn p14_what_custody_keeps_of_submodules_goes_with_it() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let lane = nested.lane("lane");
    let known = std::slice::from_ref(&nested.start);
    let modules = nested.fixture.root.join(".git/laneway/modules");
    let refs = || {
        let list = r#"find "$PWD" -name objects | while read -r at; do
            git --git-dir="${at%/objects}" for-each-ref --format='%(refname)' refs/laneway/custody; done"#;
        shell(&modules, list)
    };
    let keep = |name: &str, text: &str| {
        write(&lane.path.join("libs/core/deep/deep.txt"), text);
        repo.custody(&lane, name, "why", known).expect("custody").expect("some")
    };
    let (a, other) = ("refs/laneway/custody/t/1/a", "refs/laneway/custody/t/1/a.2");
    let (first, second) = (keep(a, "first\n"), keep(other, "second\n"));
    let kept = refs();
    assert_eq!(kept.lines().count(), 4, "{kept}");
    repo.drop_custody(a, &second).expect_err("it is at another commit");
    assert_eq!(refs(), kept);
    repo.drop_custody(a, &first).expect("dropped");
    assert_eq!(refs(), format!("{other}\n{other}"));
    repo.drop_custody(a, &first).expect("a repeat is harmless");
    repo.drop_custody(other, &second).expect("dropped");
    assert_eq!((refs(), repo.custody_refs().expect("refs").len()), (String::new(), 0));
}

#[test]
fn p14_submodules_that_come_and_go_with_commits_follow() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let lane = repo
        .provision_as(&nested.fixture.lane_path("lane"), &nested.fixture.start, &shape())
        .expect("a lane");
    assert!(!lane.path.join("libs").exists());
    repo.set_to(&lane, &nested.start).expect("forth");
    assert_eq!(read(&lane.path.join("libs/core/core.txt")), "one\n");
    repo.set_to(&lane, &nested.fixture.start).expect("back");
    assert!(!lane.path.join("libs").exists());
    assert_eq!(nested.dirty(&lane, &nested.fixture.start), []);
    repo.set_to(&lane, &nested.start).expect("forth");
    assert_eq!(nested.dirty(&lane, &nested.start), []);
    let sparse = Shape { sparse: vec!["src".to_owned()], ..shape() };
    let lane =
        repo.provision_as(&nested.fixture.lane_path("sparse"), &nested.start, &sparse).expect("a lane");
    assert!(!lane.path.join("libs").exists());
    assert_eq!(nested.dirty(&lane, &nested.start), []);
}

#[test]
fn p14_a_sparse_lane_has_the_submodules_of_its_part_in_full() {
    let nested = Nested::new();
    let deep = git(&nested.fixture.root.join("libs/core/deep"), &["rev-parse", "HEAD"]);
    shell(
        &nested.core,
        "mkdir libs other && echo a > libs/a && echo b > other/b && git add libs other && git commit -qm folders",
    );
    let core = git(&nested.core, &["rev-parse", "HEAD"]);
    git(&nested.fixture.root.join("libs/core"), &["fetch", "-q"]);
    let at = nested.with_core_at(&core);
    let sparse = Shape { sparse: vec!["libs".to_owned()], ..shape() };
    let path = nested.fixture.lane_path("sparse");
    let lane = nested.fixture.repo.provision_as(&path, &at, &sparse).expect("a lane");
    for file in ["core.txt", "libs/a", "other/b", "deep/deep.txt"] {
        assert!(lane.path.join("libs/core").join(file).exists(), "{file}");
    }
    assert_eq!(git(&lane.path.join("libs/core/deep"), &["rev-parse", "HEAD"]), deep);
    assert_eq!(git(&lane.path.join("libs/core"), &["status", "--porcelain"]), "");
    assert_eq!(nested.dirty(&lane, &at), []);
    nested.fixture.repo.set_to(&lane, &nested.start).expect("back");
    assert_eq!(nested.dirty(&lane, &nested.start), []);
}

#[test]
fn p14_a_commit_that_cannot_be_had_names_its_submodule_and_what_can_is_fetched() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    write(&nested.core.join("core.txt"), "newer\n");
    git(&nested.core, &["commit", "-qam", "newer"]);
    let newer = nested.with_core_at(&git(&nested.core, &["rev-parse", "HEAD"]));
    let path = nested.fixture.lane_path("lane");
    // The user lets git fetch submodules from files only if they say so; that is not overridden.
    match repo.provision_as(&path, &newer, &shape()) {
        Err(GitError::Submodule { name, path, detail, .. }) => {
            assert_eq!((name.as_str(), path.as_str()), ("core lib", "libs/core"));
            assert!(detail.contains("transport 'file' not allowed"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    let offline = Shape { offline: true, ..shape() };
    let refused = repo.provision_as(&nested.fixture.lane_path("offline"), &newer, &offline);
    assert!(matches!(refused, Err(GitError::Submodule { detail, .. }) if detail.contains("network")));
    // Once the user's clone has it, the lane that was half made is finished.
    git(&nested.fixture.root.join("libs/core"), &["fetch", "-q"]);
    let lane = repo.provision_as(&path, &newer, &shape()).expect("a lane");
    assert_eq!(read(&lane.path.join("libs/core/core.txt")), "newer\n");
    assert_eq!(nested.dirty(&lane, &newer), []);
    // One in it is named by its way from the root.
    let script = "git update-index --cacheinfo 160000,1111111111111111111111111111111111111111,deep && git commit-tree -p HEAD -m x $(git write-tree)";
    let core = shell(&nested.fixture.root.join("libs/core"), script);
    let within = nested.with_core_at(&core);
    match repo.provision_as(&nested.fixture.lane_path("within"), &within, &offline) {
        Err(GitError::Submodule { path, outermost, .. }) => {
            assert_eq!((path.as_str(), outermost.as_str()), ("libs/core/deep", "libs/core"));
        }
        other => panic!("{other:?}"),
    }
    let nowhere = nested.with_core_at(nested.start.as_str());
    let refused = repo.provision_as(&nested.fixture.lane_path("nowhere"), &nowhere, &shape());
    assert!(matches!(refused, Err(GitError::Submodule { .. })), "{refused:?}");
}

#[test]
fn p14_a_lane_with_submodules_is_removed_without_a_trace() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let trash = repo.record_dir().join("trash");
    let lane = nested.lane("clean");
    assert_eq!(repo.remove(&lane, &trash).expect("removed"), None);
    assert!(!lane.path.exists());
    let lane = nested.lane("clean");
    write(&lane.path.join("libs/core/deep/left"), "left\n");
    let kept = repo.remove(&lane, &trash).expect("removed").expect("in the trash");
    assert_eq!(read(&kept.join("libs/core/deep/left")), "left\n");
    assert_eq!(nested.dirty(&nested.lane("clean"), &nested.start), []);
}

#[test]
fn p14_through_a_link_above_a_submodule_nothing_is_cleaned_written_or_taken() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let (lane, other) = (nested.lane("a"), nested.lane("b"));
    write(&other.path.join("libs/core/wip.txt"), "wip\n");
    let precious = nested.fixture.dir.path().join("precious");
    std::fs::create_dir_all(precious.join("core")).expect("a directory");
    write(&precious.join("core/work.txt"), "work\n");
    for (n, target) in [precious.join("core"), other.path.join("libs/core")].into_iter().enumerate() {
        let before = contents(&target);
        let folder = target.parent().expect("a folder").display().to_string();
        let hidden = "printf '/.gitignore\\n/libs\\n' > .gitignore";
        shell(&lane.path, &format!("rm -rf libs; ln -s '{folder}' libs; {hidden}"));
        assert!(repo.modules(&lane).expect("a list").is_empty(), "it is not the lane's");
        let kept = repo.custody(
            &lane,
            &format!("refs/laneway/custody/g/1/{n}"),
            "why",
            std::slice::from_ref(&nested.start),
        );
        let _kept = kept.expect("custody");
        repo.set_to(&lane, &nested.start).expect("a reset");
        assert_eq!(contents(&target), before, "beyond the link");
        assert_eq!(read(&lane.path.join("libs/core/core.txt")), "one\n");
        // Landed as work: the lane comes to a commit that has the link in the place of the folder.
        let linked = format!(
            "rm -rf libs; ln -s '{folder}' libs; git update-index --force-remove libs/core; git add -f libs;
             git commit -qm linked; git rev-parse HEAD"
        );
        let linked = sha(&shell(&lane.path, &linked));
        repo.set_to(&lane, &linked).expect("a reset");
        assert_eq!(contents(&target), before, "beyond the link that was committed");
        repo.set_to(&lane, &nested.start).expect("a reset");
        assert_eq!(contents(&target), before, "beyond the link that went");
    }
    assert_eq!(repo.modules(&other).expect("a list").len(), 1);
}

#[test]
fn p14_files_that_an_agent_put_in_the_place_of_a_submodule_are_checked_out() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let lane = nested.lane("a");
    let vendored = "rm -rf libs/core/.git libs/core/deep libs/core/.gitmodules; git rm -q --cached libs/core
                    git add libs/core; git commit -qm vendored; git rev-parse HEAD";
    let vendored = sha(&shell(&lane.path, vendored));
    for at in [&nested.start, &vendored, &nested.start, &vendored] {
        repo.set_to(&lane, at).expect("a reset");
        assert_eq!(nested.dirty(&lane, at), [], "{at}");
        assert_eq!(read(&lane.path.join("libs/core/core.txt")), "one\n");
        assert_eq!(lane.path.join("libs/core/.git").exists(), *at == nested.start);
    }
}

#[test]
fn p14_what_an_agent_writes_into_a_stores_config_does_not_last() {
    let nested = Nested::new();
    let lane = nested.lane("a");
    let module = lane.path.join("libs/core");
    git(&module, &["config", "filter.z.clean", "echo PWNED"]);
    git(&module, &["config", "extensions.partialClone", "origin"]);
    git(&module, &["config", "core.repositoryFormatVersion", "1"]);
    let other = nested.lane("b");
    assert_eq!(read(&other.path.join("libs/core/core.txt")), "one\n");
    let config = git(&other.path.join("libs/core"), &["config", "--local", "--list"]);
    assert!(!config.contains("PWNED") && !config.to_lowercase().contains("partialclone"), "{config}");
}

#[test]
fn p14_files_that_took_the_place_of_a_submodule_are_the_lanes() {
    let nested = Nested::new();
    let repo = &nested.fixture.repo;
    let lane = nested.lane("lane");
    shell(
        &lane.path,
        "git rm -q --cached libs/core && rm -rf libs/core/.git libs/core/deep libs/core/.gitmodules",
    );
    git(&lane.path, &["add", "libs/core"]);
    git(&lane.path, &["commit", "-qm", "vendored"]);
    let head = repo.head(&lane).expect("a head").sha;
    assert_eq!(nested.dirty(&lane, &head), []);
    write(&lane.path.join("libs/core/core.txt"), "more\n");
    assert_eq!(nested.dirty(&lane, &head), [("libs/core/core.txt".to_owned(), DirtyKind::Modified)]);
    let commit = repo.commit_all(&lane, &head, "work", &identity()).expect("a commit").expect("one");
    assert_eq!(git(&lane.path, &["show", &format!("{commit}:libs/core/core.txt")]), "more");
}
