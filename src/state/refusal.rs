//! Why a reset is refused.

use crate::event::{LaneStatus, TaskStatus};
use crate::id::{LaneId, TaskId};

/// Why something cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefusal {
    /// The run has no such task.
    #[error("there is no task `{task}` in this run")]
    NoTask {
        /// Its name.
        task: TaskId,
    },
    /// The run has no such lane.
    #[error("there is no lane `{lane}` in this run")]
    NoLane {
        /// Its name.
        lane: LaneId,
    },
    /// A task that was never begun, or was undone before.
    #[error("task `{task}` is {status}; there is nothing to undo")]
    NothingOfTask {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: TaskStatus,
    },
    /// A lane that was never begun, or was undone before.
    #[error("lane `{lane}` is {status}; there is nothing to undo")]
    NothingOfLane {
        /// The lane.
        lane: LaneId,
        /// Where it stands.
        status: LaneStatus,
    },
    /// The task that is to stay has not landed.
    #[error("task `{task}` is {status} and has not landed, so nothing landed after it")]
    NotLanded {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: TaskStatus,
    },
    /// Nothing has landed after it.
    #[error("nothing has landed after task `{task}`")]
    NothingAfter {
        /// The task.
        task: TaskId,
    },
    /// The task that is to stay would go too.
    #[error("task `{task}` cannot stay: lane `{lane}` goes as a whole, as its target has it as a whole")]
    CannotStay {
        /// The task.
        task: TaskId,
        /// Its lane.
        lane: LaneId,
    },
    /// A lane that it touches is being reset.
    #[error("lane `{lane}` is being reset already")]
    UnderWay {
        /// The lane.
        lane: LaneId,
    },
    /// A pull request that takes the lane back waits to be merged.
    #[error("pull request #{number} takes lane `{lane}` back already; it waits to be merged")]
    Reverting {
        /// The lane.
        lane: LaneId,
        /// The number of the pull request.
        number: u64,
    },
    /// GitHub has merged a nested lane into the one that holds it, in a way of its own.
    #[error("lane `{lane}` was merged into `{parent}` on GitHub; undoing that is not supported yet")]
    NestedOnGitHub {
        /// The nested lane.
        lane: LaneId,
        /// The lane that it is nested in.
        parent: LaneId,
    },
    /// A task that goes has resolved a conflict of its lane, and what it was merged with came by the same landing.
    #[error(
        "task `{task}` merged {with} into lane `{lane}`, which would be taken out of it for good; reset the whole lane"
    )]
    Resolved {
        /// The task.
        task: TaskId,
        /// Its lane.
        lane: LaneId,
        /// What it was merged with.
        with: String,
    },
    /// A nested lane that goes was merged together with work of others, which stays.
    #[error(
        "lane `{lane}` was merged into `{parent}` together with work of `{with}`, which would go too; reset `{parent}` as a whole"
    )]
    Mixed {
        /// The nested lane.
        lane: LaneId,
        /// The lane that it is nested in.
        parent: LaneId,
        /// Whose work it brought.
        with: LaneId,
    },
    /// The work of a lane that it touches is on its way into another.
    #[error("lane `{holder}` takes the work of lane `{lane}` in at this moment")]
    TakenIn {
        /// The lane.
        lane: LaneId,
        /// Where its work goes.
        holder: LaneId,
    },
    /// A lane that it touches is being merged at this moment.
    #[error("lane `{lane}` is being merged at this moment")]
    Merging {
        /// The lane.
        lane: LaneId,
    },
}
