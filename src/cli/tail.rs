//! Files that are read while others write them. The system says when there is more; a slow look is the backstop.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::error::CliError;
use super::exit::Exit;
use crate::event::{ControlVerb, Envelope, Event};
use crate::journal::{Follow, Journal, Mode};

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
    /// Reads the journal in `dir` from its beginning.
    pub(super) fn open(dir: &Path) -> Result<Self, CliError> {
        // Watched first: what comes between listing and watching would be seen by the backstop only.
        let bell = Bell::hang(dir);
        let (_, replay) = Journal::open(dir, Mode::ReadOnly)?;
        let mut tail = Self {
            bell,
            follow: Follow::open(dir, replay.lines.end())?,
            waiting: VecDeque::new(),
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

    /// Whether an orchestrator carries the run right now, as far as can be seen from here.
    pub(super) fn is_carried(&self) -> bool {
        !self.at_rest && self.carrier.as_ref().is_some_and(Carrier::may_live)
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
    /// A process of another boot is gone; one that cannot be asked may be somebody else's.
    fn may_live(&self) -> bool {
        if crate::exec::boot_id() != self.boot_id {
            return false;
        }
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| {
            !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
        })
    }
}

/// The exit of a command that watched a run which lost its orchestrator.
pub(super) fn abandoned() -> CliError {
    CliError::new("abandoned", Exit::Interrupted, "nobody carries this run any more")
        .hint("`laneway resume` goes on with it".to_owned())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests start real processes")]
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
        journal.append(&[body(1, attach(std::process::id(), crate::exec::boot_id()))]).unwrap();
        let mut tail = Tail::open(dir.path()).unwrap();
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
    fn ar30_a_run_whose_orchestrator_is_gone_is_carried_by_nobody() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        for (pid, boot) in [(gone, crate::exec::boot_id()), (std::process::id(), "another boot".to_owned())] {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = Journal::create(dir.path()).unwrap();
            journal.append(&[body(1, attach(pid, boot))]).unwrap();
            let tail = Tail::open(dir.path()).unwrap();
            assert!(!tail.is_carried());
        }
    }
}
