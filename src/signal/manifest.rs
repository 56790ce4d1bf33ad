//! `task.json`: what an agent is told about its attempt in a form that programs read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{Category, GraphName, LaneId, RoleName, RunNo, Sha, TaskId};

/// The version of the signal protocol.
pub const PROTOCOL: u32 = 1;

/// The content of `task.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskManifest {
    /// The version of the signal protocol: 1. Fields may be added within a version.
    pub protocol: u32,
    /// The name of the graph.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub graph: GraphName,
    /// The number of the run, from 1.
    #[schemars(with = "u32", range(min = 1))]
    pub run: RunNo,
    /// The lane the task belongs to.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub lane: LaneId,
    /// The task.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub task: TaskId,
    /// The number of this attempt, from 1.
    #[schemars(range(min = 1))]
    pub attempt: u32,
    /// What the task is, in a line or a few.
    pub description: String,
    /// The commit that the attempt starts from.
    #[schemars(with = "String", regex(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
    pub base: Sha,
    /// The lane's integration branch, which Laneway moves; the agent never does.
    pub branch: String,
    /// The branches that matter to the task; the agent moves none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Branches>,
    /// The role that the agent plays; the instructions say what that means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub role: Option<RoleName>,
    /// Paths that matter to the task, by category.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub paths: BTreeMap<Category, Vec<String>>,
    /// What tasks before this one have made for it.
    #[serde(default)]
    pub inputs: Vec<GivenInput>,
    /// What the task must declare in `outputs.json`.
    #[serde(default)]
    pub outputs: Vec<ExpectedOutput>,
    /// The architecture decision record that the task must write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adr: Option<RecordAsked>,
    /// Absolute path of a page about the whole graph and where each task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overview: Option<PathBuf>,
    /// Absolute path of the worktree to work in.
    pub worktree: PathBuf,
    /// Absolute path of the signal directory (`LANEWAY_SIGNALS`).
    pub signals: PathBuf,
    /// Globs of the paths that the task may change; everything where it is empty.
    #[serde(default)]
    pub writes: Vec<String>,
    /// The command that has to pass before the work is merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// The tasks that this one builds on; all of them are done.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The attempts before this one, the first one first.
    #[serde(default)]
    pub earlier: Vec<EarlierAttempt>,
}

/// The branches that matter to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Branches {
    /// The lane's integration branch, which the work is merged into.
    pub integration: String,
    /// The branch that keeps this attempt's result.
    pub attempt: String,
    /// The branch that the lane was cut from.
    pub base: String,
    /// The branch that the lane's pull request goes to.
    pub target: String,
}

/// Outputs of a task before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GivenInput {
    /// The task that declared them.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub task: TaskId,
    /// Their category.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub category: Category,
    /// Those that are files, from the root of the repository.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Those that are values.
    #[serde(default)]
    pub values: Vec<Value>,
}

/// Outputs that a task must declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedOutput {
    /// Their category.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub category: Category,
    /// How many there are at least.
    pub min: u32,
    /// How many there are at most; any number where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// An architecture decision record that a task must write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordAsked {
    /// How much it says: `standard` or `detailed`.
    pub level: String,
    /// The folder to write it into, from the root of the repository.
    pub folder: String,
}

/// A task that this one builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// The task.
    #[schemars(with = "String", regex(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub task: TaskId,
    /// Absolute path of its summary, where it wrote one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<PathBuf>,
    /// Absolute path of the directory with its artifacts, where it kept some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<PathBuf>,
}

/// An attempt before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierAttempt {
    /// Its number.
    pub attempt: u32,
    /// How it ended, such as `failed` or `timed_out`.
    pub outcome: String,
    /// Why, for the agent that tries again.
    pub why: String,
}

impl TaskManifest {
    /// The bytes of `task.json`.
    ///
    /// # Errors
    /// A path that is not UTF-8 has no form in JSON.
    pub fn render(&self) -> serde_json::Result<String> {
        let value = serde_json::to_value(self)?;
        Ok(format!("{value:#}\n"))
    }
}

/// The JSON Schema of `task.json`.
pub fn manifest_schema() -> Value {
    schemars::schema_for!(TaskManifest).to_value()
}

#[cfg(test)]
mod tests;
