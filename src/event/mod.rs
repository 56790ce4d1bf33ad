//! What happened: the event kinds, the envelope around each, and the wire format with its versions.
//!
//! An [`Envelope`] is one line of the journal. Life-cycle events (`workflow.*`) move state and nothing else does;
//! facts attach data to it. `docs/events.md` lists every kind; a test holds that page against [`KINDS`].

mod bounds;
mod effect;
mod envelope;
mod fact;
mod kind;
mod liveness;
mod status;
mod time;
mod undo;

pub use bounds::{few, listed, named};
pub use effect::{Effect, EffectId, Failure, FailureKind, Place, ReviewAct, SyncSource};
pub use envelope::{Actor, Draft, Envelope, SCHEMA, Source, Subject, WireError};
pub use fact::{
    CHECK_AHEAD, CHECK_HEAD, CHECK_MERGEABLE, CHECK_ORIGIN, CHECK_PROGRESS, CHECK_REVIEW, CHECK_TASK_PR,
    CheckStatus, ConcernClass, Control, ControlVerb, DiffFile, DiffStat, ExitStatus, Output, PrRef, Probed,
    ProcessId, ProcessRole, SignalKind, StopReason,
};
pub use kind::*;
pub use liveness::Evidence;
pub use status::{AttemptStatus, Entity, LaneStatus, RunStatus, Status, TaskStatus, legal};
pub use time::{Now, Timestamp};
pub use undo::{LandedPart, LaneUndo, UndoLane, UndoPlan, UndoStep, UndoTarget, UndoTask, UndoWhy};
