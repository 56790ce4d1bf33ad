//! What people and programs are shown of a run: folds over plan, state and events, without IO and without a clock.
//!
//! ```text
//! Plan  -------> plan_text, plan_json, steps                 before a run
//! Plan + State -> status -> waiting                          `status`, `waiting`, exit code
//!             \-> lane_files, progress, summary, pull_request, last_word
//! Envelope ----> line, important                             `events`, and `run` in a pipe
//! ```
//!
//! Whatever agents or the outside said is made harmless where it enters a text: [`plain`] for terminals,
//! [`pr`] for pull requests.

mod ahead;
mod board;
mod elapsed;
mod holds;
mod making;
mod overview;
pub mod plain;
mod plan_text;
pub mod pr;
mod progress;
mod size;
mod status;
mod steps;
mod summary;
mod timeline;
mod turns;
mod undo;
mod undoing;
mod waiting;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use ahead::{ConflictAhead, conflicts_ahead};
pub use board::{lane_files, status_files};
pub use elapsed::{clock, elapsed};
pub use holds::Include;
pub use overview::{Standing, overview};
pub use plan_text::{plan_json, plan_text};
pub use pr::{PrText, last_word, pull_request, task_pr_closed, task_pull_request, without_trouble};
pub use progress::{LaneLine, Phase, Progress, TaskLine, progress};
pub use size::size;
pub use status::{
    CheckView, ConcernView, LaneView, Live, PrState, PrView, PredictedView, Status, TaskView, status,
};
pub use steps::{recorded, steps};
pub use summary::{Outcome, exit_class, summary};
pub use timeline::{TIMES, important, line};
pub use undo::{revert_pull_request, undo_closed, undo_reverting, undo_taken_back, undo_text};
pub use undoing::{LaneUndoing, UndoStands, Undoing, undoing, undoing_of, undoing_text};
pub use waiting::{ConflictsWith, Waiting, WaitingKind, waiting};
