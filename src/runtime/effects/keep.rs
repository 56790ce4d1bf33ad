//! Custody under a name of its own: what is kept a second time never takes the place of what was kept first.

use std::path::PathBuf;

use crate::event::CustodyKept;
use crate::git::{GitError, Worktree};
use crate::id::{Sha, TaskId};
use crate::plan;
use crate::runtime::Context;

/// Keeps what `worktree` holds and nothing of `known` does. An effect that is done again finds the name of its first
/// try taken, and takes the next.
pub(super) fn worktree(
    context: &Context,
    worktree: &Worktree,
    what: &str,
    reason: &str,
    known: &[Sha],
) -> Result<Option<CustodyKept>, GitError> {
    let reference = free(context, what, None)?;
    let commit = context.project.repo.custody(worktree, &reference, reason, known)?;
    Ok(commit.map(|commit| CustodyKept { reference, commit, reason: reason.to_owned() }))
}

/// The same, and then brings the worktree to `at`, which is one of `known`; how that went comes second.
pub(super) fn worktree_then_set(
    context: &Context,
    worktree: &Worktree,
    (what, reason): (&str, &str),
    known: &[Sha],
    at: &Sha,
) -> Result<(Option<CustodyKept>, Result<(), GitError>), GitError> {
    let reference = free(context, what, None)?;
    let (commit, set) = context.project.repo.custody_then_set(worktree, (&reference, reason), known, at)?;
    Ok((commit.map(|commit| CustodyKept { reference, commit, reason: reason.to_owned() }), set))
}

/// Keeps a commit.
pub(super) fn commit(
    context: &Context,
    commit: &Sha,
    what: &str,
    reason: &str,
) -> Result<CustodyKept, GitError> {
    let reference = free(context, what, Some(commit))?;
    context.project.repo.set_ref(&reference, commit, None)?;
    Ok(CustodyKept { reference, commit: commit.clone(), reason: reason.to_owned() })
}

/// What the uncommitted files are kept as that one process of an attempt left. The name tells the process that goes on from it,
/// whichever orchestrator starts that one.
pub(super) fn uncommitted(task: &TaskId, attempt: u32, iteration: u32) -> String {
    format!("uncommitted/{task}/{attempt}-{iteration}")
}

/// The file in an attempt's record that names the repositories inside the lane that one process left, each ending in a NUL.
fn nested_file(context: &Context, task: &TaskId, (attempt, iteration): (u32, u32)) -> PathBuf {
    context.attempt_record(task, attempt).join(format!("nested-{iteration}"))
}

/// Notes the repositories inside the lane whose files are kept with the uncommitted ones, and are not to be given back.
pub(super) fn note_nested(
    context: &Context,
    task: &TaskId,
    process: (u32, u32),
    folders: &[&str],
) -> std::io::Result<()> {
    let text: String = folders.iter().flat_map(|folder| [*folder, "\0"]).collect();
    std::fs::write(nested_file(context, task, process), text)
}

/// The repositories inside the lane that a process left.
pub(super) fn nested(context: &Context, task: &TaskId, process: (u32, u32)) -> Vec<String> {
    // Where nothing was noted, there were none.
    let text = std::fs::read_to_string(nested_file(context, task, process)).unwrap_or_default();
    text.split('\0').filter(|folder| !folder.is_empty()).map(str::to_owned).collect()
}

/// What was kept last as `what`.
pub(super) fn newest(context: &Context, what: &str) -> Result<Option<(String, Sha)>, GitError> {
    let first = plan::custody_ref(&context.plan.graph, context.plan.run, what);
    let (mut name, mut newest, mut n) = (first.clone(), None, 1_u32);
    while let Some(found) = context.project.repo.read_ref(&name)? {
        newest = Some((name, found));
        n += 1;
        name = format!("{first}.{n}");
    }
    Ok(newest)
}

/// The first name for `what` that is not taken, or that holds `commit` already.
fn free(context: &Context, what: &str, commit: Option<&Sha>) -> Result<String, GitError> {
    let first = plan::custody_ref(&context.plan.graph, context.plan.run, what);
    let mut name = first.clone();
    let mut n = 1_u32;
    while let Some(found) = context.project.repo.read_ref(&name)? {
        if Some(&found) == commit {
            break;
        }
        n += 1;
        name = format!("{first}.{n}");
    }
    Ok(name)
}
