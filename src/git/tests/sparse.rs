//! Lanes that hold a part of their commit.
#![expect(clippy::disallowed_methods, reason = "tests run git and write files as users and agents do")]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::fixture::{Fixture, git, identity, read, sha, write};
use crate::git::{DirtyKind, GitError, Merge, Shape, Worktree};
use crate::graph::Lfs;
use crate::id::Sha;

/// A repository with two services, and a lane that holds one of them.
struct Sparse {
    fixture: Fixture,
    start: Sha,
    lane: Worktree,
}

fn shape() -> Shape {
    Shape { sparse: vec!["services/api".to_owned()], ..Shape::default() }
}

impl Sparse {
    fn new() -> Self {
        let fixture = Fixture::new();
        let files = ["services/api/a", "services/web/w", "services/web/x/y", "services/Makefile", "docs/d"];
        let files: Vec<_> = files.iter().map(|path| (*path, Some("one\n"))).collect();
        let start = fixture.commit(&fixture.start, &files);
        git(&fixture.root, &["update-ref", "refs/heads/main", start.as_str()]);
        git(&fixture.root, &["reset", "-q", "--hard"]);
        let lane = fixture.repo.provision_as(&fixture.lane_path("api"), &start, &shape()).expect("a lane");
        Self { fixture, start, lane }
    }

    /// Runs git as an agent does, with what Laneway gives its processes.
    fn agent(&self, script: &str) -> String {
        let base: Vec<(OsString, OsString)> = vec![
            ("GIT_CONFIG_COUNT".into(), "1".into()),
            ("GIT_CONFIG_KEY_0".into(), "user.nickname".into()),
            ("GIT_CONFIG_VALUE_0".into(), "ours".into()),
        ];
        let given = self.fixture.repo.variables(&self.lane, &base).expect("variables");
        run(&self.lane.path, script, base.into_iter().chain(given).collect())
    }

    /// Runs git as a person does who knows nothing of it.
    fn person(&self, script: &str) -> String {
        run(&self.lane.path, script, Vec::new())
    }

    fn dirty(&self, against: &Sha) -> Vec<(String, DirtyKind)> {
        let state = self.fixture.repo.tree_state(&self.lane, against).expect("a state");
        state.files.into_iter().map(|file| (file.path, file.kind)).collect()
    }

    fn has(&self, path: &str) -> bool {
        self.lane.path.join(path).exists()
    }

    /// What the commit changes, seen from the start.
    fn changes(&self, commit: &Sha) -> String {
        git(&self.fixture.root, &["diff", "--name-status", self.start.as_str(), commit.as_str()])
    }
}

#[track_caller]
fn run(cwd: &Path, script: &str, environment: Vec<(OsString, OsString)>) -> String {
    let identity = ["AUTHOR", "COMMITTER"].into_iter().flat_map(|who| {
        [(format!("GIT_{who}_NAME"), "Agent"), (format!("GIT_{who}_EMAIL"), "agent@example.com")]
    });
    let mut command = Command::new("sh");
    command.arg("-ec").arg(script).current_dir(cwd).envs(identity).envs(environment);
    let done = command.output().expect("sh");
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script}: {text}");
    text.trim().to_owned()
}

#[test]
fn p10_a_sparse_lane_is_clean_for_agents_people_and_us() {
    let sparse = Sparse::new();
    assert!(sparse.has("services/api/a") && sparse.has("services/Makefile") && sparse.has("README"));
    assert!(!sparse.has("services/web") && !sparse.has("docs"));
    assert_eq!(sparse.dirty(&sparse.start), []);
    assert_eq!(sparse.person("git status --porcelain"), "");
    assert_eq!(sparse.agent("git status --porcelain"), "");
    assert_eq!(sparse.agent("git config core.sparseCheckout && git config user.nickname"), "true\nours");
    assert_eq!(sparse.agent("git sparse-checkout list"), "services/api");
    // It is told of this one repository only.
    let elsewhere =
        "git init -q build && cd build && git config core.sparseCheckout || echo none; cd .. && rm -rf build";
    assert_eq!(sparse.agent(elsewhere), "none");
    let config = read(&sparse.fixture.root.join(".git/config"));
    assert!(!config.to_lowercase().contains("sparse") && !config.contains("worktreeConfig"), "{config}");
}

#[test]
fn p10_work_outside_of_the_cone_counts_and_nothing_else_there_does() {
    let sparse = Sparse::new();
    let repo = &sparse.fixture.repo;
    write(&sparse.lane.path.join("services/api/a"), "two\n");
    write(&sparse.lane.path.join("services/web/w"), "two\n");
    write(&sparse.lane.path.join("tools/new"), "new\n");
    let expected = [
        ("services/api/a".to_owned(), DirtyKind::Modified),
        ("services/web/w".to_owned(), DirtyKind::Modified),
        ("tools/new".to_owned(), DirtyKind::Untracked),
    ];
    assert_eq!(sparse.dirty(&sparse.start), expected);
    let kept =
        repo.custody(&sparse.lane, "refs/laneway/custody/t/1/a", "why", std::slice::from_ref(&sparse.start));
    let kept = kept.expect("custody").expect("something");
    assert_eq!(sparse.changes(&kept), "M\tservices/api/a\nM\tservices/web/w\nA\ttools/new");
    let commit =
        repo.commit_all(&sparse.lane, &sparse.start, "work", &identity()).expect("a commit").expect("one");
    assert_eq!(sparse.changes(&commit), "M\tservices/api/a\nM\tservices/web/w\nA\ttools/new");
    assert_eq!(sparse.dirty(&commit), []);
    // Reset, the lane holds its part again, and custody brings all of it back.
    repo.set_to(&sparse.lane, &sparse.start).expect("reset");
    assert!(!sparse.has("services/web") && !sparse.has("tools"));
    assert_eq!(sparse.dirty(&sparse.start), []);
    assert_eq!(repo.overlay(&sparse.lane, &kept, &[]).expect("overlay").files, 3);
    assert_eq!(read(&sparse.lane.path.join("services/web/w")), "two\n");
}

#[test]
fn p10_merges_and_resets_bring_in_what_changed_without_its_files() {
    let sparse = Sparse::new();
    let repo = &sparse.fixture.repo;
    let other = sparse.fixture.commit(
        &sparse.start,
        &[("services/web/w", Some("theirs\n")), ("services/web/n", Some("n\n")), ("docs/d", None)],
    );
    let mine = sparse.fixture.commit(&sparse.start, &[("services/api/a", Some("mine\n"))]);
    // Looked at from a commit that the index is not at yet, nothing seems to be deleted.
    assert_eq!(sparse.dirty(&other), []);
    assert_eq!(sparse.dirty(&mine), [("services/api/a".to_owned(), DirtyKind::Modified)]);
    let Merge::Clean { tree, .. } = repo.merge(&mine, &other).expect("a merge") else { panic!("a conflict") };
    let merged = repo.commit_tree(&tree, &[mine, other.clone()], "merged", &identity()).expect("a commit");
    repo.set_to(&sparse.lane, &merged).expect("set");
    assert_eq!(read(&sparse.lane.path.join("services/api/a")), "mine\n");
    assert!(!sparse.has("services/web") && !sparse.has("docs"));
    assert_eq!(sparse.person("git status --porcelain"), "");
    assert_eq!(repo.commit_all(&sparse.lane, &merged, "nothing", &identity()).expect("no error"), None);
    // The private index lost: made again, it takes nothing for deleted.
    std::fs::remove_file(repo.record_dir().join("index").join(sparse.lane.name()).join("index")).expect("it");
    assert_eq!(sparse.dirty(&merged), []);
    write(&sparse.lane.path.join("services/api/b"), "b\n");
    let commit = repo.commit_all(&sparse.lane, &merged, "b", &identity()).expect("a commit").expect("one");
    assert_eq!(
        git(&sparse.fixture.root, &["diff", "--name-status", merged.as_str(), commit.as_str()]),
        "A\tservices/api/b"
    );
}

#[test]
fn p10_whatever_an_agent_does_with_git_no_file_outside_seems_deleted() {
    let sparse = Sparse::new();
    let repo = &sparse.fixture.repo;
    let other = sparse.fixture.commit(&sparse.start, &[("services/web/w", Some("theirs\n"))]);
    for script in [
        format!("git merge -q {other} && git reset -q --mixed {}", sparse.start),
        format!("git checkout -q --detach {other} && git checkout -q --detach {}", sparse.start),
        "rm \"$(git rev-parse --git-dir)/index\" && git reset -q".to_owned(),
        "echo x > services/api/a && git stash -q && git stash pop -q && git checkout -q services/api/a"
            .to_owned(),
    ] {
        sparse.agent(&script);
        assert_eq!(sparse.agent("git status --porcelain"), "", "{script}");
        assert_eq!(sparse.dirty(&sparse.start), [], "{script}");
        let head =
            sha(&sparse
                .agent("echo z > services/api/z && git add -A && git commit -qm z && git rev-parse HEAD"));
        assert_eq!(sparse.changes(&head), "A\tservices/api/z", "{script}");
        repo.set_to(&sparse.lane, &sparse.start).expect("reset");
    }
    // Told of nothing, git honours the marks of the index.
    sparse.person("echo z > services/api/z && git add -A && git commit -qam z");
    let head = repo.head(&sparse.lane).expect("a head").sha;
    assert_eq!(sparse.changes(&head), "A\tservices/api/z");
    // More is checked out, and the next reset takes it back.
    sparse.agent("git sparse-checkout add docs && test -f docs/d");
    assert_eq!(sparse.dirty(&head), []);
    repo.set_to(&sparse.lane, &sparse.start).expect("reset");
    assert!(!sparse.has("docs"));
    assert_eq!(sparse.agent("git sparse-checkout list"), "services/api");
}

#[test]
fn p10_where_worktrees_have_configs_everyone_is_told() {
    let sparse = Sparse::new();
    git(&sparse.fixture.root, &["config", "extensions.worktreeConfig", "true"]);
    let path = sparse.fixture.lane_path("told");
    let lane = sparse.fixture.repo.provision_as(&path, &sparse.start, &shape()).expect("a lane");
    assert_eq!(git(&lane.path, &["sparse-checkout", "list"]), "services/api");
    assert!(!read(&sparse.fixture.root.join(".git/config")).to_lowercase().contains("sparse"));
    sparse.fixture.repo.set_to(&lane, &sparse.fixture.start).expect("set");
    assert_eq!(git(&lane.path, &["config", "core.sparseCheckout"]), "true");
}

#[test]
fn p10_a_folder_that_is_not_there_is_refused_by_name() {
    let sparse = Sparse::new();
    for (folder, expected) in [("services/apj", "services"), ("README", ""), ("docs/d", "docs")] {
        let path = sparse.fixture.lane_path("refused");
        let shape = Shape { sparse: vec![folder.to_owned()], ..Shape::default() };
        match sparse.fixture.repo.provision_as(&path, &sparse.start, &shape) {
            Err(GitError::NoSuchFolder { folder: named, nearest, .. }) => {
                assert_eq!((named.as_str(), nearest.as_str()), (folder, expected));
            }
            other => panic!("{folder}: {other:?}"),
        }
        assert!(!path.exists());
    }
}

#[test]
fn p10_a_sparse_lane_is_removed_without_a_trace_and_what_it_hides_is_nobodys() {
    let sparse = Sparse::new();
    let trash = sparse.fixture.repo.record_dir().join("trash");
    assert_eq!(sparse.fixture.repo.remove(&sparse.lane, &trash).expect("removed"), None);
    assert!(!sparse.lane.path.exists());
    assert_eq!(sparse.fixture.repo.variables(&sparse.lane, &[]).expect("variables"), []);
    assert_eq!(shape().lfs, Lfs::Auto);
}
