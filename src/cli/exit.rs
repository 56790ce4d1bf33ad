//! The exit codes.

use std::process::ExitCode;

/// How the program ends. The numbers are part of the interface and shown by `laneway --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Everything that was asked for is achieved.
    Achieved = 0,
    /// Something failed, or cannot go on without a person.
    Failed = 1,
    /// The command line, the configuration or the graph makes no sense.
    Usage = 2,
    /// Interrupted; the run can be resumed.
    Interrupted = 3,
    /// The surroundings do not allow it: no repository, no permission, a missing program.
    Environment = 4,
}

/// What `laneway --help` says about exit codes.
pub(super) const EXIT_HELP: &str = "\
Exit codes:
  0  everything that was asked for is achieved
  1  something failed, or cannot go on without a person
  2  the command line, the configuration or the graph makes no sense
  3  interrupted; the run can be resumed
  4  the surroundings do not allow it (no repository, a missing program, another orchestrator at work, ...)

The answer goes to standard output, everything else to standard error. With --json a command that fails answers
{\"error\": {\"code\": ..., \"message\": ..., \"causes\": [...], \"hints\": [...]}} on standard output.

Example:
  laneway demo                       see it work in a scratch repository
  laneway run graphs/quickstart.toml";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
