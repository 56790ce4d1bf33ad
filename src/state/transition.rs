//! The life-cycle part of the fold.

use super::{ApplyError, Attempt, State, Touched};
use crate::event::{
    AttemptStatus, Entity, Envelope, LaneStatus, RunStatus, Status, TaskStatus, Timestamp,
    WorkflowTransition, legal,
};
use crate::plan::{LaneIx, TaskIx};

impl State {
    pub(super) fn transition(
        &mut self,
        at: &Envelope,
        event: &WorkflowTransition,
    ) -> Result<Touched, ApplyError> {
        let to = Status::read(event.of, &event.to)
            .ok_or_else(|| ApplyError::NoStatus { seq: at.seq, word: event.to.clone() })?;
        let (from, touched) = self.current(at, event.of)?;
        let said = event.from.as_deref();
        if said != from.map(Status::word) || !legal(from, to) {
            return Err(ApplyError::Illegal {
                seq: at.seq,
                of: event.of,
                from: from.map_or("nothing", Status::word),
                to: to.word(),
            });
        }
        let reason = event.reason.clone();
        match to {
            Status::Run(to) => self.run_to(to, reason, at.at),
            Status::Lane(to) => self.lane_to(touched.lane.expect("a lane was found"), to, reason, at.at),
            Status::Task(to) => self.task_to(touched.task.expect("a task was found"), to, reason, at.at),
            Status::Attempt(to) => {
                let task = touched.task.expect("a task was found");
                self.attempt_to(task, at.subject.attempt.unwrap_or(0), to, reason, at.at);
            }
        }
        Ok(touched)
    }

    fn current(&self, at: &Envelope, of: Entity) -> Result<(Option<Status>, Touched), ApplyError> {
        Ok(match of {
            Entity::Run => (self.run.status.map(Status::Run), Touched { run: true, ..Touched::default() }),
            Entity::Lane => {
                let lane = self.lane_of(at)?;
                (Some(Status::Lane(self.lanes[lane].status)), Touched::lane(lane))
            }
            Entity::Task => {
                let task = self.task_of(at)?;
                (
                    Some(Status::Task(self.tasks[task].status)),
                    Touched { spreads: true, ..self.touched_task(task) },
                )
            }
            Entity::Attempt => {
                let task = self.task_of(at)?;
                let number = at.subject.attempt.unwrap_or(0);
                let attempts = &self.tasks[task].attempts;
                let position = usize::try_from(number).unwrap_or(usize::MAX);
                let from = if position == attempts.len() + 1 {
                    None
                } else {
                    let attempt = position.checked_sub(1).and_then(|ix| attempts.get(ix));
                    Some(Status::Attempt(
                        attempt.ok_or(ApplyError::NoAttempt { seq: at.seq, number })?.status,
                    ))
                };
                (from, self.touched_task(task))
            }
        })
    }

    fn run_to(&mut self, to: RunStatus, reason: Option<String>, at: Timestamp) {
        self.run.status = Some(to);
        self.run.reason = reason;
        self.run.ended_at = (to != RunStatus::Running).then_some(at);
    }

    fn lane_to(&mut self, lane: LaneIx, to: LaneStatus, reason: Option<String>, at: Timestamp) {
        let lane = &mut self.lanes[lane];
        let from = lane.status;
        if to < lane.status {
            lane.since.retain(|status, _| *status <= to);
            lane.step = None;
            lane.given_up = None;
            lane.outside = None;
        }
        lane.retry_wanted = false;
        lane.status = to;
        lane.reason = reason;
        lane.since.insert(to, at);
        match (from, to) {
            (_, LaneStatus::Reset) => lane.begin_anew(),
            (LaneStatus::Reset, _) => lane.pr = None,
            _ => {}
        }
    }

    fn task_to(&mut self, task: TaskIx, to: TaskStatus, reason: Option<String>, at: Timestamp) {
        let passed_over = to == TaskStatus::Skipped && self.by_choice(task);
        let ix = task;
        let task = &mut self.tasks[task];
        task.status = to;
        task.reason = reason;
        task.passed_over = passed_over;
        task.ended_at = to.is_terminal().then_some(at);
        if to == TaskStatus::Pending {
            task.failures = 0;
            task.retry_wanted = false;
            task.cancel_wanted = false;
        }
        if to == TaskStatus::Reset {
            task.reset_wanted = None;
            task.retry_wanted = false;
            task.cancel_wanted = false;
            task.set_aside = false;
            task.summary = None;
            for attempt in &mut task.attempts {
                attempt.undone = true;
            }
            let (id, lane) = (&self.plan.tasks[ix].id, &mut self.lanes[self.index.lane_of[ix]]);
            lane.concerns.retain(|concern| concern.task.as_ref() != Some(id));
        }
    }

    fn attempt_to(
        &mut self,
        task: TaskIx,
        number: u32,
        to: AttemptStatus,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let task = &mut self.tasks[task];
        if to == AttemptStatus::Queued {
            task.attempts.push(Attempt::new(number, at));
            return;
        }
        if to.is_failure() {
            task.failures += 1;
        }
        let attempt = task.attempt_mut(number).expect("the attempt was found");
        attempt.status = to;
        attempt.reason = reason;
        match to {
            AttemptStatus::Started if attempt.started_at.is_none() => attempt.started_at = Some(at),
            AttemptStatus::Waiting => attempt.answer = None,
            _ if to.is_terminal() => {
                attempt.ended_at = Some(at);
                attempt.seen = std::collections::BTreeSet::new();
            }
            _ => {}
        }
    }
}
