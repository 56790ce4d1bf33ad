//! The whole of a run's state.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Lane, Task};
use crate::event::{Effect, EffectId, LaneStatus, RunStatus, Timestamp};
use crate::id::Sha;
use crate::plan::{Index, LaneIx, Plan, TaskIx};

/// The run itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// `None` before the first event.
    pub status: Option<RunStatus>,
    /// Why it rests.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it last came to rest.
    pub ended_at: Option<Timestamp>,
    /// Whether the orchestrator that lives now may start attempts.
    pub attempts_allowed: bool,
    /// Whether a person paused it.
    pub paused: bool,
    /// Interrupts since the orchestrator attached.
    pub interrupts: u32,
    /// When the first of them came.
    pub interrupted_at: Option<Timestamp>,
    /// Whether a person called it off.
    pub cancelled: bool,
    /// Probes so far.
    pub probes: u32,
    /// Where lanes stood at the last one.
    pub probed: BTreeMap<LaneIx, Sha>,
    /// Things that were lost or could not be seen.
    pub losses: Vec<String>,
}

/// Where a run stands.
#[derive(Debug, Clone)]
pub struct State {
    /// The number of the last event.
    pub seq: u64,
    /// The run.
    pub run: Run,
    /// The lanes, as in the plan.
    pub lanes: Vec<Lane>,
    /// The tasks, as in the plan.
    pub tasks: Vec<Task>,
    /// Effects that were intended and have no answer yet.
    pub outstanding: BTreeMap<EffectId, Effect>,
    /// Requests that were taken.
    pub handled: HashSet<String>,
    pub(super) plan: Arc<Plan>,
    pub(super) index: Arc<Index>,
}

impl PartialEq for State {
    /// Compares what was folded; the plan is the same by construction.
    fn eq(&self, other: &Self) -> bool {
        self.seq == other.seq
            && self.run == other.run
            && self.lanes == other.lanes
            && self.tasks == other.tasks
            && self.outstanding == other.outstanding
            && self.handled == other.handled
    }
}

impl State {
    /// The state before the first event.
    pub fn new(plan: Arc<Plan>, index: Arc<Index>) -> Self {
        Self {
            seq: 0,
            run: Run::default(),
            lanes: plan.lanes.iter().map(|_| Lane::default()).collect(),
            tasks: plan.tasks.iter().map(|_| Task::default()).collect(),
            outstanding: BTreeMap::new(),
            handled: HashSet::new(),
            plan,
            index,
        }
    }

    /// The plan that this is a state of.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The plan's index.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// What there is to know of `lane` as a whole: itself, its tasks, and the lanes next to it; of those that other lanes
    /// wait for beside it the status; and the merges that are being tried. The rest is blank.
    /// For those who look at one lane while the run goes on; a copy of everything costs what there is.
    #[must_use]
    pub fn about(&self, lane: LaneIx) -> Self {
        let mut about = Self::new(Arc::clone(&self.plan), Arc::clone(&self.index));
        about.seq = self.seq;
        about.run = self.run.clone();
        let index = &self.index;
        let beside = index.upstream[lane].iter().chain(&index.children[lane]).chain(&index.parent[lane]);
        let held = self.lanes[lane].contains.keys().chain(beside).chain(&index.downstream[lane]);
        for &near in held.chain([&lane]) {
            about.lanes[near] = self.lanes[near].clone();
        }
        for &near in index.downstream[lane].iter().flat_map(|&down| &index.upstream[down]) {
            about.lanes[near].status = self.lanes[near].status;
        }
        for against in self.lanes[lane].predicted.keys() {
            if let super::Against::Lane(other) = *against {
                about.lanes[other].status = self.lanes[other].status;
                about.lanes[other].tip.clone_from(&self.lanes[other].tip);
            }
        }
        for &task in &self.index.tasks_of[lane] {
            about.tasks[task] = self.tasks[task].clone();
        }
        for (ours, theirs) in about.lanes.iter_mut().zip(&self.lanes) {
            if ours.step.is_none() {
                ours.step = theirs.step.clone().filter(|step| matches!(step.effect, Effect::MergePr { .. }));
            }
        }
        about
    }

    /// Tasks of a lane whose attempts are not over.
    pub fn live_tasks(&self, lane: LaneIx) -> impl Iterator<Item = TaskIx> + '_ {
        self.index.tasks_of[lane].iter().copied().filter(|&t| self.tasks[t].is_live())
    }

    /// The lanes whose content `lane` holds and that have not reached the target; the ones that it is nested in are no
    /// matter of its own.
    pub fn unmerged_upstreams(&self, lane: LaneIx) -> impl Iterator<Item = LaneIx> + '_ {
        self.upstreams(lane).filter(move |&up| !self.has_landed_for(lane, up))
    }

    /// Whether the content of `up` is where `lane` may build on it for good: in its target, and where that is a lane that
    /// `lane` is not nested in, in the target of that one too.
    pub fn has_landed_for(&self, lane: LaneIx, up: LaneIx) -> bool {
        let outer = std::iter::successors(Some(up), |&at| self.index.parent[at]);
        let mut foreign = outer.take_while(|&at| at != lane && !self.index.is_within(lane, at));
        foreign.all(|at| self.lanes[at].status == LaneStatus::Merged)
    }

    /// The lanes whose content `lane` has taken in, landed or not, but those that it is nested in.
    pub fn upstreams(&self, lane: LaneIx) -> impl Iterator<Item = LaneIx> + '_ {
        let holds = self.lanes[lane].contains.keys().copied();
        holds.filter(move |&up| !self.index.is_within(lane, up))
    }

    /// Whether a merged lane is in the lane that it is nested in, as that stands here, and not only on origin.
    pub fn is_in_parent(&self, lane: LaneIx) -> bool {
        self.index.parent[lane].is_none_or(|parent| self.lanes[parent].contains.contains_key(&lane))
    }

    /// Whether a person chose to go on without the whole lane.
    pub fn goes_on_without(&self, lane: LaneIx) -> bool {
        let (tasks, children) = (&self.index.tasks_of[lane], &self.index.children[lane]);
        // What is nested in it goes nowhere without it, and one that only holds others together is gone where they are.
        tasks.len() + children.len() > 0
            && tasks.iter().all(|&task| self.tasks[task].set_aside)
            && children.iter().all(|&child| self.goes_on_without(child))
    }

    /// Where the pull request of `lane` goes, and whether as a draft: on the one lane that it stands on and that has not
    /// landed; where there are several, to the target, once they have.
    pub fn base_of(&self, lane: LaneIx) -> (String, bool) {
        let Some(up) = self.unmerged_upstreams(lane).next() else {
            return (self.plan.lanes[lane].target.clone(), false);
        };
        let target = &self.plan.lanes[lane].target;
        let several = self.upstreams(lane).nth(1).is_some();
        if !several && self.plan.lanes[up].target == *target && self.lanes[up].pr.is_some() {
            return (self.plan.lanes[up].branch.clone(), false);
        }
        (target.clone(), true)
    }

    /// Whether the content of `lane` may flow on, as far as its own status says.
    pub fn is_ready(&self, lane: LaneIx) -> bool {
        matches!(self.lanes[lane].status, LaneStatus::MergeReady | LaneStatus::PrCreated | LaneStatus::Merged)
    }
}
