//! What facts leave in the state: everything but transitions, effects and requests.

use super::apply::{ApplyError, Touched};
use super::lane::name;
use super::{Attempt, Check, Concern, Conflict, Outside, Process, PullRequest, ReviewNote, State};
use crate::event::{Envelope, Event, SignalKind, SignalObserved};

impl State {
    pub(super) fn run_fact(&mut self, at: &Envelope, event: &Event) -> Touched {
        match event {
            Event::WorkflowStart(_) => {
                self.run.status = Some(crate::event::RunStatus::Running);
                self.run.started_at = Some(at.at);
                Touched { all: true, ..Touched::default() }
            }
            Event::LossRecorded(event) => {
                self.run.losses.push(event.what.clone());
                Touched::default()
            }
            _ => Touched::default(),
        }
    }

    /// A note is the other task's to keep, whether that has begun or not.
    fn pass_on(&mut self, at: &Envelope, event: &Event) {
        let Event::SignalObserved(SignalObserved { signal: SignalKind::Note { to }, text }) = event else {
            return;
        };
        let (Some(to), Some(from)) = (self.index.task(to), at.subject.task.clone()) else { return };
        let name = at.source.as_ref().and_then(|s| s.path.rsplit('/').next()).unwrap_or("note").to_owned();
        self.tasks[to].notes.push(super::Note { from, name, text: text.clone() });
    }

    pub(super) fn attempt_fact(&mut self, at: &Envelope, event: &Event) -> Result<Touched, ApplyError> {
        let task_ix = self.task_of(at)?;
        let lane_ix = self.index.lane_of[task_ix];
        let number = at.subject.attempt.unwrap_or(0);
        self.pass_on(at, event);
        let task = &mut self.tasks[task_ix];
        let attempt = task.attempt_mut(number).ok_or(ApplyError::NoAttempt { seq: at.seq, number })?;
        let lane = &mut self.lanes[lane_ix];
        match event {
            Event::SignalObserved(event) => signal(attempt, at, event),
            Event::SignalRejected(event) => {
                mark_seen(attempt, at);
                attempt.rejected.push((event.name.clone(), event.reason.clone()));
            }
            Event::ProcessStarted(event) if event.role.does_the_work() => {
                attempt.process =
                    Some(Process { id: event.process.clone(), mono: event.mono, at: at.at, exit: None });
            }
            Event::ProcessExited(event) if event.role.does_the_work() => {
                if let Some(process) = &mut attempt.process {
                    process.exit = Some(event.exit);
                }
            }
            Event::CheckRecorded(event) => record(&mut attempt.checks, event),
            Event::WorkCollected(event) => attempt.collected = Some(event.commit.clone()),
            Event::OutputsRecorded(event) => attempt.outputs = event.outputs.clone(),
            Event::DiffRecorded(event) => attempt.diff = Some(event.stat),
            Event::MergeRecorded(event) => {
                lane.tip = Some(event.to.clone());
                attempt.landed = true;
                if let Some(gate) = &self.plan.tasks[task_ix].gate {
                    lane.gated.push((event.tree.clone(), gate.command.to_string()));
                    if lane.gated.len() > 8 {
                        lane.gated.remove(0);
                    }
                }
            }
            Event::ConflictPredicted(event) => {
                attempt.conflict = Some(Conflict {
                    with: event.with.clone(),
                    paths: event.paths.clone(),
                    detail: event.detail.clone(),
                });
            }
            Event::ConcernRecorded(event) => {
                let concern = Concern::new(event.class, at.subject.task.clone(), event.text.clone());
                if !lane.concerns.contains(&concern) {
                    lane.concerns.push(concern);
                }
            }
            Event::SummaryRecorded(event) => task.summary = Some(event.text.clone()),
            Event::HumanTaskOpened(event) => attempt.question = Some(event.question.clone()),
            Event::HumanTaskResolved(_) => attempt.question = None,
            _ => {}
        }
        Ok(self.touched_task(task_ix))
    }

    pub(super) fn lane_fact(&mut self, at: &Envelope, event: &Event) -> Result<Touched, ApplyError> {
        let lane_ix = self.lane_of(at)?;
        let index = std::sync::Arc::clone(&self.index);
        let lane = &mut self.lanes[lane_ix];
        match event {
            Event::LaneProvisioned(event) => {
                lane.worktree = Some(event.worktree.clone());
                lane.tip = Some(event.tip.clone());
                lane.remarks.extend(event.remark.clone());
            }
            Event::LaneSynced(event) => {
                lane.tip = Some(event.tip.clone());
                for (upstream, tip) in &event.upstream {
                    if let Some(upstream) = index.lane(upstream) {
                        lane.contains.insert(upstream, tip.clone());
                    }
                }
            }
            Event::ControlRejected(event) => lane.requests.retain(|r| r.id != event.request),
            Event::LaneRemoved(event) => {
                lane.worktree = None;
                lane.remarks.extend(event.remarks.iter().cloned());
            }
            Event::PrOpened(crate::event::PrOpened { pr, tip })
            | Event::PrUpdated(crate::event::PrUpdated { pr, tip }) => {
                // One that was closed and is shown again was opened again.
                let known = lane.pr.as_ref().filter(|known| known.at == *pr);
                let merged = known.and_then(|k| k.merged.clone());
                lane.pr = Some(PullRequest { at: pr.clone(), tip: tip.clone(), merged, closed_by: None });
            }
            Event::PrMerged(event) => {
                if let Some(pr) = &mut lane.pr {
                    pr.merged = Some(event.commit.clone());
                }
            }
            Event::PrClosed(event) => {
                if let Some(pr) = &mut lane.pr {
                    pr.closed_by = Some(event.by.clone());
                }
            }
            Event::CheckRecorded(event) => record(&mut lane.checks, event),
            Event::ReviewObserved(event) => lane.reviews.push(ReviewNote {
                act: event.act,
                by: event.by.clone(),
                text: event.text.clone(),
                tip: event.tip.clone(),
            }),
            Event::SignalObserved(SignalObserved { signal: SignalKind::LaneStatus { status }, text }) => {
                match status {
                    crate::event::LaneStatus::Failed => {
                        let why = if text.trim().is_empty() { "said to have failed" } else { text.trim() };
                        lane.outside = Some(Outside::Failed(format!(
                            "{why} (status file written by {})",
                            name(&at.actor)
                        )));
                    }
                    crate::event::LaneStatus::Merged => lane.outside = Some(Outside::Merged),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(Touched::lane(lane_ix))
    }
}

fn mark_seen(attempt: &mut Attempt, at: &Envelope) {
    if let Some(source) = &at.source {
        attempt.seen.insert((source.path.clone(), source.digest.clone()));
    }
}

fn signal(attempt: &mut Attempt, at: &Envelope, event: &SignalObserved) {
    mark_seen(attempt, at);
    let said = Some((at.at, event.text.clone()));
    match &event.signal {
        SignalKind::Done => attempt.claims.done = said,
        SignalKind::Failed => attempt.claims.failed = said,
        SignalKind::Blocked => attempt.claims.blocked = said,
        SignalKind::Progress => attempt.progress = Some(event.text.clone()),
        SignalKind::Ask { id } => {
            attempt.question = Some(event.text.clone());
            attempt.ask = Some(id.clone());
        }
        _ => {}
    }
}

/// The newest word on a check counts.
fn record(checks: &mut Vec<Check>, event: &crate::event::CheckRecorded) {
    checks.retain(|c| c.name != event.name);
    checks.push(Check {
        name: event.name.clone(),
        status: event.status,
        detail: event.detail.clone(),
        duration_ms: event.duration_ms,
    });
}
