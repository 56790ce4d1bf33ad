//! A repository of its own for each test, with everything around it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{Output, Running, Status};

/// The program under test.
const LANEWAY: &str = env!("CARGO_BIN_EXE_laneway");
/// Where the fixtures and the shipped graphs are.
const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// What a scratch repository is to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    origin: bool,
    bare: bool,
    dirty: bool,
    branch: Option<&'static str>,
}

impl Setup {
    /// With a bare origin, a clean checkout of `main`.
    pub(crate) fn new() -> Self {
        Self { origin: true, bare: false, dirty: false, branch: None }
    }

    /// Without a remote.
    pub(crate) fn without_origin(self) -> Self {
        Self { origin: false, ..self }
    }

    /// A bare repository, as some keep one for their worktrees.
    pub(crate) fn bare(self) -> Self {
        Self { bare: true, ..self }
    }

    /// With a stash, a change in the index, one beside it, and an untracked and an ignored file.
    pub(crate) fn dirty(self) -> Self {
        Self { dirty: true, ..self }
    }

    /// With this branch, made from `main`, checked out.
    pub(crate) fn on_branch(self, branch: &'static str) -> Self {
        Self { branch: Some(branch), ..self }
    }

    /// Makes it.
    pub(crate) fn make(self) -> Scratch {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().canonicalize().expect("the directory is there");
        let mut scratch = Scratch { repo: root.join("repo"), root, _dir: dir };
        for made in ["home", "repo", "shared"] {
            fs::create_dir(scratch.root.join(made)).expect("a new directory");
        }
        scratch.seed();
        if self.origin {
            scratch.add_origin();
        }
        if self.bare {
            scratch.become_bare(self.origin);
        }
        if let Some(branch) = self.branch {
            scratch.git(&["checkout", "-q", "-b", branch]);
        }
        if self.dirty {
            scratch.dirty();
        }
        scratch
    }
}

/// A toy project under git, its origin, a home directory, and an environment in which nothing else can be seen.
#[derive(Debug)]
pub(crate) struct Scratch {
    repo: PathBuf,
    root: PathBuf,
    _dir: TempDir,
}

impl Scratch {
    /// The usual one: see [`Setup::new`].
    pub(crate) fn new() -> Self {
        Setup::new().make()
    }

    /// The repository: the main worktree, or the git directory of a bare one.
    pub(crate) fn repo(&self) -> &Path {
        &self.repo
    }

    /// The bare origin.
    pub(crate) fn origin(&self) -> PathBuf {
        self.root.join("origin.git")
    }

    /// A directory outside of every repository, for what tests and agents share.
    pub(crate) fn shared(&self) -> PathBuf {
        self.root.join("shared")
    }

    /// The home directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// A path on the noticeboard of the first run of `graph`.
    pub(crate) fn board(&self, graph: &str, path: &str) -> PathBuf {
        self.repo.join(".laneway").join(graph).join("1").join(path)
    }

    /// What the agent of an attempt was told, in the first run of `graph`.
    #[track_caller]
    pub(crate) fn instructions(&self, graph: &str, task: &str, attempt: u32) -> String {
        let path = self.board(graph, &format!("tasks/{task}/{attempt}/instructions.md"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes a file of the repository, with its directories.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repo.join(path);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a writable repository");
        fs::write(path, text).expect("a writable repository");
    }

    /// Runs git in the repository and returns what it printed, without the last line end.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.repo, arguments)
    }

    /// Runs git in `dir`.
    #[track_caller]
    pub(crate) fn git_in(&self, dir: &Path, arguments: &[&str]) -> String {
        let mut git = self.command("git".as_ref(), arguments);
        git.current_dir(dir);
        let output = finish(git, format!("git {}", arguments.join(" ")));
        output.success().stdout().trim_end_matches('\n').to_owned()
    }

    /// Runs Laneway in the repository.
    #[track_caller]
    pub(crate) fn laneway(&self, arguments: &[&str]) -> Output {
        let laneway = self.command(LANEWAY.as_ref(), arguments);
        finish(laneway, format!("laneway {}", arguments.join(" ")))
    }

    /// Runs another program in the repository, with these variables in its environment too.
    #[track_caller]
    pub(crate) fn program(&self, program: &str, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = self.command(program.as_ref(), arguments);
        command.envs(env.iter().copied());
        finish(command, format!("{program} {}", arguments.join(" ")))
    }

    /// Starts Laneway in the repository and lets it run.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let laneway = self.command(LANEWAY.as_ref(), arguments);
        Running::start(laneway, format!("laneway {}", arguments.join(" ")))
    }

    /// Starts Laneway with these variables in its environment too.
    pub(crate) fn spawn_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        let mut laneway = self.command(LANEWAY.as_ref(), arguments);
        laneway.envs(env.iter().copied());
        Running::start(laneway, format!("laneway {}", arguments.join(" ")))
    }

    /// What `status --json` says of `graph`.
    #[track_caller]
    pub(crate) fn status(&self, graph: &str) -> Status {
        Status::of(self.laneway(&["status", graph, "--json"]).success().json())
    }

    /// The journal of `graph`, as `events --json` prints it.
    #[track_caller]
    pub(crate) fn events(&self, graph: &str) -> Vec<Value> {
        self.laneway(&["events", graph, "--json"]).success().json_lines()
    }

    /// Follows the journal of `graph`, one event a line.
    pub(crate) fn follow(&self, graph: &str) -> Running {
        self.spawn(&["events", graph, "--json", "--follow"])
    }

    /// The text of a file at a commit; `None` where the commit has no such file.
    pub(crate) fn file_at(&self, dir: &Path, commit: &str, path: &str) -> Option<String> {
        let list = self.git_in(dir, &["ls-tree", "--name-only", commit, "--", path]);
        (!list.is_empty()).then(|| self.git_in(dir, &["show", &format!("{commit}:{path}")]))
    }

    /// A command in the repository and the scratch environment, without input.
    pub(super) fn command(&self, program: &OsStr, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.repo)
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null());
        command
    }

    pub(super) fn mkfifo(&self, path: &Path) {
        let path = path.to_str().expect("a path in UTF-8");
        self.program("mkfifo", &[path], &[]).success();
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let home = self.home();
        vec![
            ("PATH", path_with_laneway()),
            ("XDG_CONFIG_HOME", home.join(".config").into()),
            ("HOME", home.into()),
            ("USER", "ann".into()),
            ("LANG", "C.UTF-8".into()),
            ("NO_COLOR", "1".into()),
            ("TERM", "dumb".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ]
    }

    fn seed(&self) {
        let project = Path::new(PROJECT);
        copy_tree(&project.join("fixtures/repo"), &self.repo);
        copy_tree(&project.join("fixtures/agents"), &self.repo.join("agents"));
        copy_tree(&project.join("graphs"), &self.repo.join("graphs"));
        self.git(&["init", "-q", "-b", "main"]);
        self.identify();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "Begin"]);
        self.git(&["tag", "v0"]);
        self.write(".git/hooks/post-checkout", "#!/bin/sh\nexit 0\n");
    }

    fn identify(&self) {
        self.git(&["config", "user.name", "Ann Author"]);
        self.git(&["config", "user.email", "ann@example.org"]);
    }

    fn add_origin(&self) {
        let origin = self.origin();
        let path = origin.to_str().expect("a path in UTF-8");
        self.git(&["clone", "-q", "--bare", ".", path]);
        self.git(&["remote", "add", "origin", path]);
        self.git(&["fetch", "-q", "origin"]);
        self.git(&["remote", "set-head", "origin", "main"]);
        self.git(&["branch", "-q", "--set-upstream-to=origin/main", "main"]);
    }

    fn become_bare(&mut self, with_origin: bool) {
        let bare = self.root.join("bare.git");
        self.git(&["clone", "-q", "--bare", ".", bare.to_str().expect("a path in UTF-8")]);
        self.repo = bare;
        self.identify();
        self.git(&["remote", "remove", "origin"]);
        if with_origin {
            let origin = self.origin();
            self.git(&["remote", "add", "origin", origin.to_str().expect("a path in UTF-8")]);
        }
    }

    fn dirty(&self) {
        self.write("calc.sh", "echo stashed\n");
        self.git(&["stash", "push", "-q"]);
        self.write("staged.txt", "in the index\n");
        self.git(&["add", "staged.txt"]);
        self.write("staged.txt", "beside the index\n");
        self.write("README.md", "# Changed by its user\n");
        self.write("untracked.txt", "nobody knows\n");
        self.write(".env", "SECRET=ignored\n");
    }
}

fn finish(mut command: Command, shown: String) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
    Output::new(
        shown,
        output.status,
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Agents of tests call `laneway signal`, so the program under test goes first.
fn path_with_laneway() -> OsString {
    let own = Path::new(LANEWAY).parent().expect("a program has a directory");
    let inherited = std::env::var_os("PATH").expect("tests are run with a PATH");
    let places = std::iter::once(own.to_path_buf()).chain(std::env::split_paths(&inherited));
    std::env::join_paths(places).expect("no place has a separator in its name")
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("the fixtures can be read");
        let path = to.join(entry.path().strip_prefix(from).expect("it lies in there"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(path).expect("a writable repository");
        } else {
            fs::copy(entry.path(), path).expect("a writable repository");
        }
    }
}
