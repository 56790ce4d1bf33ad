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
    pub(super) fn stop_without_room(&self) -> Result<(), RuntimeError> {
        let Some(what) = self.context.full.borrow().clone() else { return Ok(()) };
        Err(RuntimeError::NoRoom { record: self.context.project.record.root().to_owned(), what })
    }

    /// What becomes of lanes for which there is no room: while anything else goes on they are tried again later, as that may make
    /// room. Where nothing does, the run stops where it stands.
    pub(super) fn answer_wanting(&self) -> Result<Vec<Input>, RuntimeError> {
        let wanting = self.context.wanting.send_replace(BTreeMap::new());
        let Some((_, first)) = wanting.first_key_value() else { return Ok(Vec::new()) };
        if self.in_flight.keys().all(|id| wanting.contains_key(id)) {
            let record = self.context.project.record.root().to_owned();
            return Err(RuntimeError::NoRoom { record, what: first.what.clone() });
        }
        let retry_at = Some(clock::now().wall.plus(ROOM_AGAIN_MS));
        let failed = |(id, missing): (EffectId, NoRoom)| {
            let hint = Some("make room on that disk; `laneway gc` says what it can give".to_owned());
            let failure = Failure { class: FailureKind::Transient, message: missing.what, hint, retry_at };
            Input::Report(Report { id, facts: Vec::new(), end: Some(Err(failure)) })
        };
        Ok(wanting.into_iter().map(failed).collect())
    }
}
