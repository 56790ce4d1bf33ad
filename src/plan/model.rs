//! What a plan says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::graph::{
    AgentDef, AgentUse, Command, CommitPolicy, Contract, DiffPolicy, Furnishing, Gate, Handoff, MergePolicy,
    Millis, Retry, Role, Teardown,
};
use crate::id::{AgentName, GraphName, LaneId, RoleName, RunNo, Sha, TaskId};

/// The version of `plan.json`.
pub const PLAN_SCHEMA: u16 = 1;

/// Everything that a run is going to do, decided before it does anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this file's form.
    pub schema: u16,
    /// The graph.
    pub graph: GraphName,
    /// The run.
    pub run: RunNo,
    /// A name for this run that no other run anywhere has; part of pull request markers.
    pub uuid: String,
    /// What the graph is about.
    pub description: Option<String>,
    /// The text that this was made from.
    pub source: PlanSource,
    /// Who commits.
    pub author: Identity,
    /// Where everything lives.
    pub places: Places,
    /// The remote that lanes are pushed to; `None` where there is none.
    pub remote: Option<RemotePlan>,
    /// What decides when there is a choice.
    pub settings: Settings,
    /// What its agents are told of their roles.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<RoleName, Role>,
    /// The lanes, in the order of the file.
    pub lanes: Vec<LanePlan>,
    /// The tasks, in the order of the file.
    pub tasks: Vec<TaskPlan>,
}

/// The graph file that a plan was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSource {
    /// Where it was read, relative to the repository where it lies in it.
    pub path: String,
    /// SHA-256 of its text.
    pub digest: String,
}

/// A name and an address, as git records them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `user.name`.
    pub name: String,
    /// `user.email`.
    pub email: String,
}

/// The places of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Places {
    /// The main worktree, or the bare repository's parent.
    pub repo: PathBuf,
    /// The run's part of the record.
    pub record: PathBuf,
    /// The noticeboard.
    pub board: PathBuf,
    /// The folder of the graph's worktrees.
    pub worktrees: PathBuf,
}

/// The remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePlan {
    /// Its name, `origin`.
    pub name: String,
    /// Whether lanes are pushed.
    pub push: bool,
    /// Whether a merge by the local forge moves its target too.
    pub push_target: bool,
}

/// Where pull requests are opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    /// The embedded forge in the record.
    #[default]
    Local,
    /// GitHub, or a GitHub Enterprise server.
    GitHub,
}

/// A repository on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHubPlace {
    /// The address of the interface, without a slash at the end: `https://api.github.com`.
    pub api: String,
    /// `owner/name`.
    pub repository: String,
}

/// Choices of the run, resolved from all layers of configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Attempts that run at once.
    pub max_parallel: u32,
    /// When a lane's work may flow into a dependent lane.
    pub handoff: Handoff,
    /// How long a process has between being asked to end and being killed.
    pub grace: Millis,
    /// Where pull requests are opened.
    pub forge: ForgeKind,
    /// Where that is, when it is GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHubPlace>,
    /// The ports that lanes are given.
    #[serde(default, skip_serializing_if = "PortRange::is_default")]
    pub ports: PortRange,
    /// How many lanes that cannot begin yet have their worktree already.
    #[serde(default, skip_serializing_if = "is_none")]
    pub warm: u32,
    /// Whether lanes share their files with others of the same commit.
    #[serde(default, skip_serializing_if = "Share::is_default")]
    pub share: Share,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_none(warm: &u32) -> bool {
    *warm == 0
}

/// Whether lanes share their files with others of the same commit, until one of them changes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// Where the file system has snapshots of whole trees.
    #[default]
    Auto,
    /// Every lane has files of its own.
    Never,
}

impl Share {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The ports that lanes may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Where nobody says: below those that systems hand out by themselves.
    pub const DEFAULT: Self = Self { first: 20_000, last: 29_999 };

    /// How many ports there are.
    pub fn count(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }
}

impl Default for PortRange {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Not a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a range of ports from 1024 up, such as 20000-29999")]
pub struct NoPortRange;

impl FromStr for PortRange {
    type Err = NoPortRange;

    fn from_str(text: &str) -> Result<Self, NoPortRange> {
        let (first, last) = text.split_once('-').ok_or(NoPortRange)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| NoPortRange);
        let range = Self { first: port(first)?, last: port(last)? };
        if range.first >= 1024 && range.first <= range.last { Ok(range) } else { Err(NoPortRange) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// What a lane is going to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanePlan {
    /// Its id.
    pub id: LaneId,
    /// What it is about.
    pub description: Option<String>,
    /// The lane that it is nested in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<LaneId>,
    /// The branch it is cut from.
    pub base: String,
    /// The commit it is cut from; of a nested lane, the one that its outermost parent is cut from.
    pub base_sha: Sha,
    /// The branch that its pull request goes to.
    pub target: String,
    /// Who merges the pull request.
    pub merge: MergePolicy,
    /// Tasks of the lane that run at once.
    pub parallel: u32,
    /// Commands that must pass on the merge of target and lane.
    pub gates: Vec<Gate>,
    /// What happens to its worktree at the end.
    pub teardown: Teardown,
    /// Whether each of its tasks opens a pull request of its own into the integration branch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub task_prs: bool,
    /// What it holds beside the files of its commit.
    #[serde(default, skip_serializing_if = "Furnishing::is_empty")]
    pub furnish: Furnishing,
    /// Its integration branch, without `refs/heads/`.
    pub branch: String,
    /// Its worktree.
    pub worktree: PathBuf,
    /// The lanes whose work it takes in.
    pub needs: Vec<LaneId>,
}

/// What does a task's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Work {
    /// An agent works on a prompt.
    Agent {
        /// What it is told.
        prompt: String,
        /// Which agent, and how.
        #[serde(flatten)]
        by: AgentUse,
        /// How it is launched.
        def: Arc<AgentDef>,
    },
    /// A command runs.
    Run {
        /// The command.
        command: Command,
    },
}

/// A review of an attempt's work, before it lands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewPlan {
    /// The agent that reviews.
    pub agent: AgentName,
    /// How it is launched.
    pub def: Arc<AgentDef>,
    /// Its model, where the graph names one.
    pub model: Option<String>,
    /// What it is asked beside what every reviewer is.
    pub prompt: Option<String>,
    /// How long it may take.
    pub timeout: Millis,
}

/// What a task is going to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// Its id.
    pub id: TaskId,
    /// The lane it runs in.
    pub lane: LaneId,
    /// For people.
    pub description: Option<String>,
    /// What does the work.
    #[serde(flatten)]
    pub work: Work,
    /// The tasks it waits for.
    pub needs: Vec<TaskId>,
    /// The paths it may write; empty means any.
    pub writes: Vec<String>,
    /// Whether it may run beside tasks whose scopes overlap with its own, where those allow it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlap: bool,
    /// The command that must pass on the merged tree.
    pub gate: Option<Gate>,
    /// Failures of the work that end it.
    pub attempts: u32,
    /// How long one process may run.
    pub timeout: Millis,
    /// How long one may show no sign of life; `None`: as long as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall: Option<Millis>,
    /// Whether it must, may or does not change files.
    pub diff: DiffPolicy,
    /// Who commits.
    pub commit: CommitPolicy,
    /// Environment of its processes.
    pub env: BTreeMap<String, String>,
    /// Higher goes first.
    pub priority: i32,
    /// How failures of the surroundings are tried again.
    pub retry: Option<Retry>,
    /// What it knows and must deliver.
    #[serde(default, skip_serializing_if = "Contract::is_empty")]
    pub contract: Contract,
    /// Who reviews its work before it lands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewPlan>,
    /// How deep it lies in the graph, from 1.
    pub wave: u32,
    /// How many tasks hang below it on the longest path, itself included.
    pub depth_below: u32,
}
