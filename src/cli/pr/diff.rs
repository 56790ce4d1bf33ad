//! `laneway pr diff`.

use clap::Args;
use serde_json::json;

use super::{Found, Number};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::forge::PrState;
use crate::id::Sha;

/// Show what a pull request changes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr diff 1 | less -R")]
pub(super) struct PrDiffArgs {
    #[command(flatten)]
    number: Number,
}

impl PrDiffArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let found = self.number.find(session)?;
        let Found { project, pull, .. } = &found;
        let (from, to) = ends(&found)?;
        let bytes = project.repo.diff_text(&from, &to, session.color())?;
        if session.json() {
            session.answer_json(&json!({
                "number": pull.number,
                "from": from,
                "to": to,
                "diff": String::from_utf8_lossy(&bytes),
            }))?;
        } else {
            session.out().with(|out| out.write_all(&bytes))?;
        }
        Ok(Exit::Achieved)
    }
}

/// The two commits between which the changes lie: what the head has that the base had not when they met last. Of an
/// open one the base is where its branch stands now.
fn ends(found: &Found) -> Result<(Sha, Sha), CliError> {
    let (Found { project, pull, .. }, head) = (found, found.head());
    let base = match pull.state {
        PrState::Open => project.repo.branch_tip(&pull.base)?.unwrap_or_else(|| pull.base_sha.clone()),
        PrState::Merged | PrState::Closed => pull.base_sha.clone(),
    };
    let from = project.repo.merge_base(&base, head)?;
    Ok((from.unwrap_or(base), head.clone()))
}
