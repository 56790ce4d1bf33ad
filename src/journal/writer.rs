//! Group commit: many producers, one thread that writes, one sync for all that wait.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::error::JournalError;
use super::file::{Journal, check_bodies};

/// A batch and where its producer waits for the answer.
struct Request {
    bodies: Vec<String>,
    answer: Sender<Result<(), JournalError>>,
}

/// A journal that many threads append to. While one sync runs, the next batches gather and share the next one.
#[derive(Debug)]
pub struct GroupWriter {
    requests: Sender<Request>,
    thread: JoinHandle<Journal>,
    path: PathBuf,
}

impl GroupWriter {
    /// Gives `journal` to a thread of its own.
    pub fn spawn(journal: Journal) -> Result<GroupWriter, JournalError> {
        let path = journal.path().to_owned();
        let (requests, inbox) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || serve(journal, &inbox))
            .map_err(|source| JournalError::NoWriter { path: path.clone(), source: Some(source) })?;
        Ok(GroupWriter { requests, thread, path })
    }

    /// Appends a batch and returns when it is on disk; the batch stays together.
    ///
    /// # Errors
    /// As [`Journal::append`]. When a shared write fails, one producer gets the reason and the others
    /// [`JournalError::Poisoned`].
    pub fn append(&self, bodies: Vec<String>) -> Result<(), JournalError> {
        // A bad body must not fail the batches that share its write, so it is found here.
        check_bodies(&bodies)?;
        let gone = || JournalError::NoWriter { path: self.path.clone(), source: None };
        let (answer, answered) = mpsc::channel();
        self.requests.send(Request { bodies, answer }).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    /// Ends the thread after what is queued and gives the journal back.
    #[expect(clippy::missing_panics_doc, reason = "an invariant: nothing in the thread panics")]
    pub fn finish(self) -> Journal {
        drop(self.requests);
        self.thread.join().expect("the writing thread does not panic")
    }
}

fn serve(mut journal: Journal, inbox: &Receiver<Request>) -> Journal {
    let mut group = Vec::new();
    while let Ok(first) = inbox.recv() {
        group.push(first);
        group.extend(inbox.try_iter());
        let bodies = group.iter().flat_map(|request: &Request| request.bodies.iter().map(String::as_str));
        let mut outcome = journal.append_checked(bodies);
        for request in group.drain(..) {
            let poisoned = JournalError::Poisoned { path: journal.path().to_owned() };
            let answer = match &outcome {
                Ok(()) => Ok(()),
                Err(_) => std::mem::replace(&mut outcome, Err(poisoned)),
            };
            // A producer that no longer waits has nobody to tell.
            _ = request.answer.send(answer);
        }
    }
    journal
}
