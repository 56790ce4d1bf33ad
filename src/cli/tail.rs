//! Files that are read while others write them. The system says when there is more; a slow look is the backstop.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::error::CliError;
use super::exit::Exit;
use crate::event::{ControlVerb, Envelope, Event};
use crate::journal::{Follow, Journal, Mode, Owner, RunLock};

/// How long a missed notice of the system can go unseen.
const BACKSTOP: Duration = Duration::from_secs(2);

/// Tells when something in a directory changed.
#[derive(Debug)]
pub(super) struct Bell {
    rings: Receiver<()>,
    /// Rings as long as it lives; `None` where the system has no watcher left, so that only the backstop rings.
    _watcher: Option<RecommendedWatcher>,
}

impl Bell {
    /// Watches the files of `dir`.
    pub(super) fn hang(dir: &Path) -> Self {
        let (ring, rings) = channel();
        let made = notify::recommended_watcher(move |news: notify::Result<notify::Event>| {
            // Reading makes no news, least of all our own.
            if !news.is_ok_and(|event| event.kind.is_access()) {
                // Nobody waits any more: the command is about to end.
                let _ = ring.send(());
            }
        });
        let watcher = made.and_then(|mut watcher| {
            watcher.watch(dir, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            tracing::debug!(%error, "only the backstop looks for news");
        }
        Self { rings, _watcher: watcher.ok() }
    }

    /// Waits until something changed, or until it is time for a look at `most`.
    pub(super) fn wait(&self, most: Duration) {
        match self.rings.recv_timeout(most.min(BACKSTOP)) {
            Ok(()) => while self.rings.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(most.min(BACKSTOP)),
        }
    }
}

/// The events of a run: those that there are, then those that come.
#[derive(Debug)]
pub(super) struct Tail {
    bell: Bell,
    follow: Follow,
    waiting: VecDeque<Envelope>,
    lock: PathBuf,
    carrier: Option<Carrier>,
    at_rest: bool,
}

/// The orchestrator that carries a run, as the journal names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Carrier {
    pid: u32,
    boot_id: String,
}

impl Tail {
    /// Reads the journal in `dir` from its beginning. Whoever carries the run has the lock at `lock`.
    pub(super) fn open(dir: &Path, lock: &Path) -> Result<Self, CliError> {
        // Watched first: what comes between listing and watching would be seen by the backstop only.
        let bell = Bell::hang(dir);
        let (_, replay) = Journal::open(dir, Mode::ReadOnly)?;
        let mut tail = Self {
            bell,
            follow: Follow::open(dir, replay.lines.end())?,
            waiting: VecDeque::new(),
            lock: lock.to_owned(),
            carrier: None,
            at_rest: false,
        };
        for line in &replay.lines {
            tail.push(line)?;
        }
        Ok(tail)
    }

    fn push(&mut self, line: &str) -> Result<(), CliError> {
        let event = Envelope::from_json(line)?;
        match &event.event {
            Event::WorkflowEnd(_) => self.at_rest = true,
            Event::ControlReceived(received) => {
                if let ControlVerb::Attach { pid, boot_id, .. } = &received.control.verb {
                    self.at_rest = false;
                    self.carrier = Some(Carrier { pid: *pid, boot_id: boot_id.clone() });
                }
            }
            _ => {}
        }
        self.waiting.push_back(event);
        Ok(())
    }

    /// What has been read and not been taken.
    pub(super) fn take(&mut self) -> Vec<Envelope> {
        self.waiting.drain(..).collect()
    }

    /// Whether an orchestrator carries the run right now: the kernel tells, in whatever container it lives.
    pub(super) fn is_carried(&self) -> bool {
        !self.at_rest && self.carrier.as_ref().is_some_and(|carrier| carrier.carries(&self.lock))
    }

    /// Waits for events, at most for `most`; none come of a run that nobody carries.
    pub(super) fn next(&mut self, most: Duration) -> Result<Vec<Envelope>, CliError> {
        if self.waiting.is_empty() {
            self.bell.wait(most);
            self.look()?;
        }
        Ok(self.take())
    }

    /// Reads what has come.
    pub(super) fn look(&mut self) -> Result<(), CliError> {
        for line in self.follow.read_new()? {
            self.push(&line)?;
        }
        Ok(())
    }
}

impl Carrier {
    /// Whether the graph's lock is held, and not by the orchestrator of another run of the graph. The lock is the
    /// kernel's and dies with its holder; a process id would tell of whoever has it now.
    fn carries(&self, lock: &Path) -> bool {
        let held = RunLock::is_held(lock)
            .inspect_err(|error| tracing::warn!(%error, "the lock cannot be looked at"))
            .unwrap_or(false);
        // The number in the lock is the owner's own, as is the one in the journal, whatever it is called here.
        let is_other = |owner: Owner| (owner.pid, owner.boot_id.as_ref()) != (self.pid, Some(&self.boot_id));
        held && !RunLock::last_owner(lock).is_some_and(is_other)
    }
}

/// The exit of a command that watched a run which lost its orchestrator.
pub(super) fn abandoned() -> CliError {
    CliError::new("abandoned", Exit::Interrupted, "nobody carries this run any more")
        .hint("`laneway resume` goes on with it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        Actor, Control, ControlReceived, SCHEMA, Subject, Timestamp, WorkflowEnd, WorkflowIteration,
    };
    use crate::id::{GraphName, RunNo};

    /// Long enough to fail loudly where a notice never comes; no test waits for it otherwise.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn body(seq: u64, event: Event) -> String {
        let envelope = Envelope {
            seq,
            at: Timestamp(0),
            graph: GraphName::new("g").unwrap(),
            run: RunNo(1),
            schema: SCHEMA,
            subject: Subject::default(),
            actor: Actor::Engine,
            cause: None,
            source: None,
            event,
        };
        envelope.to_json().unwrap()
    }

    fn attach(pid: u32, boot_id: String) -> Event {
        let verb = ControlVerb::Attach { pid, boot_id, attempts: true };
        let control = Control { id: "attach".to_owned(), by: "laneway".to_owned(), verb };
        ControlReceived { control }.into()
    }

    fn seqs(events: &[Envelope]) -> Vec<u64> {
        events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn ar30_a_tail_hands_out_every_event_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path()).unwrap();
        let lock = dir.path().join("lock");
        let _carried = RunLock::try_acquire(&lock).unwrap();
        journal.append(&[body(1, attach(std::process::id(), crate::exec::boot_id()))]).unwrap();
        let mut tail = Tail::open(dir.path(), &lock).unwrap();
        assert_eq!(seqs(&tail.take()), [1]);
        assert!(tail.is_carried());
        let writer = std::thread::spawn(move || {
            let iteration = |seq| body(seq, WorkflowIteration { n: 1 }.into());
            journal.append(&[iteration(2), iteration(3)]).unwrap();
            let end = WorkflowEnd { outcome: "completed".to_owned(), reason: None };
            journal.append(&[body(4, end.into())]).unwrap();
        });
        let mut seen = Vec::new();
        while tail.is_carried() {
            seen.extend(seqs(&tail.next(PATIENCE).unwrap()));
        }
        writer.join().unwrap();
        assert_eq!(seen, [2, 3, 4]);
    }

    #[test]
    fn ar30_a_run_whose_orchestrator_is_gone_is_carried_by_nobody_whoever_has_its_number_now() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path()).unwrap();
        // A number that is in use, as after the system gave it out again.
        journal.append(&[body(1, attach(std::process::id(), crate::exec::boot_id()))]).unwrap();
        let lock = dir.path().join("lock");
        let tail = Tail::open(dir.path(), &lock).unwrap();
        assert!(!tail.is_carried());
        let held = RunLock::try_acquire(&lock).unwrap();
        assert!(tail.is_carried());
        drop(held);
        assert!(!tail.is_carried());
    }

    #[test]
    fn ar26_the_orchestrator_of_a_later_run_does_not_carry_an_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("lock");
        let _held = RunLock::try_acquire(&lock).unwrap();
        let own = std::process::id();
        for (pid, boot) in [(own + 1, crate::exec::boot_id()), (own, "another boot".to_owned())] {
            let run = tempfile::tempdir_in(dir.path()).unwrap();
            let mut journal = Journal::create(run.path()).unwrap();
            journal.append(&[body(1, attach(pid, boot))]).unwrap();
            assert!(!Tail::open(run.path(), &lock).unwrap().is_carried());
        }
    }
}
