//! `laneway verify`.

use clap::Args;
use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::select::RunChoice;
use super::session::Session;
use crate::runtime;

/// Check a run's journal, and that its status files say what the journal says
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway verify quickstart")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl VerifyArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let differences = runtime::verify(&chosen.project, &chosen.graph, chosen.run)?;
        let holds = differences.is_empty();
        if session.json() {
            session.answer_json(&json!({ "holds": holds, "differences": differences }))?;
        } else if holds {
            session.answer(&format!(
                "run {} of graph {}: journal and status files hold",
                chosen.run, chosen.graph
            ))?;
        } else {
            session.answer(&differences.join("\n"))?;
            session.note("`laneway rebuild` writes the status files anew from the journal");
        }
        Ok(if holds { Exit::Achieved } else { Exit::Failed })
    }
}
