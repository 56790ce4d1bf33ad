//! `task.json`: what an agent is told about its attempt in a form that programs read.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{GraphName, LaneId, RunNo, Sha, TaskId};

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
