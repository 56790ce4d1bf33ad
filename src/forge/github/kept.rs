//! What GitHub has answered last, so that it is not asked, or not made to pay for, what is known.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::{Ask, Fault, GitHub, Reply, after};
use super::shared::{Answer, Shared, Turn};
use super::wire;
use crate::event::Timestamp;

/// Answers that are remembered; one too many, and all are forgotten.
const MOST: usize = 512;

#[derive(Debug, Default)]
struct Memory {
    answers: HashMap<String, Answer>,
    pulls: HashMap<u64, wire::Pull>,
    merging: HashSet<u64>,
}

/// The memory that all clones of a client share, and what they share with other processes.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    memory: Arc<Mutex<Memory>>,
    shared: Option<Shared>,
}

/// Something that was answered.
#[derive(Debug)]
pub(super) struct Told<T> {
    pub(super) what: T,
    pub(super) etag: Option<String>,
    /// When it was asked for.
    pub(super) at: Timestamp,
}

impl Kept {
    pub(super) fn with(shared: Shared) -> Self {
        Self { memory: Arc::default(), shared: Some(shared) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is never half of something.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, path: &str) -> Option<Answer> {
        let shared = self.shared.as_ref().and_then(|shared| shared.answer(path));
        shared.or_else(|| self.memory().answers.get(path).cloned())
    }

    fn keep_answer(&self, answer: Answer) {
        if self.shared.as_ref().is_some_and(|shared| shared.keep(&answer)) {
            return;
        }
        let mut memory = self.memory();
        if memory.answers.len() >= MOST {
            memory.answers.clear();
        }
        memory.answers.insert(answer.path.clone(), answer);
    }

    /// Waits until no other process asks for what all want to know.
    pub(super) async fn turn(&self, patience: Duration) -> Option<Turn> {
        match &self.shared {
            Some(shared) => shared.turn(patience).await,
            None => None,
        }
    }

    /// Until when this token is not to be used, as any process was told.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        self.shared.as_ref()?.held_until()
    }

    pub(super) fn hold(&self, until: Timestamp) {
        if let Some(shared) = &self.shared {
            shared.hold(until);
        }
    }

    /// Whether this process merges it, or has: what becomes of that is told by the merge.
    pub(super) fn is_merging(&self, number: u64) -> bool {
        self.memory().merging.contains(&number)
    }

    pub(super) fn set_merging(&self, number: u64, merging: bool) {
        let mut memory = self.memory();
        if merging {
            memory.merging.insert(number);
        } else {
            memory.merging.remove(&number);
        }
    }

    /// A pull request as it was shown last.
    pub(super) fn pull(&self, number: u64) -> Option<wire::Pull> {
        self.memory().pulls.get(&number).cloned()
    }

    /// This is how it is shown now, unless something newer was seen.
    pub(super) fn keep_pull(&self, pull: &wire::Pull) {
        let mut memory = self.memory();
        if memory.pulls.get(&pull.number).is_none_or(|known| known.updated_at <= pull.updated_at) {
            memory.pulls.insert(pull.number, pull.clone());
        }
    }
}

impl GitHub {
    /// Asks for `path`; where the answer is still the one that is remembered, GitHub says only that, at no cost.
    pub(super) async fn read_again<T: DeserializeOwned + Serialize>(&self, path: String) -> Result<T, Fault> {
        Ok(self.read_since(path, after(Duration::ZERO)).await?.what)
    }

    /// What was answered to `path`, by an answer that somebody has asked for after `since`.
    pub(super) fn known_since<T: DeserializeOwned>(&self, path: &str, since: Timestamp) -> Option<Told<T>> {
        let known = self.kept.answer(path)?;
        // One from the future was written by another clock.
        if known.at <= since || known.at > after(Duration::ZERO) {
            return None;
        }
        let what = self.parse(&known.text).ok()?;
        Some(Told { what, etag: Some(known.etag), at: known.at })
    }

    /// Asks for `path`, unless somebody has after `since`.
    pub(super) async fn read_since<T: DeserializeOwned + Serialize>(
        &self,
        path: String,
        since: Timestamp,
    ) -> Result<Told<T>, Fault> {
        if let Some(told) = self.known_since(&path, since) {
            return Ok(told);
        }
        let known = self.kept.answer(&path);
        // What happened after this moment may be missing in the answer.
        let at = after(Duration::ZERO);
        let ask = Ask::get(path.clone()).unless(known.as_ref().map(|known| known.etag.clone()));
        let (text, etag) = match (self.ask(&ask).await?, known) {
            (Reply::Same, Some(known)) => {
                if let Ok(what) = self.parse(&known.text) {
                    let etag = Some(known.etag.clone());
                    self.kept.keep_answer(Answer { at, ..known });
                    return Ok(Told { what, etag, at });
                }
                return self.read_anew(path, at).await;
            }
            (Reply::Same, None) => return self.read_anew(path, at).await,
            (Reply::Fresh { text, etag }, _) => (text, etag),
        };
        // An answer that was cut can look whole to the network; so what cannot be read is asked for again.
        let Ok(what) = self.parse(&text) else { return self.read_anew(path, at).await };
        // Only what is read of it is kept.
        if let (Some(etag), Ok(text)) = (&etag, serde_json::to_string(&what)) {
            self.kept.keep_answer(Answer { path, at, etag: etag.clone(), text });
        }
        Ok(Told { what, etag, at })
    }

    async fn read_anew<T: DeserializeOwned>(&self, path: String, at: Timestamp) -> Result<Told<T>, Fault> {
        Ok(Told { what: self.read(&Ask::get(path)).await?, etag: None, at })
    }
}
