//! `laneway rebuild`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::select::RunChoice;
use super::session::Session;
use crate::runtime;

/// Write what is derived from a run's journal anew: status files and the noticeboard
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway rebuild quickstart")]
pub(super) struct RebuildArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl RebuildArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let written = runtime::rebuild(&chosen.project, &chosen.graph, chosen.run)?;
        let paths: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        if session.json() {
            session.answer_json(&paths)?;
        } else if paths.is_empty() {
            session.note("everything is as the journal says");
        } else {
            session.answer(&paths.join("\n"))?;
        }
        Ok(Exit::Achieved)
    }
}
