//! `laneway custody show`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Row, Stock};
use crate::cli::age;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::git::{Change, DiffFile, KeptKind};
use crate::id::Sha;
use crate::view::elapsed;

/// Show the files of what is kept, or the bytes of one of them
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway custody show 1f3a\n  laneway custody show 1f3a --file src/a.rs")]
pub(super) struct CustodyShowArgs {
    /// Its id, or the start of it
    #[arg(value_name = "ID")]
    id: String,
    /// Print the bytes of this file, as they were
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// As they were staged
    #[arg(long, requires = "file")]
    staged: bool,
}

/// A file that differs.
#[derive(Debug, Serialize)]
struct File {
    path: String,
    change: &'static str,
    additions: u64,
    deletions: u64,
    binary: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    /// The commit that HEAD was at; of a branch, the parent of its commit.
    base: Option<Sha>,
    files: Vec<File>,
    staged: Vec<File>,
    /// A commit that holds on to an unfinished operation, and to commits that only the lane's reflog named.
    left: Option<Sha>,
}

impl CustodyShowArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let stock = Stock::open(session)?;
        let kept = stock.one(&self.id)?;
        let repo = &stock.project.repo;
        if let Some(path) = &self.file {
            let Some(bytes) = repo.custody_file(&kept.found, path, self.staged)? else {
                let message = format!("there is no file {} in {}", path.display(), stock.id(kept));
                return Err(CliError::new("no_file", Exit::Usage, message)
                    .hint(format!("`laneway custody show {}` lists its files", stock.id(kept))));
            };
            session.out().with(|out| out.write_all(&bytes))?;
            return Ok(Exit::Achieved);
        }
        let base = kept.found.base().cloned();
        let differing = |to: &Sha| match &base {
            Some(base) => repo.diff(base, to).map(|files| files.into_iter().map(File::from).collect()),
            None => Ok(Vec::new()),
        };
        let (staged, left) = match &kept.found.kind {
            KeptKind::Worktree { index, left, .. } => (differing(index)?, left.clone()),
            KeptKind::Commit { .. } => (Vec::new(), None),
        };
        let files = differing(&kept.found.commit)?;
        let shown = Shown { row: stock.row(kept)?, files, staged, left, base };
        if session.json() {
            session.answer_json(&shown)?;
        } else {
            session.answer(&text(&shown))?;
        }
        Ok(Exit::Achieved)
    }
}

impl From<DiffFile> for File {
    fn from(file: DiffFile) -> Self {
        let change = match file.change {
            Change::Added => "added",
            Change::Modified => "modified",
            Change::Deleted => "deleted",
            Change::Renamed => "renamed",
            Change::TypeChanged => "type_changed",
        };
        let DiffFile { path, additions, deletions, binary, .. } = file;
        Self { path, change, additions, deletions, binary }
    }
}

fn text(shown: &Shown) -> String {
    let row = &shown.row;
    let base = shown.base.as_ref().map_or("nothing", Sha::short);
    let mut lines = vec![
        format!("{}  {}", row.id, row.reason),
        format!("kept {} ago, {}", elapsed(row.age_ms), age::size(row.bytes)),
        row.reference.clone(),
    ];
    for (title, files) in [("files, against", &shown.files), ("staged, against", &shown.staged)] {
        if !files.is_empty() {
            lines.push(format!("\n{title} {base}:"));
            lines.extend(files.iter().map(line));
        }
    }
    if let Some(left) = &shown.left {
        lines.push(format!(
            "\nonly the lane's git directory knew: git log {} (its files: an unfinished operation)",
            left.short()
        ));
    }
    lines.push(format!("\nbring it back: laneway custody restore {}", row.id));
    lines.join("\n")
}

fn line(file: &File) -> String {
    let letter = match file.change {
        "added" => 'A',
        "deleted" => 'D',
        "renamed" => 'R',
        "type_changed" => 'T',
        _ => 'M',
    };
    // A name cannot move the cursor.
    let path = file.path.escape_debug();
    if file.binary {
        format!("  {letter} {path}  binary")
    } else {
        format!("  {letter} {path}  +{} -{}", file.additions, file.deletions)
    }
}
