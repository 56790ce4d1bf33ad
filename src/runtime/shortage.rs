//! What becomes of a run whose disk has no room.

use std::collections::BTreeMap;

use super::claims::NoRoom;
use super::orchestrator::Orchestrator;
use super::{RuntimeError, clock};
use crate::engine::{Input, Report};
use crate::event::{EffectId, Failure, FailureKind};

/// When it is looked again whether there is room for a lane, in milliseconds, unless something is heard before.
const ROOM_AGAIN_MS: u64 = 60_000;

impl Orchestrator {
    /// Stops where something could not be written.
    pub(super) fn stop_without_room(&mut self) -> Result<(), RuntimeError> {
        let full = self.context.full.borrow().clone();
        match full {
            Some(what) => Err(self.no_room(what)),
            None => self.stop_where_short(),
        }
    }

    /// Records that there is no room for some lanes, so that it is seen and tried again later: something may make room.
    pub(super) fn answer_wanting(&mut self) -> Vec<Input> {
        let wanting = self.context.wanting.send_replace(BTreeMap::new());
        self.short = wanting.first_key_value().map(|(_, missing)| missing.what.clone());
        let retry_at = Some(clock::now().wall.plus(ROOM_AGAIN_MS));
        let failed = |(id, missing): (EffectId, NoRoom)| {
            let hint = Some("make room on that disk; laneway doctor says what helps".to_owned());
            let failure = Failure { class: FailureKind::Transient, message: missing.what, hint, retry_at };
            Input::Report(Report { id, facts: Vec::new(), end: Some(Err(failure)) })
        };
        wanting.into_iter().map(failed).collect()
    }

    /// Stops where there is no room for a lane, and nothing goes on that could make any.
    fn stop_where_short(&mut self) -> Result<(), RuntimeError> {
        let Some(what) = self.short.take() else { return Ok(()) };
        let run = &self.core.state().run;
        let wants_more = run.attempts_allowed && !run.cancelled && !run.paused && run.interrupts == 0;
        if self.in_flight.is_empty() && wants_more { Err(self.no_room(what)) } else { Ok(()) }
    }

    fn no_room(&self, what: String) -> RuntimeError {
        RuntimeError::NoRoom { record: self.context.project.record.root().to_owned(), what }
    }
}
