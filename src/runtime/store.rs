//! Runs in the record: made, read back, checked.

use std::path::PathBuf;
use std::sync::Arc;

use super::noticeboard::wanted_files;
use super::{Project, RuntimeError};
use crate::engine::Core;
use crate::event::{Envelope, Event};
use crate::id::{GraphName, RunNo};
use crate::journal::{Journal, Mode, RunLock, write_synced};
use crate::plan::Plan;
use crate::signal::{Found, digest, read_lane};
use crate::state::State;

/// A run as its journal tells it.
pub struct Loaded {
    /// The frozen plan.
    pub plan: Arc<Plan>,
    /// Where it stands.
    pub state: State,
    /// Its events.
    pub envelopes: Vec<Envelope>,
}

/// Takes the right to carry a graph.
pub fn lock(project: &Project, graph: &GraphName) -> Result<RunLock, RuntimeError> {
    project.record.create_graph(graph)?;
    Ok(RunLock::try_acquire(&project.record.lock_path(graph))?)
}

/// Freezes `plan` and makes its journal. The caller holds the graph's lock.
pub fn create_run(project: &Project, plan: &Plan) -> Result<(), RuntimeError> {
    project.repo.exclude(&["/.laneway/", "/.worktrees/"])?;
    project.record.create_graph(&plan.graph)?;
    let dir = project.record.run_dir(&plan.graph, plan.run);
    let failed = |action, path: &std::path::Path| {
        let path = path.to_owned();
        move |source| RuntimeError::Io { action, path, source }
    };
    std::fs::create_dir_all(&dir).map_err(failed("created", &dir))?;
    let path = project.record.plan_path(&plan.graph, plan.run);
    write_synced(&path, plan_text(plan).as_bytes()).map_err(failed("written", &path))?;
    Journal::create(&dir)?;
    Ok(())
}

pub(super) fn plan_text(plan: &Plan) -> String {
    let mut text = serde_json::to_string_pretty(plan).expect("a plan has only text keys");
    text.push('\n');
    text
}

/// Reads the frozen plan and its digest.
pub(super) fn read_plan(
    project: &Project,
    graph: &GraphName,
    run: RunNo,
) -> Result<(Plan, String), RuntimeError> {
    let path = project.record.plan_path(graph, run);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(RuntimeError::NoRun { graph: graph.clone(), run });
        }
        other => other.map_err(|source| RuntimeError::Io { action: "read", path: path.clone(), source })?,
    };
    let plan = serde_json::from_slice(&bytes).map_err(|source| RuntimeError::PlanFile { path, source })?;
    Ok((plan, digest(&bytes)))
}

/// Folds a run, changing nothing.
pub fn load(project: &Project, graph: &GraphName, run: RunNo) -> Result<Loaded, RuntimeError> {
    let (plan, digest) = read_plan(project, graph, run)?;
    let plan = Arc::new(plan);
    let (_, replay) = Journal::open(&project.record.run_dir(graph, run), Mode::ReadOnly)?;
    let mut core = Core::new(Arc::clone(&plan));
    let mut envelopes = Vec::new();
    for (position, line) in replay.lines.iter().enumerate() {
        let envelope = read_line(position, line)?;
        core.replay(&envelope)?;
        envelopes.push(envelope);
    }
    check_digest(project, &plan, envelopes.first(), &digest)?;
    Ok(Loaded { plan, state: core.state().clone(), envelopes })
}

pub(super) fn read_line(position: usize, line: &str) -> Result<Envelope, RuntimeError> {
    Envelope::from_json(line).map_err(|source| RuntimeError::Wire { line: position + 1, source })
}

/// The first entry of the journal holds the plan's digest; a plan that was changed since is not the run's.
pub(super) fn check_digest(
    project: &Project,
    plan: &Plan,
    first: Option<&Envelope>,
    digest: &str,
) -> Result<(), RuntimeError> {
    match first.map(|e| &e.event) {
        Some(Event::WorkflowStart(start)) if start.plan_digest != digest => {
            Err(RuntimeError::PlanChanged { path: project.record.plan_path(&plan.graph, plan.run) })
        }
        _ => Ok(()),
    }
}

/// Checks the hash chain, folds the run again and compares every status file. Returns the differences.
pub fn verify(project: &Project, graph: &GraphName, run: RunNo) -> Result<Vec<String>, RuntimeError> {
    let mut differences = Vec::new();
    let checked = crate::journal::verify(&project.record.run_dir(graph, run))?;
    if checked.torn_bytes > 0 {
        differences.push(format!("the journal ends in {} bytes of an unfinished line", checked.torn_bytes));
    }
    let loaded = load(project, graph, run)?;
    let board = project.board(graph, run);
    for (lane, wanted) in wanted_files(&loaded.plan, &loaded.state) {
        let found = read_lane(&board, &lane).unwrap_or_default();
        let shown = |status: &crate::signal::LaneStatus| {
            board.lane_dir(&lane).join(status.file_name()).display().to_string()
        };
        for status in crate::signal::LaneStatus::ALL {
            match (wanted.get(&status), found.get(&status)) {
                (None, None) => {}
                (Some(text), Some(Found::Text(there))) if there.trim_end() == text.trim_end() => {}
                (Some(_), None) => differences.push(format!("{} is missing", shown(&status))),
                (None, Some(_)) => differences.push(format!("{} should not be there", shown(&status))),
                (Some(_), Some(_)) => {
                    differences.push(format!("{} does not say what the journal says", shown(&status)));
                }
            }
        }
    }
    Ok(differences)
}

/// Writes every status file anew from the journal. Returns those that were wrong.
pub fn rebuild(project: &Project, graph: &GraphName, run: RunNo) -> Result<Vec<PathBuf>, RuntimeError> {
    let loaded = load(project, graph, run)?;
    let board = project.board(graph, run);
    let lanes: Vec<_> = loaded.plan.lanes.iter().map(|l| l.id.clone()).collect();
    let _put_up = board.put_up(&lanes)?;
    let mut mended = Vec::new();
    for (lane, wanted) in wanted_files(&loaded.plan, &loaded.state) {
        mended.extend(super::noticeboard::force(&board, &lane, &wanted)?);
    }
    Ok(mended)
}
