//! Who does the work of many who come at the same time: the first of them, for all.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Filled, Job};

/// Lanes that wait for their files. Who finds nobody at work leads: it takes everything that waits, again and again, until
/// its own is done; the next one goes on from there.
#[derive(Debug, Default)]
pub(in crate::git) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    led: bool,
    waiting: Vec<(u64, Job)>,
    done: HashMap<u64, Filled>,
}

/// Gives up the lead, also when the work panics; whoever waited is then left to git.
struct Lead<'a> {
    queue: &'a Queue,
    taken: Vec<u64>,
}

impl Queue {
    /// Has `job` done, by this thread or another.
    pub(super) fn submit(&self, job: Job, work: impl Fn(&[Job]) -> Vec<Filled>) -> Filled {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push((ticket, job));
        loop {
            if let Some(filled) = state.done.remove(&ticket) {
                return filled;
            }
            if state.led {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.led = true;
            let (tickets, jobs): (Vec<u64>, Vec<Job>) =
                std::mem::take(&mut state.waiting).into_iter().unzip();
            drop(state);
            let lead = Lead { queue: self, taken: tickets };
            lead.end(&work(&jobs));
            state = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead<'_> {
    fn end(mut self, filled: &[Filled]) {
        let taken = std::mem::take(&mut self.taken);
        self.queue.lock().done.extend(taken.into_iter().zip(filled.iter().copied()));
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.done.extend(self.taken.drain(..).map(|ticket| (ticket, Filled::Rest)));
        state.led = false;
        self.queue.changed.notify_all();
    }
}
