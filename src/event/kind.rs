//! The event kinds: one struct each, one enum around them.
//!
//! Long because it is one flat list, which is read in one piece.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fact::{
    CheckStatus, ConcernClass, Control, DiffFile, DiffStat, ExitStatus, Output, PrRef, Probed, ProcessId,
    ProcessRole, SignalKind, StopReason,
};
use super::{Effect, EffectId, Entity, Failure};
use crate::id::{Category, GraphName, LaneId, Sha};

/// An event of a kind that this version does not know; kept as it came.
#[derive(Debug, Clone)]
pub struct Unknown {
    /// Its kind.
    pub kind: String,
    /// Its payload, unread.
    pub payload: Box<RawValue>,
}

impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.payload.get() == other.payload.get()
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$fdoc:meta])* $field:ident : $type:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub struct $name { $($(#[$fdoc])* pub $field: $type),* }

            impl From<$name> for Event {
                fn from(payload: $name) -> Self {
                    Self::$name(payload)
                }
            }
        )+

        /// What happened, without who, when and where.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $name($name),)+
            /// Written by a newer version.
            Unknown(Unknown),
        }

        /// Every kind that this version writes.
        pub const KINDS: &[&str] = &[$($kind),+];

        impl Event {
            /// The kind, as it stands on the wire.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$name(_) => $kind,)+
                    Self::Unknown(unknown) => &unknown.kind,
                }
            }

            pub(super) fn payload(&self) -> Result<String, serde_json::Error> {
                match self {
                    $(Self::$name(payload) => serde_json::to_string(payload),)+
                    Self::Unknown(unknown) => Ok(unknown.payload.get().to_owned()),
                }
            }

            pub(super) fn read(kind: &str, payload: &RawValue) -> Result<Self, serde_json::Error> {
                Ok(match kind {
                    $($kind => Self::$name(serde_json::from_str(payload.get())?),)+
                    _ => Self::Unknown(Unknown { kind: kind.to_owned(), payload: payload.to_owned() }),
                })
            }
        }
    };
}

events! {
    /// The run begins. The first line of every journal.
    WorkflowStart = "workflow.start" {
        /// The graph.
        graph: GraphName,
        /// SHA-256 of the frozen `plan.json`.
        plan_digest: String,
        /// The version of Laneway that froze the plan.
        version: String,
    }
    /// A status changed. Checked against the one table.
    WorkflowTransition = "workflow.transition" {
        /// Run, lane, task or attempt; the envelope says which one.
        of: Entity,
        /// The status before; absent for an attempt that begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The status now.
        to: String,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// An attempt begins one process of its agent.
    WorkflowIteration = "workflow.iteration" {
        /// The iteration, from 1.
        n: u32,
    }
    /// The run came to rest.
    WorkflowEnd = "workflow.end" {
        /// The run's status.
        outcome: String,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// A signal file was accepted.
    SignalObserved = "signal.observed" {
        /// What it says.
        signal: SignalKind,
        /// Its text, bounded; empty for artifacts.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    }
    /// A file on the noticeboard was not accepted.
    SignalRejected = "signal.rejected" {
        /// The file, relative to its signals directory.
        name: String,
        /// Why, said so that the writer can do it right.
        reason: String,
    }
    /// A process began.
    ProcessStarted = "process.started" {
        /// The part it plays.
        role: ProcessRole,
        /// What proves it ours.
        process: ProcessId,
        /// The command, as a person would type it.
        command: String,
        /// The monotonic clock of this boot, in milliseconds.
        mono: u64,
    }
    /// A process ended.
    ProcessExited = "process.exited" {
        /// The part it played.
        role: ProcessRole,
        /// How it ended.
        exit: ExitStatus,
        /// How long it ran, in milliseconds.
        duration_ms: u64,
        /// Processes of the attempt that outlived it and were ended.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        leftovers: Vec<u32>,
        /// Processes that left the attempt's reach.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        escaped: Vec<u32>,
    }
    /// What a process of an agent used, as its output says.
    UsageRecorded = "usage.recorded" {
        /// The agent's name.
        agent: String,
        /// The id of its session, by which a later process can go on with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Input tokens, those read from a cache among them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_tokens: Option<u64>,
        /// Input tokens that were read from a cache.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached_tokens: Option<u64>,
        /// Output tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_tokens: Option<u64>,
        /// Cost in millionths of a US dollar.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost_micros: Option<u64>,
        /// Of a reviewer: the round of the review, from 1. Absent for who does the work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<u32>,
    }
    /// A piece of evidence.
    CheckRecorded = "check.recorded" {
        /// What was looked at: `claim`, `exit`, `base`, `clean`, `diff`, `writes`, `conflict`, `stash`, `outputs`, `adr`,
        /// `review`, `gate`, `progress`, ...
        name: String,
        /// The result.
        status: CheckStatus,
        /// What was found, for people and for the next attempt; bounded.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
        /// How long it took, in milliseconds.
        #[serde(default)]
        duration_ms: u64,
    }
    /// What an attempt left is a commit now.
    WorkCollected = "work.collected" {
        /// The commit; absent where the attempt left nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Sha>,
    }
    /// What a commit changes.
    DiffRecorded = "diff.recorded" {
        /// From where.
        base: Sha,
        /// To where.
        head: Sha,
        /// The size of all of it.
        stat: DiffStat,
        /// The files, at most 200.
        files: Vec<DiffFile>,
    }
    /// A branch moved by a merge.
    MergeRecorded = "merge.recorded" {
        /// The branch that moved.
        branch: String,
        /// Where it stood.
        from: Sha,
        /// Where it stands.
        to: Sha,
        /// The tree that was gated and merged.
        tree: Sha,
    }
    /// Two changes do not merge.
    ConflictPredicted = "conflict.predicted" {
        /// What was to be merged in.
        with: String,
        /// The paths, as many as there is room for.
        paths: Vec<String>,
        /// How many more there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<u64>,
        /// The conflict as git shows it, bounded.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
        /// A commit that holds both sides, with the conflicts marked, for whoever resolves them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        marked: Option<Sha>,
        /// Only for a prediction, of a lane that goes on: what was compared. Without it, something did not merge just now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probed: Option<Probed>,
    }
    /// A conflict that was predicted is not to be expected any more.
    ConflictCleared = "conflict.cleared" {
        /// What it was with.
        with: String,
        /// The other lane; absent where it was the target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lane: Option<LaneId>,
    }
    /// An agent remarked something.
    ConcernRecorded = "concern.recorded" {
        /// Design blocks an automatic merge, ops does not.
        class: ConcernClass,
        /// The remark.
        text: String,
    }
    /// An agent summed its work up.
    SummaryRecorded = "summary.recorded" {
        /// Its words.
        text: String,
    }
    /// A file was taken into the record.
    ArtifactStored = "artifact.stored" {
        /// Its name.
        name: String,
        /// SHA-256 of its bytes.
        digest: String,
        /// Its size in bytes.
        bytes: u64,
    }
    /// The outputs that an attempt declared hold: each is in its commit, and there are as many as were asked for.
    OutputsRecorded = "outputs.recorded" {
        /// What was declared, by category.
        outputs: BTreeMap<Category, Vec<Output>>,
    }
    /// An effect is about to be tried.
    EffectIntended = "effect.intended" {
        /// Its name.
        id: EffectId,
        /// What it is.
        effect: Effect,
    }
    /// An effect is done.
    EffectConfirmed = "effect.confirmed" {
        /// Its name.
        id: EffectId,
    }
    /// An effect failed.
    EffectFailed = "effect.failed" {
        /// Its name.
        id: EffectId,
        /// How.
        failure: Failure,
    }
    /// The answer of an effect was lost; the world is asked before it is tried again.
    EffectUnknown = "effect.unknown" {
        /// Its name.
        id: EffectId,
    }
    /// A lane's worktree and branch are there.
    LaneProvisioned = "lane.provisioned" {
        /// The worktree.
        worktree: String,
        /// The lane's tip.
        tip: Sha,
        /// Whether the branch was pushed.
        pushed: bool,
        /// Its ports, by the names of their variables.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        ports: BTreeMap<String, u16>,
        /// What could not be done, without stopping the lane.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
    }
    /// A lane took in other lanes or its target.
    LaneSynced = "lane.synced" {
        /// The upstream lanes whose content it holds now, with the tips that were taken.
        upstream: Vec<(LaneId, Sha)>,
        /// The lane's tip.
        tip: Sha,
    }
    /// A lane's worktrees are gone.
    LaneRemoved = "lane.removed" {
        /// What stayed, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remarks: Vec<String>,
    }
    /// An integration pull request was opened.
    PrOpened = "pr.opened" {
        /// Which.
        pr: PrRef,
        /// The tip it shows.
        tip: Sha,
        /// The branch it goes to.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        base: String,
        /// Whether it is a draft.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        draft: bool,
    }
    /// An integration pull request was brought up to date.
    PrUpdated = "pr.updated" {
        /// Which.
        pr: PrRef,
        /// The tip it shows.
        tip: Sha,
        /// The branch it goes to.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        base: String,
        /// Whether it is a draft.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        draft: bool,
    }
    /// A lane's content is in its target.
    PrMerged = "pr.merged" {
        /// The commit of the target that holds it.
        commit: Sha,
        /// Who asked for it.
        by: String,
        /// What the pull request showed then, where the forge says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<Sha>,
    }
    /// A pull request was closed unmerged.
    PrClosed = "pr.closed" {
        /// Who closed it.
        by: String,
    }
    /// A task's own pull request was opened, or shows the work of another attempt now.
    TaskPrOpened = "task_pr.opened" {
        /// Which.
        pr: PrRef,
        /// The attempt's commit, which it shows.
        tip: Sha,
        /// The branch it goes to: the lane's integration branch.
        base: String,
    }
    /// What a task's own pull request shows is in the lane.
    TaskPrMerged = "task_pr.merged" {
        /// Which.
        pr: PrRef,
        /// The commit of the integration branch that holds it.
        commit: Sha,
    }
    /// A task's own pull request was closed by Laneway.
    TaskPrClosed = "task_pr.closed" {
        /// Which.
        pr: PrRef,
        /// Why.
        reason: String,
    }
    /// A reset of a lane is done, as far as it is Laneway's: what was to be taken back is not in its branch any more.
    LaneUndone = "lane.undone" {
        /// The lane's tip; absent where its branch is gone, or stays as it is in the target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tip: Option<Sha>,
        /// The commits that were taken back.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reverted: Vec<Sha>,
        /// Lanes whose new tips it has taken in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        upstream: Vec<(LaneId, Sha)>,
        /// What stayed, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remarks: Vec<String>,
    }
    /// A reset stops at a lane, and leaves it and those after it as they are.
    UndoRefused = "undo.refused" {
        /// The request that asked for it.
        request: String,
        /// Why.
        reason: String,
    }
    /// The pull request that takes a lane out of its target was opened.
    RevertOpened = "revert.opened" {
        /// Which.
        pr: PrRef,
        /// Its branch.
        branch: String,
        /// The commit it shows.
        tip: Sha,
        /// The commit of the target that it takes back.
        reverts: Sha,
    }
    /// It was merged: the lane's work is not in the target any more.
    RevertMerged = "revert.merged" {
        /// The commit of the target that took it.
        commit: Sha,
        /// Who asked for it.
        by: String,
    }
    /// It was closed unmerged: the lane's work stays in the target.
    RevertClosed = "revert.closed" {
        /// Who closed it.
        by: String,
    }
    /// A person looked at a pull request.
    ReviewObserved = "review.observed" {
        /// What they did: `approve`, `request_changes` or `comment`.
        act: super::effect::ReviewAct,
        /// Who.
        by: String,
        /// Their words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// The commit they looked at.
        tip: Sha,
        /// The forge's number of it; absent for one that was given through Laneway.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    }
    /// A review was taken back on its forge and counts no longer.
    ReviewDismissed = "review.dismissed" {
        /// The forge's number of it.
        id: u64,
        /// Who had reviewed.
        by: String,
        /// What they had written.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// The commit they had looked at.
        tip: Sha,
        /// Whether it was given through Laneway, by a person whom the forge does not know.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ours: bool,
    }
    /// A person is needed.
    HumanTaskOpened = "human_task.opened" {
        /// What for.
        question: String,
        /// The command that answers it.
        hint: String,
    }
    /// A person answered.
    HumanTaskResolved = "human_task.resolved" {
        /// Who.
        by: String,
        /// Their words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        answer: String,
    }
    /// A living attempt has shown no sign of life for long, or shows one again.
    LivenessRecorded = "liveness.recorded" {
        /// What was looked at.
        evidence: super::Evidence,
    }
    /// A deadline passed.
    TimerFired = "timer.fired" {
        /// Which one: `timeout`, `stall`, `grace`.
        timer: String,
        /// What follows.
        then: StopReason,
    }
    /// A request was taken.
    ControlReceived = "control.received" {
        /// The request.
        control: Control,
    }
    /// A request could not be followed.
    ControlRejected = "control.rejected" {
        /// The request's id or file name.
        request: String,
        /// Why, and what to do instead.
        reason: String,
    }
    /// Something was put where it can be brought back from.
    CustodyKept = "custody.kept" {
        /// The ref.
        reference: String,
        /// The commit.
        commit: Sha,
        /// Why.
        reason: String,
    }
    /// Uncommitted files that custody had kept were given to the attempt that goes on from them.
    CustodyRestored = "custody.restored" {
        /// The ref.
        reference: String,
        /// The commit.
        commit: Sha,
        /// Files that were given back.
        files: u64,
        /// Files that were not, because the lane has another version of them by now, and folders that were repositories of
        /// their own; as many as there is room for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        held_back: Vec<String>,
    }
    /// Something was lost or could not be seen.
    LossRecorded = "loss.recorded" {
        /// What.
        what: String,
    }
}
