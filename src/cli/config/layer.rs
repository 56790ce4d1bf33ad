//! The layers of settings, and which of them counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{env, file};
use crate::agent;
use crate::cli::error::CliError;
use crate::cli::session::Session;
use crate::graph::{AgentDef, Furnishing, Gate, Graph, Handoff, Lfs, Millis, ProjectDefaults};
use crate::id::AgentName;
use crate::plan::{ForgeKind, PortRange, Share};
use crate::runtime::Config;

/// Where a setting comes from; the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cli) enum Layer {
    /// Built in.
    Default,
    /// The user's own file.
    User,
    /// `laneway.toml`.
    Project,
    /// The graph file.
    Graph,
    /// The environment.
    Env,
    /// The command line.
    Flag,
}

impl Layer {
    /// The word on the screen.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::User => "user",
            Self::Project => "project",
            Self::Graph => "graph",
            Self::Env => "env",
            Self::Flag => "flag",
        }
    }
}

/// The forges that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ForgeChoice {
    /// GitHub where origin is there and a token is, else local
    Auto,
    /// The forge in the repository's own record
    Local,
    /// GitHub, or a GitHub Enterprise server
    #[value(name = "github")]
    GitHub,
}

impl ForgeChoice {
    /// The word in files and on the screen.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Local => "local",
            Self::GitHub => "github",
        }
    }
}

/// What one source sets; `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::cli) struct Settings {
    /// Attempts at once.
    pub(in crate::cli) max_parallel: Option<u32>,
    /// Attempts of a task.
    pub(in crate::cli) attempts: Option<u32>,
    /// The timeout of an attempt.
    pub(in crate::cli) timeout: Option<Millis>,
    /// The gate of a task.
    pub(in crate::cli) gate: Option<Gate>,
    /// When work may flow on.
    pub(in crate::cli) handoff: Option<Handoff>,
    /// Between being asked to end and being killed.
    pub(in crate::cli) grace: Option<Millis>,
    /// Where pull requests are opened.
    pub(in crate::cli) forge: Option<ForgeChoice>,
    /// The address of GitHub's interface.
    pub(in crate::cli) github_api: Option<String>,
    /// `owner/name` on GitHub.
    pub(in crate::cli) github_repository: Option<String>,
    /// The folder of the lanes.
    pub(in crate::cli) worktrees: Option<PathBuf>,
    /// The ports that lanes are given.
    pub(in crate::cli) ports: Option<PortRange>,
    /// The ignored files that lanes get a copy of.
    pub(in crate::cli) copy: Option<Vec<String>>,
    /// Whether lanes have submodules.
    pub(in crate::cli) submodules: Option<bool>,
    /// What lanes hold of files in LFS.
    pub(in crate::cli) lfs: Option<Lfs>,
    /// How many lanes that cannot begin yet have their worktree already.
    pub(in crate::cli) warm: Option<u32>,
    /// Whether lanes share their files with others of the same commit.
    pub(in crate::cli) share: Option<Share>,
    /// Whether nothing is fetched or pushed.
    pub(in crate::cli) offline: Option<bool>,
    /// Whether a merge moves the target at origin too.
    pub(in crate::cli) push_target: Option<bool>,
    /// Agents.
    pub(in crate::cli) agents: BTreeMap<AgentName, AgentDef>,
}

/// One source of settings.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Source {
    /// Its place in the order.
    pub(in crate::cli) layer: Layer,
    /// What it is called: a path, the name of a variable, a flag.
    pub(in crate::cli) place: String,
    /// What it sets.
    pub(in crate::cli) settings: Settings,
}

/// All sources, the weakest first.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Layers(Vec<Source>);

impl Layers {
    /// Orders `sources`; of one layer the later wins.
    pub(in crate::cli) fn new(mut sources: Vec<Source>) -> Self {
        sources.sort_by_key(|source| source.layer);
        Self(sources)
    }

    /// What counts where nothing is set.
    pub(in crate::cli) fn built_in() -> Self {
        Self::new(vec![Source::defaults()])
    }

    /// Reads every source but the graph and the flags. Without a repository there is no project.
    pub(in crate::cli) fn read(session: &Session, repo: Option<&Path>) -> Result<Self, CliError> {
        let mut layers = Self::built_in();
        // Each file adds to the agents of those before it, so it is read with them in sight.
        if let Some(path) = user_file(session) {
            layers.0.extend(file::read(&path, Layer::User, repo, &layers.project_defaults())?);
        }
        if let Some(repo) = repo {
            let path = repo.join("laneway.toml");
            layers.0.extend(file::read(&path, Layer::Project, Some(repo), &layers.project_defaults())?);
        }
        layers.0.extend(env::read(session)?);
        Ok(Self::new(layers.0))
    }

    /// Adds what the command line says.
    #[must_use]
    pub(in crate::cli) fn with(mut self, source: Option<Source>) -> Self {
        self.0.extend(source);
        Self::new(self.0)
    }

    /// The setting that counts, and where it comes from.
    pub(in crate::cli) fn pick<T>(&self, of: impl Fn(&Settings) -> Option<T>) -> Option<(T, &Source)> {
        self.0.iter().rev().find_map(|source| of(&source.settings).map(|value| (value, source)))
    }

    /// The agents that a graph may name without defining them, and where each is defined.
    pub(in crate::cli) fn agents(&self) -> BTreeMap<&AgentName, (&AgentDef, &Source)> {
        self.0
            .iter()
            .flat_map(|source| {
                let agents = source.settings.agents.iter();
                agents.map(move |(name, def)| (name, (def, source)))
            })
            .collect()
    }

    /// The agents as the graph reader wants them.
    pub(in crate::cli) fn project_defaults(&self) -> ProjectDefaults {
        let agents = self.agents().into_iter();
        let agents = agents.map(|(name, (def, _))| (name.clone(), def.clone())).collect();
        ProjectDefaults { agents, ..ProjectDefaults::default() }
    }

    /// Puts what is stronger than the graph into the graph.
    pub(in crate::cli) fn override_graph(&self, graph: &mut Graph) {
        let strong = Self(self.0.iter().filter(|s| s.layer > Layer::Graph).cloned().collect());
        if let Some((value, _)) = strong.pick(|s| s.max_parallel) {
            graph.max_parallel = Some(value);
        }
        if let Some((value, _)) = strong.pick(|s| s.handoff) {
            graph.handoff = Some(value);
        }
    }

    /// What counts where the graph says nothing.
    pub(in crate::cli) fn config(&self) -> Config {
        Config {
            max_parallel: self.pick(|s| s.max_parallel).map(|(v, _)| v),
            attempts: self.pick(|s| s.attempts).map(|(v, _)| v),
            timeout: self.pick(|s| s.timeout).map(|(v, _)| v),
            gate: self.pick(|s| s.gate.clone()).map(|(v, _)| v),
            grace: self.pick(|s| s.grace).map(|(v, _)| v),
            handoff: self.pick(|s| s.handoff).map(|(v, _)| v),
            forge: ForgeKind::Local,
            github: None,
            worktrees: self.pick(|s| s.worktrees.clone()).map(|(v, _)| v),
            ports: self.pick(|s| s.ports).map(|(v, _)| v),
            lanes: Furnishing {
                copy: self.pick(|s| s.copy.clone()).map(|(v, _)| v),
                submodules: self.pick(|s| s.submodules).map(|(v, _)| v),
                lfs: self.pick(|s| s.lfs).map(|(v, _)| v),
                ..Furnishing::default()
            },
            warm: self.pick(|s| s.warm).map_or(0, |(v, _)| v),
            share: self.pick(|s| s.share).map(|(v, _)| v).unwrap_or_default(),
            offline: self.pick(|s| s.offline).is_some_and(|(v, _)| v),
            push_target: self.pick(|s| s.push_target).is_some_and(|(v, _)| v),
            agents: self.project_defaults().agents,
        }
    }
}

impl Source {
    /// What is built in.
    pub(in crate::cli) fn defaults() -> Self {
        Self {
            layer: Layer::Default,
            place: "built in".to_owned(),
            settings: Settings {
                max_parallel: Some(4),
                attempts: Some(2),
                timeout: Some(Millis(3_600_000)),
                handoff: Some(Handoff::Ready),
                grace: Some(Millis(10_000)),
                forge: Some(ForgeChoice::Auto),
                warm: Some(0),
                share: Some(Share::Auto),
                offline: Some(false),
                push_target: Some(false),
                submodules: Some(true),
                lfs: Some(Lfs::Auto),
                agents: agent::built_in().clone(),
                ..Settings::default()
            },
        }
    }

    /// What a graph says of the same things.
    pub(in crate::cli) fn graph(path: &str, graph: &Graph) -> Self {
        Self {
            layer: Layer::Graph,
            place: path.to_owned(),
            settings: Settings {
                max_parallel: graph.max_parallel,
                handoff: graph.handoff,
                attempts: graph.defaults.attempts,
                timeout: graph.defaults.timeout,
                gate: graph.defaults.gate.clone(),
                ..Settings::default()
            },
        }
    }

    /// What the command line says.
    pub(in crate::cli) fn flag(place: &str, settings: Settings) -> Self {
        Self { layer: Layer::Flag, place: place.to_owned(), settings }
    }
}

/// `$XDG_CONFIG_HOME/laneway/config.toml`, where there is a home.
fn user_file(session: &Session) -> Option<PathBuf> {
    let base = match session.env_os("XDG_CONFIG_HOME") {
        // A relative path is to be ignored, says the XDG standard.
        Some(dir) if Path::new(dir).is_absolute() => PathBuf::from(dir),
        _ => Path::new(session.env_os("HOME")?).join(".config"),
    };
    Some(base.join("laneway").join("config.toml"))
}
