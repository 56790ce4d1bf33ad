//! Worktrees of runs that a person has given up: they rest, are not merged, and would be kept for as long.

use super::plan::{Item, Left, Spared, Thing, leftovers};
use super::size;
use crate::event::Timestamp;
use crate::id::{GraphName, RunNo};
use crate::runtime::kept::{Standing, standing_of};
use crate::runtime::{Project, RuntimeError, store};

/// The worktrees of the graph's runs, or of this one, with why one stays. Branches, journals and logs are not among them.
/// Changes nothing.
pub fn abandoned(
    project: &Project,
    graph: &GraphName,
    run: Option<RunNo>,
) -> Result<Vec<Item>, RuntimeError> {
    let known = project.repo.known_worktrees()?;
    let mut items = Vec::new();
    for run in project.record.runs(graph)?.into_iter().filter(|one| run.is_none_or(|run| run == *one)) {
        let loaded = store::load(project, graph, run)?;
        let spared = at_work(&standing_of(&loaded));
        let since = loaded.envelopes.last().map_or(Timestamp::default(), |last| last.at);
        for worktree in leftovers(project, &loaded.plan, &known)? {
            let locked = worktree.admin.join("locked").exists().then_some(Spared::Locked);
            let (bytes, spared) = (size::of(&worktree.path), spared.clone().or(locked));
            let thing = Thing::Worktree { worktree, run: (graph.clone(), run), left: Left::Abandoned };
            items.push(Item { thing, since, bytes, spared });
        }
    }
    Ok(items)
}

/// Why nothing goes of a run that was given up.
pub(super) fn at_work(standing: &Standing) -> Option<Spared> {
    match standing {
        Standing::Over { .. } | Standing::Unmerged { .. } | Standing::Gone => None,
        Standing::Live => Some(Spared::Live),
        Standing::Unreadable { reason } => Some(Spared::Unreadable { reason: reason.clone() }),
    }
}
