//! Real processes, in step with the tests through FIFOs: a writer and a reader of a FIFO wait for each other.

mod adoption;
mod bounded;
mod ending;
mod launch;
mod log;
mod orphans;
mod program;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::{Launch, ProcessRef, Running, StdinFrom, shell_argv, spawn};

/// A grace that no test outlives: what returns under it did not wait for it.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// A directory with launches in it.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A shell script that runs in the directory, with a tag of its own.
    fn launch(&self, script: &str) -> Launch {
        Launch {
            argv: shell_argv(script),
            cwd: self.directory.path().to_owned(),
            env: vec![(
                "PATH".into(),
                std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")),
            )],
            stdin: StdinFrom::Null,
            log: self.path("log"),
            tag: ulid::Ulid::generate().to_string(),
        }
    }

    fn spawn(&self, script: &str) -> Running {
        spawn(&self.launch(script)).expect("a shell starts")
    }

    fn fifo(&self, name: &str) -> &Self {
        mkfifoat(CWD, self.path(name), Mode::RUSR | Mode::WUSR).expect("a fifo");
        self
    }

    /// Waits for what a script writes into a FIFO, until it has closed it.
    fn hear(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a fifo").trim().to_owned()
    }

    /// Waits for a process id that a script writes into a FIFO.
    fn hear_pid(&self, name: &str) -> u32 {
        self.hear(name).parse().expect("a process id")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }
}

/// Whether the process exists and is more than an exit that nobody has collected.
fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']))
    })
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
}

/// Runs one of the ignored tests in a process of its own, because it depends on what other children there are.
fn alone(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

fn assert_alone(test: &str) {
    let output = alone(test).output().expect("this program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn other(process: &ProcessRef, change: impl FnOnce(&mut ProcessRef)) -> ProcessRef {
    let mut other = process.clone();
    change(&mut other);
    other
}
