//! `laneway signal answer`.

use clap::Args;

use super::text::Given;
use crate::cli::ask::{Ask, ask, tell_events};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::select::RunOption;
use crate::cli::session::Session;
use crate::id::TaskId;
use crate::signal::Verb;

/// Answer a task that waits for a person
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway waiting\n  laneway signal answer types 'Take the second one.'")]
pub(super) struct AnswerArgs {
    /// The task that asks
    #[arg(value_name = "TASK")]
    task: TaskId,
    #[command(flatten)]
    given: Given,
    /// The question, where the task has several
    #[arg(long, value_name = "ID")]
    ask: Option<String>,
    #[command(flatten)]
    run: RunOption,
}

impl AnswerArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.run.choice().find(session)?;
        let verb = Verb::Answer {
            task: self.task.clone(),
            ask: self.ask.clone(),
            text: self.given.read_or_stdin(session)?,
        };
        let events = ask(
            session,
            Ask { project: &chosen.project, graph: &chosen.graph, run: chosen.run, verb, note: None },
        )?;
        tell_events(session, &events)?;
        Ok(Exit::Achieved)
    }
}
