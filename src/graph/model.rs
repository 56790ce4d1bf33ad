//! temporary
#![allow(missing_docs)]
use crate::id::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handoff {
    Ready,
    Merged,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergePolicy {
    Review,
    Auto,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teardown {
    Always,
    OnSuccess,
    Never,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffPolicy {
    Required,
    Optional,
    None,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitPolicy {
    Auto,
    Agent,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptBy {
    File,
    Stdin,
    Arg,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    pub name: GraphName,
    pub description: Option<String>,
    pub base: Option<String>,
    pub target: Option<String>,
    pub agent: Option<AgentName>,
    pub max_parallel: Option<u32>,
    pub handoff: Option<Handoff>,
    pub agents: BTreeMap<AgentName, AgentDef>,
    pub defaults: Defaults,
    pub workstreams: Vec<Workstream>,
    pub tasks: Vec<Task>,
    pub digest: String,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Defaults {
    pub attempts: Option<u32>,
    pub timeout: Option<Millis>,
    pub gate: Option<Gate>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDef {
    pub command: Vec<String>,
    pub prompt: PromptBy,
    pub probe: Option<Vec<String>>,
    pub env: BTreeMap<String, String>,
    pub model: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workstream {
    pub id: LaneId,
    pub description: Option<String>,
    pub base: Option<String>,
    pub target: Option<String>,
    pub merge: MergePolicy,
    pub parallel: u32,
    pub gate: Option<Gate>,
    pub teardown: Teardown,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub workstream: LaneId,
    pub description: Option<String>,
    pub verb: Verb,
    pub needs: Vec<TaskId>,
    pub writes: Vec<String>,
    pub gate: Option<Gate>,
    pub attempts: Option<u32>,
    pub timeout: Option<Millis>,
    pub diff: DiffPolicy,
    pub commit: CommitPolicy,
    pub env: BTreeMap<String, String>,
    pub priority: i32,
    pub retry: Option<Retry>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Agent {
        prompt: String,
        agent: AgentName,
        model: Option<String>,
    },
    Run {
        command: Command,
    },
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    Shell(String),
    Argv(Vec<String>),
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub command: Command,
    pub timeout: Option<Millis>,
    pub attempts: u32,
    pub fresh: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    pub on: Vec<RetryOn>,
    pub backoff: Millis,
    pub max: u32,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    Transient,
}
impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shell(s) => f.write_str(s),
            Self::Argv(a) => f.write_str(&a.join(" ")),
        }
    }
}
