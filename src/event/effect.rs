//! What Laneway does to the world, said before it is done.
//!
//! An effect's id is a function of what it is about, so that after a crash the same effect is recognised and the
//! world can be asked what became of it. Every effect can be started again when its answer was lost.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{LaneId, Sha, TaskId};

/// An action on the outside world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// Make the lane's worktree and its integration branch, and push the branch.
    Provision {
        /// The lane.
        lane: LaneId,
    },
    /// Make the worktree of a lane that cannot begin yet, for it to find. Nothing else of the lane is made.
    Warm {
        /// The lane.
        lane: LaneId,
        /// The commit whose files it gets.
        at: Sha,
    },
    /// Merge the tips of upstream lanes, or the target, into the lane.
    Sync {
        /// The lane that receives.
        lane: LaneId,
        /// 1-based count of syncs of this lane.
        n: u32,
        /// Where the lane stood when this was decided.
        tip: Sha,
        /// What is merged in, in order.
        from: Vec<SyncSource>,
    },
    /// Run one process of an attempt, to its end.
    Attempt {
        /// The task.
        task: TaskId,
        /// The attempt, from 1.
        attempt: u32,
        /// The process of the attempt, from 1.
        iteration: u32,
        /// The commit it starts from.
        start: Sha,
        /// Where it works: 0 is the lane's own worktree, others are worktrees of the task.
        place: Place,
    },
    /// End the processes of an attempt, or the gate of its landing.
    Stop {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// Why.
        reason: super::StopReason,
    },
    /// Look at what an attempt left and turn it into a commit with evidence.
    Collect {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// Have another agent review an attempt's work, in a worktree of its own.
    Examine {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// 1-based count of reviewers of this attempt; one that gave no verdict is followed by another.
        round: u32,
        /// The commit that is reviewed.
        commit: Sha,
    },
    /// Merge an attempt's commit into the lane, gate the merged tree, move the lane.
    Land {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// Where the lane stood when this was decided.
        tip: Sha,
        /// The attempt's commit; `None` where there is nothing to merge and only the gate speaks.
        commit: Option<Sha>,
    },
    /// Open the lane's integration pull request, or bring it up to date.
    OpenPr {
        /// The lane.
        lane: LaneId,
        /// The lane's tip that the pull request shows.
        tip: Sha,
        /// The branch it goes to: the target, or that of the one upstream lane it is stacked on.
        base: String,
        /// Whether it is a draft, because several upstream lanes have to land first.
        draft: bool,
    },
    /// Run the lane's gate on the merge of target and lane, and show the result on the pull request.
    Prove {
        /// The lane.
        lane: LaneId,
        /// The lane's tip.
        tip: Sha,
    },
    /// Merge the lane's pull request into its target.
    MergePr {
        /// The lane.
        lane: LaneId,
        /// The lane's tip that may be merged.
        tip: Sha,
        /// Who asked: a person's name, or `laneway` for an automatic merge.
        by: String,
        /// The request that is answered; `None` for an automatic merge.
        request: Option<String>,
        /// The one head that may be merged, as the request says; `None` takes what people have put on top along.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<Sha>,
    },
    /// Find out whether a lane's content is in its target although Laneway did not merge it.
    CheckMerged {
        /// The lane.
        lane: LaneId,
        /// The lane's tip.
        tip: Sha,
    },
    /// Remove the lane's worktrees, after custody.
    Teardown {
        /// The lane.
        lane: LaneId,
        /// 1-based count of teardowns of this lane.
        n: u32,
    },
    /// Say on the lane's pull request, once it is merged, what became of it.
    Conclude {
        /// The lane.
        lane: LaneId,
    },
    /// Find out which lanes would not merge with each other, or with their targets, as they stand now.
    Probe {
        /// 1-based count of probes of the run.
        n: u32,
        /// The lanes that stand elsewhere than at the probe before, and where.
        moved: Vec<(LaneId, Sha)>,
        /// The lanes that are out of the question since then: merged, or failed.
        gone: Vec<LaneId>,
    },
    /// A step of a reset, of one lane.
    Undo {
        /// The lane.
        lane: LaneId,
        /// 1-based count of resets of this lane.
        n: u32,
        /// The request that asked for it.
        request: String,
        /// Who asked.
        by: String,
        /// What is done.
        step: super::UndoStep,
    },
    /// Do what a person asked of a pull request that is not a merge.
    Review {
        /// The lane.
        lane: LaneId,
        /// The request, as it was taken.
        request: String,
        /// What to do.
        act: ReviewAct,
        /// Who asked.
        by: String,
        /// Their words.
        text: String,
    },
}

/// A commit that flows into a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum SyncSource {
    /// The tip of an upstream lane.
    Lane {
        /// The upstream lane.
        lane: LaneId,
        /// Its tip.
        tip: Sha,
    },
    /// The lane's target branch, as it stands when the sync is done.
    Target {
        /// The upstream lanes whose content it brings, with their tips.
        landed: Vec<(LaneId, Sha)>,
    },
    /// The lane's own branch on origin, as it stands when the sync is done: what others have put there.
    Origin,
    /// The landing of an upstream lane whose work the lane holds, or of a lane nested in it.
    Landing {
        /// The upstream lane.
        lane: LaneId,
        /// The commit of the target that brought it.
        landed: Sha,
        /// The upstream's tip when it landed.
        head: Sha,
        /// The upstream's tip that the lane holds.
        held: Sha,
    },
}

impl SyncSource {
    /// The upstream lanes whose content it brings, with their tips.
    pub fn lanes(&self) -> Vec<(LaneId, Sha)> {
        match self {
            SyncSource::Lane { lane, tip } => vec![(lane.clone(), tip.clone())],
            SyncSource::Target { landed } => landed.clone(),
            SyncSource::Origin => Vec::new(),
            SyncSource::Landing { lane, head, .. } => vec![(lane.clone(), head.clone())],
        }
    }
}

/// The worktree an attempt works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The lane's own worktree.
    Lane,
    /// A worktree of the task, beside the lane's.
    Own,
}

/// What a person does to a pull request short of merging it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewAct {
    /// Approve the shown tip.
    Approve,
    /// Ask for changes.
    RequestChanges,
    /// Say something.
    Comment,
    /// Close it unmerged.
    Close,
}

/// The name of an effect, a function of what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub String);

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Effect {
    /// The effect's name.
    pub fn id(&self) -> EffectId {
        EffectId(match self {
            Self::Provision { lane } => format!("provision/{lane}"),
            Self::Warm { lane, .. } => format!("warm/{lane}"),
            Self::Sync { lane, n, .. } => format!("sync/{lane}/{n}"),
            Self::Attempt { task, attempt, iteration, .. } => format!("attempt/{task}/{attempt}/{iteration}"),
            Self::Stop { task, attempt, reason } => format!("stop/{task}/{attempt}/{}", reason.word()),
            Self::Collect { task, attempt } => format!("collect/{task}/{attempt}"),
            Self::Examine { task, attempt, round, .. } => format!("examine/{task}/{attempt}/{round}"),
            Self::Land { task, attempt, tip, .. } => format!("land/{task}/{attempt}/{}", tip.short()),
            Self::OpenPr { lane, tip, base, draft } => {
                let draft = if *draft { "/draft" } else { "" };
                format!("open-pr/{lane}/{}/{base}{draft}", tip.short())
            }
            Self::Prove { lane, tip } => format!("prove/{lane}/{}", tip.short()),
            Self::MergePr { lane, tip, request, .. } => {
                format!("merge-pr/{lane}/{}/{}", tip.short(), request.as_deref().unwrap_or("auto"))
            }
            Self::CheckMerged { lane, tip } => format!("check-merged/{lane}/{}", tip.short()),
            Self::Teardown { lane, n } => format!("teardown/{lane}/{n}"),
            Self::Conclude { lane } => format!("conclude/{lane}"),
            Self::Probe { n, .. } => format!("probe/{n}"),
            Self::Undo { lane, n, step, .. } => format!("undo/{lane}/{n}/{}", step.word()),
            Self::Review { lane, request, .. } => format!("review/{lane}/{request}"),
        })
    }
}

/// How an effect failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What sort of failure, which decides what happens next.
    pub class: FailureKind,
    /// What failed, on what, and why; for people.
    pub message: String,
    /// The next command to run, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When the surroundings may be asked again, where they said so. They are waited for longer than for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<super::Timestamp>,
}

/// The sort of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The surroundings failed in a way that passes: network, a lock, a quota. Tried again, counted apart.
    Transient,
    /// The work does not hold: a gate failed, a check failed.
    Work,
    /// Two changes do not merge.
    Conflict,
    /// The lane or the target moved meanwhile; decide again on what is there now.
    Moved,
    /// A person has to put something right first.
    Refused,
    /// Everything else; trying again by itself would not help.
    Permanent,
}
