//! What a reset undoes, and how, as the person saw it who confirmed it.

use serde::{Deserialize, Serialize};

use crate::id::{LaneId, Sha, TaskId};

/// What is to be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoTarget {
    /// A task.
    Task(TaskId),
    /// A lane with all of its tasks.
    Lane(LaneId),
    /// Everything that landed after a task, which itself stays.
    To(TaskId),
}

/// Why something is part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoWhy {
    /// It was named.
    Asked,
    /// It landed after the task that stays.
    LandedAfter(TaskId),
    /// It was built on the work of a task that goes.
    Needs(TaskId),
    /// The whole lane of it goes.
    WithLane(LaneId),
    /// It holds the work of a lane that goes, or of tasks of it that go.
    Holds(LaneId),
    /// A task of it goes.
    Has(TaskId),
    /// A task of it goes, and its target has it only as a whole.
    InTarget(TaskId),
}

/// A task that is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoTask {
    /// Which.
    pub task: TaskId,
    /// Its lane.
    pub lane: LaneId,
    /// Why.
    pub why: UndoWhy,
    /// The commits that brought its work into its lane, newest first.
    pub landed: Vec<Sha>,
    /// Whether an attempt of it is not over, and is called off.
    pub at_work: bool,
}

/// A commit of a target, and the lane's tip that it brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedPart {
    /// The commit of the target.
    pub landed: Sha,
    /// The lane's tip.
    pub head: Sha,
}

/// How a lane is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum LaneUndo {
    /// Its branch goes forward to a commit without the work that goes.
    TakeBack {
        /// The lanes whose work it holds, and whose branches go forward first.
        from: Vec<LaneId>,
    },
    /// Its pull request is closed; its branch and worktree are removed, after custody.
    Remove,
    /// A pull request into its target takes it back there; a person merges that.
    Revert {
        /// The target.
        target: String,
        /// The commit of the target that was recorded as holding it.
        landed: Sha,
        /// The parts of it that had reached the target before by pull requests of their own, newest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<LandedPart>,
    },
}

/// A lane that is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoLane {
    /// Which.
    pub lane: LaneId,
    /// Why.
    pub why: UndoWhy,
    /// What is done with it.
    #[serde(flatten)]
    pub undo: LaneUndo,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tip: Option<Sha>,
    /// The number of its pull request that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<u64>,
}

/// Everything that a reset does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoPlan {
    /// What was asked for.
    pub of: UndoTarget,
    /// The tasks, in the order of the graph.
    pub tasks: Vec<UndoTask>,
    /// The lanes, in the order of the graph.
    pub lanes: Vec<UndoLane>,
}

/// What a step of a reset does with one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum UndoStep {
    /// Moves the lane's branch forward to where it is without these commits, and has taken these lanes in.
    TakeBack {
        /// Where the lane stood when this was decided.
        tip: Sha,
        /// Commits of its branch, newest first; of a merge what it brought from the second parent goes.
        commits: Vec<Sha>,
        /// Lanes that have gone forward, with their tips.
        from: Vec<(LaneId, Sha)>,
    },
    /// Closes the pull request and removes branch and worktree.
    Remove {
        /// Where the lane stood when this was decided; absent for one that was never begun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tip: Option<Sha>,
    },
    /// Opens the pull request that takes the lane out of its target.
    Revert {
        /// The commit of the target that was recorded as holding it.
        landed: Sha,
        /// The lane's tip when it landed.
        head: Sha,
        /// The parts of it that had landed before, newest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<LandedPart>,
    },
    /// Merges that pull request, as a person asked.
    Merge {
        /// Its head.
        tip: Sha,
    },
    /// Closes that pull request, as a person asked.
    Close,
}

impl UndoStep {
    /// The word in the effect's name.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TakeBack { .. } => "take-back",
            Self::Remove { .. } => "remove",
            Self::Revert { .. } => "revert",
            Self::Merge { .. } => "merge",
            Self::Close => "close",
        }
    }
}
