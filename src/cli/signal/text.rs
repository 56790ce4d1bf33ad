//! Where the text of a signal comes from, and where the signal goes.
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::select::RunOption;
use crate::cli::session::Session;
use crate::id::TaskId;
use crate::plain_file;
use crate::signal::{Write, write};

/// More than any signal takes. A text that is longer is refused by its own limit, with a better word for it.
const LIMIT: u64 = 1024 * 1024;

/// The attempt that a signal is for.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Place {
    /// The task, for a person who speaks in its agent's place; its last attempt is meant
    #[arg(long, value_name = "TASK")]
    pub(super) task: Option<TaskId>,
    #[command(flatten)]
    pub(super) run: RunOption,
}

impl Place {
    /// The signal directory of the attempt.
    pub(super) fn signals(&self, session: &Session) -> Result<PathBuf, CliError> {
        if let Some(task) = &self.task {
            return self.of_task(session, task);
        }
        session.env_os("LANEWAY_SIGNALS").map(PathBuf::from).ok_or_else(|| {
            CliError::usage("LANEWAY_SIGNALS is not set: this is no attempt of a task")
                .hint("give --task TASK to speak in the place of its agent".to_owned())
        })
    }

    fn of_task(&self, session: &Session, task: &TaskId) -> Result<PathBuf, CliError> {
        let chosen = self.run.choice().find(session)?;
        let loaded = chosen.load()?;
        let index = loaded.plan.tasks.iter().position(|planned| planned.id == *task);
        let Some(index) = index else {
            let message = format!("graph `{}` has no task `{task}`", chosen.graph);
            return Err(CliError::new("no_task", Exit::Usage, message)
                .hint("`laneway status` shows the tasks".to_owned()));
        };
        match loaded.state.tasks[index].attempts.last() {
            Some(attempt) if !attempt.status.is_terminal() => {
                let board = chosen.project.board(&chosen.graph, chosen.run);
                Ok(board.signals_dir(task, attempt.number))
            }
            _ => {
                let message =
                    format!("no attempt of task `{task}` is at work, so nobody would read the signal");
                Err(CliError::new("no_attempt", Exit::Failed, message)
                    .hint("`laneway retry` gives a task a new attempt".to_owned()))
            }
        }
    }

    /// Writes the signal, and answers with its file where a program asks.
    pub(super) fn write(&self, session: &Session, signal: Write) -> Result<Exit, CliError> {
        let file = write(&self.signals(session)?, signal)?;
        if session.json() {
            session.answer_json(&json!({ "file": file.display().to_string() }))?;
        }
        Ok(Exit::Achieved)
    }
}

/// A signal that says enough without a text.
#[derive(Debug, Args)]
pub(super) struct Claim {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    place: Place,
}

/// A signal that is its text.
#[derive(Debug, Args)]
pub(super) struct Said {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    place: Place,
}

impl Claim {
    /// Without a text nothing is read: an agent's standard input may be a pipe that nobody ever closes.
    pub(super) fn write(
        &self,
        session: &Session,
        kind: impl FnOnce(String) -> Write,
    ) -> Result<Exit, CliError> {
        let text = self.given.read(session)?.unwrap_or_default();
        self.place.write(session, kind(text))
    }
}

impl Said {
    /// Without a text it is read from standard input.
    pub(super) fn write(
        &self,
        session: &Session,
        kind: impl FnOnce(String) -> Write,
    ) -> Result<Exit, CliError> {
        let text = self.given.read_or_stdin(session)?;
        self.place.write(session, kind(text))
    }
}

/// A text as it is given.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Given {
    /// The text; - reads standard input
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    words: Vec<String>,
    /// Take the text from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Given {
    /// The text, if one is given.
    pub(super) fn read(&self, session: &Session) -> Result<Option<String>, CliError> {
        if let Some(file) = &self.file {
            let path = session.path(file);
            let open = plain_file::open_named(&path);
            let text = open.and_then(bounded);
            return text.map(Some).map_err(|error| CliError::file("read", &path, &error));
        }
        match self.words.as_slice() {
            [] => Ok(None),
            [dash] if dash == "-" => stdin().map(Some),
            words => Ok(Some(words.join(" "))),
        }
    }

    /// The text, from standard input where none is given.
    pub(super) fn read_or_stdin(&self, session: &Session) -> Result<String, CliError> {
        match self.read(session)? {
            Some(text) => Ok(text),
            None if std::io::stdin().is_terminal() => Err(CliError::usage("there is no text")
                .hint("give TEXT, --file FILE, or - for standard input".to_owned())),
            None => stdin(),
        }
    }
}

fn stdin() -> Result<String, CliError> {
    bounded(std::io::stdin()).map_err(|error| {
        CliError::new("file", Exit::Environment, "standard input cannot be read").hint(error.to_string())
    })
}

fn bounded(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}
