//! What people's requests leave in the state.

use std::collections::BTreeSet;

use super::State;
use super::apply::Touched;
use super::lane::{Lane, LaneRequest};
use crate::event::{AttemptStatus, Control, ControlVerb, FailureKind, LaneStatus, TaskStatus};
use crate::id::TaskId;
use crate::plan::{LaneIx, TaskIx};

impl State {
    /// Takes a request in.
    pub(super) fn control(&mut self, control: &Control, at: crate::event::Timestamp) -> Touched {
        self.handled.insert(control.id.clone());
        let mut touched = Touched { run: true, ..Touched::default() };
        match &control.verb {
            ControlVerb::Attach { attempts, .. } => {
                self.run.attempts_allowed = *attempts;
                self.run.interrupts = 0;
                self.run.interrupted_at = None;
                // Whoever carries it on by hand does not want it to rest.
                self.run.paused &= !attempts;
                if *attempts {
                    self.let_go_on(&[]);
                    let refused =
                        |lane: &Lane| lane.failed_step().is_some_and(|f| f.class == FailureKind::Refused);
                    self.lanes.iter_mut().filter(|lane| refused(lane)).for_each(|lane| lane.step = None);
                }
                touched.all = true;
            }
            ControlVerb::Interrupt => {
                self.run.interrupts += 1;
                self.run.interrupted_at.get_or_insert(at);
                touched.all = true;
            }
            ControlVerb::Pause => self.run.paused = true,
            ControlVerb::Resume => {
                self.run.paused = false;
                touched.all = true;
            }
            ControlVerb::Cancel { tasks, lanes } => {
                self.cancel(tasks, lanes);
                touched.all = true;
            }
            ControlVerb::Retry { tasks } => {
                self.retry(tasks);
                touched.all = true;
            }
            ControlVerb::Skip { tasks } => {
                self.skip(tasks);
                touched.all = true;
            }
            ControlVerb::Answer { task, ask, text } => {
                if let Some(task) = self.task_named(Some(task)) {
                    if let Some(attempt) = self.tasks[task].attempts.last_mut() {
                        attempt.answer = Some(text.clone());
                        attempt.ask = ask.clone().or(attempt.ask.take());
                        if attempt.status == AttemptStatus::Started {
                            attempt.question = None;
                        }
                    }
                    return self.touched_task(task);
                }
            }
            ControlVerb::Reset { plan } => {
                self.reset(control, plan);
                touched.all = true;
            }
            ControlVerb::Merge { lane, .. }
            | ControlVerb::Review { lane, .. }
            | ControlVerb::Revert { lane, .. } => {
                if let Some(lane) = self.index.lane(lane) {
                    self.lanes[lane].requests.push_back(LaneRequest {
                        id: control.id.clone(),
                        by: control.by.clone(),
                        verb: control.verb.clone(),
                    });
                    return Touched::lane(lane);
                }
            }
        }
        touched
    }

    fn cancel(&mut self, tasks: &[TaskId], lanes: &[crate::id::LaneId]) {
        let whole = tasks.is_empty() && lanes.is_empty();
        self.run.cancelled |= whole;
        for (ix, plan) in self.plan.tasks.iter().enumerate() {
            if whole || tasks.contains(&plan.id) || lanes.contains(&plan.lane) {
                self.tasks[ix].cancel_wanted |= !self.tasks[ix].status.is_terminal();
            }
        }
    }

    /// What was refused is tried again; with no `tasks`, all that was.
    fn let_go_on(&mut self, tasks: &[TaskId]) {
        for (plan, task) in self.plan.tasks.iter().zip(&mut self.tasks) {
            let Some(attempt) = task.attempts.last_mut().filter(|a| a.status == AttemptStatus::Waiting)
            else {
                continue;
            };
            if attempt.refusal().is_some() && (tasks.is_empty() || tasks.contains(&plan.id)) {
                attempt.answer.get_or_insert_default();
            }
        }
    }

    /// What needs these tasks goes on without them. A lane that failed over such a task goes on too; one that failed by
    /// itself, as with a pull request that was closed, stays where it is.
    fn skip(&mut self, tasks: &[TaskId]) {
        let named: Vec<TaskIx> = tasks.iter().filter_map(|id| self.index.task(id)).collect();
        for &task in &named {
            self.tasks[task].set_aside = true;
            let lane = self.index.lane_of[task];
            let whole = self.is_named(lane, &named);
            let failed = self.lanes[lane].status == LaneStatus::Failed;
            let over_it = !self.tasks[task].status.is_success();
            self.lanes[lane].retry_wanted |= failed && !whole && over_it;
        }
        // Lanes that ended because theirs were skipped for it begin again.
        let mut look = named;
        while let Some(task) = look.pop() {
            for &after in &self.index.dependents[task] {
                let lane = &mut self.lanes[self.index.lane_of[after]];
                let skipped = self.tasks[after].status == TaskStatus::Skipped && !self.tasks[after].set_aside;
                if skipped && lane.status == LaneStatus::Failed && !lane.retry_wanted {
                    lane.retry_wanted = true;
                    look.extend(&self.index.tasks_of[self.index.lane_of[after]]);
                }
            }
        }
        self.revive_parents();
    }

    /// A lane that goes on with the work of `lane` in it, whose own pull request a person has closed.
    pub fn holder_of_closed(&self, lane: LaneIx) -> Option<LaneIx> {
        let state = &self.lanes[lane];
        let closed = state.pr.as_ref().is_some_and(|pr| pr.closed_by.is_some());
        let holds = |other: &LaneIx| {
            let other = &self.lanes[*other];
            other.is_in_play() && other.contains.contains_key(&lane)
        };
        let mut downstream = self.index.downstream[lane].iter().copied();
        downstream.find(|other| closed && state.status == LaneStatus::Failed && holds(other))
    }

    /// Whether `named` is all that is to be done in the lane and in those nested in it.
    fn is_named(&self, lane: LaneIx, named: &[TaskIx]) -> bool {
        self.index.tasks_of[lane].iter().all(|task| named.contains(task))
            && self.index.children[lane].iter().all(|&child| self.is_named(child, named))
    }

    /// The lanes that failed of one nested in them get another chance with it.
    fn revive_parents(&mut self) {
        for lane in 0..self.lanes.len() {
            let revived = self.lanes[lane].retry_wanted || self.goes_on_without(lane);
            let outer = std::iter::successors(self.index.parent[lane], |&up| self.index.parent[up]);
            for up in outer.filter(|_| revived).collect::<Vec<_>>() {
                let over = matches!(self.lanes[up].status, LaneStatus::Failed | LaneStatus::Reset);
                self.lanes[up].retry_wanted |= over;
            }
        }
    }

    fn retry(&mut self, tasks: &[TaskId]) {
        self.run.cancelled = false;
        self.let_go_on(tasks);
        for task in self.to_retry(tasks) {
            self.tasks[task].retry_wanted = true;
            self.tasks[task].set_aside = false;
        }
        for (ix, plan) in self.plan.tasks.iter().enumerate() {
            let asked = tasks.is_empty() || tasks.contains(&plan.id);
            self.tasks[ix].set_aside &= !asked || self.is_closed(self.index.lane_of[ix]);
        }
        let closed: Vec<bool> = (0..self.lanes.len()).map(|lane| self.is_closed(lane)).collect();
        for (ix, lane) in self.lanes.iter_mut().enumerate() {
            let asked = tasks.is_empty() && lane.status != LaneStatus::Reset
                || self.index.tasks_of[ix].iter().any(|&t| tasks.contains(&self.plan.tasks[t].id));
            let wanted = asked || self.index.tasks_of[ix].iter().any(|&t| self.tasks[t].retry_wanted);
            let over = matches!(lane.status, LaneStatus::Failed | LaneStatus::Reset);
            lane.retry_wanted |= wanted && !closed[ix] && over;
            if asked && lane.failed_step().is_some() {
                lane.step = None;
            }
        }
        self.revive_parents();
    }

    /// Whether the lane, or one that it is nested in, is in its target already: more work in it would reach nobody.
    pub fn is_closed(&self, lane: LaneIx) -> bool {
        self.closed_around(lane).is_some()
    }

    /// The lane that is in its target already: this one, or the innermost one that it is nested in.
    pub fn closed_around(&self, lane: LaneIx) -> Option<LaneIx> {
        let mut around = std::iter::successors(Some(lane), |&lane| self.index.parent[lane]);
        around.find(|&lane| self.lanes[lane].is_closed())
    }

    /// Whether the task ended badly, in a lane that can still take its work in.
    pub fn is_retriable(&self, task: TaskIx) -> bool {
        self.tasks[task].ended_badly() && !self.is_closed(self.index.lane_of[task])
    }

    /// The unsuccessful tasks that a retry of `tasks` is about: themselves, what kept them from running, and what was
    /// skipped for no other reason than these.
    fn to_retry(&self, tasks: &[TaskId]) -> BTreeSet<TaskIx> {
        // What was undone is done again only where it is named, or needed by what is.
        let undone = |t: TaskIx| self.tasks[t].status == TaskStatus::Reset;
        let bad = |t: TaskIx| self.is_retriable(t) || undone(t);
        let all = 0..self.plan.tasks.len();
        let named = |t: &TaskIx| {
            let whole = tasks.is_empty() && !undone(*t);
            whole || tasks.contains(&self.plan.tasks[*t].id)
        };
        let mut wanted: BTreeSet<TaskIx> = all.filter(named).filter(|&t| bad(t)).collect();
        let mut look: Vec<TaskIx> = wanted.iter().copied().collect();
        while let Some(task) = look.pop() {
            look.extend(self.index.needs[task].iter().copied().filter(|&n| bad(n) && wanted.insert(n)));
        }
        look.extend(&wanted);
        while let Some(task) = look.pop() {
            for &after in &self.index.dependents[task] {
                let closed = self.is_closed(self.index.lane_of[after]);
                let skipped = self.tasks[after].status == TaskStatus::Skipped && !closed;
                let only = self.index.needs[after].iter().all(|&n| !bad(n) || wanted.contains(&n));
                if skipped && only && wanted.insert(after) {
                    look.push(after);
                }
            }
        }
        wanted
    }
}
