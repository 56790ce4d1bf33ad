//! What GitHub has answered last, so that it is not asked, or not made to pay for, what is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::client::{Ask, Fault, GitHub, Reply};
use super::wire;

/// Answers that are remembered; one too many, and all are forgotten.
const MOST: usize = 512;

/// An answer, and the tag with which GitHub can be asked whether it still holds.
#[derive(Debug, Clone)]
struct Answer {
    etag: String,
    text: String,
}

#[derive(Debug, Default)]
struct Memory {
    answers: HashMap<String, Answer>,
    pulls: HashMap<u64, wire::Pull>,
}

/// The memory that all clones of a client share.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Memory>>);

impl Kept {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is never half of something.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, path: &str) -> Option<Answer> {
        self.memory().answers.get(path).cloned()
    }

    fn keep_answer(&self, path: String, answer: Answer) {
        let mut memory = self.memory();
        if memory.answers.len() >= MOST {
            memory.answers.clear();
        }
        memory.answers.insert(path, answer);
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
    pub(super) async fn read_again<T: DeserializeOwned>(&self, path: String) -> Result<T, Fault> {
        let known = self.kept.answer(&path);
        let ask = Ask::get(path.clone()).unless(known.as_ref().map(|known| known.etag.clone()));
        let (text, etag) = match (self.ask(&ask).await?, known) {
            (Reply::Same, Some(known)) => return Ok(self.parse(&known.text)?),
            (Reply::Same, None) => return self.read(&Ask::get(path)).await,
            (Reply::Fresh { text, etag }, _) => (text, etag),
        };
        // An answer that was cut can look whole to the network; so what cannot be read is asked for again.
        let Ok(read) = self.parse(&text) else { return self.read(&Ask::get(path)).await };
        if let Some(etag) = etag {
            self.kept.keep_answer(path, Answer { etag, text });
        }
        Ok(read)
    }
}
