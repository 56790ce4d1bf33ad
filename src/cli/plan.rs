//! `laneway plan`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::config::{Layers, Source};
use super::error::CliError;
use super::exit::Exit;
use super::forge;
use super::graph_file;
use super::programs;
use super::screen;
use super::session::Session;
use crate::id::RunNo;
use crate::plan::{dot, mermaid};
use crate::render;
use crate::runtime::{Loaded, Project, load, prepare};
use crate::view::{self, Include};

/// Show what a run of a graph would do, without doing any of it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway plan graphs/quickstart.toml\n  laneway plan graphs/quickstart.toml --mermaid"
)]
pub(super) struct PlanArgs {
    /// The graph file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Draw it as a mermaid flow chart
    #[arg(long, conflicts_with_all = ["dot", "json"])]
    mermaid: bool,
    /// Draw it for graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// Show the last run as it was planned, where it stands, and the conflicts that lie ahead
    #[arg(long, conflicts_with_all = ["mermaid", "dot"])]
    live: bool,
}

impl PlanArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let layers = Layers::read(session, Some(&project.root()))?;
        let mut read = graph_file::read(session, Some(&project), &layers, &self.file)?;
        let layers = layers.with(Some(Source::graph(&read.source.path, &read.graph)));
        layers.override_graph(&mut read.graph);
        if self.live {
            let run = project.latest_run(&read.graph.name)?;
            return live(session, &load(&project, &read.graph.name, run)?, include(&project));
        }
        let last = project.record.latest_run(&read.graph.name)?;
        let run = RunNo(last.map_or(1, |last| last.0 + 1));
        let config = forge::config(session, &project, &layers)?;
        let plan = prepare(&project, &read.graph, &read.source.path, run, &config)?;
        let missing = programs::missing(session, &plan)?;
        if session.json() {
            let mut answer = view::plan_json(&plan, include(&project));
            answer["missing"] = json!(
                missing.iter().map(|(task, why)| json!({ "task": task, "why": why })).collect::<Vec<_>>()
            );
            session.answer_json(&answer)?;
        } else if self.mermaid {
            session.answer(&mermaid(&plan))?;
        } else if self.dot {
            session.answer(&dot(&plan))?;
        } else {
            session.answer(&view::plan_text(&plan, include(&project)))?;
            for (task, why) in &missing {
                session.answer(&format!("task {task} cannot run: {why}"))?;
            }
        }
        Ok(if missing.is_empty() { Exit::Achieved } else { Exit::Environment })
    }
}

fn include(project: &Project) -> Include {
    if project.repo.has_include() { Include::Present } else { Include::Absent }
}

/// The frozen plan of a run with where it stands.
fn live(session: &Session, loaded: &Loaded, include: Include) -> Result<Exit, CliError> {
    let status = screen::status(loaded);
    if session.json() {
        let mut answer = view::plan_json(&loaded.plan, include);
        answer["live"] = json!(status);
        session.answer_json(&answer)?;
    } else {
        session.answer(&view::plan_text(&loaded.plan, include))?;
        session.answer(&render::status(&status, &screen::palette(session.color())))?;
    }
    Ok(Exit::Achieved)
}
