//! The time of day, for the screen.
#![expect(clippy::disallowed_methods, reason = "the screen shows how long things take")]

use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Timestamp;

/// Now.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
