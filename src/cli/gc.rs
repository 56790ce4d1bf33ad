//! `laneway gc`.

use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::age::{self, Age};
use super::clock;
use super::error::CliError;
use super::exit::Exit;
use super::screen;
use super::select::RunChoice;
use super::session::Session;
use crate::event::Timestamp;
use crate::id::{GraphName, RunNo};
use crate::render::causes;
use crate::runtime::{Item, Project, Swept, Thing, abandoned, collect, sweep};
use crate::view;

/// How much of a setup command is shown, in characters.
const COMMAND_SHOWN: usize = 48;

/// Collect what merged runs have left: custody, trash, worktrees, logs, noticeboards, results of setup commands
///
/// Without --yes it only says what would go and what stays. Journals and plans of runs stay. Nothing goes of a run that is not
/// over or not merged, nothing younger than the age, and nothing that is not Laneway's own. Objects that no ref holds any more
/// are left to `git gc`.
///
/// With --abandoned it is about the worktrees of a graph that nobody will merge, and about nothing else: what is not committed in them
/// goes into custody, ignored files into the trash; branches, pull requests and journals stay, and so does what is at work.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway gc\n  laneway gc --older-than 7d --yes\n  laneway gc --abandoned quickstart/1 --yes"
)]
pub(super) struct GcArgs {
    /// Leave what is younger
    #[arg(long, value_name = "AGE", default_value = "30d")]
    older_than: Age,
    /// Only the worktrees of this graph's runs, or of this run, of any age
    #[arg(long, value_name = "GRAPH[/RUN]", conflicts_with = "older_than")]
    abandoned: Option<Abandoned>,
    /// Do it
    #[arg(long)]
    yes: bool,
}

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Abandoned {
    graph: GraphName,
    run: Option<RunNo>,
}

/// Why a text is neither a graph nor a run of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is a graph or a run of one: `quickstart`, `quickstart/1`")]
struct NoRun;

impl FromStr for Abandoned {
    type Err = NoRun;

    fn from_str(text: &str) -> Result<Self, NoRun> {
        let (graph, run) = text.split_once('/').map_or((text, None), |(graph, run)| (graph, Some(run)));
        let run =
            run.map(|run| run.parse().ok().filter(|run| *run > 0).ok_or(NoRun).map(RunNo)).transpose()?;
        Ok(Self { graph: GraphName::new(graph).map_err(|_| NoRun)?, run })
    }
}

/// What becomes, or has become, of something.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    what: String,
    age_ms: u64,
    bytes: u64,
    /// `goes`, `gone`, `stays` or `failed`.
    fate: &'static str,
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    done: bool,
    /// The bytes of what goes or is gone.
    bytes: u64,
    items: Vec<Row>,
}

impl GcArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let now = clock::now();
        let items = match &self.abandoned {
            None => collect(&project, now, self.older_than.ms)?,
            Some(given_up) => given_up.items(session)?,
        };
        let swept = if self.yes { Some(sweep(&project, &items)?) } else { None };
        let rows: Vec<Row> = match &swept {
            None => items.iter().map(|item| planned(&project, item, now)).collect(),
            Some(swept) => items
                .iter()
                .zip(swept)
                .map(|(item, swept)| done(planned(&project, item, now), swept))
                .collect(),
        };
        let failed = rows.iter().any(|row| row.fate == "failed");
        let report = Report {
            done: self.yes,
            bytes: rows.iter().filter(|row| matches!(row.fate, "goes" | "gone")).map(|row| row.bytes).sum(),
            items: rows,
        };
        if session.json() {
            session.answer_json(&report)?;
        } else {
            tell(session, &report)?;
        }
        Ok(if failed { Exit::Failed } else { Exit::Achieved })
    }
}

impl Abandoned {
    fn items(&self, session: &Session) -> Result<Vec<Item>, CliError> {
        // A graph or a run that is not there is said as everywhere.
        let choice = RunChoice { graph: Some(self.graph.to_string()), run: self.run.map(|run| run.0) };
        let chosen = choice.find(session)?;
        Ok(abandoned(&chosen.project, &chosen.graph, self.run)?)
    }
}

fn tell(session: &Session, report: &Report) -> Result<(), CliError> {
    if report.items.is_empty() {
        session.note("there is nothing to collect");
        return Ok(());
    }
    let cells = report.items.iter().map(|row| {
        let fate = row.why.as_ref().map_or_else(|| row.fate.to_owned(), |why| format!("{}: {why}", row.fate));
        // What is still needed has no age yet.
        let age = if row.age_ms == 0 { "-".to_owned() } else { view::elapsed(row.age_ms) };
        [row.kind.to_owned(), age, age::size(row.bytes), row.what.clone(), fate]
    });
    let titles = ["kind", "age", "size", "what", "fate"];
    session.answer(&screen::table(titles, cells.collect(), session.color()))?;
    let bytes = age::size(report.bytes);
    session.note(&if report.done {
        format!("collected {bytes}; `git gc` frees what only custody held")
    } else {
        format!("{bytes} would go; --yes does it")
    });
    Ok(())
}

fn planned(project: &Project, item: &Item, now: Timestamp) -> Row {
    let (kind, what) = match &item.thing {
        Thing::Custody(kept) => ("custody", kept.found.reference.clone()),
        Thing::Trash { path } => ("trash", shown(project, path)),
        Thing::Setup { path, command } => {
            let of = command.as_ref().map_or(String::new(), |command| {
                format!(", by `{}`", view::plain::one_line(command, COMMAND_SHOWN))
            });
            ("setup", shown(project, path) + &of)
        }
        Thing::Base { base } => ("shared", shown(project, &base.path)),
        Thing::Worktree { worktree, .. } => ("worktree", shown(project, &worktree.path)),
        Thing::Attempts { path, .. } => ("logs", shown(project, path)),
        Thing::Board { path, .. } => ("noticeboard", shown(project, path)),
        Thing::Seen { reference, .. } => ("seen", reference.clone()),
    };
    let why = item.spared.as_ref().map(ToString::to_string);
    let fate = if why.is_some() { "stays" } else { "goes" };
    Row { kind, what, age_ms: now.since(item.since), bytes: item.bytes, fate, why }
}

fn done(row: Row, swept: &Swept) -> Row {
    match swept {
        Swept::Gone => Row { fate: "gone", ..row },
        Swept::Spared(spared) => Row { fate: "stays", why: Some(spared.to_string()), ..row },
        Swept::Failed(error) => {
            let why = [vec![error.to_string()], causes(error)].concat().join(": ");
            Row { fate: "failed", why: Some(why), ..row }
        }
    }
}

fn shown(project: &Project, path: &std::path::Path) -> String {
    path.strip_prefix(project.root()).unwrap_or(path).display().to_string()
}
