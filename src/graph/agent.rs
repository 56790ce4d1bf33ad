//! How an agent program is started and read, and how a task uses it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::model::PromptBy;

/// How one agent program is started, and what its exit and its output say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDef {
    /// The argv, with `{prompt_file}`, `{prompt}`, `{model}`, `{session}`, `{signals}` and `{lane}` still in it.
    pub command: Vec<String>,
    /// The argv where a session is continued, if it is another than `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Vec<String>>,
    /// How the prompt reaches it.
    #[serde(default)]
    pub prompt: PromptBy,
    /// How it says that it is done.
    #[serde(default, skip_serializing_if = "ClaimBy::is_signal")]
    pub claim: ClaimBy,
    /// An argv that shows that the program is there.
    #[serde(default)]
    pub probe: Option<Vec<String>>,
    /// How the program is installed, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// Environment variables of its process.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Environment variables of its process where Laneway runs as root.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub root_env: BTreeMap<String, String>,
    /// The model, where a task names none.
    #[serde(default)]
    pub model: Option<String>,
    /// Patterns of files that it leaves in a worktree and that are no work, as `info/exclude` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Where its output says what it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputRules>,
}

impl AgentDef {
    /// Whether a model that is named reaches it.
    pub fn takes_model(&self) -> bool {
        self.command.iter().any(|word| word.contains("{model}"))
    }

    /// Whether it can go on with a session of an earlier process.
    pub fn continues(&self) -> bool {
        self.resume.is_some() || self.command.iter().any(|word| word.contains("{session}"))
    }
}

/// How an agent says that it is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimBy {
    /// By the signal file `done`.
    #[default]
    Signal,
    /// By ending with exit code 0 too, for agents that know nothing of signal files.
    Exit,
}

impl ClaimBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_signal(&self) -> bool {
        *self == Self::Signal
    }
}

/// Where an agent's output says what it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum OutputRules {
    /// Lines that are JSON objects, among others that are not.
    JsonLines {
        /// The JSON pointer to the id of the session, in whichever line has it; the last counts.
        session: Option<String>,
        /// The lines that tell of usage.
        usage: Option<JsonUsage>,
    },
    /// Lines for people, in which a number stands right before a word.
    Text {
        /// What a line that tells of usage contains.
        line: String,
        /// What follows the number of input tokens.
        input: String,
        /// What follows the number of output tokens.
        output: String,
        /// What follows the cost in US dollars.
        cost: Option<String>,
    },
}

/// The lines of JSON that tell of usage, and where in them. All places are JSON pointers; several are added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonUsage {
    /// What `/type` of such a line is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether such lines add up; else each tells of the whole process so far.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adds: bool,
    /// Input tokens, those read from a cache among them.
    pub input: Vec<String>,
    /// Input tokens that were read from a cache.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cached: Vec<String>,
    /// Output tokens.
    pub output: Vec<String>,
    /// Cost in US dollars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cost: Vec<String>,
}

/// Whether an agent process begins anew or goes on with the session of the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionPolicy {
    /// Each process begins a session.
    #[default]
    Fresh,
    /// A process goes on with the session that the one before it in the same worktree recorded, where it did.
    Continue,
}

impl SessionPolicy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_fresh(&self) -> bool {
        *self == Self::Fresh
    }
}

/// An attempt that is made of several processes, one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loop {
    /// The most processes of one attempt.
    pub max_iterations: u32,
    /// A file in the lane that the processes hand on to each other; its path from the root of the repository.
    pub tracker: Option<String>,
}

/// Which agent works on a task, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUse {
    /// Its name in `[agents]`.
    pub agent: crate::id::AgentName,
    /// Its model: the task's, else the agent's.
    pub model: Option<String>,
    /// Whether its processes go on with a session.
    #[serde(default, skip_serializing_if = "SessionPolicy::is_fresh")]
    pub session: SessionPolicy,
    /// Several processes in one attempt.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Loop>,
}
