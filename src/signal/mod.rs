//! The noticeboard and the signal protocol: lay out, read safely, write atomically, watch.
//!
//! Agents, people and tools speak to a run through files; Laneway answers through files. Nothing in here decides:
//! what is read is handed on as facts, each either accepted with its digest or rejected with a typed reason.
//!
//! ```text
//! Board         where everything stands; puts it up again at any moment
//! status        lane status files: projected from the journal, outside touches reported
//! scan, seal    an attempt's signals: read without trusting them, copied into the record by digest
//! write         what `laneway signal ...` does
//! control       requests of people and tools to a run
//! Watcher       wakes the loop; always: create directories, watch, then list
//! conformance   what Laneway makes of an agent, for authors of agents
//! ```

mod board;
mod clear;
mod conformance;
mod control;
mod digest;
mod folder;
mod kind;
mod manifest;
mod notice;
mod outputs;
mod question;
mod reject;
mod request;
mod scan;
mod seal;
mod settle;
mod status;
mod steady;
mod watch;
mod write;

pub use board::{Board, BoardError, Deed, PutUp};
pub use clear::clear_claims;
pub use conformance::{Exit, Finding, Level, judge};
pub use control::{ControlReject, RejectedRequest, Requests, read_requests, submit, take};
pub use digest::digest;
pub use kind::{Limits, SignalKind};
pub use manifest::{
    Branches, EarlierAttempt, ExpectedOutput, GivenInput, Need, PROTOCOL, RecordAsked, TaskManifest,
    manifest_schema,
};
pub use notice::{Changed, Notice, WatchKey};
pub use outputs::{OutputItem, Outputs, OutputsError};
pub use question::Question;
pub use reject::{NodeKind, RejectReason, Rejected};
pub use request::{Request, StopMode, Target, Verb, VerbName};
pub use scan::{Body, Claim, Scan, SignalFile, scan};
pub use seal::{SealError, Sealed, SealedFile, read_seal, seal, sealed_outputs};
pub use settle::Settle;
pub use status::{Found, LaneStatus, Projection, Touched, project, read_lane};
pub use watch::{WatchError, Watcher};
pub use write::{Write, WriteError, write};
