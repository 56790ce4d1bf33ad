//! `laneway signal output`, `ask`, `note` and `artifact`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::text::{Given, Place};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::id::TaskId;
use crate::signal::{OutputItem, Question, Write, write};

/// An output of an attempt.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// Its category
    #[arg(value_name = "CATEGORY")]
    category: String,
    /// Its path, from the root of the lane
    #[arg(value_name = "PATH", required_unless_present = "value")]
    path: Option<String>,
    /// A value in JSON instead of a path
    #[arg(long, value_name = "JSON", conflicts_with = "path")]
    value: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl OutputArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let item = match (&self.path, &self.value) {
            (_, Some(text)) => {
                let value: Value = serde_json::from_str(text).map_err(|error| {
                    CliError::usage(format!("--value takes JSON: {error}"))
                        .hint("a text is written with quotes: --value '\"text\"'".to_owned())
                })?;
                OutputItem::Value(value)
            }
            (path, None) => OutputItem::Path(path.clone().unwrap_or_default()),
        };
        let category = self.category.clone();
        self.place.write(session, Write::Output { category, item })
    }
}

/// A question of an agent.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    given: Given,
    /// An answer to choose from; several times
    #[arg(long = "option", value_name = "ANSWER")]
    options: Vec<String>,
    #[command(flatten)]
    place: Place,
}

impl AskArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let question =
            Question { question: self.given.read_or_stdin(session)?, options: self.options.clone() };
        let signals = self.place.signals(session)?;
        let file = write(&signals, Write::Ask(question))?;
        let answers = signals.parent().unwrap_or(&signals).join("answers");
        let answer = answers.join(file.file_name().unwrap_or_default());
        if session.json() {
            session.answer_json(&json!({
                "file": file.display().to_string(),
                "answer": answer.display().to_string(),
            }))?;
        } else {
            session.answer(&answer.display().to_string())?;
        }
        Ok(Exit::Achieved)
    }
}

/// A note to another agent.
#[derive(Debug, Args)]
pub(super) struct NoteArgs {
    /// The task that it is for
    #[arg(value_name = "TO")]
    to: TaskId,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    place: Place,
}

impl NoteArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let text = self.given.read_or_stdin(session)?;
        let to = self.to.clone();
        self.place.write(session, Write::Note { to, text })
    }
}

/// A file to keep.
#[derive(Debug, Args)]
pub(super) struct ArtifactArgs {
    /// The file
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Its name in the record; default: that of the file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl ArtifactArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let of_file = || self.from.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = self.name.clone().or_else(of_file).ok_or_else(|| {
            CliError::usage(format!("{} has no name that can be kept", self.from.display()))
                .hint("give one with --name".to_owned())
        })?;
        let from = session.path(&self.from);
        self.place.write(session, Write::Artifact { name, from })
    }
}
