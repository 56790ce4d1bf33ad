//! What becomes of a run whose disk has no room.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::claims::NoRoom;
use super::orchestrator::Orchestrator;
use super::{RuntimeError, clock};
use crate::engine::{Input, Report};
use crate::event::{EffectId, Failure, FailureKind};

/// When it is looked again whether there is room for a lane, in milliseconds, unless something is heard before.
const ROOM_AGAIN_MS: u64 = 60_000;

/// The lanes that there is no room for, until the loop has heard of them.
#[derive(Debug, Default)]
pub(super) struct Wanting(watch::Sender<BTreeMap<EffectId, NoRoom>>);

impl Wanting {
    /// Says that there is no room for what `id` is to make.
    pub(super) fn say(&self, id: EffectId, missing: NoRoom) {
        self.0.send_modify(|wanting| _ = wanting.insert(id, missing));
    }

    /// Hears of what is said from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<BTreeMap<EffectId, NoRoom>> {
        self.0.subscribe()
    }

    /// Takes what was said, in silence: whoever hears of a change takes, and would hear of that as of a change.
    fn take(&self) -> BTreeMap<EffectId, NoRoom> {
        let mut said = BTreeMap::new();
        self.0.send_if_modified(|wanting| {
            said = std::mem::take(wanting);
            false
        });
        said
    }
}

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
        let wanting = self.context.wanting.take();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_what_was_said_does_not_wake_itself() {
        let wanting = Wanting::default();
        let mut heard = wanting.subscribe();
        assert!(wanting.take().is_empty() && !heard.has_changed().unwrap());
        let id = EffectId("provision lane".to_owned());
        wanting.say(id, NoRoom { what: "10 MiB".to_owned() });
        assert!(heard.has_changed().unwrap());
        heard.mark_unchanged();
        assert_eq!(wanting.take().len(), 1);
        assert!(!heard.has_changed().unwrap());
    }
}
