//! Scratch repositories with a graph, and Laneway at work in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::samples;

const LANEWAY: &str = env!("CARGO_BIN_EXE_laneway");

/// A repository of one commit and a graph named `g`.
pub(crate) struct Scratch {
    repo: PathBuf,
    home: PathBuf,
}

impl Scratch {
    /// Makes it below `dir`.
    pub(crate) fn new(dir: &Path, graph: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let root = dir.join(format!("scratch-{}", MADE.fetch_add(1, Ordering::Relaxed)));
        let scratch = Self { repo: root.join("repo"), home: root.join("home") };
        fs::create_dir_all(&scratch.repo).expect("a new directory");
        fs::create_dir_all(&scratch.home).expect("a new directory");
        scratch.git(&["init", "-q", "-b", "main"]);
        scratch.git(&["config", "user.name", "Ann Author"]);
        scratch.git(&["config", "user.email", "ann@example.org"]);
        fs::write(scratch.repo.join("README.md"), "# Scratch\n").expect("a writable repository");
        fs::write(scratch.repo.join("g.toml"), graph).expect("a writable repository");
        scratch.git(&["add", "-A"]);
        scratch.git(&["commit", "-q", "-m", "Begin"]);
        scratch
    }

    /// The repository.
    pub(crate) fn repo(&self) -> &Path {
        &self.repo
    }

    /// The journal of the run.
    pub(crate) fn journal(&self) -> PathBuf {
        self.repo.join(".git/laneway/graphs/g/runs/1/journal.jsonl")
    }

    /// A command in the repository and an environment of its own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").expect("there is a PATH");
        command
            .current_dir(&self.repo)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        command
    }

    /// Laneway with these arguments.
    pub(crate) fn laneway(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(LANEWAY);
        command.args(arguments);
        command
    }

    /// Laneway, about to carry the graph out.
    pub(crate) fn start(&self) -> Child {
        let log = fs::File::create(self.home.join("laneway.log")).expect("a writable directory");
        let errors = log.try_clone().expect("a file can be shared");
        let mut command = self.command(LANEWAY);
        command.args(["run", "g.toml"]).stdout(log).stderr(errors);
        command.spawn().expect("the program is there")
    }

    /// How long Laneway takes to carry the graph to its end, from `exec` to exit.
    pub(crate) fn run(&self) -> Duration {
        samples::time(|| {
            let status = self.start().wait().expect("a child can be waited for");
            assert!(status.success(), "laneway ended with {status}:\n{}", self.told());
        })
    }

    /// How long another program takes in the repository.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Duration {
        let mut command = self.command(program);
        command.args(arguments).stdout(Stdio::null());
        samples::time(|| {
            let status = command.status().expect("the program is there");
            assert!(status.success(), "{program} ended with {status}");
        })
    }

    /// What Laneway printed.
    pub(crate) fn told(&self) -> String {
        fs::read_to_string(self.home.join("laneway.log")).unwrap_or_default()
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        self.program("git", arguments);
    }
}
