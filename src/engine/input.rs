//! What the outside tells the core.

use crate::event::{Control, Draft, EffectId, Failure, LaneStatus, Source};
use crate::id::LaneId;

/// One thing that the core is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The run begins; only as the very first input.
    Start {
        /// SHA-256 of `plan.json`.
        plan_digest: String,
        /// This version of Laneway.
        version: String,
    },
    /// A request.
    Control(Control),
    /// A file in `control/` that is no request.
    BadControl {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Word of an effect.
    Report(Report),
    /// A lane's status file was written by somebody else.
    StatusTouched {
        /// The lane.
        lane: LaneId,
        /// Which file.
        status: LaneStatus,
        /// What it says, bounded.
        text: String,
        /// Its path and digest.
        source: Source,
    },
    /// What the forge shows of pull requests, news or not.
    News {
        /// What is there now.
        facts: Vec<Draft>,
        /// Why nothing could be seen.
        problem: Option<String>,
    },
    /// Something was lost or could not be seen.
    Loss {
        /// What.
        what: String,
    },
    /// A deadline may have passed.
    Tick,
}

/// What an effect found so far, and how it ended once it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The effect.
    pub id: EffectId,
    /// What was found.
    pub facts: Vec<Draft>,
    /// Its end; `None` while it goes on.
    pub end: Option<Result<(), Failure>>,
}
