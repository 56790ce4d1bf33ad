//! Which run a command is about.
#![expect(clippy::disallowed_methods, reason = "asks for the age of journals to find the latest run")]

use std::path::Path;
use std::time::SystemTime;

use clap::Args;

use super::config::{Layers, nearest};
use super::error::CliError;
use super::exit::Exit;
use super::graph_file;
use super::session::Session;
use crate::id::{GraphName, RunNo};
use crate::runtime::{Loaded, Project, load};

/// The run that is meant.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RunChoice {
    /// The graph, by name or by file; default: the one that was run last
    #[arg(value_name = "GRAPH")]
    pub(super) graph: Option<String>,
    /// The run of the graph; default: the last one
    #[arg(long = "run", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) run: Option<u32>,
}

/// The run that is meant, for commands whose first argument is something else.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RunOption {
    /// The graph, by name or by file; default: the one that was run last
    #[arg(long, value_name = "GRAPH")]
    graph: Option<String>,
    /// The run of the graph; default: the last one
    #[arg(long = "run", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    run: Option<u32>,
}

impl RunOption {
    /// The same as an argument would say it.
    pub(super) fn choice(&self) -> RunChoice {
        RunChoice { graph: self.graph.clone(), run: self.run }
    }
}

/// A run that exists.
pub(super) struct Chosen {
    /// The repository.
    pub(super) project: Project,
    /// The graph.
    pub(super) graph: GraphName,
    /// The run.
    pub(super) run: RunNo,
}

impl Chosen {
    /// Folds its journal.
    pub(super) fn load(&self) -> Result<Loaded, CliError> {
        Ok(load(&self.project, &self.graph, self.run)?)
    }

    /// Its directory in the record.
    pub(super) fn dir(&self) -> std::path::PathBuf {
        self.project.record.run_dir(&self.graph, self.run)
    }

    /// The lock of whoever carries a run of the graph.
    pub(super) fn lock(&self) -> std::path::PathBuf {
        self.project.record.lock_path(&self.graph)
    }
}

impl RunChoice {
    /// Finds the run.
    pub(super) fn find(&self, session: &Session) -> Result<Chosen, CliError> {
        let project = session.project()?;
        let graph = match &self.graph {
            Some(word) => named(session, &project, word)?,
            None => latest(session, &project)?,
        };
        let runs = project.record.runs(&graph)?;
        let run = match self.run.map(RunNo) {
            Some(run) if runs.contains(&run) => run,
            Some(run) => {
                let count = runs.last().map_or(0, |last| last.0);
                let message = format!("graph `{graph}` has no run {run}");
                return Err(CliError::new("no_run", Exit::Usage, message)
                    .hint(format!("its last run is {count}; `laneway list` shows all")));
            }
            None => *runs.last().ok_or_else(|| never_run(&graph))?,
        };
        Ok(Chosen { project, graph, run })
    }
}

fn never_run(graph: &GraphName) -> CliError {
    let message = format!("graph `{graph}` has never been run");
    CliError::new("no_run", Exit::Usage, message)
        .hint("`laneway run FILE` starts it; `laneway list` shows what there is".to_owned())
}

/// The graph of a name, or of a file that people name as they do for `run`.
fn named(session: &Session, project: &Project, word: &str) -> Result<GraphName, CliError> {
    let is_file = Path::new(word).extension().is_some_and(|ext| ext == "toml") || word.contains('/');
    if is_file {
        let layers = Layers::read(session, Some(&project.root()))?;
        let read = graph_file::read(session, Some(project), &layers, Path::new(word))?;
        return Ok(read.graph.name);
    }
    let known = project.record.graphs()?;
    if let Some(found) = known.iter().find(|name| name.as_str() == word) {
        return Ok(found.clone());
    }
    let near = nearest(word, known.iter().map(GraphName::as_str));
    let hint = near.map_or_else(
        || "`laneway list` shows the graphs and their runs".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!("no graph `{word}` has been run in this repository");
    Err(CliError::new("no_run", Exit::Usage, message).hint(hint))
}

/// The graph whose journal was written last.
fn latest(session: &Session, project: &Project) -> Result<GraphName, CliError> {
    let mut dated: Vec<(SystemTime, GraphName)> = Vec::new();
    for graph in project.record.graphs()? {
        if let Some(run) = project.record.latest_run(&graph)? {
            let journal = project.record.run_dir(&graph, run).join("journal.jsonl");
            let written = std::fs::metadata(&journal)
                .and_then(|meta| meta.modified())
                .map_err(|error| CliError::file("read", &journal, &error))?;
            dated.push((written, graph));
        }
    }
    let several = dated.len() > 1;
    let Some((_, graph)) = dated.into_iter().max() else {
        let message = "nothing has been run in this repository";
        return Err(CliError::new("no_run", Exit::Usage, message)
            .hint("`laneway run graphs/NAME.toml` starts a graph".to_owned()));
    };
    if several {
        session.note(&format!("graph {graph}, which was run last"));
    }
    Ok(graph)
}
