//! `laneway waiting`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::screen;
use super::select::RunChoice;
use super::session::Session;
use crate::render;

/// Show what waits for a person, and the command that answers it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway waiting")]
pub(super) struct WaitingArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl WaitingArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let loaded = self.choice.find(session)?.load()?;
        let waiting = screen::status(&loaded).waiting;
        if session.json() {
            session.answer_json(&waiting)?;
            return Ok(Exit::Achieved);
        }
        if waiting.is_empty() {
            session.note("nothing waits for a person");
        }
        session.answer(&render::waiting(&waiting, &screen::palette(session.color())))?;
        Ok(Exit::Achieved)
    }
}
