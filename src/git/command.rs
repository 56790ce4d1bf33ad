//! The one gateway through which every `git` process is run.
#![expect(clippy::disallowed_methods, reason = "the one place that starts git, and times it")]

use std::ffi::{OsStr, OsString};
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{GitError, pipe, program};
use crate::id::Sha;

/// How long a call may take that talks to the network or to a signing program.
const OUTSIDE_LIMIT: Duration = Duration::from_secs(120);
/// How much of stderr an error carries, in bytes.
const EXCERPT: usize = 2000;

/// What of the environment a `git` of ours sees. Everything else, above all `GIT_*`, stays behind.
const KEPT: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LANG",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "GNUPGHOME",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "KRB5CCNAME",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// Config that no repository, and no agent that edits its config, can change for our calls.
const PINNED: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.askPass=",
    "core.fsync=all",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "advice.addEmbeddedRepo=false",
];

/// Config for calls that use a lane's private index: nothing that could hide an edit, no format libgit2 cannot read.
/// That index is not synced, as nothing else of a private git directory is: it is made again from its commit, and git
/// knows a torn one by its checksum. Objects and refs are synced as everywhere: all that there is but `index` is named, as
/// git takes `all,-index` for all.
const PINNED_PRIVATE: &[&str] = &[
    "core.fsync=objects,derived-metadata,reference",
    "core.sparseCheckout=false",
    "core.untrackedCache=false",
    "core.ignoreStat=false",
    "core.checkStat=default",
    "core.trustctime=true",
    "core.splitIndex=false",
    "index.sparse=false",
    "index.version=2",
    "index.skipHash=false",
];

/// Config for calls in a lane that holds a part of its commit. A file outside of that part that is there all the same counts.
const PINNED_SPARSE: &[&str] = &[
    "core.sparseCheckout=true",
    "core.sparseCheckoutCone=true",
    "sparse.expectFilesOutsideOfPatterns=false",
];

/// What a call acts on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// No repository at all.
    Nowhere,
    /// The repository, without a worktree.
    Common { common: &'a Path, cwd: &'a Path },
    /// A checkout and its own index: the user's, or a lane seen as its agent sees it.
    Checkout { git_dir: &'a Path, common: &'a Path, work_tree: &'a Path },
    /// A lane seen through its private git directory.
    Private { git_dir: &'a Path, common: &'a Path, work_tree: &'a Path, sparse: bool },
}

/// A `git` call under construction.
pub(super) struct Git {
    operation: &'static str,
    command: Command,
    accepted: &'static [i32],
    limit: Option<Duration>,
    /// The lane that git reads, which an agent has written.
    lane: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
}

/// What a `git` call gave back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Answer {
    /// The first line of stdout.
    pub(super) fn line(&self) -> String {
        String::from_utf8_lossy(&self.stdout).lines().next().unwrap_or_default().to_owned()
    }

    /// The object id that is all of the first line.
    pub(super) fn sha(&self, operation: &str) -> Result<Sha, GitError> {
        let found = self.line();
        Sha::new(found.trim()).map_err(|_| GitError::Output { operation: operation.to_owned(), found })
    }
}

impl Git {
    /// A call of the sub-command `operation`.
    pub(super) fn new(scope: Scope<'_>, operation: &'static str) -> Self {
        Self::configured(scope, operation, &[])
    }

    /// A call of the sub-command `operation` with more `-c key=value` pairs.
    pub(super) fn configured(scope: Scope<'_>, operation: &'static str, config: &[&str]) -> Self {
        let mut command = Command::new(program::git());
        clean_environment(&mut command);
        for pair in PINNED {
            command.args(["-c", pair]);
        }
        enter(&mut command, scope);
        for pair in config {
            command.args(["-c", pair]);
        }
        command.arg(operation);
        let lane = match scope {
            Scope::Private { work_tree, .. } => Some(work_tree.to_owned()),
            Scope::Nowhere | Scope::Common { .. } | Scope::Checkout { .. } => None,
        };
        Self { operation, command, accepted: &[0], limit: None, lane, stdin: None }
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(super) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    pub(super) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Uses the user's own ssh command, unless the environment has named one.
    pub(super) fn configured_ssh(mut self, ssh: &str) -> Self {
        let named =
            ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|key| std::env::vars_os().any(|(k, _)| k == *key));
        if !named {
            self.command.env("GIT_SSH_COMMAND", format!("{ssh} -o BatchMode=yes"));
        }
        self
    }

    /// Exit codes that are answers, not errors.
    pub(super) fn accept(mut self, codes: &'static [i32]) -> Self {
        self.accepted = codes;
        self
    }

    /// Sends `bytes` to stdin. Without it stdin is empty.
    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Lets the call refresh the index it reads; only for indexes that are ours.
    pub(super) fn may_refresh(mut self) -> Self {
        self.command.env_remove("GIT_OPTIONAL_LOCKS");
        self
    }

    /// Bounds the call in time: it depends on something outside of this machine, or on a person.
    pub(super) fn outside(mut self) -> Self {
        self.limit = Some(OUTSIDE_LIMIT);
        self
    }

    /// Runs the call to its end.
    pub(super) fn run(mut self) -> Result<Answer, GitError> {
        let start = Instant::now();
        let (status, stdout, stderr) = match self.limit {
            Some(limit) => self.run_bounded(limit)?,
            None => self.run_unbounded()?,
        };
        let stderr = excerpt(&stderr);
        tracing::debug!(operation = self.operation, code = status.code(), elapsed = ?start.elapsed(), "git");
        match status.code() {
            Some(code) if self.accepted.contains(&code) => Ok(Answer { code, stdout, stderr }),
            code => Err(GitError::Failed { operation: self.operation.to_owned(), code, stderr }),
        }
    }

    /// Starts git. What goes to stdin comes from a file, so that nobody has to keep writing.
    fn spawn(&mut self) -> Result<Child, GitError> {
        let failed = self.failed();
        let stdin = match self.stdin.take() {
            Some(bytes) => {
                let mut file = tempfile::tempfile().map_err(&failed)?;
                file.write_all(&bytes).and_then(|()| file.rewind()).map_err(&failed)?;
                Stdio::from(file)
            }
            None => Stdio::null(),
        };
        self.command.stdin(stdin).spawn().map_err(failed)
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> GitError + use<> {
        let operation = self.operation;
        move |source| GitError::Spawn { operation: operation.to_owned(), source }
    }

    fn run_unbounded(&mut self) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), GitError> {
        let failed = self.failed();
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn()?;
        let output = match &self.lane {
            Some(lane) => pipe::wait_in(lane, child),
            None => child.wait_with_output(),
        };
        let output = output.map_err(failed)?;
        Ok((output.status, output.stdout, output.stderr))
    }

    /// Output goes to files: a helper that outlives git (a shared ssh connection) would keep pipes open for good.
    fn run_bounded(&mut self, limit: Duration) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), GitError> {
        let failed = self.failed();
        let mut stdout = tempfile::tempfile().map_err(&failed)?;
        let mut stderr = tempfile::tempfile().map_err(&failed)?;
        self.command
            .stdout(stdout.try_clone().map_err(&failed)?)
            .stderr(stderr.try_clone().map_err(&failed)?)
            .process_group(0);
        let mut child = self.spawn()?;
        let in_time = wait_at_most(&child, limit).map_err(&failed)?;
        let status = child.wait().map_err(&failed)?;
        if !in_time {
            return Err(GitError::TimedOut {
                operation: self.operation.to_owned(),
                seconds: limit.as_secs(),
            });
        }
        let (mut out, mut err) = (Vec::new(), Vec::new());
        for (file, bytes) in [(&mut stdout, &mut out), (&mut stderr, &mut err)] {
            file.rewind().and_then(|()| file.read_to_end(bytes)).map_err(&failed)?;
        }
        Ok((status, out, err))
    }
}

/// Waits for the end of `child` without reaping it; after `limit` its process group is killed.
/// Says whether it ended by itself.
fn wait_at_most(child: &Child, limit: Duration) -> std::io::Result<bool> {
    let pid = Pid::from_child(child);
    let (ended, end) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let outcome = loop {
                match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other,
                }
            };
            // The receiver gives up only after it has killed the child and needs no answer any more.
            let _ = ended.send(outcome);
        });
        if let Ok(outcome) = end.recv_timeout(limit) {
            return outcome.map(|_| true).map_err(std::io::Error::from);
        }
        // Not reaped yet, so the number still is this group's.
        kill_process_group(pid, Signal::KILL).map_err(std::io::Error::from)?;
        Ok(false)
    })
}

fn clean_environment(command: &mut Command) {
    command.env_clear();
    let mut ssh_command = None;
    let mut ssh_program = false;
    for (key, value) in std::env::vars_os() {
        let kept = key.to_str().is_some_and(|name| KEPT.contains(&name) || name.starts_with("LC_"));
        if key == "GIT_SSH_COMMAND" {
            ssh_command = Some(value);
        } else if kept {
            ssh_program |= key == "GIT_SSH";
            command.env(key, value);
        }
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
    command.env("GCM_INTERACTIVE", "never");
    if let Some(mut ssh) = ssh_command {
        ssh.push(" -o BatchMode=yes");
        command.env("GIT_SSH_COMMAND", ssh);
    } else if !ssh_program {
        command.env("GIT_SSH_COMMAND", OsString::from("ssh -o BatchMode=yes"));
    }
}

fn enter(command: &mut Command, scope: Scope<'_>) {
    match scope {
        Scope::Nowhere => {}
        Scope::Common { common, cwd } => {
            command.current_dir(cwd).env("GIT_DIR", common);
        }
        Scope::Checkout { git_dir, common, work_tree } => {
            command.current_dir(work_tree);
            command.env("GIT_DIR", git_dir).env("GIT_COMMON_DIR", common).env("GIT_WORK_TREE", work_tree);
        }
        Scope::Private { git_dir, common, work_tree, sparse } => {
            let sparse = if sparse { PINNED_SPARSE } else { &[] };
            for pair in PINNED_PRIVATE.iter().chain(sparse) {
                command.args(["-c", pair]);
            }
            command.current_dir(work_tree);
            command.env("GIT_DIR", git_dir).env("GIT_COMMON_DIR", common).env("GIT_WORK_TREE", work_tree);
        }
    }
}

/// The end of what was written to stderr: the last lines say what went wrong.
fn excerpt(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let mut from = text.len().saturating_sub(EXCERPT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_hangs_is_stopped_with_its_children() {
        let mut git = Git::configured(Scope::Nowhere, "hang", &["alias.hang=!sleep 1000 & wait"]);
        git.limit = Some(Duration::from_millis(200));
        assert!(matches!(git.run(), Err(GitError::TimedOut { .. })));
    }

    #[test]
    fn bounded_and_unbounded_calls_hand_over_stdin_and_output() {
        let git = || Git::configured(Scope::Nowhere, "copy", &["alias.copy=!cat"]).stdin(b"text".to_vec());
        assert_eq!(git().run().expect("cat").stdout, b"text");
        assert_eq!(git().outside().run().expect("cat").stdout, b"text");
    }

    #[test]
    fn the_environment_is_clean_and_ssh_never_asks() {
        let git = Git::configured(Scope::Nowhere, "environment", &["alias.environment=!env"]);
        let answer = git.env("GIT_TRACE", "0").run().expect("env");
        let text = String::from_utf8(answer.stdout).expect("text");
        assert!(text.lines().any(|line| line == "LC_ALL=C"), "{text}");
        assert!(text.lines().any(|line| line == "GIT_TERMINAL_PROMPT=0"), "{text}");
        assert!(text.lines().any(|line| line.contains("BatchMode=yes")), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("CARGO")), "{text}");
    }
}
