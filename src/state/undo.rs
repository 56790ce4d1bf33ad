//! What undoing something takes along, from what the run knows: pure, so that it can be shown before it is asked for, and
//! compared with what was shown when it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attempt, State, UndoRefusal};
use crate::event::{
    Effect, LaneStatus, LaneUndo, PrRef, SyncSource, TaskStatus, UndoLane, UndoPlan, UndoTarget, UndoTask,
    UndoWhy,
};
use crate::id::{LaneId, Sha, TaskId};
use crate::plan::{LaneIx, TaskIx};

/// A reset of a lane that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Undo {
    /// The request.
    pub request: String,
    /// Who asked.
    pub by: String,
    /// How the lane is undone.
    pub how: LaneUndo,
    /// 1-based count of resets of the lane.
    pub n: u32,
    /// Whether the lane's work is gone from where it was, so that the lane can end.
    pub done: bool,
    /// Whether its branch and worktree are removed.
    pub removed: bool,
}

/// The pull request that takes a lane out of its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Revert {
    /// Where it is.
    pub at: PrRef,
    /// Its branch.
    pub branch: String,
    /// The commit it shows.
    pub tip: Sha,
    /// How many landings of the lane it takes back.
    pub takes: usize,
    /// The commit of the target that took it, once merged.
    pub merged: Option<Sha>,
    /// Who closed it unmerged.
    pub closed_by: Option<String>,
}

impl Revert {
    /// Whether it waits for a person.
    pub fn is_open(&self) -> bool {
        self.merged.is_none() && self.closed_by.is_none()
    }
}

/// How an attempt's work came into its lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Landing {
    /// Where the lane stood before.
    pub from: Sha,
    /// The commit that brought it.
    pub commit: Sha,
    /// The event that tells it.
    pub seq: u64,
}

impl State {
    /// What undoing `of` takes along. The same state gives the same plan.
    pub fn undo(&self, of: &UndoTarget) -> Result<UndoPlan, UndoRefusal> {
        let mut reach = Reach { state: self, tasks: BTreeMap::new(), whole: BTreeMap::new() };
        match of {
            UndoTarget::Task(task) => {
                let ix = self.named_task(task)?;
                let now = &self.tasks[ix];
                if !reach.has_begun(ix) {
                    let (task, status) = (task.clone(), now.status);
                    return Err(UndoRefusal::NothingOfTask { task, status });
                }
                reach.tasks.insert(ix, UndoWhy::Asked);
            }
            UndoTarget::Lane(lane) => {
                let ix = self.index.lane(lane).ok_or_else(|| UndoRefusal::NoLane { lane: lane.clone() })?;
                let now = &self.lanes[ix];
                if now.tip.is_none() || now.status == LaneStatus::Reset {
                    let (lane, status) = (lane.clone(), now.status);
                    return Err(UndoRefusal::NothingOfLane { lane, status });
                }
                reach.whole.insert(ix, UndoWhy::Asked);
            }
            UndoTarget::To(task) => self.after(task, &mut reach)?,
        }
        reach.close();
        let lanes = reach.lanes();
        self.may_undo(&lanes)?;
        reach.brought_only_their_own()?;
        if let UndoTarget::To(task) = of
            && let Some(ix) = self.index.task(task)
            && reach.tasks.contains_key(&ix)
        {
            let lane = self.plan.lanes[self.index.lane_of[ix]].id.clone();
            return Err(UndoRefusal::CannotStay { task: task.clone(), lane });
        }
        Ok(UndoPlan { of: of.clone(), tasks: reach.shown(), lanes: lanes.into_values().collect() })
    }

    fn named_task(&self, task: &TaskId) -> Result<TaskIx, UndoRefusal> {
        self.index.task(task).ok_or_else(|| UndoRefusal::NoTask { task: task.clone() })
    }

    fn after(&self, task: &TaskId, reach: &mut Reach<'_>) -> Result<(), UndoRefusal> {
        let ix = self.named_task(task)?;
        let Some(stays) = self.tasks[ix].landings().map(|l| l.seq).max() else {
            return Err(UndoRefusal::NotLanded { task: task.clone(), status: self.tasks[ix].status });
        };
        for (other, state) in self.tasks.iter().enumerate().filter(|(other, _)| *other != ix) {
            if state.landings().any(|l| l.seq > stays) {
                reach.tasks.insert(other, UndoWhy::LandedAfter(task.clone()));
            }
        }
        if reach.tasks.is_empty() {
            return Err(UndoRefusal::NothingAfter { task: task.clone() });
        }
        Ok(())
    }

    fn may_undo(&self, lanes: &BTreeMap<LaneIx, UndoLane>) -> Result<(), UndoRefusal> {
        for (&ix, planned) in lanes {
            let (now, lane) = (&self.lanes[ix], planned.lane.clone());
            if let Some(open) = now.revert.as_ref().filter(|revert| revert.is_open()) {
                return Err(UndoRefusal::Reverting { lane, number: open.at.number });
            }
            if now.undo.is_some() {
                return Err(UndoRefusal::UnderWay { lane });
            }
            if let Some(holder) = self.takes_in(ix) {
                return Err(UndoRefusal::TakenIn { lane, holder });
            }
            if let Some(parent) =
                self.index.parent[ix].filter(|&parent| self.stays_on_github(ix, parent, lanes))
            {
                let parent = self.plan.lanes[parent].id.clone();
                return Err(UndoRefusal::NestedOnGitHub { lane, parent });
            }
            let merges =
                |effect: &Effect| matches!(effect, Effect::MergePr { .. } | Effect::CheckMerged { .. });
            if now.step.as_ref().is_some_and(|step| step.is_in_flight() && merges(&step.effect)) {
                return Err(UndoRefusal::Merging { lane });
            }
        }
        Ok(())
    }

    /// Whether GitHub has merged the lane, or a part of it, into `parent`, which does not go as a whole.
    fn stays_on_github(&self, lane: LaneIx, parent: LaneIx, lanes: &BTreeMap<LaneIx, UndoLane>) -> bool {
        let (now, outer) = (&self.lanes[lane], lanes.get(&parent));
        let forward = outer.is_some_and(|outer| matches!(outer.undo, LaneUndo::TakeBack { .. }));
        let merged = now.status == LaneStatus::Merged && forward;
        let in_part = !now.parts.is_empty() && (forward || outer.is_none());
        self.plan.settings.github.is_some() && (merged || in_part)
    }

    /// The lane into which the work of this one is on its way.
    fn takes_in(&self, lane: LaneIx) -> Option<LaneId> {
        let id = &self.plan.lanes[lane].id;
        let brings = |holder: usize, effect: &Effect| match effect {
            Effect::Sync { from, .. } => from.iter().flat_map(SyncSource::lanes).any(|(up, _)| up == *id),
            Effect::Provision { .. } => self.index.parent[holder] == Some(lane),
            _ => false,
        };
        // An attempt that merges it where that conflicted brings it with its landing.
        let resolves = |holder: LaneIx| {
            self.live_tasks(holder).any(|task| {
                let resolved = self.tasks[task].attempt().and_then(|attempt| attempt.resolves.as_ref());
                resolved.is_some_and(|resolved| resolved.brings.iter().any(|(up, _)| *up == lane))
            })
        };
        let mut lanes = self.lanes.iter().enumerate();
        let holder = lanes.find(|(holder, other)| {
            let goes = |step: &super::Step| step.is_in_flight() && brings(*holder, &step.effect);
            other.step.as_ref().is_some_and(goes) || resolves(*holder)
        });
        holder.map(|(holder, _)| self.plan.lanes[holder].id.clone())
    }

    /// The commits that brought what a reset takes out of the branch of `lane`, newest first: landings of its tasks, and
    /// merges of nested lanes that go.
    pub fn to_take_back(&self, lane: LaneIx) -> Vec<Sha> {
        let wanted = |t: &&TaskIx| self.tasks[**t].reset_wanted.is_some();
        let tasks = self.index.tasks_of[lane].iter().filter(wanted);
        let mut found: Vec<(u64, Sha)> =
            tasks.flat_map(|&t| self.tasks[t].landings()).map(|l| (l.seq, l.commit.clone())).collect();
        for child in self.index.children[lane].iter().map(|&c| &self.lanes[c]) {
            let goes = child.undo.as_ref().is_some_and(|undo| undo.how == LaneUndo::Remove);
            let merged = child.pr.as_ref().and_then(|pr| pr.merged.clone());
            if let (true, Some(seq), Some(commit)) = (goes, child.merged_seq, merged) {
                found.push((seq, commit));
            }
        }
        found.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        found.into_iter().map(|(_, commit)| commit).collect()
    }
}

impl super::Task {
    /// How its work came into its lane, as far as it is still there.
    pub fn landings(&self) -> impl Iterator<Item = &Landing> {
        self.attempts.iter().filter(|a| !a.undone).filter_map(|a: &Attempt| a.landing.as_ref())
    }
}

/// What is reached from what was asked for.
struct Reach<'a> {
    state: &'a State,
    tasks: BTreeMap<TaskIx, UndoWhy>,
    /// Lanes that go as a whole.
    whole: BTreeMap<LaneIx, UndoWhy>,
}

impl Reach<'_> {
    fn has_begun(&self, task: TaskIx) -> bool {
        let task = &self.state.tasks[task];
        task.status != TaskStatus::Reset && task.attempts.iter().any(|a| !a.undone)
    }

    /// Whether the lane's content is in its target, or a part of it, which cannot be told from the rest there.
    fn is_in_target(&self, lane: LaneIx) -> bool {
        let lane = &self.state.lanes[lane];
        (lane.status == LaneStatus::Merged || !lane.parts.is_empty()) && lane.tip.is_some()
    }

    fn id(&self, lane: LaneIx) -> LaneId {
        self.state.plan.lanes[lane].id.clone()
    }

    /// Adds what follows until nothing does.
    fn close(&mut self) {
        loop {
            let before = (self.tasks.len(), self.whole.len());
            self.dependents();
            self.merged_lanes();
            self.whole_lanes();
            if (self.tasks.len(), self.whole.len()) == before {
                return;
            }
        }
    }

    fn dependents(&mut self) {
        let (state, mut look) = (self.state, self.tasks.keys().copied().collect::<Vec<_>>());
        while let Some(task) = look.pop() {
            for &after in &state.index.dependents[task] {
                if self.has_begun(after) && !self.tasks.contains_key(&after) {
                    self.tasks.insert(after, UndoWhy::Needs(state.plan.tasks[task].id.clone()));
                    look.push(after);
                }
            }
        }
    }

    fn merged_lanes(&mut self) {
        for task in self.tasks.keys().copied().collect::<Vec<_>>() {
            let lane = self.state.index.lane_of[task];
            if self.is_in_target(lane) {
                let why = UndoWhy::InTarget(self.state.plan.tasks[task].id.clone());
                self.whole.entry(lane).or_insert(why);
            }
        }
    }

    fn whole_lanes(&mut self) {
        let index = &self.state.index;
        for lane in self.whole.keys().copied().collect::<Vec<_>>() {
            let id = self.id(lane);
            for &task in &index.tasks_of[lane] {
                if self.state.tasks[task].status != TaskStatus::Reset {
                    self.tasks.entry(task).or_insert(UndoWhy::WithLane(id.clone()));
                }
            }
            for (holder, state) in self.state.lanes.iter().enumerate() {
                // What a lane took from one that is nested in it is one commit there, unless its target has that too; and
                // nothing can be done anew in one that is nested in a merged one, whether it brought anything or not.
                let outer = index.is_within(lane, holder);
                let goes = if outer { self.is_in_target(holder) } else { state.contains.contains_key(&lane) };
                if goes {
                    self.whole.entry(holder).or_insert(UndoWhy::Holds(id.clone()));
                }
            }
        }
    }

    /// What came with a resolved conflict stays an ancestor of the lane, so that no merge would ever bring it again.
    fn brought_only_their_own(&self) -> Result<(), UndoRefusal> {
        for &task in self.tasks.keys() {
            let lane = self.state.index.lane_of[task];
            let mut there =
                self.state.tasks[task].attempts.iter().filter(|a| !a.undone && a.landing.is_some());
            if let Some(resolved) = there.find_map(|a| a.resolves.as_ref())
                && !self.whole.contains_key(&lane)
            {
                let task = self.state.plan.tasks[task].id.clone();
                let with = resolved.conflict.with.clone();
                return Err(UndoRefusal::Resolved { task, lane: self.id(lane), with });
            }
        }
        self.nested_brought_only_their_own()
    }

    /// What a nested lane brought of others with its merge would be taken out of the lane around it with the rest of that.
    fn nested_brought_only_their_own(&self) -> Result<(), UndoRefusal> {
        let index = &self.state.index;
        for &lane in self.whole.keys().filter(|&&lane| self.is_in_target(lane)) {
            let Some(parent) = index.parent[lane].filter(|parent| !self.whole.contains_key(parent)) else {
                continue;
            };
            let inner = |other: LaneIx| other == lane || index.is_within(other, lane);
            let foreign = |up: &&LaneIx| **up != parent && !inner(**up) && !self.whole.contains_key(*up);
            let held = self.state.lanes.iter().enumerate().filter(|(other, _)| inner(*other));
            if let Some(&with) = held.flat_map(|(_, held)| held.contains.keys()).find(foreign) {
                let (lane, parent, with) = (self.id(lane), self.id(parent), self.id(with));
                return Err(UndoRefusal::Mixed { lane, parent, with });
            }
        }
        Ok(())
    }

    fn lanes(&self) -> BTreeMap<LaneIx, UndoLane> {
        let index = &self.state.index;
        let mut lanes = BTreeMap::new();
        for (&lane, why) in &self.whole {
            let mut landed = self.state.lanes[lane].landings().into_iter();
            let newest = landed.next().map(|part| part.landed);
            let undo = match newest.filter(|_| self.is_in_target(lane) && index.parent[lane].is_none()) {
                Some(newest) => {
                    let target = self.state.plan.lanes[lane].target.clone();
                    LaneUndo::Revert { target, landed: newest, parts: landed.collect() }
                }
                None => LaneUndo::Remove,
            };
            lanes.insert(lane, self.lane(lane, why.clone(), undo));
        }
        let mut forward: BTreeMap<LaneIx, (UndoWhy, BTreeSet<LaneIx>)> = BTreeMap::new();
        for &task in self.tasks.keys() {
            let why = UndoWhy::Has(self.state.plan.tasks[task].id.clone());
            forward.entry(index.lane_of[task]).or_insert((why, BTreeSet::new()));
        }
        for &lane in self.whole.keys().filter(|&&lane| self.is_in_target(lane)) {
            let parent = index.parent[lane];
            if let Some(parent) = parent.filter(|&p| self.state.lanes[p].contains.contains_key(&lane)) {
                forward.entry(parent).or_insert((UndoWhy::Holds(self.id(lane)), BTreeSet::new()));
            }
        }
        forward.retain(|lane, _| !self.whole.contains_key(lane) && self.state.lanes[*lane].tip.is_some());
        self.holders(&mut forward);
        for (lane, (why, from)) in forward {
            let from = from.into_iter().map(|lane| self.id(lane)).collect();
            lanes.insert(lane, self.lane(lane, why, LaneUndo::TakeBack { from }));
        }
        lanes
    }

    /// Lanes that hold work which goes follow those that it goes from.
    fn holders(&self, forward: &mut BTreeMap<LaneIx, (UndoWhy, BTreeSet<LaneIx>)>) {
        let mut look: Vec<LaneIx> = forward.keys().copied().collect();
        while let Some(lane) = look.pop() {
            for (holder, state) in self.state.lanes.iter().enumerate() {
                let stands = !state.status.is_terminal() || state.status == LaneStatus::Failed;
                let Some(held) = state.contains.get(&lane).filter(|_| stands) else { continue };
                if self.whole.contains_key(&holder) || self.is_older(lane, held) {
                    continue;
                }
                let known = forward.contains_key(&holder);
                let why = UndoWhy::Holds(self.id(lane));
                forward.entry(holder).or_insert((why, BTreeSet::new())).1.insert(lane);
                if !known {
                    look.push(holder);
                }
            }
        }
    }

    /// Whether `held` is known to be a tip of `lane` from before anything that goes had landed in it.
    fn is_older(&self, lane: LaneIx, held: &Sha) -> bool {
        let tasks = &self.state.index.tasks_of[lane];
        let going = tasks.iter().filter(|t| self.tasks.contains_key(t));
        let Some(first) = going.flat_map(|&t| self.state.tasks[t].landings()).map(|l| l.seq).min() else {
            return false;
        };
        let mut all = tasks.iter().flat_map(|&t| self.state.tasks[t].landings());
        all.any(|l| l.seq <= first && l.from == *held || l.seq < first && l.commit == *held)
    }

    fn lane(&self, lane: LaneIx, why: UndoWhy, undo: LaneUndo) -> UndoLane {
        let now = &self.state.lanes[lane];
        let open = now.pr.as_ref().filter(|pr| pr.merged.is_none() && pr.closed_by.is_none());
        UndoLane { lane: self.id(lane), why, undo, tip: now.tip.clone(), pr: open.map(|pr| pr.at.number) }
    }

    fn shown(&self) -> Vec<UndoTask> {
        let shown = |(&task, why): (&TaskIx, &UndoWhy)| {
            let (plan, now) = (&self.state.plan.tasks[task], &self.state.tasks[task]);
            let mut landed: Vec<Sha> = now.landings().map(|l| l.commit.clone()).collect();
            landed.reverse();
            let at_work = now.status == TaskStatus::Running;
            UndoTask { task: plan.id.clone(), lane: plan.lane.clone(), why: why.clone(), landed, at_work }
        };
        self.tasks.iter().map(shown).collect()
    }
}
