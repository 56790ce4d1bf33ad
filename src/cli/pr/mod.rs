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
use crate::forge::{Forge, PrState, PullRequest};
use crate::git::{CommitInfo, GitError, Repo};
use crate::id::Sha;
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
    /// What has come to its branch since it was shown, newest first. On GitHub that is its head.
    since: Vec<CommitInfo>,
}

impl Number {
    /// Reads it, from whichever forge has it.
    fn find(&self, session: &Session) -> Result<Found, CliError> {
        let project = session.project()?;
        let (forge, pull) = with_forges(session, &project, |all| find(all, self.pr))?;
        let since = since(&project.repo, &forge, &pull)?;
        Ok(Found { project, pull, since })
    }
}

impl Found {
    /// The commit that a merge would take.
    fn head(&self) -> &Sha {
        self.since.first().map_or(&self.pull.head_sha, |newest| &newest.sha)
    }
}

/// The commits that have come to the branch of an open pull request of the local forge since it was shown, newest first.
fn since(repo: &Repo, forge: &Forge, pull: &PullRequest) -> Result<Vec<CommitInfo>, GitError> {
    if pull.state != PrState::Open || !matches!(forge, Forge::Local(_)) {
        return Ok(Vec::new());
    }
    // As origin was last seen: a look at a pull request asks no network. Whoever merges it looks again.
    let seen = repo.read_ref(&format!("refs/laneway/remote/{}", pull.head))?;
    let mut head = pull.head_sha.clone();
    for found in [repo.branch_tip(&pull.head)?, seen].into_iter().flatten() {
        if repo.is_ancestor(&head, &found)? {
            head = found;
        }
    }
    repo.commits_between(&pull.head_sha, &head)
}
