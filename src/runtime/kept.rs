//! What custody keeps of the repository's runs, with what their journals say about it, and how a run stands to it.

use std::collections::BTreeMap;

use super::{Loaded, Project, RuntimeError, store};
use crate::event::{Event, LaneStatus, RunStatus, Timestamp};
use crate::git::{CUSTODY, GitError, KeptRef};
use crate::id::{GraphName, LaneId, RunNo, TaskId};
use crate::journal::LockError;

/// Something that custody keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The ref.
    pub found: KeptRef,
    /// The run that it is of; `None` for a ref that no run of this version names.
    pub run: Option<(GraphName, RunNo)>,
    /// The lane, where the journal says.
    pub lane: Option<LaneId>,
    /// The task, where the journal says.
    pub task: Option<TaskId>,
    /// The attempt, where the journal says.
    pub attempt: Option<u32>,
    /// When it was kept, in the journal or in the commit.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Whether something of a run may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Everything that it made is merged; nothing has happened since.
    Over {
        /// The last event.
        since: Timestamp,
    },
    /// An orchestrator carries it, or something of it is outstanding.
    Live,
    /// It rests, and this lane is not merged.
    Unmerged {
        /// The first such lane.
        lane: LaneId,
    },
    /// The record knows no such run.
    Gone,
    /// Its record cannot be read.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// Every custody ref, the oldest first.
pub fn kept(project: &Project) -> Result<Vec<Kept>, RuntimeError> {
    let mut journals: BTreeMap<(GraphName, RunNo), Vec<crate::event::Envelope>> = BTreeMap::new();
    let mut all = Vec::new();
    for found in project.repo.custody_refs()? {
        let run = run_of(&found.reference);
        let (at, reason) = (found.at, found.subject.clone());
        let mut kept = Kept { found, run, lane: None, task: None, attempt: None, at, reason };
        if let Some(run) = &kept.run {
            let journal = journals.entry(run.clone()).or_insert_with(|| {
                // Without its journal a ref still holds what it holds.
                store::load(project, &run.0, run.1).map(|loaded| loaded.envelopes).unwrap_or_default()
            });
            let told = journal.iter().find_map(|envelope| match &envelope.event {
                Event::CustodyKept(event) if event.reference == kept.found.reference => {
                    Some((envelope, event))
                }
                _ => None,
            });
            if let Some((envelope, event)) = told {
                kept.lane.clone_from(&envelope.subject.lane);
                kept.task.clone_from(&envelope.subject.task);
                kept.attempt = envelope.subject.attempt;
                kept.at = envelope.at;
                kept.reason.clone_from(&event.reason);
            }
        }
        all.push(kept);
    }
    all.sort_by(|a, b| (a.at, &a.found.reference).cmp(&(b.at, &b.found.reference)));
    Ok(all)
}

/// The run that a custody ref names.
fn run_of(reference: &str) -> Option<(GraphName, RunNo)> {
    let mut parts = reference.strip_prefix(CUSTODY)?.split('/');
    let graph = GraphName::new(parts.next()?).ok()?;
    let run = parts.next()?.parse().ok()?;
    parts.next()?;
    Some((graph, RunNo(run)))
}

/// How a run stands, as its journal says. Who holds the graph's lock decides whether it is carried right now.
pub fn standing(project: &Project, graph: &GraphName, run: RunNo) -> Standing {
    let loaded = match store::load(project, graph, run) {
        Ok(loaded) => loaded,
        Err(RuntimeError::NoRun { .. }) => return Standing::Gone,
        Err(error) => return Standing::Unreadable { reason: error.to_string() },
    };
    standing_of(&loaded)
}

pub(super) fn standing_of(loaded: &Loaded) -> Standing {
    let state = &loaded.state;
    let rests = !matches!(state.run.status, None | Some(RunStatus::Running))
        && state.outstanding.is_empty()
        && state.lanes.iter().all(|lane| lane.undo.is_none());
    if !rests {
        return Standing::Live;
    }
    let open = state.lanes.iter().position(|lane| lane.status != LaneStatus::Merged);
    match open {
        Some(lane) => Standing::Unmerged { lane: loaded.plan.lanes[lane].id.clone() },
        None => Standing::Over { since: loaded.envelopes.last().map_or(Timestamp::default(), |e| e.at) },
    }
}

/// Deletes the custody refs, each if it is still where it was seen. The graphs' locks are held meanwhile; a ref of a graph that
/// an orchestrator carries stays and is returned with the reason.
pub fn drop_kept(project: &Project, all: &[Kept]) -> Result<Vec<(String, RuntimeError)>, RuntimeError> {
    let mut refused = Vec::new();
    for kept in all {
        let deleted = match &kept.run {
            Some((graph, _)) => under_lock(project, graph, || delete(project, kept)),
            None => delete(project, kept),
        };
        match deleted {
            Ok(()) => {}
            Err(error @ RuntimeError::Lock(LockError::Held { .. })) => {
                refused.push((kept.found.reference.clone(), error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

fn delete(project: &Project, kept: &Kept) -> Result<(), RuntimeError> {
    match project.repo.drop_custody(&kept.found.reference, &kept.found.commit) {
        // It holds something newer now, which nobody has decided about.
        Ok(()) | Err(GitError::RefMoved { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Does `work` while nobody carries the graph. A graph that the record does not know needs no lock, and gets none.
pub(super) fn under_lock<T>(
    project: &Project,
    graph: &GraphName,
    work: impl FnOnce() -> Result<T, RuntimeError>,
) -> Result<T, RuntimeError> {
    if !project.record.graph_dir(graph).is_dir() {
        return work();
    }
    let _lock = store::lock(project, graph)?;
    work()
}
