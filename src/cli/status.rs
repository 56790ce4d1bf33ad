//! `laneway status`.

use clap::Args;

use super::drive::runtime;
use super::error::CliError;
use super::exit::Exit;
use super::resume::is_carried;
use super::screen;
use super::select::RunChoice;
use super::session::Session;
use crate::render;
use crate::runtime::ask_for_news;

/// Show where a run stands: its lanes, its tasks, and what waits for a person
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway status\n  laneway status quickstart --json")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl StatusArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let asked = ask_for_news(&chosen.project, &chosen.graph, chosen.run, session.environment());
        runtime()?.block_on(asked)?;
        let mut status = screen::status(&chosen.load()?);
        status.carried = Some(is_carried(&chosen)?);
        if session.json() {
            session.answer_json(&status)?;
        } else {
            let palette = screen::palette(session.color());
            session.answer(&render::status(&status, &palette))?;
        }
        Ok(Exit::Achieved)
    }
}
