//! What earlier runs have left: runs that nobody goes on with, and what `laneway gc` would collect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::event::{LaneStatus, RunStatus, Timestamp};
use crate::id::{GraphName, RunNo};
use crate::journal::RunLock;
use crate::runtime::collection::{Item, Thing, collect_stale, entries};
use crate::runtime::effects::chain;
use crate::runtime::{Project, RuntimeError, store};
use crate::view::{elapsed, size};

/// What is collected without being asked for an age, in milliseconds: what `laneway gc` does by itself.
const OLD: u64 = 30 * 24 * 3_600_000;

/// What lies around as of `now`. `worktrees` is the folder of the lanes.
pub fn left(project: &Project, worktrees: &Path, now: Timestamp) -> Vec<Finding> {
    let parts = [runs(project), stale(project, now), prunable(project), stray(project, worktrees)];
    parts.into_iter().flat_map(|part| part.unwrap_or_else(|error| vec![unreadable(&error)])).collect()
}

fn unreadable(error: &RuntimeError) -> Finding {
    Finding::fail("left", chain(error), error.hint())
}

/// The last run of each graph, where it stopped on its way or cannot be read.
fn runs(project: &Project) -> Result<Vec<Finding>, RuntimeError> {
    let mut findings = Vec::new();
    let mut carried = 0;
    for graph in project.record.graphs()? {
        let Some(run) = project.record.latest_run(&graph)? else { continue };
        let status = match store::load(project, &graph, run) {
            Ok(loaded) => {
                if !is_over(&loaded)
                    && let Err(error) = project.ensure_home(&loaded.plan)
                {
                    findings.push(Finding::warn("runs", chain(&error), error.hint().unwrap_or_default()));
                    continue;
                }
                loaded.state.run.status
            }
            Err(error) => {
                let found = format!("run {run} of {graph} cannot be read: {}", chain(&error));
                findings.push(Finding::fail("runs", found, format!("laneway verify {graph}")));
                continue;
            }
        };
        if !matches!(status, None | Some(RunStatus::Running)) {
            continue;
        }
        let lock = project.record.lock_path(&graph);
        let held = RunLock::is_held(&lock);
        if held.map_err(|source| RuntimeError::Io { action: "locked", path: lock, source })? {
            carried += 1;
        } else {
            findings.push(killed(&graph, run));
        }
    }
    if findings.is_empty() {
        let found = match carried {
            0 => "none is under way".to_owned(),
            1 => "one is under way".to_owned(),
            more => format!("{more} are under way"),
        };
        findings.push(Finding::ok("runs", found));
    }
    Ok(findings)
}

/// Whether nothing is left of a run that somebody would take up.
fn is_over(loaded: &store::Loaded) -> bool {
    let merged = || loaded.state.lanes.iter().all(|lane| lane.status == LaneStatus::Merged);
    match loaded.state.run.status {
        Some(RunStatus::Cancelled) => true,
        Some(RunStatus::Completed) => merged(),
        _ => false,
    }
}

fn killed(graph: &GraphName, run: RunNo) -> Finding {
    let found = format!("run {run} of {graph} stopped on its way, and nobody goes on with it");
    Finding::warn("runs", found, format!("laneway resume {graph}"))
}

/// What merged runs have left, by its kind.
fn stale(project: &Project, now: Timestamp) -> Result<Vec<Finding>, RuntimeError> {
    let items = collect_stale(project, now)?;
    let free: Vec<&Item> = items.iter().filter(|item| item.spared.is_none()).collect();
    if free.is_empty() {
        return Ok(vec![Finding::ok("left", "earlier runs have left nothing that could go")]);
    }
    let mut kinds: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for item in &free {
        let (count, bytes) = kinds.entry(kind(&item.thing)).or_default();
        *count += 1;
        *bytes += item.bytes;
    }
    let kinds: Vec<String> =
        kinds.into_iter().map(|(kind, (count, bytes))| format!("{count} {kind} ({})", size(bytes))).collect();
    let oldest = free.iter().map(|item| now.since(item.since)).max().unwrap_or_default();
    let found = format!("{}; the oldest for {}", kinds.join(", "), elapsed(oldest));
    Ok(vec![if oldest >= OLD {
        Finding::warn("left", found, "laneway gc".to_owned())
    } else {
        let next = Some("laneway gc --older-than 0d".to_owned());
        Finding { next, ..Finding::ok("left", found) }
    }])
}

fn kind(thing: &Thing) -> &'static str {
    match thing {
        Thing::Custody(_) => "kept in custody",
        Thing::Trash { .. } => "in the trash",
        Thing::Worktree { .. } => "worktrees",
        Thing::Setup { .. } => "results of setup commands",
        Thing::Base { .. } => "trees that lanes share",
        Thing::Attempts { .. } => "logs of runs",
        Thing::Board { .. } => "noticeboards",
        Thing::Seen { .. } => "branches seen at origin",
    }
}

/// Worktrees that git knows and whose folders are gone.
fn prunable(project: &Project) -> Result<Vec<Finding>, RuntimeError> {
    let gone = project.repo.prunable()?;
    let Some(first) = gone.first() else { return Ok(Vec::new()) };
    let more = match gone.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let found = format!("git knows of a worktree at {}{more}, which is gone", first.display());
    Ok(vec![Finding::warn("prunable", found, "git worktree prune".to_owned())])
}

/// Folders among the lanes that git knows nothing of.
fn stray(project: &Project, worktrees: &Path) -> Result<Vec<Finding>, RuntimeError> {
    let mut strays: Vec<PathBuf> = Vec::new();
    if worktrees.is_file() {
        // That is told where the places are looked at.
        return Ok(Vec::new());
    }
    for graph in entries(worktrees)?.into_iter().filter(|path| path.is_dir()) {
        for lane in entries(&graph)?.into_iter().filter(|path| path.is_dir()) {
            // An orchestrator that is just making it has written this first.
            if !lane.join(".git").exists() && project.repo.reopen(&lane)?.is_none() {
                strays.push(lane);
            }
        }
    }
    let Some(first) = strays.first() else { return Ok(Vec::new()) };
    let others = strays.len() - 1;
    let more = if others == 0 { String::new() } else { format!(" and {others} more") };
    let found = format!("{}{more} among the lanes: git knows nothing of that", first.display());
    Ok(vec![Finding::warn("stray", found, format!("ls -la {}", first.display()))])
}
