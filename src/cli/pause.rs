//! `laneway pause`.

use clap::Args;

use super::ask::{Ask, ask, tell_events};
use super::error::CliError;
use super::exit::Exit;
use super::select::RunChoice;
use super::session::Session;
use crate::signal::Verb;

/// Let a run start nothing more until it is resumed; what works goes on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pause quickstart")]
pub(super) struct PauseArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl PauseArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let events = ask(
            session,
            Ask {
                project: &chosen.project,
                graph: &chosen.graph,
                run: chosen.run,
                verb: Verb::Pause {},
                note: None,
            },
        )?;
        tell_events(session, &events)?;
        session.note("paused; `laneway resume` goes on");
        Ok(Exit::Achieved)
    }
}
