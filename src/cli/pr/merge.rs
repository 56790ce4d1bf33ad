//! `laneway pr merge`.

use clap::Args;

use super::{Found, Number, tell};
use crate::cli::ask::{Ask, ask};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::id::Sha;
use crate::signal::Verb;

/// Merge a pull request into its target
///
/// What people have put on its branch since it was shown goes along, once its gates pass on it. What is in the target is then
/// told to the run that opened it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr merge 1")]
pub(super) struct PrMergeArgs {
    #[command(flatten)]
    number: Number,
    /// Only if this commit is its head, with nothing on top of it
    #[arg(long, value_name = "COMMIT")]
    sha: Option<Sha>,
}

impl PrMergeArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let found = self.number.find(session)?;
        let Found { project, pull, .. } = &found;
        let events = ask(
            session,
            Ask {
                project,
                graph: &pull.graph,
                run: pull.run,
                verb: Verb::Merge { pr: pull.number, sha: self.sha.clone() },
                note: None,
            },
        )?;
        tell(session, &found, &events)?;
        Ok(Exit::Achieved)
    }
}
