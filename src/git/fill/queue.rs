//! Who does the work of many who come at the same time: the first of them, for all.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Filled, Job, SIDE_BY_SIDE};

/// Lanes that wait for their files. Who finds nobody at work leads: it takes on the one that has waited longest and those that want
/// the same, again and again, until its own is done; the next one goes on from there.
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

/// The lanes that whoever leads has taken on. Gives up the lead when it goes, also when the work panics; whoever waited is then
/// left to git.
pub(super) struct Lead<'a> {
    queue: &'a Queue,
    taken: Vec<u64>,
    jobs: Vec<Job>,
}

impl Queue {
    /// Has `job` done, by this thread or another. `work` says of each lane that it has taken on what was done for it.
    pub(super) fn submit(&self, job: Job, work: impl Fn(&mut Lead<'_>) -> Vec<Filled>) -> Filled {
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
            let (first, wanted) = state.waiting.remove(0);
            drop(state);
            let mut lead = Lead { queue: self, taken: vec![first], jobs: vec![wanted] };
            lead.take_on();
            let filled = work(&mut lead);
            lead.end(&filled);
            state = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead<'_> {
    /// Takes on what has come since and wants the same, as many as are written side by side. The others wait, and these are not kept
    /// waiting by them.
    pub(super) fn take_on(&mut self) {
        let mut state = self.queue.lock();
        let mut room = SIDE_BY_SIDE.saturating_sub(self.jobs.len());
        let wanted = self.wanted();
        let same = |(_, job): &mut (u64, Job)| {
            let taken = room > 0 && job.wants_the_same_as(wanted);
            room -= usize::from(taken);
            taken
        };
        let (tickets, jobs): (Vec<u64>, Vec<Job>) = state.waiting.extract_if(.., same).unzip();
        drop(state);
        self.taken.extend(tickets);
        self.jobs.extend(jobs);
    }

    /// What they all want.
    pub(super) fn wanted(&self) -> &Job {
        self.jobs.first().expect("a lead begins with one")
    }

    /// Everything that it has taken on.
    pub(super) fn jobs(&self) -> &[Job] {
        &self.jobs
    }

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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::id::Sha;
    use crate::plan::Share;

    fn job(name: &str) -> Job {
        let commit = Sha::new(&"a".repeat(40)).unwrap();
        Job { root: PathBuf::from(name), index: PathBuf::new(), commit, cone: None, share: Share::Never }
    }

    #[test]
    fn who_leads_takes_on_what_comes_while_it_gets_ready() {
        let (queue, rounds) = (Queue::default(), AtomicUsize::new(0));
        let work = |lead: &mut Lead<'_>| {
            let is_first = rounds.fetch_add(1, Ordering::Relaxed) == 0;
            while is_first && queue.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            lead.take_on();
            let of = |job: &Job| if job.root.ends_with("b") { Filled::Whole } else { Filled::Rest };
            lead.jobs().iter().map(of).collect()
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| queue.submit(job("a"), work));
            while !queue.lock().led {
                std::thread::yield_now();
            }
            assert_eq!(queue.submit(job("b"), work), Filled::Whole);
            assert_eq!(first.join().unwrap(), Filled::Rest);
        });
        assert_eq!(rounds.into_inner(), 1);
    }

    #[test]
    fn what_is_done_is_not_kept_waiting_by_what_comes_for_something_else() {
        let queue = Queue::default();
        let other = Job { commit: Sha::new(&"b".repeat(40)).unwrap(), ..job("other") };
        let work = |lead: &mut Lead<'_>| {
            while lead.wanted().root.ends_with("a") && queue.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            lead.take_on();
            assert_eq!(lead.jobs().len(), 1);
            vec![Filled::Whole]
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| queue.submit(job("a"), work));
            while !queue.lock().led {
                std::thread::yield_now();
            }
            assert_eq!(queue.submit(other, work), Filled::Whole);
            assert_eq!(first.join().unwrap(), Filled::Whole);
        });
    }
}
