//! What a lane holds beside the files of its commit: copied files, what setup commands make, ports.

use serde::{Deserialize, Serialize};

use super::model::{Command, Millis};

/// What a lane is furnished with. The default adds nothing to the files of its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Furnishing {
    /// Globs of ignored files of the main worktree that are copied, beside those that `.worktreeinclude` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<String>,
    /// Commands that run in it, in this order, before the first attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Setup>,
    /// Environment variables that hold one free port each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
}

impl Furnishing {
    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A command that makes a lane ready for its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The command.
    pub command: Command,
    /// The paths that its result depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The paths that it makes; kept for lanes in which it would read the same. Empty: it runs in every lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<String>,
    /// How long it may take; `None` leaves it to the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}
