//! `laneway custody`: what was kept before anything was reset or removed.

mod drop;
mod list;
mod restore;
mod show;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::age;
use super::clock;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::event::Timestamp;
use crate::git::{CUSTODY, KeptKind};
use crate::id::Sha;
use crate::runtime::{Kept, Project, kept};

/// Look at what was kept before lanes were reset or removed, bring it back, let go of it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway custody list\n  laneway custody show 1f3a\n  laneway custody restore 1f3a"
)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct CustodyArgs {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    List(list::CustodyListArgs),
    Show(show::CustodyShowArgs),
    Restore(restore::CustodyRestoreArgs),
    Drop(drop::CustodyDropArgs),
}

impl CustodyArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        match &self.deed {
            Deed::List(args) => args.run(session),
            Deed::Show(args) => args.run(session),
            Deed::Restore(args) => args.run(session),
            Deed::Drop(args) => args.run(session),
        }
    }
}

/// One of what is kept, for lists and programs.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: String,
    reference: String,
    commit: Sha,
    kind: &'static str,
    graph: Option<String>,
    run: Option<u32>,
    lane: Option<String>,
    task: Option<String>,
    attempt: Option<u32>,
    kept_at: Timestamp,
    age_ms: u64,
    bytes: u64,
    reason: String,
}

impl Row {
    fn of(project: &Project, kept: &Kept, id: String, now: Timestamp) -> Result<Self, CliError> {
        Ok(Self {
            id,
            reference: kept.found.reference.clone(),
            commit: kept.found.commit.clone(),
            kind: match kept.found.kind {
                KeptKind::Worktree { .. } => "worktree",
                KeptKind::Commit { .. } => "commit",
            },
            graph: kept.run.as_ref().map(|(graph, _)| graph.to_string()),
            run: kept.run.as_ref().map(|(_, run)| run.0),
            lane: kept.lane.as_ref().map(ToString::to_string),
            task: kept.task.as_ref().map(ToString::to_string),
            attempt: kept.attempt,
            kept_at: kept.at,
            age_ms: now.since(kept.at),
            bytes: project.repo.custody_bytes(&kept.found)?,
            reason: kept.reason.clone(),
        })
    }

    fn cells(&self) -> [String; 6] {
        let run = match (&self.graph, self.run) {
            (Some(graph), Some(run)) => format!("{graph} {run}"),
            _ => String::new(),
        };
        let of = self.task.clone().or_else(|| self.lane.clone()).unwrap_or_default();
        let age = crate::view::elapsed(self.age_ms);
        [self.id.clone(), age, age::size(self.bytes), run, of, self.reason.clone()]
    }
}

const TITLES: [&str; 6] = ["id", "age", "size", "run", "of", "why"];

/// Everything that is kept, with ids that name each commit and no other.
struct Stock {
    project: Project,
    all: Vec<Kept>,
    /// How much of a commit's id tells it from the others.
    digits: usize,
    now: Timestamp,
}

impl Stock {
    fn open(session: &Session) -> Result<Self, CliError> {
        let project = session.project()?;
        let all = kept(&project)?;
        let mut commits: Vec<&str> = all.iter().map(|kept| kept.found.commit.as_str()).collect();
        commits.sort_unstable();
        commits.dedup();
        let same = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let digits = commits.windows(2).map(|two| same(two[0], two[1]) + 1).max().unwrap_or(0).max(8);
        Ok(Self { project, all, digits, now: clock::now() })
    }

    fn id(&self, kept: &Kept) -> String {
        let commit = kept.found.commit.as_str();
        commit[..self.digits.min(commit.len())].to_owned()
    }

    fn row(&self, kept: &Kept) -> Result<Row, CliError> {
        Row::of(&self.project, kept, self.id(kept), self.now)
    }

    /// What a person means by `word`: the start of an id, or a ref with or without what all of them begin with. Several refs are
    /// meant where they keep the same commit.
    fn find(&self, word: &str) -> Result<Vec<&Kept>, CliError> {
        let named = |kept: &&Kept| {
            let reference = &kept.found.reference;
            reference == word || reference.strip_prefix(CUSTODY) == Some(word)
        };
        if let Some(found) = self.all.iter().find(named) {
            return Ok(vec![found]);
        }
        let lower = word.to_ascii_lowercase();
        let found: Vec<&Kept> =
            self.all.iter().filter(|kept| kept.found.commit.as_str().starts_with(&lower)).collect();
        let Some(first) = found.first().filter(|_| !word.is_empty()) else {
            return Err(CliError::new("no_custody", Exit::Usage, format!("nothing is kept as `{word}`"))
                .hint("`laneway custody list` shows what is kept".to_owned()));
        };
        if found.iter().any(|kept| kept.found.commit != first.found.commit) {
            let mut ids: Vec<String> = found.iter().map(|kept| self.id(kept)).collect();
            ids.dedup();
            let message = format!("`{word}` is the start of several ids");
            return Err(
                CliError::new("ambiguous", Exit::Usage, message).hint(format!("one of {}", ids.join(", ")))
            );
        }
        Ok(found)
    }

    fn one(&self, word: &str) -> Result<&Kept, CliError> {
        Ok(self.find(word)?[0])
    }
}
