//! `laneway pr comment`, `approve`, `request-changes` and `close`: requests that differ in their verb only.

use clap::Args;

use super::{Found, Number, tell};
use crate::cli::ask::{Ask, ask};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::forge::PullRequest;
use crate::id::Sha;
use crate::signal::Verb;

/// Comment on a pull request
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr comment 1 'Why twice?'")]
pub(super) struct PrCommentArgs {
    #[command(flatten)]
    number: Number,
    /// The comment
    #[arg(value_name = "TEXT")]
    text: String,
}

/// Approve a pull request as it stands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr approve 1")]
pub(super) struct PrApproveArgs {
    #[command(flatten)]
    number: Number,
    /// A remark
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// The commit that was looked at; default: its head
    #[arg(long, value_name = "COMMIT")]
    sha: Option<Sha>,
}

/// Ask for changes to a pull request
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr request-changes 1 'A check for zero is missing.'")]
pub(super) struct PrRequestChangesArgs {
    #[command(flatten)]
    number: Number,
    /// Which changes
    #[arg(value_name = "TEXT")]
    text: String,
    /// The commit that was looked at; default: its head
    #[arg(long, value_name = "COMMIT")]
    sha: Option<Sha>,
}

/// Close a pull request without merging it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr close 1")]
pub(super) struct PrCloseArgs {
    #[command(flatten)]
    number: Number,
    /// Why
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

impl PrCommentArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        act(session, &self.number, Some(self.text.clone()), |pull| Verb::Comment { pr: pull.number })
    }
}

impl PrApproveArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        act(session, &self.number, self.text.clone(), |pull| Verb::Approve {
            pr: pull.number,
            sha: Some(self.sha.clone().unwrap_or_else(|| pull.head_sha.clone())),
        })
    }
}

impl PrRequestChangesArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        act(session, &self.number, Some(self.text.clone()), |pull| Verb::RequestChanges {
            pr: pull.number,
            sha: Some(self.sha.clone().unwrap_or_else(|| pull.head_sha.clone())),
        })
    }
}

impl PrCloseArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        act(session, &self.number, self.text.clone(), |pull| Verb::Close { pr: pull.number })
    }
}

fn act(
    session: &Session,
    number: &Number,
    note: Option<String>,
    verb: impl FnOnce(&PullRequest) -> Verb,
) -> Result<Exit, CliError> {
    let found = number.find(session)?;
    let Found { project, pull, .. } = &found;
    let events = ask(session, Ask { project, graph: &pull.graph, run: pull.run, verb: verb(pull), note })?;
    tell(session, &found, &events)?;
    Ok(Exit::Achieved)
}
