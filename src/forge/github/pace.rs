//! How long GitHub is waited for, and how often it is asked.

use std::time::Duration;

/// The pauses and limits of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest that one request may take.
    pub timeout: Duration,
    /// The first pause before a request is sent again.
    pub backoff: Duration,
    /// How long the run leaves a GitHub alone that does not answer.
    pub patience: Duration,
    /// Between two looks while something happens.
    pub busy: Duration,
    /// Between two looks when nothing has happened for long.
    pub quiet: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            patience: Duration::from_secs(60),
            busy: Duration::from_secs(10),
            quiet: Duration::from_secs(300),
        }
    }
}

impl Pace {
    /// The same with every pause divided by `by`; the limit of a request stays.
    #[must_use]
    pub fn faster(self, by: u32) -> Self {
        let by = by.max(1);
        Self {
            timeout: self.timeout,
            backoff: self.backoff / by,
            patience: self.patience / by,
            busy: self.busy / by,
            quiet: self.quiet / by,
        }
    }
}
