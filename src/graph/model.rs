//! The graph as the rest of the program sees it: checked, complete, without spans.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::agent::{AgentDef, AgentUse};
use super::contract::{Contract, Review};
use super::furnish::Furnishing;
use super::role::Role;
use crate::id::{AgentName, GraphName, LaneId, RoleName, TaskId};

/// A checked graph. Substitutions are made and defaults are filled in, so nothing of the file has to be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The graph's id.
    pub name: GraphName,
    /// What it is for.
    pub description: Option<String>,
    /// The branch that lanes are cut from; `None` leaves it to the repository.
    pub base: Option<String>,
    /// The branch that integration pull requests go to; `None` is the base.
    pub target: Option<String>,
    /// The agent of tasks that name none.
    pub agent: Option<AgentName>,
    /// How many attempts run at once.
    pub max_parallel: Option<u32>,
    /// When a lane's work may flow into a dependent lane.
    pub handoff: Option<Handoff>,
    /// Every agent that the file defines, and those of the project that the graph uses.
    pub agents: BTreeMap<AgentName, AgentDef>,
    /// The roles that its tasks play.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<RoleName, Role>,
    /// `[defaults]` as written, before substitution; the tasks have them already.
    pub defaults: Defaults,
    /// The workstreams, as declared; one `default` where the file declares none.
    pub workstreams: Vec<Workstream>,
    /// The tasks, as declared.
    pub tasks: Vec<Task>,
    /// SHA-256 of the file's text, in hex.
    pub digest: String,
}

/// What holds for every task that does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// Failures of the work before a task has failed.
    pub attempts: Option<u32>,
    /// How long one attempt may take.
    pub timeout: Option<Millis>,
    /// How long one may show no sign of life; `None`: as long as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall: Option<Millis>,
    /// The command that must pass.
    pub gate: Option<Gate>,
}

/// How a prompt reaches an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptBy {
    /// In a file, whose path is `{prompt_file}`.
    #[default]
    File,
    /// On standard input.
    Stdin,
    /// As the argument `{prompt}`.
    Arg,
}

/// A workstream: what becomes a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workstream {
    /// Its id, and that of its lane.
    pub id: LaneId,
    /// What it is for.
    pub description: Option<String>,
    /// The workstream that it is nested in, whose integration branch is its base and its target.
    pub parent: Option<LaneId>,
    /// Its own base branch.
    pub base: Option<String>,
    /// Its own target branch.
    pub target: Option<String>,
    /// Who merges its pull request.
    pub merge: MergePolicy,
    /// How many of its tasks run at once.
    pub parallel: u32,
    /// The command that must pass on the merge of target and lane.
    pub gate: Option<Gate>,
    /// What happens to its worktree when it has ended.
    pub teardown: Teardown,
    /// Whether each of its tasks opens a pull request of its own.
    pub task_prs: bool,
    /// What its lane holds beside the files of its commit.
    #[serde(default, skip_serializing_if = "Furnishing::is_empty")]
    pub furnish: Furnishing,
}

/// Who merges an integration pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergePolicy {
    /// A person.
    #[default]
    Review,
    /// Laneway, when every check holds and no design concern was raised.
    Auto,
}

/// What happens to a lane's worktree when the lane has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teardown {
    /// Removed.
    Always,
    /// Removed when the lane succeeded.
    #[default]
    OnSuccess,
    /// Left where it is.
    Never,
}

/// When a lane's work may flow into a dependent lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handoff {
    /// When the upstream lane is ready to be merged.
    #[default]
    Ready,
    /// When the upstream lane's content is in the target.
    Merged,
}

/// A task. `attempts`, `timeout` and `gate` already include `[defaults]`; `None` leaves them to the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id, unique in the graph.
    pub id: TaskId,
    /// The workstream it belongs to.
    pub workstream: LaneId,
    /// What it is about, for people.
    pub description: Option<String>,
    /// What it does.
    pub verb: Verb,
    /// The tasks that come before it, in any workstream.
    pub needs: Vec<TaskId>,
    /// Globs of the paths that it may change; empty means any.
    pub writes: Vec<String>,
    /// Whether it may run beside tasks whose scopes overlap with its own, where those allow it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlap: bool,
    /// The command that must pass.
    pub gate: Option<Gate>,
    /// Failures of the work before it has failed.
    pub attempts: Option<u32>,
    /// How long one attempt may take.
    pub timeout: Option<Millis>,
    /// How long one may show no sign of life; `None`: as long as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall: Option<Millis>,
    /// Whether it must change something: [`DiffPolicy::Required`] for agents, [`DiffPolicy::Optional`] for commands.
    pub diff: DiffPolicy,
    /// Who commits.
    pub commit: CommitPolicy,
    /// Environment variables of its process.
    pub env: BTreeMap<String, String>,
    /// The higher goes first among those that can start.
    pub priority: i32,
    /// What to do about transient errors of the surroundings.
    pub retry: Option<Retry>,
    /// What it knows and must deliver.
    #[serde(default)]
    pub contract: Contract,
    /// Who reviews its work before it lands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// An agent works in the lane.
    Agent {
        /// What it is asked to do; the description where the file has no prompt.
        prompt: String,
        /// Which one, a key of [`Graph::agents`], and how.
        #[serde(flatten)]
        by: AgentUse,
    },
    /// A command works in the lane.
    Run {
        /// The command.
        command: Command,
    },
}

/// A command, as one line for the shell or as an argv. It shows as a person would type it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments; never empty.
    Argv(Vec<String>),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Argv(words) => {
                for (index, word) in words.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(f, "{space}{}", quoted(word))?;
                }
                Ok(())
            }
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command that must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The command.
    pub command: Command,
    /// How long it may take; `None` leaves it to the program.
    pub timeout: Option<Millis>,
    /// How often it is tried before it has failed.
    pub attempts: u32,
    /// Whether it runs in a pristine worktree.
    pub fresh: bool,
}

/// Whether a task must change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffPolicy {
    /// No change is a failure.
    Required,
    /// Either is fine.
    Optional,
    /// A change is a failure.
    None,
}

/// Who commits what a task changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitPolicy {
    /// Laneway commits what was left uncommitted.
    #[default]
    Auto,
    /// The agent; a dirty tree is evidence against `done`.
    Agent,
}

/// What to do about errors that are not the work's fault; uses up no attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The kinds of error that are retried.
    pub on: Vec<RetryOn>,
    /// The pause before the first retry.
    pub backoff: Millis,
    /// The most retries.
    pub max: u32,
}

/// A kind of error that is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Forge, network, git lock, quota.
    Transient,
}

/// A duration in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

/// Returns, for each lane, the lanes whose work it needs: those of its tasks' needs in other workstreams.
pub fn lane_needs(graph: &Graph) -> BTreeMap<LaneId, BTreeSet<LaneId>> {
    let lane_of: BTreeMap<&TaskId, &LaneId> =
        graph.tasks.iter().map(|task| (&task.id, &task.workstream)).collect();
    let mut needs: BTreeMap<LaneId, BTreeSet<LaneId>> =
        graph.workstreams.iter().map(|lane| (lane.id.clone(), BTreeSet::new())).collect();
    for task in &graph.tasks {
        for upstream in task.needs.iter().filter_map(|need| lane_of.get(need)) {
            if **upstream != task.workstream {
                needs.entry(task.workstream.clone()).or_default().insert((*upstream).clone());
            }
        }
    }
    needs
}
