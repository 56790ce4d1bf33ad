//! Every failure as a person or a program reads it: made from the typed errors in this one place.

use std::error::Error;
use std::io;

use serde_json::{Value, json};

use super::config::ConfigError;
use super::exit::Exit;
use crate::exec::SpawnError;
use crate::forge::ForgeError;
use crate::git::GitError;
use crate::graph::{Diagnostics, Source};
use crate::journal::{JournalError, LockError, RecordError};
use crate::render;
use crate::runtime::{ErrorClass, RuntimeError};
use crate::signal::{BoardError, WriteError};

/// What stopped a command.
#[derive(Debug)]
pub(super) enum CliError {
    /// Whoever read the answer has enough of it.
    ReaderGone,
    /// To be told.
    Told(Box<Trouble>),
}

/// A failure in the words that it is told in.
#[derive(Debug)]
pub(super) struct Trouble {
    /// A stable word for programs.
    pub(super) code: &'static str,
    /// What is wrong, as a lower-case fragment.
    pub(super) message: String,
    /// What lies under it, outermost first.
    pub(super) causes: Vec<String>,
    /// What to do about it.
    pub(super) hints: Vec<String>,
    /// How the program ends.
    pub(super) exit: Exit,
    /// The problems of a file with their places, which stand for the message.
    pub(super) report: Option<Report>,
}

/// The problems of a graph file, for people and for programs.
#[derive(Debug)]
pub(super) struct Report {
    /// With carets, without colour.
    pub(super) plain: String,
    /// With carets and colour.
    pub(super) colored: String,
    /// The list.
    pub(super) list: Value,
}

impl CliError {
    /// A failure that the command itself found.
    pub(super) fn new(code: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Trouble {
            code,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            exit,
            report: None,
        }))
    }

    /// The command line asks for something that does not exist or does not fit.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", Exit::Usage, message)
    }

    /// A typed error with what lies under it.
    fn from_error(code: &'static str, exit: Exit, error: &dyn Error) -> Self {
        let mut told = Self::new(code, exit, error.to_string());
        if let Self::Told(trouble) = &mut told {
            trouble.causes = render::causes(error);
        }
        told
    }

    /// A file could not be read or written.
    pub(super) fn file(deed: &str, path: &std::path::Path, error: &io::Error) -> Self {
        let mut told = Self::new("file", Exit::Environment, format!("{} cannot be {deed}", path.display()));
        if let Self::Told(trouble) = &mut told {
            trouble.causes = vec![error.to_string()];
        }
        told
    }

    /// The problems of a graph file.
    pub(super) fn graph(problems: &Diagnostics, source: &Source) -> Self {
        let list = serde_json::to_value(problems).expect("diagnostics have text keys");
        let mut told = Self::new("graph", Exit::Usage, problems.to_string());
        if let Self::Told(trouble) = &mut told {
            trouble.report = Some(Report {
                plain: problems.render(source, false),
                colored: problems.render(source, true),
                list,
            });
        }
        told
    }

    /// Says what to do about it.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        if let (Self::Told(trouble), Some(hint)) = (&mut self, hint.into()) {
            trouble.hints.push(hint);
        }
        self
    }

    /// How the program ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::ReaderGone => Exit::Achieved,
            Self::Told(trouble) => trouble.exit,
        }
    }
}

impl Trouble {
    /// The one form of every failure in JSON.
    pub(super) fn json(&self) -> Value {
        let mut error = json!({
            "code": self.code,
            "message": self.message,
            "causes": self.causes,
            "hints": self.hints,
        });
        if let Some(report) = &self.report {
            error["diagnostics"] = report.list.clone();
        }
        json!({ "error": error })
    }
}

impl From<io::Error> for CliError {
    /// Only writing the answer fails with a bare error of the system; files are named by [`CliError::file`].
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            let told = Self::new("output", Exit::Environment, "the answer cannot be written");
            told.hint(error.to_string())
        }
    }
}

impl From<RuntimeError> for CliError {
    fn from(error: RuntimeError) -> Self {
        let (code, exit) = match error.class() {
            ErrorClass::Usage => ("usage", Exit::Usage),
            ErrorClass::Environment => ("environment", Exit::Environment),
            ErrorClass::Failed => ("failed", Exit::Failed),
        };
        error.hints().into_iter().fold(Self::from_error(code, exit, &error), Self::hint)
    }
}

impl From<ForgeError> for CliError {
    fn from(error: ForgeError) -> Self {
        let exit = match &error {
            ForgeError::NotFound { .. } => Exit::Usage,
            ForgeError::WrongState { .. } | ForgeError::MergedOtherwise { .. } => Exit::Failed,
            _ => Exit::Environment,
        };
        let hint = matches!(error, ForgeError::NotFound { .. })
            .then(|| "`laneway pr list` shows those that there are".to_owned());
        let hint = hint.or_else(|| error.hint());
        Self::from_error("forge", exit, &error).hint(hint)
    }
}

impl From<WriteError> for CliError {
    fn from(error: WriteError) -> Self {
        let exit = match &error {
            WriteError::NoSignals { .. } | WriteError::Source { .. } | WriteError::Board(_) => {
                Exit::Environment
            }
            WriteError::Refused { .. } | WriteError::Outputs(_) => Exit::Usage,
        };
        Self::from_error("signal", exit, &error)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let hints = error.hints();
        hints.into_iter().fold(Self::from_error("config", Exit::Usage, &error), Self::hint)
    }
}

impl From<LockError> for CliError {
    fn from(error: LockError) -> Self {
        Self::from_error("lock", Exit::Environment, &error).hint(error.hint())
    }
}

macro_rules! of_the_surroundings {
    ($($ty:ty = $code:literal),* $(,)?) => {
        $(
            impl From<$ty> for CliError {
                fn from(error: $ty) -> Self {
                    Self::from_error($code, Exit::Environment, &error)
                }
            }
        )*
    };
}

of_the_surroundings! {
    GitError = "git",
    JournalError = "journal",
    RecordError = "record",
    BoardError = "board",
    SpawnError = "process",
    crate::exec::LogError = "log",
    crate::event::WireError = "journal",
    crate::state::ApplyError = "journal",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the middle")]
    struct Middle {
        #[source]
        source: io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Wrapper(#[from] Middle);

    #[test]
    fn a_cause_is_told_once() {
        let error = Wrapper(Middle { source: io::Error::other("the disk") });
        let CliError::Told(trouble) = CliError::from_error("x", Exit::Failed, &error) else {
            panic!("a failure is told");
        };
        assert_eq!(trouble.message, "the middle");
        assert_eq!(trouble.causes, ["the disk"]);
    }

    #[test]
    fn a_broken_pipe_is_a_quiet_success() {
        let gone = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(gone, CliError::ReaderGone));
        assert_eq!(gone.exit(), Exit::Achieved);
        assert_eq!(CliError::from(io::Error::other("full")).exit(), Exit::Environment);
    }
}
