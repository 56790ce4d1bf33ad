//! `laneway status`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::screen;
use super::select::RunChoice;
use super::session::Session;
use crate::render;

/// Show where a run stands: its lanes, its tasks, and what waits for a person
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway status\n  laneway status quickstart --json")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl StatusArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let loaded = self.choice.find(session)?.load()?;
        if session.json() {
            session.answer_json(&screen::status(&loaded))?;
        } else {
            let palette = screen::palette(session.color());
            session.answer(&render::status(&screen::status(&loaded), &palette))?;
        }
        Ok(Exit::Achieved)
    }
}
