//! The graph file that a command is given.
#![expect(clippy::disallowed_methods, reason = "reads graph files")]

use std::path::{Path, PathBuf};

use super::config::Layers;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::graph::{self, Graph, Source};
use crate::runtime::Project;

/// A graph and the file that it was read from.
#[derive(Debug)]
pub(super) struct GraphFile {
    /// The file.
    pub(super) source: Source,
    /// What it says.
    pub(super) graph: Graph,
}

/// Reads the graph at `path`. Its path is shown from the root of the repository where it lies in it.
pub(super) fn read(
    session: &Session,
    project: Option<&Project>,
    layers: &Layers,
    path: &Path,
) -> Result<GraphFile, CliError> {
    let full = session.path(path);
    let text = match std::fs::read_to_string(&full) {
        Ok(text) => text,
        Err(error) => {
            let hint =
                (error.kind() == std::io::ErrorKind::NotFound).then(|| instead(project, path)).flatten();
            return Err(unreadable(path, &error).hint(hint));
        }
    };
    let source = Source { path: shown(project, &full, path), text };
    match graph::parse(&source, &layers.project_defaults()) {
        Ok(graph) => Ok(GraphFile { source, graph }),
        Err(problems) => Err(CliError::graph(&problems, &source)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(
        "graph_file",
        Exit::Usage,
        format!("the graph file {} cannot be read: {error}", path.display()),
    )
}

fn shown(project: Option<&Project>, full: &Path, given: &Path) -> String {
    let inside = project.and_then(|project| {
        let full = std::fs::canonicalize(full).ok()?;
        Some(full.strip_prefix(project.root()).ok()?.to_owned())
    });
    inside.unwrap_or_else(|| given.to_owned()).display().to_string()
}

/// Names a graph that was probably meant.
fn instead(project: Option<&Project>, path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let files = shipped(&project?.root()).ok()?;
    let stems: Vec<&str> = files.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
    let near = super::config::nearest(stem, stems.iter().copied());
    match near {
        Some(near) => Some(format!("did you mean `graphs/{near}.toml`?")),
        None if stems.is_empty() => None,
        None => Some(format!("the graphs here: {}", stems.join(", "))),
    }
}

/// The files `graphs/*.toml` of the repository, by name.
pub(super) fn shipped(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let dir = root.join("graphs");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
