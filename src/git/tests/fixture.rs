//! Repositories to test with.
#![expect(clippy::disallowed_methods, reason = "tests run git and write files as users and agents do")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::userstate::UserState;
use crate::git::{Identity, Repo, Worktree};
use crate::id::Sha;

/// A repository of a user, with one commit, in a directory of its own.
pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) root: PathBuf,
    pub(super) repo: Repo,
    pub(super) start: Sha,
}

/// Runs git as a person or an agent would, and returns what it prints.
#[track_caller]
pub(super) fn git(cwd: &Path, args: &[&str]) -> String {
    let (ok, text) = try_git(cwd, args);
    assert!(ok, "git {args:?} in {}: {text}", cwd.display());
    text
}

/// Like [`git`], where failing is part of the story.
pub(super) fn try_git(cwd: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .args(["-c", "user.name=Agent", "-c", "user.email=agent@example.com", "-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(cwd)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env("GIT_EDITOR", "true")
        .output()
        .expect("git runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text.trim().to_owned())
}

pub(super) fn write(path: &Path, text: impl AsRef<[u8]>) {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).expect("make a directory");
    }
    std::fs::write(path, text).expect("write a file");
}

pub(super) fn read(path: &Path) -> String {
    String::from_utf8(bytes(path)).expect("text")
}

pub(super) fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn sha(text: &str) -> Sha {
    Sha::new(text).expect("an object id")
}

pub(super) fn identity() -> Identity {
    Identity { name: "Ada".to_owned(), email: "ada@example.com".to_owned() }
}

impl Fixture {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = std::fs::canonicalize(dir.path()).expect("a path").join("project");
        std::fs::create_dir(&root).expect("a directory");
        git(&root, &["init", "-q", "-b", "main"]);
        for (key, value) in
            [("user.name", "Ada"), ("user.email", "ada@example.com"), ("commit.gpgsign", "false")]
        {
            git(&root, &["config", key, value]);
        }
        write(&root.join("README"), "hello\n");
        write(&root.join("src/a.txt"), "one\ntwo\nthree\nfour\nfive\n");
        write(&root.join(".gitignore"), "*.log\n/.env\nbuild/\n");
        git(&root, &["add", "."]);
        git(&root, &["commit", "-q", "-m", "start"]);
        let start = sha(&git(&root, &["rev-parse", "HEAD"]));
        let repo = Repo::discover(&root).expect("a repository");
        repo.exclude(&["/.worktrees/", "/.laneway/"]).expect("exclude");
        Self { dir, root, repo, start }
    }

    /// A fixture whose user has something of everything: staged, changed and new files, a stash, a second branch.
    pub(super) fn lived_in() -> Self {
        let fixture = Self::new();
        let root = &fixture.root;
        write(&root.join("README"), "stashed\n");
        git(root, &["stash"]);
        git(root, &["branch", "other"]);
        write(&root.join("staged"), "staged\n");
        git(root, &["add", "staged"]);
        write(&root.join("README"), "changed\n");
        write(&root.join("new"), "new\n");
        fixture
    }

    pub(super) fn user(&self) -> UserState {
        UserState::of(&self.root)
    }

    pub(super) fn lane_path(&self, name: &str) -> PathBuf {
        self.root.join(".worktrees/demo").join(name)
    }

    pub(super) fn lane(&self, name: &str) -> Worktree {
        self.repo.provision(&self.lane_path(name), &self.start).expect("a lane")
    }

    /// A commit on top of `parent` in which `files` have these contents (`None`: are gone). No checkout is touched.
    pub(super) fn commit(&self, parent: &Sha, files: &[(&str, Option<&str>)]) -> Sha {
        let index = self.dir.path().join("commit-index");
        let run = |args: &[&str], stdin: Option<&str>| {
            let mut command = Command::new("git");
            command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(args);
            command.current_dir(&self.root).env("GIT_INDEX_FILE", &index);
            let input = self.dir.path().join("stdin");
            write(&input, stdin.unwrap_or_default());
            let output = command.stdin(std::fs::File::open(input).expect("stdin")).output().expect("git");
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        run(&["read-tree", parent.as_str()], None);
        for (path, content) in files {
            if let Some(text) = content {
                let blob = run(&["hash-object", "-w", "--stdin"], Some(text));
                run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], None);
            } else {
                run(&["update-index", "--force-remove", path], None);
            }
        }
        let tree = run(&["write-tree"], None);
        sha(&run(&["commit-tree", &tree, "-p", parent.as_str(), "-m", "a commit"], None))
    }
}
