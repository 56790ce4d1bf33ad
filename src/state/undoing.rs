//! What the events of a reset leave in the state.

use std::collections::BTreeSet;

use super::{Lane, PullRequest, Revert, State, Undo};
use crate::event::{
    Control, Effect, LandedPart, LaneUndo, LaneUndone, RevertOpened, TaskStatus, UndoPlan, UndoStep, UndoWhy,
};
use crate::id::Sha;
use crate::plan::LaneIx;

/// What the remark on a lane begins with that a reset had named and that stays.
pub const NOT_UNDONE: &str = "not undone: ";

impl State {
    /// Where things would stand if `plan` had just been confirmed.
    #[must_use]
    pub fn supposing(&self, plan: &UndoPlan) -> Self {
        let mut supposed = self.clone();
        let verb = crate::event::ControlVerb::Reset { plan: plan.clone() };
        supposed.reset(&Control { id: String::new(), by: String::new(), verb }, plan);
        supposed
    }

    /// Everything that the plan names is wanted undone; what works on it is called off.
    pub(super) fn reset(&mut self, control: &Control, plan: &UndoPlan) {
        for planned in &plan.tasks {
            let Some(task) = self.index.task(&planned.task) else { continue };
            let task = &mut self.tasks[task];
            task.reset_wanted = Some(format!("undone by {}{}", control.by, why(&planned.why)));
            task.cancel_wanted |= task.status == TaskStatus::Running;
            task.retry_wanted = false;
        }
        for planned in &plan.lanes {
            let Some(lane) = self.index.lane(&planned.lane) else { continue };
            let lane = &mut self.lanes[lane];
            lane.undos += 1;
            lane.undo = Some(Undo {
                request: control.id.clone(),
                by: control.by.clone(),
                how: planned.undo.clone(),
                n: lane.undos,
                done: false,
                removed: false,
            });
        }
    }

    /// A lane is as it was to become; where it goes as a whole, its end is decided next.
    pub(super) fn undone(&mut self, lane: LaneIx, event: &LaneUndone) {
        let gone: Vec<LaneIx> = self.index.children[lane]
            .iter()
            .copied()
            .filter(|&c| self.lanes[c].undo.as_ref().is_some_and(|undo| undo.how == LaneUndo::Remove))
            .collect();
        let held: Vec<_> =
            event.upstream.iter().filter_map(|(up, tip)| Some((self.index.lane(up)?, tip.clone()))).collect();
        let state = &mut self.lanes[lane];
        state.remarks.extend(event.remarks.iter().cloned());
        if let Some(undo) = state.undo.as_mut().filter(|undo| !matches!(undo.how, LaneUndo::TakeBack { .. }))
        {
            let Some(Effect::Undo { n, step, .. }) = state.step.as_ref().map(|step| &step.effect) else {
                undo.done = true;
                return;
            };
            // What was merged meanwhile made it go on with another step.
            undo.done |= *n == undo.n;
            if matches!(step, UndoStep::Remove { .. }) {
                undo.removed = true;
                state.worktree = None;
            }
            if state.taking_back() < state.landings().len() {
                state.needs_another();
            }
            return;
        }
        state.undo = None;
        state.tip = event.tip.clone().or(state.tip.take());
        state.contains.retain(|up, _| !gone.contains(up));
        for (up, tip) in held {
            state.stale.remove(&up);
            state.contains.insert(up, tip);
        }
        state.unresolved = None;
        state.given_up = None;
    }

    /// A reset ends where it was refused, and at the lanes that it has not come to.
    pub(super) fn undo_refused(&mut self, request: &str, reason: &str, at: LaneIx) {
        let going = self.goes_on_undoing(request, at);
        let place = self.plan.lanes[at].id.clone();
        for lane in 0..self.lanes.len() {
            // Where the lane itself was refused, only what is left of it may have been.
            let ends =
                if lane == at { self.is_asked_by(lane, request) } else { self.is_undone_by(lane, request) };
            if going.contains(&lane) || !ends {
                continue;
            }
            if lane == at {
                let gave_back = self.gave_back(lane, request);
                self.lanes[lane].stale.extend(gave_back);
            }
            self.give_undo_up(lane);
            let remark = if lane == at {
                format!("{NOT_UNDONE}{reason}")
            } else {
                format!("{NOT_UNDONE}the reset ended at lane `{place}`: {reason}")
            };
            self.lanes[lane].remarks.push(remark);
        }
    }

    /// The lanes that are undone although the reset was refused at `at`: those at which something is being done, and those
    /// that hold what these, or others before them, have given back. They would bring it again.
    fn goes_on_undoing(&self, request: &str, at: LaneIx) -> BTreeSet<LaneIx> {
        let wanted: Vec<LaneIx> =
            (0..self.lanes.len()).filter(|&lane| lane != at && self.is_undone_by(lane, request)).collect();
        let mut going: BTreeSet<LaneIx> =
            wanted.iter().copied().filter(|&lane| self.is_being_undone(lane)).collect();
        loop {
            let goes = |up: LaneIx| going.contains(&up) || !self.is_undone_by(up, request);
            let follows = |lane: LaneIx| match &self.lanes[lane].undo.as_ref().map(|undo| &undo.how) {
                Some(LaneUndo::TakeBack { from }) => from.iter().filter_map(|l| self.index.lane(l)).any(goes),
                // The lane around it has lost it by now.
                Some(LaneUndo::Remove) => self.lanes[lane].is_closed() && !self.is_in_parent(lane),
                _ => false,
            };
            let more: Vec<LaneIx> =
                wanted.iter().copied().filter(|&lane| !going.contains(&lane) && follows(lane)).collect();
            if more.is_empty() {
                return going;
            }
            going.extend(more);
        }
    }

    /// The lanes that this one was to follow and that have given back already what it holds of them.
    fn gave_back(&self, lane: LaneIx, request: &str) -> Vec<LaneIx> {
        let Some(LaneUndo::TakeBack { from }) = self.lanes[lane].undo.as_ref().map(|undo| &undo.how) else {
            return Vec::new();
        };
        let ups = from.iter().filter_map(|up| self.index.lane(up));
        ups.filter(|&up| !self.is_undone_by(up, request)).collect()
    }

    fn is_undone_by(&self, lane: LaneIx, request: &str) -> bool {
        self.is_asked_by(lane, request) && self.lanes[lane].undo.as_ref().is_some_and(|undo| !undo.done)
    }

    /// Whether the lane is part of this reset, be its work gone already or not.
    fn is_asked_by(&self, lane: LaneIx, request: &str) -> bool {
        self.lanes[lane].undo.as_ref().is_some_and(|undo| undo.request == request)
    }

    fn is_being_undone(&self, lane: LaneIx) -> bool {
        let lane = &self.lanes[lane];
        let undoes = |effect: &Effect| matches!(effect, Effect::Undo { .. });
        let works = lane.step.as_ref().is_some_and(|step| step.is_in_flight() && undoes(&step.effect));
        works || lane.revert.as_ref().is_some_and(Revert::is_open)
    }

    /// What `lane` stays with was not given back, so that no lane of that reset loses it.
    fn nobody_follows(&mut self, lane: LaneIx, request: &str) {
        let id = &self.plan.lanes[lane].id;
        for other in &mut self.lanes {
            let undo = other.undo.as_mut().filter(|undo| undo.request == request);
            if let Some(LaneUndo::TakeBack { from }) = undo.map(|undo| &mut undo.how) {
                from.retain(|up| up != id);
            }
        }
    }

    /// The lane stays as it is.
    pub(super) fn give_undo_up(&mut self, lane: LaneIx) {
        if let Some(given_up) = self.lanes[lane].undo.take() {
            self.nobody_follows(lane, &given_up.request);
        }
        // What is being done to it by now is another's, and its answer is still to come.
        self.lanes[lane].step.take_if(|step| !step.is_in_flight());
        for &task in &self.index.tasks_of[lane] {
            let task = &mut self.tasks[task];
            if task.reset_wanted.take().is_some() {
                task.cancel_wanted = false;
            }
        }
    }
}

impl Revert {
    pub(super) fn opened(event: &RevertOpened, takes: usize) -> Self {
        Self {
            takes,
            at: event.pr.clone(),
            branch: event.branch.clone(),
            tip: event.tip.clone(),
            merged: None,
            closed_by: None,
        }
    }
}

impl Lane {
    /// How many of its landings the revert under way was told to take back. People can merge more of it meanwhile.
    pub(super) fn taking_back(&self) -> usize {
        match self.step.as_ref().map(|step| &step.effect) {
            Some(Effect::Undo { step: UndoStep::Revert { parts, .. }, .. }) => 1 + parts.len(),
            _ => self.landings().len(),
        }
    }

    /// A person has merged more of it, where it had `before` landings, though all of them were taken out by now.
    pub(super) fn has_landed(&mut self, before: usize) {
        let taken_out = self.undo.as_ref().is_some_and(|undo| undo.done);
        if taken_out && self.landings().len() > before {
            self.needs_another();
        }
    }

    /// More of the lane is in its target than the reset under way has taken out: that needs another revert.
    fn needs_another(&mut self) {
        if let Some(undo) = &mut self.undo {
            self.undos += 1;
            undo.n = self.undos;
            undo.done = false;
        }
    }

    /// The target does not have any more what the pull request takes back. Where a person has merged more of the lane
    /// meanwhile, that needs another.
    pub(super) fn taken_out(&mut self, commit: &Sha) {
        let all = self.landings().len();
        let Some(revert) = &mut self.revert else { return };
        revert.merged = Some(commit.clone());
        if revert.takes < all {
            self.needs_another();
        } else if let Some(undo) = &mut self.undo {
            undo.done = true;
        }
    }

    /// What of it is in its target, newest first.
    pub fn landings(&self) -> Vec<LandedPart> {
        let whole = self.pr.as_ref().and_then(|pr| {
            let head = pr.merged_head.as_ref().unwrap_or(&pr.tip).clone();
            Some(LandedPart { landed: pr.merged.clone()?, head })
        });
        whole.into_iter().chain(self.parts.iter().rev().cloned()).collect()
    }

    /// Nothing of it is left but what it was; it can be begun anew.
    pub(super) fn begin_anew(&mut self) {
        let closed = |pr: PullRequest| PullRequest {
            closed_by: pr.closed_by.or_else(|| pr.merged.is_none().then(|| "laneway".to_owned())),
            ..pr
        };
        *self = Self {
            status: self.status,
            since: std::mem::take(&mut self.since),
            reason: self.reason.take(),
            syncs: self.syncs,
            teardowns: self.teardowns,
            warmth: self.warmth,
            undos: self.undos,
            past: self.past + u32::try_from(self.parts.len()).unwrap_or(u32::MAX),
            pr: self.pr.take().map(closed),
            revert: self.revert.take(),
            resets: self.resets + 1,
            requests: std::mem::take(&mut self.requests),
            remarks: std::mem::take(&mut self.remarks),
            kept: std::mem::take(&mut self.kept),
            ..Self::default()
        };
    }
}

fn why(why: &UndoWhy) -> String {
    match why {
        UndoWhy::Asked | UndoWhy::Has(_) | UndoWhy::InTarget(_) => String::new(),
        UndoWhy::LandedAfter(task) => format!(": it landed after `{task}`"),
        UndoWhy::Needs(task) => format!(": it needs `{task}`"),
        UndoWhy::WithLane(lane) | UndoWhy::Holds(lane) => format!(" with lane `{lane}`"),
    }
}
