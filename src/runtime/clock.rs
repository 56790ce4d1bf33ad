//! Reading the clocks, here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::{Now, Timestamp};

/// The wall clock.
pub(super) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Both clocks.
pub(super) fn now() -> Now {
    Now { wall: wall(), mono: crate::exec::monotonic_ms() }
}
