//! What a task knows beside its prompt, and what it must deliver beside its change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::model::Millis;
use super::when::When;
use crate::id::{AgentName, Category, RoleName, TaskId};

/// What a task knows and must deliver. The default knows nothing and delivers nothing but a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The role that its agent plays, a key of the roles of graph and plan; `None` for commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// Paths that its agent should know, by category.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<Category, Vec<String>>,
    /// The condition under which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Outputs of tasks before it that it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputFrom>,
    /// Outputs that it must declare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<ExpectedOutput>,
    /// The architecture decision record that it must bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adr: Option<Adr>,
}

impl Contract {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Outputs of an earlier task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InputFrom {
    /// The task that declares them; one that comes before.
    pub task: TaskId,
    /// Their category.
    pub category: Category,
}

/// Outputs that a task must declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedOutput {
    /// Their category.
    pub category: Category,
    /// How many there are at least.
    pub min: u32,
    /// How many there are at most; `None` for any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// A review of an attempt's work by another agent, before it lands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The agent that reviews; a key of the agents of the graph.
    pub agent: AgentName,
    /// Its model: that of the review, else that of the agent.
    pub model: Option<String>,
    /// What it is asked beside what every reviewer is.
    pub prompt: Option<String>,
    /// How long it may take; `None` leaves it to the program.
    pub timeout: Option<Millis>,
}

/// An architecture decision record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adr {
    /// How much it says; never [`AdrLevel::None`].
    pub level: AdrLevel,
    /// The folder of the records, from the root of the repository.
    pub folder: String,
}

impl Adr {
    /// The folder where a graph names none.
    pub const FOLDER: &'static str = "docs/adr";

    /// Whether `path` is a record.
    pub fn holds(&self, path: &str) -> bool {
        let below = path.strip_prefix(&self.folder).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|name| !name.is_empty())
    }
}

/// How much an architecture decision record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdrLevel {
    /// None is asked for.
    None,
    /// Context, decision and consequences, on a page.
    Standard,
    /// The alternatives and what speaks for and against each, too.
    Detailed,
}
