//! What the loop shows once it is durable: status files, answers, requests put aside, events for the listener.

use std::collections::BTreeSet;

use super::halt::Halt;
use super::noticeboard::Look;
use super::orchestrator::Orchestrator;
use super::{RuntimeError, effects};
use crate::event::{Control, ControlVerb, Envelope, Event, SignalKind, WorkflowTransition};
use crate::id::TaskId;
use crate::signal::{self, Settle};

impl Orchestrator {
    /// Shows what is durable: status files, the listener, answers, requests put aside.
    pub(super) fn publish(&mut self, envelopes: Vec<Envelope>) -> Result<(), RuntimeError> {
        let mut lanes = BTreeSet::new();
        for envelope in &envelopes {
            if is_lane_news(envelope) {
                lanes.extend(envelope.subject.lane.as_ref().and_then(|l| self.core.state().index().lane(l)));
            }
            match &envelope.event {
                Event::WorkflowStart(_) => lanes.extend(0..self.context.plan.lanes.len()),
                Event::ControlReceived(event) => {
                    self.answer(&event.control);
                    self.put_aside(&event.control.id)?;
                }
                Event::ControlRejected(event) => self.put_aside(&event.request)?,
                Event::SignalObserved(crate::event::SignalObserved {
                    signal: SignalKind::Note { to },
                    ..
                }) => {
                    self.deliver(to);
                }
                Event::SignalObserved(crate::event::SignalObserved {
                    signal: SignalKind::LaneStatus { .. },
                    ..
                })
                | Event::SignalRejected(_) => self.judged(envelope, &mut lanes),
                _ => {}
            }
        }
        for lane in lanes {
            let shown = self.projector.show(&self.context.board, self.core.state(), lane, Look::IfChanged);
            let touched = self.bear(shown)?;
            for input in touched {
                _ = self.context.inputs.send(input);
            }
        }
        let halt = Halt::of(self.core.state());
        self.context.halt.send_if_modified(|now| {
            let is_news = *now != halt;
            *now = halt;
            is_news
        });
        if let Some(events) = &self.events {
            // A listener that went away wants nothing more.
            _ = events.send(envelopes);
        }
        Ok(())
    }

    /// A status file whose event is durable may be replaced.
    fn judged(&mut self, envelope: &Envelope, lanes: &mut BTreeSet<usize>) {
        let (Some(lane), None, Some(source)) =
            (&envelope.subject.lane, &envelope.subject.task, &envelope.source)
        else {
            return;
        };
        self.projector.judge(lane, &source.digest);
        if let Some(ix) = self.core.state().index().lane(lane) {
            lanes.insert(ix);
            let shown =
                self.projector.show(&self.context.board, self.core.state(), ix, Look::At(Settle::Ended));
            if let Err(error) = shown {
                tracing::warn!(%error, "a status file could not be replaced");
            }
        }
    }

    fn put_aside(&mut self, request: &str) -> Result<(), RuntimeError> {
        if let Some(file) = self.taken.remove(request) {
            let moved = signal::take(&self.context.board, &file);
            self.bear(moved)?;
        }
        Ok(())
    }

    /// An answer goes to an agent that is still there at once.
    fn answer(&self, control: &Control) {
        let ControlVerb::Answer { task, text, .. } = &control.verb else {
            return;
        };
        let state = self.core.state();
        let Some(attempt) = state.index().task(task).and_then(|ix| state.tasks[ix].attempt()) else {
            return;
        };
        let path = self
            .context
            .board
            .answers_dir(task, attempt.number)
            .join(effects::answer_file(attempt.ask.as_deref()));
        if let Err(error) = self.context.board.write_file(&path, text.as_bytes()) {
            tracing::warn!(%error, %task, "an answer could not be written");
        }
    }

    /// A note reaches an agent that is at work at once; one that comes later finds it in its inbox.
    fn deliver(&self, to: &TaskId) {
        let state = self.core.state();
        let Some(task) = state.index().task(to).map(|ix| &state.tasks[ix]) else { return };
        let Some(attempt) = task.attempt().filter(|_| task.is_live()) else { return };
        for note in &task.notes {
            let path = self.context.board.inbox_dir(to, attempt.number).join(effects::note_file(note));
            if let Err(error) = self.context.board.write_file(&path, note.text.as_bytes()) {
                tracing::warn!(%error, task = %to, "a note could not be delivered");
            }
        }
    }
}

pub(super) fn is_lane_news(envelope: &Envelope) -> bool {
    match &envelope.event {
        Event::WorkflowTransition(WorkflowTransition { of, .. }) => *of == crate::event::Entity::Lane,
        Event::WorkflowStart(_) | Event::PrOpened(_) | Event::PrUpdated(_) => true,
        _ => false,
    }
}
