//! The graph file that a command is given.
#![expect(clippy::disallowed_methods, reason = "looks for graph files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::config::Layers;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::graph::{self, Graph, ProjectDefaults, Role, RoleSource, Source};
use crate::id::RoleName;
use crate::plain_file::{self, Found, Odd};
use crate::plan::Plan;
use crate::runtime::Project;

/// How large the text of a role may be, in bytes; every attempt reads it.
const ROLE_BYTES: usize = 32 << 10;

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
    let text = match plain_file::read_named_text(&full, plain_file::MOST_BYTES) {
        Ok(text) => text,
        Err(error) => return Err(unreadable(path, &error).hint(next_step(project, path, &error))),
    };
    let source = Source { path: shown(project, &full, path), text };
    let known = ProjectDefaults { roles: roles(project, &full, path)?, ..layers.project_defaults() };
    match graph::parse(&source, &known) {
        Ok(graph) => Ok(GraphFile { source, graph }),
        Err(problems) => Err(CliError::graph(&problems, &source)),
    }
}

/// Says where the text of the graph file is not what the run was planned from, and whether that is so.
pub(super) fn tell_drift(session: &Session, plan: &Plan, digest: &str) -> bool {
    let drifted = plan.source.digest != digest;
    if drifted {
        session.note(&format!(
            "the graph file has changed since run {} began: the run keeps its plan; `--fresh` begins a new run with \
             the new text",
            plan.run
        ));
    }
    drifted
}

/// Says the same where nobody named the file. One that cannot be read, such as a stream, says nothing: the run does not need it.
pub(super) fn tell_drift_of_source(session: &Session, project: &Project, plan: &Plan) {
    let path = project.root().join(&plan.source.path);
    match plain_file::read_text(&path, plain_file::MOST_BYTES) {
        Ok(text) => {
            tell_drift(session, plan, &graph::digest(&text));
        }
        Err(error) => tracing::debug!(%error, path = %path.display(), "the graph file is not compared"),
    }
}

/// The roles that stand in `roles/` beside the graph file. A file whose name is no id, such as a README, is none.
fn roles(project: Option<&Project>, full: &Path, given: &Path) -> Result<BTreeMap<RoleName, Role>, CliError> {
    let mut roles = BTreeMap::new();
    let beside = |path: &Path| path.parent().unwrap_or(Path::new("")).join("roles");
    let dir = beside(full);
    let unreadable = |error: std::io::Error| {
        let text = format!("the roles in {} cannot be read: {error}", beside(given).display());
        CliError::new("role_file", Exit::Usage, text)
    };
    for file in files_in(&dir, "md").map_err(unreadable)? {
        let name = file.file_stem().and_then(|stem| RoleName::new(stem.to_str()?).ok());
        let (Some(name), Some(file_name)) = (name, file.file_name()) else { continue };
        let path = shown(project, &file, &beside(given).join(file_name));
        roles.insert(name, Role::new(role_text(&file, &path)?, RoleSource::File(path)));
    }
    Ok(roles)
}

/// The text of a role, which a person may have mistaken for a place to put a whole manual.
fn role_text(file: &Path, shown: &str) -> Result<String, CliError> {
    let refused = |why: String| {
        CliError::new("role_file", Exit::Usage, format!("the role {shown} cannot be used: {why}"))
    };
    let text =
        plain_file::read_text(file, plain_file::MOST_BYTES).map_err(|error| refused(error.to_string()))?;
    match text.len() {
        0..=ROLE_BYTES if text.trim().is_empty() => Err(refused("it says nothing".to_owned())),
        0..=ROLE_BYTES => Ok(text),
        size => Err(refused(format!("it has {size} bytes, and {ROLE_BYTES} are the most"))),
    }
}

fn next_step(project: Option<&Project>, path: &Path, error: &std::io::Error) -> Option<String> {
    let near = || instead(project, path);
    match Odd::of(error) {
        Some(Odd::NotAFile { found: Found::Directory }) => near(),
        Some(Odd::NotAFile { found: Found::Fifo }) => {
            Some("to hand over a stream, give `/dev/stdin` for the graph".to_owned())
        }
        Some(_) => Some("a graph is a TOML file; `laneway demo` makes one to look at".to_owned()),
        None => (error.kind() == std::io::ErrorKind::NotFound).then(near).flatten(),
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
    files_in(&root.join("graphs"), "toml")
}

/// The files of a folder with this extension, by name; none where there is no folder.
fn files_in(dir: &Path, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
