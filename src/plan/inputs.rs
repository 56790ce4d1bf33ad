//! What a plan is made from beside the graph.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ForgeKind, GitHubPlace, Identity, PortRange, RemotePlan, Share};
use crate::graph::{AgentDef, Furnishing, Gate, Graph, Handoff, Millis};
use crate::id::{AgentName, LaneId, RunNo, Sha};

/// The branches and commits that a lane is cut from and goes to, as observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneBase {
    /// The branch it is cut from.
    pub base: String,
    /// Its commit.
    pub base_sha: Sha,
    /// The branch it goes to.
    pub target: String,
}

/// What a plan is made from beside the graph: everything observed, resolved and chosen.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The number of the run.
    pub run: RunNo,
    /// A name that no other run has.
    pub uuid: String,
    /// Where the graph was read.
    pub path: String,
    /// Who commits.
    pub author: Identity,
    /// The main worktree.
    pub repo: PathBuf,
    /// The run's directory in the record.
    pub record: PathBuf,
    /// The run's noticeboard.
    pub board: PathBuf,
    /// The folder of the graph's worktrees.
    pub worktrees: PathBuf,
    /// The remote.
    pub remote: Option<RemotePlan>,
    /// Base and target of each lane.
    pub bases: BTreeMap<LaneId, LaneBase>,
    /// Agents that the configuration adds to the graph's own.
    pub agents: BTreeMap<AgentName, AgentDef>,
    /// Attempts a task has where nobody says.
    pub attempts: u32,
    /// The timeout of a process where nobody says.
    pub timeout: Millis,
    /// The gate of a task where nobody says.
    pub gate: Option<Gate>,
    /// Attempts at once.
    pub max_parallel: u32,
    /// Handoff where the graph does not say.
    pub handoff: Handoff,
    /// Grace between TERM and KILL.
    pub grace: Millis,
    /// The forge.
    pub forge: ForgeKind,
    /// Where that is, when it is GitHub.
    pub github: Option<GitHubPlace>,
    /// The ports that lanes are given.
    pub ports: PortRange,
    /// What lanes hold where the graph does not say.
    pub lanes: Furnishing,
    /// How many lanes that cannot begin yet have their worktree already.
    pub warm: u32,
    /// Whether lanes share their files with others of the same commit.
    pub share: Share,
}

impl Inputs {
    /// Attempts a task has where nobody says.
    pub const ATTEMPTS: u32 = 2;
    /// The timeout of a process where nobody says.
    pub const TIMEOUT: Millis = Millis(60 * 60 * 1000);
    /// The grace between TERM and KILL where nobody says.
    pub const GRACE: Millis = Millis(10_000);
    /// Attempts at once where nobody says.
    pub const MAX_PARALLEL: u32 = 4;

    /// What a graph's first run would find in a repository at `/repo` that has no remote and no configuration, with every
    /// lane cut from `base`. For plans that nobody runs: previews, benches and tests.
    pub fn plain(graph: &Graph, base: &LaneBase) -> Self {
        Self {
            run: RunNo(1),
            uuid: "0f6d".to_owned(),
            path: format!("graphs/{}.toml", graph.name),
            author: Identity { name: "Ann".to_owned(), email: "ann@example.org".to_owned() },
            repo: "/repo".into(),
            record: format!("/repo/.git/laneway/graphs/{}/runs/1", graph.name).into(),
            board: format!("/repo/.laneway/{}/1", graph.name).into(),
            worktrees: format!("/repo/.worktrees/{}", graph.name).into(),
            remote: None,
            bases: graph.workstreams.iter().map(|lane| (lane.id.clone(), base.clone())).collect(),
            agents: BTreeMap::new(),
            attempts: Self::ATTEMPTS,
            timeout: Self::TIMEOUT,
            gate: None,
            max_parallel: Self::MAX_PARALLEL,
            handoff: Handoff::Ready,
            grace: Self::GRACE,
            forge: ForgeKind::Local,
            github: None,
            ports: PortRange::DEFAULT,
            lanes: Furnishing::default(),
            warm: 0,
            share: Share::Auto,
        }
    }
}
