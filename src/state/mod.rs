//! Where a run stands: a fold of its events over its plan, and nothing else.
//!
//! [`State::apply`] is total and deterministic: no clock, no IO. A transition that the table in
//! [`crate::event::legal`] does not know is an error.

mod apply;
mod attempt;
mod condition;
mod control;
mod facts;
mod lane;
mod prediction;
mod refusal;
mod run;
mod transition;
mod undo;
mod undo_order;
mod undoing;

#[cfg(test)]
mod tests;

pub use apply::{ApplyError, Touched};
pub use attempt::{Attempt, Check, Claims, Note, Process, Quiet, REJECTED, Step, StepPhase, Task, Usage};
pub use lane::{
    Concern, Conflict, ForgeStep, Kept, Lane, LaneRequest, Outside, PullRequest, ReviewNote, Unresolved,
    Warmth,
};
pub use prediction::{Against, Predicted};
pub use refusal::UndoRefusal;
pub use run::{Run, State};
pub use undo::{Landing, Revert, Undo};
pub use undoing::NOT_UNDONE;
