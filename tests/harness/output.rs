//! How a program ended and what it said.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde_json::Value;

/// A program that has ended, before anybody has looked at how.
#[must_use = "say how it is to end, with .success() or .code(n)"]
#[derive(Debug)]
pub(crate) struct Output {
    command: String,
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// What a program said that ended as expected.
#[derive(Debug)]
pub(crate) struct Answer {
    stdout: String,
    stderr: String,
}

impl Output {
    pub(super) fn new(command: String, status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self { command, status, stdout, stderr }
    }

    /// Expects exit code 0.
    #[track_caller]
    pub(crate) fn success(self) -> Answer {
        self.code(0)
    }

    /// Expects this exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Answer {
        let Self { command, status, stdout, stderr } = self;
        assert!(
            status.code() == Some(expected),
            "expected exit code {expected} of `{command}`, found {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        Answer { stdout, stderr }
    }

    /// Whether it ended with exit code 0, for those to whom both is an answer.
    pub(crate) fn succeeded(self) -> bool {
        self.status.success()
    }

    /// Whether it ended itself as a crash would.
    pub(crate) fn crashed(&self) -> bool {
        [rustix::process::Signal::ABORT, rustix::process::Signal::KILL]
            .iter()
            .any(|one| self.status.signal() == Some(one.as_raw()))
    }

    /// Its exit code, where it ended itself.
    pub(crate) fn status_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// All that it said, and how it ended.
    pub(crate) fn all(&self) -> String {
        format!("`{}` ended with {}\n{}\n{}", self.command, self.status, self.stdout, self.stderr)
    }

    /// Expects a signal to have ended it.
    #[track_caller]
    pub(crate) fn killed(self) {
        assert!(
            self.status.signal().is_some(),
            "`{}` ended by itself: {}\n{}",
            self.command,
            self.status,
            self.stderr
        );
    }

    /// Expects any end but success.
    #[track_caller]
    pub(crate) fn failure(self) -> Answer {
        let found = self.status.code().unwrap_or(-1);
        assert_ne!(found, 0, "`{}` succeeded:\n{}", self.command, self.stdout);
        Answer { stdout: self.stdout, stderr: self.stderr }
    }
}

impl Answer {
    /// Standard output.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Standard error.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Both, for a word that may stand in either.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("not JSON: {error}\n{}", self.stdout),
        }
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let one = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("not JSON: {error}\n{line}"),
        };
        self.stdout.lines().map(one).collect()
    }
}
