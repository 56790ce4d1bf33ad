//! `laneway.toml` and the user's `config.toml`.
//!
//! What these files share with a graph (`[defaults]`, `[agents]`, `max_parallel`, `handoff`) is read by the graph's
//! own reader, so that it means the same in both.
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike, value};

use super::env;
use super::layer::{Layer, Settings, Source};
use crate::graph::{self, Graph, Lfs, Millis, ProjectDefaults};
use crate::id::{AgentName, IdError};
use crate::plain_file::{self, Odd};
use crate::plan::Share;

/// Keys that are read by the graph's reader.
const SHARED: [&str; 4] = ["max_parallel", "handoff", "defaults", "agents"];
/// Keys that only these files have.
const OWN: [&str; 5] = ["grace", "worktrees", "offline", "lanes", "forge"];

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ConfigError {
    /// The file is there and cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: toml_edit::TomlError,
    },
    /// The file says what cannot be followed.
    #[error("{}: {}", path.display(), join(problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// All of it.
        problems: Vec<Problem>,
    },
    /// A variable holds what it cannot take.
    #[error("the environment variable {name} takes {takes}, not `{value}`")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
}

/// What is wrong in a file.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Problem {
    /// A key that nobody would read.
    #[error("`{key}` is not a key of {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table.
        table: &'static str,
        /// The key that was probably meant.
        near: Option<&'static str>,
    },
    /// A value that the key does not take.
    #[error("`{key}` takes {takes}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// The name of an agent is no id.
    #[error("`{name}` cannot be the name of an agent: {source}")]
    Agent {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: IdError,
    },
    /// A substitution, which has a meaning only in a graph.
    #[error("the gate has a `${{...}}`, which only graph files know")]
    Substitution,
    /// What the graph's reader says.
    #[error("{message}")]
    Shared {
        /// Its message.
        message: String,
        /// Its hint.
        hint: Option<String>,
    },
}

fn join(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}

impl ConfigError {
    /// What to do about it.
    pub(in crate::cli) fn hints(&self) -> Vec<String> {
        match self {
            Self::Problems { problems, .. } => problems.iter().filter_map(Problem::hint).collect(),
            Self::Read { source, .. } if Odd::of(source).is_some() => {
                vec!["put a TOML file there, or remove it: every setting has a default".to_owned()]
            }
            Self::Read { .. } | Self::Syntax { .. } | Self::Variable { .. } => Vec::new(),
        }
    }
}

impl Problem {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { near, .. } => near.map(|near| format!("did you mean `{near}`?")),
            Self::Shared { hint, .. } => hint.clone(),
            Self::Substitution => Some("a shell variable can be written `$NAME`".to_owned()),
            Self::Value { .. } | Self::Agent { .. } => None,
        }
    }
}

/// Reads the file at `path` if there is one. `repo` is what a relative `worktrees` counts from.
///
/// What it says of an agent in `known` is laid over that.
pub(super) fn read(
    path: &Path,
    layer: Layer,
    repo: Option<&Path>,
    known: &ProjectDefaults,
) -> Result<Option<Source>, ConfigError> {
    let text = match plain_file::read_text(path, plain_file::MOST_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(ConfigError::Read { path: path.to_owned(), source });
        }
    };
    let document: DocumentMut =
        text.parse().map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
    let (mut settings, problems) = read_table(document, known);
    if !problems.is_empty() {
        return Err(ConfigError::Problems { path: path.to_owned(), problems });
    }
    if let (Some(worktrees), Some(repo)) = (&mut settings.worktrees, repo) {
        *worktrees = repo.join(&worktrees);
    }
    Ok(Some(Source { layer, place: path.display().to_string(), settings }))
}

fn read_table(mut document: DocumentMut, known: &ProjectDefaults) -> (Settings, Vec<Problem>) {
    let mut problems = Vec::new();
    let keys: Vec<&'static str> = SHARED.into_iter().chain(OWN).collect();
    unknown_keys(document.as_table(), &keys, "the configuration", &mut problems);
    let mut settings = Settings {
        grace: own(document.as_table(), "grace", "a duration such as \"10s\"", &mut problems, |item| {
            duration(item.as_str()?)
        }),
        worktrees: own(document.as_table(), "worktrees", "a path", &mut problems, |item| {
            item.as_str().filter(|text| !text.trim().is_empty()).map(PathBuf::from)
        }),
        offline: own(document.as_table(), "offline", "true or false", &mut problems, Item::as_bool),
        ..Settings::default()
    };
    read_lanes(&document, &mut settings, &mut problems);
    read_forge(&document, &mut settings, &mut problems);
    document.retain(|key, _| SHARED.contains(&key));
    read_shared(document, known, &mut settings, &mut problems);
    (settings, problems)
}

/// Reads the value of one key, or says what it takes.
fn own<T>(
    table: &dyn TableLike,
    key: &'static str,
    takes: &'static str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Item) -> Option<T>,
) -> Option<T> {
    let item = table.get(key)?;
    let found = read(item);
    if found.is_none() {
        problems.push(Problem::Value { key, takes });
    }
    found
}

fn read_lanes(document: &DocumentMut, settings: &mut Settings, problems: &mut Vec<Problem>) {
    let Some(item) = document.get("lanes") else { return };
    let Some(lanes) = item.as_table_like() else {
        problems.push(Problem::Value { key: "lanes", takes: "a table" });
        return;
    };
    unknown_keys(lanes, &["ports", "warm", "share", "copy", "submodules", "lfs"], "[lanes]", problems);
    let takes = "a range of ports such as \"20000-29999\"";
    settings.ports = own(lanes, "ports", takes, problems, |item| item.as_str()?.parse().ok());
    settings.warm = own(lanes, "warm", "a whole number of lanes", problems, |item| {
        u32::try_from(item.as_integer()?).ok()
    });
    settings.share = own(lanes, "share", "\"auto\" or \"never\"", problems, |item| share(item.as_str()?));
    settings.submodules = own(lanes, "submodules", "true or false", problems, Item::as_bool);
    settings.lfs = own(lanes, "lfs", "\"auto\" or \"skip\"", problems, |item| match item.as_str()? {
        "auto" => Some(Lfs::Auto),
        "skip" => Some(Lfs::Skip),
        _ => None,
    });
    if let Some(copy) = lanes.get("copy") {
        match read_copy(copy) {
            Ok(copy) => settings.copy = copy,
            Err(found) => problems.extend(found),
        }
    }
}

/// Whether lanes share their files.
pub(super) fn share(text: &str) -> Option<Share> {
    match text {
        "auto" => Some(Share::Auto),
        "never" => Some(Share::Never),
        _ => None,
    }
}

/// Reads `copy` as a workstream has it.
fn read_copy(copy: &Item) -> Result<Option<Vec<String>>, Vec<Problem>> {
    let mut workstream = Table::new();
    workstream["id"] = value("default");
    workstream["copy"] = copy.clone();
    let mut workstreams = ArrayOfTables::new();
    workstreams.push(workstream);
    let mut document = DocumentMut::new();
    document["workstreams"] = Item::ArrayOfTables(workstreams);
    let graph = read_as_graph(document, &[], &ProjectDefaults::default())?;
    Ok(graph.workstreams.into_iter().next().and_then(|workstream| workstream.furnish.copy))
}

fn read_forge(document: &DocumentMut, settings: &mut Settings, problems: &mut Vec<Problem>) {
    let Some(item) = document.get("forge") else {
        return;
    };
    let Some(forge) = item.as_table_like() else {
        problems.push(Problem::Value { key: "forge", takes: "a table" });
        return;
    };
    unknown_keys(forge, &["kind", "local", "github"], "[forge]", problems);
    let kinds = "\"auto\", \"local\" or \"github\"";
    settings.forge = own(forge, "kind", kinds, problems, |item| env::forge(item.as_str()?));
    read_github(forge, settings, problems);
    let Some(local) = forge.get("local") else { return };
    let Some(local) = local.as_table_like() else {
        problems.push(Problem::Value { key: "local", takes: "a table" });
        return;
    };
    unknown_keys(local, &["push_target"], "[forge.local]", problems);
    settings.push_target = own(local, "push_target", "true or false", problems, Item::as_bool);
}

fn read_github(forge: &dyn TableLike, settings: &mut Settings, problems: &mut Vec<Problem>) {
    let Some(github) = forge.get("github") else { return };
    let Some(github) = github.as_table_like() else {
        problems.push(Problem::Value { key: "github", takes: "a table" });
        return;
    };
    unknown_keys(github, &["api", "repository"], "[forge.github]", problems);
    let api = "an address such as \"https://github.example.org/api/v3\"";
    settings.github_api = own(github, "api", api, problems, |item| env::github_api(item.as_str()?));
    settings.github_repository =
        own(github, "repository", "\"owner/name\"", problems, |item| env::github_repository(item.as_str()?));
}

fn unknown_keys(
    table: &dyn TableLike,
    known: &[&'static str],
    name: &'static str,
    problems: &mut Vec<Problem>,
) {
    for (key, _) in table.iter().filter(|(key, _)| !known.contains(key)) {
        problems.push(Problem::UnknownKey {
            key: key.to_owned(),
            table: name,
            near: nearest(key, known.iter().copied()),
        });
    }
}

/// The one of `known` that `word` is a slip of.
pub(in crate::cli) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Reads what these files share with a graph.
fn read_shared(
    document: DocumentMut,
    known: &ProjectDefaults,
    settings: &mut Settings,
    problems: &mut Vec<Problem>,
) {
    let names: Vec<String> = match document.get("agents").and_then(Item::as_table_like) {
        Some(agents) => agents.iter().map(|(name, _)| name.to_owned()).collect(),
        None => Vec::new(),
    };
    // An agent that no task names is not part of a graph, so each is named by a task.
    let graph = match read_as_graph(document, &names, known) {
        Ok(graph) => graph,
        Err(found) => {
            problems.extend(found);
            return;
        }
    };
    let gate = graph.defaults.gate;
    if gate.as_ref().is_some_and(|gate| gate.command.to_string().contains("${")) {
        problems.push(Problem::Substitution);
    }
    settings.max_parallel = graph.max_parallel;
    settings.handoff = graph.handoff;
    settings.attempts = graph.defaults.attempts;
    settings.timeout = graph.defaults.timeout;
    settings.gate = gate;
    settings.agents = graph.agents.into_iter().collect::<BTreeMap<_, _>>();
}

fn read_as_graph(
    mut document: DocumentMut,
    agents: &[String],
    known: &ProjectDefaults,
) -> Result<Graph, Vec<Problem>> {
    for name in agents {
        AgentName::new(name).map_err(|source| vec![Problem::Agent { name: name.clone(), source }])?;
    }
    let mut tasks = ArrayOfTables::new();
    let mut task = Table::new();
    task["id"] = value("settings");
    task["run"] = value("true");
    tasks.push(task);
    for (index, name) in agents.iter().enumerate() {
        let mut task = Table::new();
        task["id"] = value(format!("agent-{index}"));
        task["agent"] = value(name);
        task["prompt"] = value("settings");
        tasks.push(task);
    }
    document["name"] = value("settings");
    document["tasks"] = Item::ArrayOfTables(tasks);
    let source = graph::Source { path: "settings".to_owned(), text: document.to_string() };
    graph::parse(&source, known).map_err(|found| {
        let shared = |one: &graph::Diagnostic| Problem::Shared {
            message: one.message.clone(),
            hint: one.hint.clone(),
        };
        found.iter().map(shared).collect()
    })
}

/// Reads a duration as graphs write it.
pub(super) fn duration(text: &str) -> Option<Millis> {
    let mut defaults = Table::new();
    defaults["timeout"] = value(text);
    let mut document = DocumentMut::new();
    document["defaults"] = Item::Table(defaults);
    read_as_graph(document, &[], &ProjectDefaults::default()).ok()?.defaults.timeout
}
