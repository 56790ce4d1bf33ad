//! Whose gates are to be given up, derived from the state alone, so that every orchestrator comes to the same.

use std::collections::BTreeSet;

use crate::event::Effect;
use crate::id::TaskId;
use crate::state::State;

/// An attempt, by task and number.
pub(super) type AttemptKey = (TaskId, u32);

/// Which gates have no reason to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Halt {
    /// All: after a second interrupt, or when the run is called off.
    all: bool,
    /// What only makes lanes ready: after the first interrupt, since it can be done again.
    setups: bool,
    /// Those of landings whose attempt was called off or interrupted.
    attempts: BTreeSet<AttemptKey>,
}

impl Halt {
    /// What `state` says.
    pub(super) fn of(state: &State) -> Self {
        let is_ending = |task: &TaskId, number: u32| {
            let task = state.index().task(task).map(|ix| &state.tasks[ix]);
            let position = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
            let attempt = task.zip(position).and_then(|(task, position)| task.attempts.get(position));
            attempt.is_some_and(crate::state::Attempt::is_called_off)
        };
        let landing = state.outstanding.values().filter_map(|effect| match effect {
            Effect::Attempt { task, attempt, .. } | Effect::Land { task, attempt, .. }
                if is_ending(task, *attempt) =>
            {
                Some((task.clone(), *attempt))
            }
            _ => None,
        });
        Self {
            all: state.run.interrupts >= 2 || state.run.cancelled,
            setups: state.run.interrupts >= 1,
            attempts: landing.collect(),
        }
    }

    /// Whether it is said to a setup command, of this attempt's worktree or of a lane's.
    pub(super) fn holds_for_setup(&self, attempt: Option<&AttemptKey>) -> bool {
        self.setups || self.holds_for(attempt)
    }

    /// Whether it is said to a gate of this attempt; of none where a lane's merge is gated.
    pub(super) fn holds_for(&self, attempt: Option<&AttemptKey>) -> bool {
        self.all || attempt.is_some_and(|attempt| self.attempts.contains(attempt))
    }
}
