//! Starting the main process of an attempt, and waiting for it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::OFlags;

use super::known::known;
use super::os;
use super::process::{Exit, ProcessRef, TAG_VARIABLE};
use super::program::{ProgramError, find_program};
use crate::failpoint::{self, Point};

/// Where a process reads its standard input from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StdinFrom {
    /// Nothing: `/dev/null`.
    Null,
    /// A file, from its beginning.
    File(PathBuf),
}

/// Everything that the start of a process depends on; nothing else of ours reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments. A program without a `/` is looked up in the `PATH` of `env`.
    pub argv: Vec<OsString>,
    /// The working directory.
    pub cwd: PathBuf,
    /// The complete environment, except for the tag.
    pub env: Vec<(OsString, OsString)>,
    /// Standard input.
    pub stdin: StdinFrom,
    /// The file that standard output and standard error are appended to; made with mode 0600 where it is missing.
    pub log: PathBuf,
    /// The value of [`TAG_VARIABLE`], unique for each launch.
    pub tag: String,
}

/// A process was not started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The argv has no program.
    #[error("the command is empty")]
    Empty,
    /// The program does not exist.
    #[error("no program `{program}` was found")]
    NotFound {
        /// The program as the argv names it.
        program: String,
    },
    /// The program exists, but the system does not run it: no permission, an unknown format, no such interpreter.
    #[error("`{program}` cannot be executed")]
    NotExecutable {
        /// The program as the argv names it.
        program: String,
        /// What the system said, where it was asked.
        source: Option<io::Error>,
    },
    /// The working directory is not a directory that can be entered.
    #[error("there is no directory {}", cwd.display())]
    NoSuchDir {
        /// The working directory.
        cwd: PathBuf,
    },
    /// The file for standard input cannot be opened.
    #[error("cannot read {}", path.display())]
    Stdin {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be opened.
    #[error("cannot write {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process was started and gone before it could be identified, or the system has no room for it.
    #[error("cannot start `{program}`")]
    Other {
        /// The program as the argv names it.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The live main process of an attempt, which is our child. Dropping it leaves the process alive.
#[derive(Debug)]
pub struct Running {
    process: ProcessRef,
    child: tokio::process::Child,
}

impl Running {
    /// Its identity.
    pub fn process(&self) -> &ProcessRef {
        &self.process
    }

    /// Waits for its end. May be dropped and called again, also after the end.
    pub async fn wait(&mut self) -> Exit {
        let exit = match self.child.wait().await {
            Ok(status) => exit_of(status),
            Err(error) => {
                tracing::warn!(pid = self.process.pid, %error, "the exit of a child was lost");
                Exit::Unknown
            }
        };
        known().ended(&self.process);
        exit
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

/// Starts a process in a process group of its own. Must be called within a tokio runtime that has IO enabled.
///
/// # Errors
/// See [`SpawnError`]; no process exists after an error.
pub fn spawn(launch: &Launch) -> Result<Running, SpawnError> {
    let program = launch.argv.first().ok_or(SpawnError::Empty)?;
    let file = resolve(program, launch)?;
    failpoint::write(Point::ProcessStart)
        .map_err(|source| SpawnError::Log { path: launch.log.clone(), source })?;
    let log = open_log(&launch.log)?;
    let log_too = log.try_clone().map_err(|source| SpawnError::Log { path: launch.log.clone(), source })?;

    // The program is a path and nothing runs between fork and exec: both are needed for `posix_spawn` to be used.
    let mut command = Command::new(&file);
    command
        .arg0(program)
        .args(&launch.argv[1..])
        .current_dir(&launch.cwd)
        .env_clear()
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .env(TAG_VARIABLE, &launch.tag)
        .stdin(open_stdin(&launch.stdin)?)
        .stdout(log)
        .stderr(log_too)
        .process_group(0);
    let mut child =
        tokio::process::Command::from(command).spawn().map_err(|source| explain(source, program, launch))?;
    match identify(&child, &launch.tag) {
        Ok(process) => {
            failpoint::pass(Point::ProcessStarted);
            known().launched(&process);
            Ok(Running { process, child })
        }
        Err(source) => {
            // Without an identity it could never be stopped safely later on, so it ends here.
            if let Err(error) = child.start_kill() {
                tracing::warn!(%error, "a child without an identity could not be killed");
            }
            Err(SpawnError::Other { program: shown(program), source })
        }
    }
}

fn identify(child: &tokio::process::Child, tag: &str) -> io::Result<ProcessRef> {
    let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
    Ok(ProcessRef { pid, start_time: os::start_time(pid)?, boot_id: os::boot_id(), tag: tag.to_owned() })
}

fn resolve(program: &OsStr, launch: &Launch) -> Result<PathBuf, SpawnError> {
    if !launch.cwd.is_dir() {
        return Err(SpawnError::NoSuchDir { cwd: launch.cwd.clone() });
    }
    let path = launch.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    find_program(program, path.unwrap_or(OsStr::new("/usr/bin:/bin")), &launch.cwd).map_err(|error| {
        match error {
            ProgramError::NotFound { program } => SpawnError::NotFound { program },
            ProgramError::NotExecutable { .. } => {
                SpawnError::NotExecutable { program: shown(program), source: None }
            }
        }
    })
}

/// The program and the directory were there a moment ago, so "not found" now is about a script's interpreter.
fn explain(source: io::Error, program: &OsStr, launch: &Launch) -> SpawnError {
    let no_exec = source.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error());
    if !launch.cwd.is_dir() {
        SpawnError::NoSuchDir { cwd: launch.cwd.clone() }
    } else if no_exec || matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) {
        SpawnError::NotExecutable { program: shown(program), source: Some(source) }
    } else {
        SpawnError::Other { program: shown(program), source }
    }
}

fn shown(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}

fn open_stdin(from: &StdinFrom) -> Result<Stdio, SpawnError> {
    match from {
        StdinFrom::Null => Ok(Stdio::null()),
        StdinFrom::File(path) => File::open(path)
            .map(Stdio::from)
            .map_err(|source| SpawnError::Stdin { path: path.clone(), source }),
    }
}

fn open_log(path: &Path) -> Result<File, SpawnError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|source| SpawnError::Log { path: path.to_owned(), source })
}
