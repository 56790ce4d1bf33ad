//! `laneway pr`: the pull requests of runs, on whichever forge they are.

mod act;
mod diff;
mod list;
mod merge;
mod show;

use clap::{Args, Subcommand};

use super::ask::tell_undoing;
use super::error::CliError;
use super::exit::Exit;
use super::forge::{find, with_forges};
use super::session::Session;
use crate::event::{Envelope, Event};
use crate::forge::PullRequest;
use crate::runtime::{Project, load};
use crate::view;

/// Look at the integration pull requests, review them, merge them
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr list\n  laneway pr diff 1\n  laneway pr merge 1")]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct PrArgs {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    List(list::PrListArgs),
    Show(show::PrShowArgs),
    Diff(diff::PrDiffArgs),
    Comment(act::PrCommentArgs),
    Approve(act::PrApproveArgs),
    RequestChanges(act::PrRequestChangesArgs),
    Merge(merge::PrMergeArgs),
    Close(act::PrCloseArgs),
}

impl PrArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        match &self.deed {
            Deed::List(args) => args.run(session),
            Deed::Show(args) => args.run(session),
            Deed::Diff(args) => args.run(session),
            Deed::Comment(args) => args.run(session),
            Deed::Approve(args) => args.run(session),
            Deed::RequestChanges(args) => args.run(session),
            Deed::Merge(args) => args.run(session),
            Deed::Close(args) => args.run(session),
        }
    }
}

/// The pull request that a command is about.
#[derive(Debug, Args)]
struct Number {
    /// Its number
    #[arg(value_name = "PR")]
    pr: u64,
}

/// Answers with what followed from a request. Of one that takes a lane back, also where its reset stands by now.
fn tell(session: &Session, found: &Found, events: &[Envelope]) -> Result<(), CliError> {
    let reverted = events.iter().find_map(|envelope| match &envelope.event {
        Event::RevertMerged(_) | Event::RevertClosed(_) => envelope.subject.lane.as_ref(),
        _ => None,
    });
    let Some(lane) = reverted else { return tell_undoing(session, events, None) };
    let loaded = load(&found.project, &found.pull.graph, found.pull.run)?;
    let undoing = view::undoing_of(&loaded.state, &loaded.envelopes, lane);
    tell_undoing(session, events, undoing.as_ref())
}

/// A pull request and its repository.
struct Found {
    project: Project,
    pull: PullRequest,
}

impl Number {
    /// Reads it, from whichever forge has it.
    fn find(&self, session: &Session) -> Result<Found, CliError> {
        let project = session.project()?;
        let (_, pull) = with_forges(session, &project, |all| find(all, self.pr))?;
        Ok(Found { project, pull })
    }
}
