//! What a lane holds beside the files of its commit: copied files, what setup commands make, ports.

use serde::{Deserialize, Serialize};

use super::model::{Command, Millis};

/// What a lane holds. The default leaves it to the project, which by default adds nothing to the files of its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Furnishing {
    /// Globs of ignored files of the main worktree that are copied, beside those that `.worktreeinclude` names.
    /// `None` leaves it to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<Vec<String>>,
    /// Commands that run in it, in this order, before the first attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Setup>,
    /// Environment variables that hold one free port each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Folders that it is restricted to, as git's cone mode means it. Empty: it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparse: Vec<String>,
    /// Whether submodules are checked out. `None` leaves it to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submodules: Option<bool>,
    /// What becomes of files in LFS. `None` leaves it to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lfs: Option<Lfs>,
}

/// What a lane holds of files in LFS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lfs {
    /// What git's config makes of them: their contents where git-lfs is set up, pointers where it is not.
    #[default]
    Auto,
    /// Pointers.
    Skip,
}

impl Furnishing {
    /// Fills in what it leaves to the project.
    #[must_use]
    pub fn or(mut self, project: &Self) -> Self {
        self.copy = self.copy.or_else(|| project.copy.clone());
        self.submodules = self.submodules.or(project.submodules);
        self.lfs = self.lfs.or(project.lfs);
        self
    }

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
