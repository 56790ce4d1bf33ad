//! `laneway pr merge`.

use clap::Args;

use super::{Found, Number, subjects, tell};
use crate::cli::ask::{Ask, ask};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::id::Sha;
use crate::signal::Verb;

/// Merge a pull request into its target
///
/// Its gates run on the merge first. What is in the target is then told to the run that opened it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr merge 1")]
pub(super) struct PrMergeArgs {
    #[command(flatten)]
    number: Number,
    /// Only if this commit is its head
    #[arg(long, value_name = "COMMIT")]
    sha: Option<Sha>,
}

impl PrMergeArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let found = self.number.find(session)?;
        let Found { project, pull, since } = &found;
        if let (Some(seen), false) = (&self.sha, since.is_empty()) {
            let moved = format!(
                "pull request #{} has moved from {} to {}: {} came to its branch",
                pull.number,
                seen.short(),
                found.head().short(),
                subjects(since)
            );
            return Err(CliError::new("moved", Exit::Failed, moved).hint(format!(
                "laneway pr diff {} shows all of it; without --sha it is merged as it is",
                pull.number
            )));
        }
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
