//! What a worktree of a lane gets beside the files of its commit: copies of ignored files, and what setup commands make.
//!
//! It is done once a worktree, after its files are there and before anybody works in it. What was done is noted last, in
//! the record, so an interrupted try is made again; nothing that lies there already is copied over.

mod setup;
mod shelf;

pub use shelf::{SetupResult, setup_results};

use std::path::PathBuf;
use std::sync::Arc;

use super::{blocking, git_failure, permanent};
use crate::event::{CheckRecorded, CheckStatus, Failure};
use crate::failpoint::{self, Point};
use crate::git::{Brought, LeftOut, TreeState, Worktree};
use crate::graph::Furnishing;
use crate::id::{LaneId, Sha};
use crate::runtime::Context;
use crate::runtime::halt::AttemptKey;
use crate::signal::digest;

/// How many paths a check names.
const NAMED: usize = 10;

/// A worktree of a lane.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) lane: LaneId,
    pub(super) worktree: Worktree,
    /// The commit whose files it has.
    pub(super) at: Sha,
    /// The attempt that it is for; none for the lane's own.
    pub(super) attempt: Option<AttemptKey>,
}

/// Furnishes the worktree, unless that was done. The evidence counts also where it fails.
pub(super) async fn furnish(
    context: &Arc<Context>,
    room: &Room,
    checks: &mut Vec<CheckRecorded>,
) -> Result<(), Failure> {
    let plan = &context.lane(&room.lane).furnish;
    let copies = plan.copy.as_deref().unwrap_or_default();
    if copies.is_empty() && plan.setup.is_empty() && !context.project.repo.has_include() {
        return Ok(());
    }
    let what = name_of(plan)?;
    let (shared, at, noted) = (Arc::clone(context), room.clone(), what.clone());
    let brought = blocking(move || {
        let repo = &shared.project.repo;
        if repo.furnished(&at.worktree)?.is_some_and(|found| found == noted) {
            return Ok(None);
        }
        let copy = shared.lane(&at.lane).furnish.copy.as_deref().unwrap_or_default();
        repo.bring(&at.worktree, copy, &own_folders(&shared)).map(Some)
    })
    .await
    .map_err(|e| git_failure("copying files into the lane", &e))?;
    let Some(brought) = brought else { return Ok(()) };
    checks.extend(told(&brought));
    if !plan.setup.is_empty() {
        setup::run_all(context, room, &plan.setup, checks).await?;
    }
    let (shared, at) = (Arc::clone(context), room.clone());
    let left = blocking(move || {
        let repo = &shared.project.repo;
        let left = repo.tree_state(&at.worktree, &at.at)?;
        if !left.is_clean() {
            repo.set_to(&at.worktree, &at.at)?;
        }
        failpoint::pass(Point::FurnishNote);
        repo.set_furnished(&at.worktree, &what)?;
        failpoint::pass(Point::FurnishNoted);
        Ok(left)
    })
    .await
    .map_err(|e| git_failure("looking at what the setup left", &e))?;
    checks.extend(taken_back(&left));
    Ok(())
}

/// One line for what a worktree is to be furnished with; another one where the graph was changed since.
fn name_of(plan: &Furnishing) -> Result<String, Failure> {
    let text = serde_json::to_vec(&(plan.copy.as_deref().unwrap_or_default(), &plan.setup));
    let text = text.map_err(|e| permanent(format!("the furnishing could not be written down: {e}")))?;
    Ok(digest(&text))
}

/// Laneway's own folders in the main worktree, of which nothing is ever copied.
fn own_folders(context: &Context) -> Vec<PathBuf> {
    let places = &context.plan.places;
    let worktrees = places.worktrees.parent().unwrap_or(&places.worktrees).to_owned();
    vec![worktrees, places.repo.join(".laneway"), places.repo.join(".worktrees")]
}

/// The evidence about copied files; none where nothing was asked for.
fn told(brought: &Brought) -> Option<CheckRecorded> {
    let copied = brought.copied;
    if copied.files == 0 && brought.left_out.is_empty() {
        return None;
    }
    let mut said = Vec::new();
    if copied.files > 0 {
        let names = brought.names.iter().map(|path| path.display().to_string()).collect();
        let (files, bytes) = (counted(copied.files, "file"), counted(copied.bytes, "byte"));
        said.push(format!("copied {files}, {bytes}: {}", named(names)));
    }
    if copied.shared > 0 {
        let share = if copied.shared == 1 { "shares its" } else { "share their" };
        said.push(format!("{} of them {share} blocks with the original", copied.shared));
    }
    said.extend(left_out(&brought.left_out));
    if !brought.leading_out.is_empty() {
        let links = brought.leading_out.iter().map(|path| path.display().to_string());
        said.push(format!("links that lead out of the lane: {}", named(links.collect())));
    }
    let is_whole = brought.left_out.is_empty() && brought.leading_out.is_empty();
    let status = if is_whole { CheckStatus::Pass } else { CheckStatus::Warn };
    Some(CheckRecorded { name: "copy".to_owned(), status, detail: said.join("; "), duration_ms: 0 })
}

fn left_out(all: &[LeftOut]) -> Vec<String> {
    let mut groups: [(&str, Vec<String>); 4] = [
        ("nothing untracked is there to copy", Vec::new()),
        ("left out, since git would commit it", Vec::new()),
        ("left out, a repository of its own", Vec::new()),
        ("left out, a link or a file of the lane is in the way", Vec::new()),
    ];
    for one in all {
        let (group, name) = match one {
            LeftOut::Missing { glob } => (0, glob.clone()),
            LeftOut::NotIgnored { path } => (1, path.display().to_string()),
            LeftOut::Repository { path } => (2, path.display().to_string()),
            LeftOut::InTheWay { path } => (3, path.display().to_string()),
        };
        groups[group].1.push(name);
    }
    let told = groups.into_iter().filter(|(_, names)| !names.is_empty());
    told.map(|(why, names)| format!("{why}: {}", named(names))).collect()
}

/// What the setup changed that git would commit is no work of a task.
fn taken_back(left: &TreeState) -> Option<CheckRecorded> {
    if left.is_clean() {
        return None;
    }
    let names = left.files.iter().map(|file| file.path.clone()).collect();
    let detail = format!("what the setup changed beside ignored files was put back: {}", named(names));
    Some(CheckRecorded { name: "setup-clean".to_owned(), status: CheckStatus::Warn, detail, duration_ms: 0 })
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The first of `names`, and how many more there are.
fn named(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let list = names.join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
