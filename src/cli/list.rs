//! `laneway list`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::config::Layers;
use super::error::CliError;
use super::exit::Exit;
use super::graph_file;
use super::screen;
use super::session::Session;
use super::tail::Tail;
use crate::event::{RunStatus, Timestamp};
use crate::id::{GraphName, RunNo};
use crate::journal::RunLock;
use crate::runtime::{Project, load};

/// List the graphs of the repository and their runs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway list --json")]
pub(super) struct ListArgs {}

/// A graph, as a file or as runs or as both.
#[derive(Debug, Default, Serialize)]
struct Row {
    graph: String,
    file: Option<String>,
    /// Why the file cannot be run.
    problem: Option<String>,
    runs: Vec<RunRow>,
}

#[derive(Debug, Serialize)]
struct RunRow {
    run: u32,
    state: String,
    /// Whether a process carries it; a run that is running and is not carried was left by a killed one.
    carried: bool,
    started_at: Option<Timestamp>,
}

impl ListArgs {
    #[expect(clippy::unused_self, reason = "every command is called alike")]
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let rows = rows(session, &project)?;
        if session.json() {
            session.answer_json(&rows)?;
        } else if rows.is_empty() {
            session
                .note("there are no graphs here: they are files graphs/NAME.toml; `laneway demo` shows one");
        } else {
            session.answer(&text(&rows, session.color()))?;
        }
        Ok(Exit::Achieved)
    }
}

fn rows(session: &Session, project: &Project) -> Result<Vec<Row>, CliError> {
    let root = project.root();
    let layers = Layers::read(session, Some(&root))?;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let files =
        graph_file::shipped(&root).map_err(|error| CliError::file("read", &root.join("graphs"), &error))?;
    for file in files {
        let shown = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        let (name, problem) = match graph_file::read(session, Some(project), &layers, &file) {
            Ok(read) => (read.graph.name.to_string(), None),
            Err(CliError::Told(trouble)) => (shown.clone(), Some(trouble.message)),
            Err(gone) => return Err(gone),
        };
        let row = rows.entry(name.clone()).or_default();
        row.graph = name;
        row.file = Some(shown);
        row.problem = problem;
    }
    for graph in project.record.graphs()? {
        let runs = runs(project, &graph)?;
        if !runs.is_empty() {
            let row = rows.entry(graph.to_string()).or_default();
            row.graph = graph.to_string();
            row.runs = runs;
        }
    }
    Ok(rows.into_values().collect())
}

fn runs(project: &Project, graph: &GraphName) -> Result<Vec<RunRow>, CliError> {
    let mut rows = Vec::new();
    for run in project.record.runs(graph)? {
        // One damaged run must not hide the others; `status` says what is wrong with it.
        let row = match load(project, graph, run) {
            Ok(loaded) => RunRow {
                run: run.0,
                state: loaded.state.run.status.map_or("new", |status| status.word()).to_owned(),
                carried: is_carried(project, graph, run)?,
                started_at: loaded.state.run.started_at,
            },
            Err(error) => {
                let state = format!("unreadable: {error}");
                RunRow { run: run.0, state, carried: false, started_at: None }
            }
        };
        rows.push(row);
    }
    Ok(rows)
}

fn is_carried(project: &Project, graph: &GraphName, run: RunNo) -> Result<bool, CliError> {
    let lock = project.record.lock_path(graph);
    // Most runs are of the past; only of a graph that somebody carries is the journal worth another look.
    let held = RunLock::is_held(&lock).map_err(|error| CliError::file("locked", &lock, &error))?;
    Ok(held && Tail::open(&project.record.run_dir(graph, run), &lock)?.is_carried())
}

/// The state for people: of a run that a killed process left, `running` alone would mislead.
fn told(run: &RunRow) -> String {
    let left = run.state == RunStatus::Running.word() && !run.carried;
    let left = if left { ", but nobody carries it: `laneway resume` goes on" } else { "" };
    format!("run {} {}{left}", run.run, run.state)
}

fn text(rows: &[Row], color: bool) -> String {
    let line = |row: &Row| {
        let last = match (row.runs.last(), &row.problem) {
            (_, Some(problem)) => problem.clone(),
            (Some(run), None) => told(run),
            (None, None) => "never run".to_owned(),
        };
        let file = row.file.clone().unwrap_or_else(|| "(no file)".to_owned());
        [row.graph.clone(), file, last]
    };
    screen::table(["graph", "file", "last run"], rows.iter().map(line).collect(), color)
}
