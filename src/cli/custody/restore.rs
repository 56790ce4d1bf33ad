//! `laneway custody restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Stock;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::git::GitError;
use crate::runtime::Project;

/// Bring back what is kept, in a worktree of its own on a new branch
///
/// What was committed is the branch, what was staged is staged, and the files are as they were, byte for byte. Nothing that is
/// there is overwritten; what is kept stays kept.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway custody restore 1f3a\n  laneway custody restore 1f3a --to ../rescued --branch rescued"
)]
pub(super) struct CustodyRestoreArgs {
    /// Its id, or the start of it
    #[arg(value_name = "ID")]
    id: String,
    /// The new worktree; default: .worktrees/restored/ID
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// The new branch; default: restored/ID
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

impl CustodyRestoreArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let stock = Stock::open(session)?;
        let kept = stock.one(&self.id)?;
        let (project, id) = (&stock.project, stock.id(kept));
        let branch = match &self.branch {
            Some(branch) if git2::Branch::name_is_valid(branch).unwrap_or(false) => branch.clone(),
            Some(branch) => {
                return Err(CliError::usage(format!("`{branch}` cannot be the name of a branch")));
            }
            None => free_branch(project, &id)?,
        };
        let path = self.to.as_ref().map_or_else(|| free_path(project, &id), |to| session.path(to));
        project.repo.exclude(&["/.worktrees/"])?;
        let restored = project.repo.bring_back(&kept.found, &path, &branch).map_err(refused)?;
        let path = restored.worktree.path.display().to_string();
        if session.json() {
            session.answer_json(&json!({
                "id": id,
                "reference": kept.found.reference,
                "path": path,
                "branch": restored.branch,
                "changed_files": restored.files,
            }))?;
        } else {
            session.answer(&path)?;
            let files = restored.files;
            session.note(&format!("on the new branch {}, with {files} changed files", restored.branch));
        }
        Ok(Exit::Achieved)
    }
}

fn refused(error: GitError) -> CliError {
    let hint = match &error {
        GitError::PathOccupied { .. } | GitError::PathOfAnother { .. } => {
            Some("nothing is overwritten: give another --to")
        }
        GitError::RefMoved { .. } => Some("no branch is moved: give another --branch"),
        _ => None,
    };
    CliError::from(error).hint(hint.map(str::to_owned))
}

fn free_branch(project: &Project, id: &str) -> Result<String, CliError> {
    let first = format!("restored/{id}");
    let (mut name, mut n) = (first.clone(), 1_u32);
    while project.repo.branch_tip(&name)?.is_some() {
        n += 1;
        name = format!("{first}-{n}");
    }
    Ok(name)
}

fn free_path(project: &Project, id: &str) -> PathBuf {
    let parent = project.worktrees().join("restored");
    let taken = |path: &Path| path.symlink_metadata().is_ok();
    let numbered = (1_u32..).map(|n| if n == 1 { id.to_owned() } else { format!("{id}-{n}") });
    let mut free = numbered.map(|name| parent.join(name)).filter(|path| !taken(path));
    free.next().expect("some number is free")
}
