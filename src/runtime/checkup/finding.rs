//! What was found, and what to do about it.

use serde::Serialize;

/// How something stands; the greater is the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be, or of no account.
    Ok,
    /// Runs work, and something about it is worth knowing.
    Warn,
    /// Runs do not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, as a stable word.
    pub check: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// The next thing to do, as a command where one does it.
    pub next: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), next: None }
    }

    /// It is worth knowing.
    pub fn warn(check: &'static str, found: impl Into<String>, next: impl Into<Option<String>>) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), next: next.into() }
    }

    /// It stops runs.
    pub fn fail(check: &'static str, found: impl Into<String>, next: impl Into<Option<String>>) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), next: next.into() }
    }
}
