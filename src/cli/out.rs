//! Where answers go. Several parts of a command answer, one at a time.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The stream of the answer; cheap to clone.
#[derive(Clone)]
pub(super) struct Out(Arc<Mutex<dyn Write + Send>>);

impl Out {
    /// Answers go to `stream`.
    pub(super) fn to(stream: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// Lets `write` write one answer, which is then passed on.
    pub(super) fn with<T>(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
        // A panic in the middle of an answer has nothing to do with the next one.
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let done = write(&mut *stream)?;
        stream.flush()?;
        Ok(done)
    }
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Out")
    }
}
