//! A lane's part of the state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Check, Revert, Step, Undo};
use crate::event::{
    Actor, CHECK_ORIGIN, ConcernClass, ConflictPredicted, ControlVerb, Effect, Failure, LandedPart,
    LaneStatus, PrRef, ReviewAct, ReviewDismissed, SyncSource, Timestamp,
};
use crate::id::{Sha, TaskId};
use crate::plan::{LaneIx, TaskIx};

/// A remark of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Concern {
    /// Design or ops.
    pub class: ConcernClass,
    /// The task whose agent made it.
    pub task: Option<TaskId>,
    /// The remark.
    pub text: String,
}

/// Two changes that do not merge.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// What was to be merged in.
    pub with: String,
    /// The paths, as many as the record lists.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
    /// The conflict as git shows it.
    pub detail: String,
}

impl From<&ConflictPredicted> for Conflict {
    fn from(event: &ConflictPredicted) -> Self {
        Self {
            with: event.with.clone(),
            paths: event.paths.clone(),
            more: event.more.unwrap_or_default(),
            detail: event.detail.clone(),
        }
    }
}

/// Upstream work that does not merge into the lane, for an agent to resolve.
#[derive(Debug, Clone, PartialEq)]
pub struct Unresolved {
    /// The lane's tip that it was merged with.
    pub tip: Sha,
    /// The upstream lanes whose content it brings, with their tips.
    pub brings: Vec<(LaneIx, Sha)>,
    /// Those of them that have landed, and whose landing it brings.
    pub lands: Vec<LaneIx>,
    /// The commit that holds all of it, with the conflicts marked.
    pub marked: Sha,
    /// What conflicts.
    pub conflict: Conflict,
}

/// An integration pull request.
#[derive(Debug, Clone, PartialEq)]
pub struct PullRequest {
    /// Where it is.
    pub at: PrRef,
    /// The tip that it shows.
    pub tip: Sha,
    /// The tips that it showed before.
    pub earlier: BTreeSet<Sha>,
    /// The branch it goes to.
    pub base: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// The commit of the target that holds it, once merged.
    pub merged: Option<Sha>,
    /// The head that was merged, where people had put more on top of the tip.
    pub merged_head: Option<Sha>,
    /// Who merged it.
    pub merged_by: Option<String>,
    /// Who closed it unmerged.
    pub closed_by: Option<String>,
}

/// Work of a lane that no branch holds, kept under a ref.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The ref.
    pub reference: String,
    /// Why it was kept.
    pub reason: String,
}

/// What a person did on a pull request.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewNote {
    /// What.
    pub act: ReviewAct,
    /// Who.
    pub by: String,
    /// Their words.
    pub text: String,
    /// What they looked at.
    pub tip: Sha,
    /// The forge's number of it; `None` where it was given through Laneway, or recorded before they had numbers.
    pub id: Option<u64>,
}

/// A request on a lane that waits for its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneRequest {
    /// Its id.
    pub id: String,
    /// Who asked.
    pub by: String,
    /// What.
    pub verb: ControlVerb,
}

/// What somebody said about a lane by writing its status file.
#[derive(Debug, Clone, PartialEq)]
pub enum Outside {
    /// It failed, for this reason.
    Failed(String),
    /// It was merged by other hands.
    Merged,
}

/// Where a lane stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its status.
    pub status: LaneStatus,
    /// When it took each status last; what the status files show.
    pub since: BTreeMap<LaneStatus, Timestamp>,
    /// Why it failed, or what was skipped.
    pub reason: Option<String>,
    /// Where its integration branch stands.
    pub tip: Option<Sha>,
    /// Its worktree, while it has one.
    pub worktree: Option<String>,
    /// Whether its worktree was made before it began.
    pub warmth: Warmth,
    /// The ports that it has, or had last, by the names of their variables.
    pub ports: BTreeMap<String, u16>,
    /// Upstream lanes whose tips it holds.
    pub contains: BTreeMap<LaneIx, Sha>,
    /// Upstream lanes whose landing it has taken in.
    pub landed: BTreeSet<LaneIx>,
    /// Upstream work that could not be merged in, until it is resolved or tried again.
    pub unresolved: Option<Unresolved>,
    /// What could not be brought into it for good, with the tip that it was to be brought into.
    pub given_up: Option<(Sha, Vec<SyncSource>)>,
    /// Whether its target is known to have moved in a way that conflicts with it.
    pub behind: bool,
    /// The effect on the lane itself that is under way, or that failed last.
    pub step: Option<Step>,
    /// The task that is landing.
    pub turn: Option<TaskIx>,
    /// The nested lane that is merging into it.
    pub taking: Option<LaneIx>,
    /// Syncs so far.
    pub syncs: u32,
    /// Teardowns so far.
    pub teardowns: u32,
    /// Its pull request.
    pub pr: Option<PullRequest>,
    /// The tip whose merge with the target was gated last.
    pub proven: Option<Sha>,
    /// Evidence about the lane as a whole.
    pub checks: Vec<Check>,
    /// What agents remarked.
    pub concerns: Vec<Concern>,
    /// What people did.
    pub reviews: Vec<ReviewNote>,
    /// Requests that wait.
    pub requests: VecDeque<LaneRequest>,
    /// A word from outside that is not judged yet.
    pub outside: Option<Outside>,
    /// Whether a retry was asked for.
    pub retry_wanted: bool,
    /// Trees that passed a gate in this lane, with the gate's command, newest last; so that nothing is gated twice.
    pub gated: Vec<(Sha, String)>,
    /// What could not be done without stopping the lane.
    pub remarks: Vec<String>,
    /// What was put where it can be brought back from.
    pub kept: Vec<Kept>,
    /// Whether its pull request says what became of it, or cannot be made to.
    pub concluded: bool,
    /// What it is not expected to merge with, as of the last probe.
    pub predicted: BTreeMap<super::Against, super::Predicted>,
    /// The predictions that its pull request was last described with.
    pub told: BTreeMap<super::Against, super::Predicted>,
    /// The event that tells that it was merged.
    pub merged_seq: Option<u64>,
    /// A reset of it that is under way.
    pub undo: Option<Undo>,
    /// Resets of it so far, whether they came to an end or not.
    pub undos: u32,
    /// Times that it was undone as a whole.
    pub resets: u32,
    /// The newest pull request that takes it out of its target.
    pub revert: Option<Revert>,
    /// The commits of the target that hold a part of it, oldest first: pull requests of it that were merged by others before its last
    /// work was shown. The rest goes into another.
    pub parts: Vec<LandedPart>,
    /// How many such parts it had before it was undone as a whole.
    pub past: u32,
    /// What its forge was asked for in vain: it may have been done although nobody was told.
    pub failed_on_forge: BTreeSet<ForgeStep>,
    /// Lanes that have taken work back which this one holds and did not give back with them. It takes them in anew.
    pub stale: BTreeSet<LaneIx>,
}

/// Whether the worktree of a lane that has not begun is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Warmth {
    /// Nobody has made it.
    #[default]
    Cold,
    /// It is being made.
    Warming,
    /// It is there, and nobody has worked in it.
    Warm,
    /// It could not be made, or not all of it.
    Spoiled,
}

/// What must not be done twice on a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForgeStep {
    /// The pull request is opened.
    Open,
    /// It is merged.
    Merge,
    /// The last word is said on it.
    Conclude,
}

impl ForgeStep {
    pub(super) fn of(effect: &Effect) -> Option<Self> {
        match effect {
            Effect::OpenPr { .. } => Some(Self::Open),
            Effect::MergePr { .. } => Some(Self::Merge),
            Effect::Conclude { .. } => Some(Self::Conclude),
            _ => None,
        }
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            status: LaneStatus::Pending,
            since: BTreeMap::new(),
            reason: None,
            tip: None,
            worktree: None,
            warmth: Warmth::default(),
            ports: BTreeMap::new(),
            contains: BTreeMap::new(),
            landed: BTreeSet::new(),
            unresolved: None,
            behind: false,
            given_up: None,
            step: None,
            turn: None,
            taking: None,
            syncs: 0,
            teardowns: 0,
            pr: None,
            proven: None,
            checks: Vec::new(),
            concerns: Vec::new(),
            reviews: Vec::new(),
            requests: VecDeque::new(),
            outside: None,
            retry_wanted: false,
            gated: Vec::new(),
            remarks: Vec::new(),
            kept: Vec::new(),
            concluded: false,
            predicted: BTreeMap::new(),
            told: BTreeMap::new(),
            merged_seq: None,
            undo: None,
            undos: 0,
            resets: 0,
            revert: None,
            parts: Vec::new(),
            past: 0,
            failed_on_forge: BTreeSet::new(),
            stale: BTreeSet::new(),
        }
    }
}

impl Lane {
    /// Whether a design concern was raised, which keeps a lane from being merged by itself.
    pub fn has_design_concern(&self) -> bool {
        self.concerns.iter().any(|c| c.class == ConcernClass::Design)
    }

    /// A review that asks for changes to what stands there now, unless the same person has approved it since.
    pub fn asked_for_changes(&self) -> Option<&ReviewNote> {
        let verdicts =
            self.reviews.iter().filter(|r| r.act != ReviewAct::Comment && Some(&r.tip) == self.tip.as_ref());
        let newest: BTreeMap<&str, &ReviewNote> = verdicts.map(|r| (r.by.as_str(), r)).collect();
        newest.into_values().find(|r| r.act == ReviewAct::RequestChanges)
    }

    /// How many pull requests it has had that are done with: each has a marker of its own.
    pub fn rounds(&self) -> u32 {
        let parts = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        self.resets.saturating_add(self.past).saturating_add(parts)
    }

    /// Its pull request showed `head` when it was merged; what the run does not know of says nothing.
    pub(super) fn was_shown(&mut self, head: Option<&Sha>) {
        let (tip, Some(pr), Some(head)) = (&self.tip, &mut self.pr, head) else { return };
        if *head != pr.tip && (tip.as_ref() == Some(head) || pr.earlier.contains(head)) {
            let before = std::mem::replace(&mut pr.tip, head.clone());
            pr.earlier.insert(before);
        }
    }

    /// Whether its pull request shows less than it has by now.
    pub(super) fn shows_a_part(&self) -> bool {
        let checked = matches!(self.step.as_ref().map(|s| &s.effect), Some(Effect::CheckMerged { .. }));
        !checked && self.pr.as_ref().is_some_and(|pr| self.tip.as_ref().is_some_and(|tip| pr.tip != *tip))
    }

    /// Whether its work is in the target, so that no more of it can be done here.
    pub fn is_closed(&self) -> bool {
        self.status == LaneStatus::Merged && self.tip.is_some()
    }

    /// Whether its branch on origin is known to hold what the lane does not.
    pub fn origin_is_ahead(&self) -> bool {
        self.checks.iter().any(|check| check.name == CHECK_ORIGIN)
    }

    /// How a step failed that its open pull request needs and that Laneway takes by itself; such a step is tried again
    /// when a person asks for it.
    pub fn failed_step(&self) -> Option<&Failure> {
        let step = self.step.as_ref().filter(|_| self.status == LaneStatus::PrCreated)?;
        let own = matches!(
            step.effect,
            Effect::OpenPr { .. } | Effect::Prove { .. } | Effect::MergePr { request: None, .. }
        );
        step.failure().filter(|_| own).map(|(failure, _)| failure)
    }

    /// Whether an effect on the lane is under way, or it is being reset.
    pub fn is_busy(&self) -> bool {
        self.undo.is_some() || self.is_moving()
    }

    /// Whether an effect on the lane is under way.
    pub fn is_moving(&self) -> bool {
        self.step.as_ref().is_some_and(Step::is_in_flight) || self.turn.is_some() || self.taking.is_some()
    }
}

impl ReviewNote {
    /// Whether it is the one that was taken back.
    pub fn is(&self, gone: &ReviewDismissed) -> bool {
        if let Some(id) = self.id {
            return id == gone.id;
        }
        let by = gone.ours || self.by == gone.by;
        by && (&self.text, &self.tip) == (&gone.text, &gone.tip)
    }
}

impl Concern {
    pub(super) fn new(class: ConcernClass, task: Option<TaskId>, text: String) -> Self {
        Self { class, task, text }
    }
}

/// The name of whoever acted.
pub(super) fn name(actor: &Actor) -> &str {
    match actor {
        Actor::Person(name) => name,
        Actor::Agent => "agent",
        Actor::Engine | Actor::World => "laneway",
    }
}
