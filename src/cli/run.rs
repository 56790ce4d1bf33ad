//! `laneway run`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::config::{ForgeChoice, Layers, Settings, Source};
use super::drive::{Ride, exit_of, ride};
use super::error::CliError;
use super::exit::Exit;
use super::forge;
use super::graph_file::{self, GraphFile};
use super::programs;
use super::session::Session;
use crate::event::RunStatus;
use crate::id::{GraphName, RunNo};
use crate::journal::RunLock;
use crate::plan::Plan;
use crate::runtime::{self, Config, Loaded, Project};
use crate::signal::{Settle, read_requests};
use crate::view;

/// What a run is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum WaitFor {
    /// Every pull request is open or merged
    #[default]
    Open,
    /// Every pull request is merged
    Merged,
}

/// Run a graph, or go on with its run where that stopped
///
/// A run that is not finished goes on with the plan that it began with. After a finished one nothing is done, unless
/// a new run is asked for with --fresh. Ctrl-C lets what runs finish, a second one stops it, a third leaves at once;
/// the same command goes on later.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway run graphs/quickstart.toml\n  laneway run graphs/quickstart.toml --fresh --max-parallel 2"
)]
pub(super) struct RunArgs {
    /// The graph file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many attempts run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// Where pull requests are opened
    #[arg(long, value_name = "FORGE")]
    forge: Option<ForgeChoice>,
    /// Fetch and push nothing
    #[arg(long)]
    offline: bool,
    /// Begin a new run, whatever became of the last one
    #[arg(long)]
    fresh: bool,
    /// Only say which steps would be taken
    #[arg(long)]
    dry_run: bool,
    /// When the run is over
    #[arg(long, value_name = "STATE", default_value = "open")]
    wait: WaitFor,
}

/// What there is to do with a graph.
enum Course {
    /// A new run.
    New(Box<Plan>),
    /// The last run goes on.
    GoOn(Box<Loaded>),
    /// The last run is finished.
    Done(Box<Loaded>),
}

impl RunArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let layers = Layers::read(session, Some(&project.root()))?.with(self.flags());
        let mut read = graph_file::read(session, Some(&project), &layers, &self.file)?;
        let layers = layers.with(Some(Source::graph(&read.source.path, &read.graph)));
        layers.override_graph(&mut read.graph);
        let config = forge::config(session, &project, &layers)?;
        if self.dry_run {
            return self.dry_run(session, &project, &read, &config);
        }
        let (course, lock) = self.set_out(session, &project, &read, &config)?;
        let (plan, state) = match course {
            Course::Done(loaded) => return tell_done(session, &loaded, &read),
            Course::GoOn(loaded) => {
                tell_on(session, &loaded, &read);
                (self.hurried(loaded.plan), loaded.state)
            }
            Course::New(plan) => {
                runtime::create_run(&project, &plan)?;
                let loaded = runtime::load(&project, &plan.graph, plan.run)?;
                session.note(&format!("run {} of graph {}", plan.run, plan.graph));
                (loaded.plan, loaded.state)
            }
        };
        ride(session, Ride { project, plan, state, lock, wait_merged: self.wait == WaitFor::Merged })
    }

    fn flags(&self) -> Option<Source> {
        let settings = Settings {
            max_parallel: self.max_parallel,
            forge: self.forge,
            offline: self.offline.then_some(true),
            ..Settings::default()
        };
        (settings != Settings::default()).then(|| Source::flag("laneway run", settings))
    }

    /// The plan of a run that goes on, with as many attempts at once as was said now: that is no part of what it was planned for.
    fn hurried(&self, plan: Arc<Plan>) -> Arc<Plan> {
        let Some(most) = self.max_parallel.filter(|most| *most != plan.settings.max_parallel) else {
            return plan;
        };
        let mut plan = Arc::unwrap_or_clone(plan);
        plan.settings.max_parallel = most;
        Arc::new(plan)
    }

    /// Decides what to do, and takes the graph's lock. A graph that was never run is planned before the lock makes
    /// the first directory of it: a run that is refused leaves nothing behind.
    fn set_out(
        &self,
        session: &Session,
        project: &Project,
        read: &GraphFile,
        config: &Config,
    ) -> Result<(Course, RunLock), CliError> {
        let name = &read.graph.name;
        if let Some(last) = project.record.latest_run(name)? {
            if !self.fresh && self.wait == WaitFor::Open {
                news(session, project, name, last)?;
            }
            let lock = runtime::lock(project, name)?;
            return Ok((self.course(session, project, read, config)?, lock));
        }
        let first = self.course(session, project, read, config)?;
        let lock = runtime::lock(project, name)?;
        if project.record.latest_run(name)?.is_none() {
            return Ok((first, lock));
        }
        // Somebody else began meanwhile, and is gone already.
        Ok((self.course(session, project, read, config)?, lock))
    }

    fn course(
        &self,
        session: &Session,
        project: &Project,
        read: &GraphFile,
        config: &Config,
    ) -> Result<Course, CliError> {
        let last = project.record.latest_run(&read.graph.name)?;
        if let Some(last) = last.filter(|_| !self.fresh) {
            let loaded = Box::new(runtime::load(project, &read.graph.name, last)?);
            return Ok(if self.is_done(project, &loaded) {
                Course::Done(loaded)
            } else {
                project.ensure_home(&loaded.plan)?;
                Course::GoOn(loaded)
            });
        }
        let run = RunNo(last.map_or(1, |last| last.0 + 1));
        let plan = runtime::prepare(project, &read.graph, &read.source.path, run, config)?;
        programs::require(session, &plan)?;
        Ok(Course::New(Box::new(plan)))
    }

    /// A finished run has nothing left to do, unless its pull requests are to be waited for, or whoever followed a
    /// request to it was killed.
    fn is_done(&self, project: &Project, loaded: &Loaded) -> bool {
        let board = project.board(&loaded.plan.graph, loaded.plan.run);
        // A board that cannot be read, or is not there, has no requests; a run that goes on says what is wrong with it.
        let asked = read_requests(&board, Settle::Ended).is_ok_and(|found| !found.accepted.is_empty());
        if asked || !loaded.state.outstanding.is_empty() {
            return false;
        }
        match loaded.state.run.status {
            Some(RunStatus::Completed) => self.wait == WaitFor::Open || all_merged(loaded),
            Some(RunStatus::Cancelled) => true,
            _ => false,
        }
    }

    fn dry_run(
        &self,
        session: &Session,
        project: &Project,
        read: &GraphFile,
        config: &Config,
    ) -> Result<Exit, CliError> {
        let plan = match self.course(session, project, read, config)? {
            Course::Done(loaded) if session.json() => {
                let (graph, run) = (&loaded.plan.graph, loaded.plan.run);
                session.answer_json(&json!({ "graph": graph, "run": run, "steps": [] }))?;
                return Ok(exit_of(&loaded.state, false));
            }
            Course::Done(loaded) => return tell_done(session, &loaded, read),
            Course::GoOn(loaded) => {
                tell_on(session, &loaded, read);
                loaded.plan
            }
            Course::New(plan) => Arc::new(*plan),
        };
        let steps = view::steps(&plan);
        if session.json() {
            session.answer_json(&json!({ "graph": plan.graph, "run": plan.run, "steps": steps }))?;
        } else {
            session.answer(&steps.join("\n"))?;
        }
        Ok(Exit::Achieved)
    }
}

/// What a finished run has not heard yet of its pull requests.
fn news(session: &Session, project: &Project, graph: &GraphName, run: RunNo) -> Result<(), CliError> {
    let loaded = runtime::load(project, graph, run)?;
    if loaded.state.run.status != Some(RunStatus::Completed) {
        return Ok(());
    }
    forge::ask_for_news(session, project, graph, run)
}

fn all_merged(loaded: &Loaded) -> bool {
    let mut lanes = loaded.state.lanes.iter();
    lanes.all(|lane| lane.status == crate::event::LaneStatus::Merged)
}

fn tell_done(session: &Session, loaded: &Loaded, read: &GraphFile) -> Result<Exit, CliError> {
    let cancelled = loaded.state.run.status == Some(RunStatus::Cancelled);
    let what = if cancelled { "was cancelled" } else { "is completed: there is nothing to do" };
    let text = format!("run {} of graph {} {what}", loaded.plan.run, loaded.plan.graph);
    if session.json() {
        // In JSON a run answers with its events, and there are none.
        session.note(&text);
    } else {
        session.answer(&text)?;
        session.answer(&super::screen::summary(&loaded.state))?;
    }
    if !tell_drift(session, loaded, read) {
        session.note("`--fresh` begins a new run");
    }
    Ok(exit_of(&loaded.state, false))
}

/// Says that an older run goes on, and what that means.
fn tell_on(session: &Session, loaded: &Loaded, read: &GraphFile) {
    let plan = &loaded.plan;
    session.note(&format!("run {} of graph {} goes on", plan.run, plan.graph));
    tell_drift(session, loaded, read);
    if matches!(loaded.state.run.status, Some(RunStatus::Failed | RunStatus::Blocked)) {
        session.note("what has failed is not tried again by itself: `laneway retry` asks for it");
    }
}

/// Says where the graph file is not what the run was planned from, and whether that is so.
fn tell_drift(session: &Session, loaded: &Loaded, read: &GraphFile) -> bool {
    graph_file::tell_drift(session, &loaded.plan, &read.graph.digest)
}
